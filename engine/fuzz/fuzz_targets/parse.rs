//! Any bytes: reading must neither panic, overflow nor hang, and spans must lie in the command.
#![no_main]

use expacti_engine::{Context, assess, make_visible, mask_secrets};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let assessment = assess(bytes, &Context::default());
    for segment in &assessment.segments {
        assert!(assessment.command.get(segment.span[0]..segment.span[1]).is_some());
    }
    let shown = make_visible(bytes);
    assert!(shown.text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
    let _ = mask_secrets(bytes);
});
