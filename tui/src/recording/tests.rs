#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::*;

const V2: &str = concat!(
    r#"{"version": 2, "width": 80, "height": 24, "timestamp": 1504467315, "title": "Demo", "env": {"TERM": "xterm-256color", "SHELL": "/bin/zsh"}}"#,
    "\n[0.248848, \"o\", \"\\u001b[1;31mHello \\u001b[32mWorld!\\u001b[0m\\n\"]\n",
    "[1.001376, \"o\", \"That was ok\\rThis is better.\"]\n",
    "[1.500000, \"m\", \"allowed LOW by mara\"]\n",
    "[2.143733, \"r\", \"100x50\"]\n",
    "[6.541828, \"i\", \"q\"]\n",
    "[7.0, \"z\", \"?\"]\n",
);

fn read(text: &str) -> Result<Recording, RecordingError> {
    Recording::read(text.as_bytes())
}

#[test]
fn version_2() {
    let r = read(V2).unwrap();
    assert_eq!((r.header.cols, r.header.rows, r.header.timestamp), (80, 24, Some(1_504_467_315)));
    assert_eq!(r.header.term.as_deref(), Some("xterm-256color"));
    assert_eq!(r.events.len(), 6);
    assert_eq!(r.data(&r.events[1]), "That was ok\rThis is better.");
    assert_eq!(r.markers().collect::<Vec<_>>(), [(1.5, "allowed LOW by mara")]);
    assert_eq!(r.events[5].kind, Kind::Other('z'));
    assert!((r.duration() - 7.0).abs() < 1e-9);
    assert!(!r.truncated);
}

#[test]
fn version_3_counts_from_the_event_before() {
    let text = "{\"version\":3,\"term\":{\"cols\":100,\"rows\":30,\"type\":\"xterm\"}}\n\
        # a comment\n[0.5, \"o\", \"a\"]\n[0.25, \"o\", \"b\"]\n\n[1, \"x\", \"0\"]\n";
    let r = read(text).unwrap();
    assert_eq!((r.header.cols, r.header.rows), (100, 30));
    let times: Vec<f64> = r.events.iter().map(|e| e.time).collect();
    assert_eq!(times, [0.5, 0.75, 1.75]);
    assert_eq!(r.events[2].kind, Kind::Exit);
}

#[test]
fn version_1_is_one_document() {
    let text = "{\n \"version\": 1,\n \"width\": 80, \"height\": 24, \"duration\": 1.5,\n\
        \"stdout\": [[0.25, \"a\"], [1.25, \"b\"]]\n}\n";
    let r = read(text).unwrap();
    assert_eq!(r.events.iter().map(|e| e.time).collect::<Vec<_>>(), [0.25, 1.5]);
}

#[test]
fn what_is_written_reads_the_same() {
    let r = read(V2).unwrap();
    for version in [2, 3] {
        let mut out = Vec::new();
        match version {
            2 => r.write_v2(&mut out).unwrap(),
            _ => r.write_v3(&mut out).unwrap(),
        }
        let mut back = Recording::read(out.as_slice()).unwrap();
        assert_eq!(back.header.version, version);
        back.header.version = 2;
        for (a, b) in r.events.iter().zip(&back.events) {
            assert!((a.time - b.time).abs() < 2e-6, "{a:?} {b:?}");
        }
        for (a, b) in back.events.iter_mut().zip(&r.events) {
            a.time = b.time;
        }
        assert_eq!(back, r, "version {version}");
    }
}

#[test]
fn as_text() {
    let mut out = Vec::new();
    read(V2).unwrap().write_text(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    // A line feed alone keeps the column, and a carriage return overwrites.
    assert_eq!(text, "Hello World!\nThis is better.t was ok\n");
}

#[test]
fn text_does_not_reorder_itself() {
    let text = "{\"version\":2}\n[0,\"o\",\"a \u{202e}drawkcab\u{2069} 日\u{200b}\"]\n";
    let mut out = Vec::new();
    read(text).unwrap().write_text(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains(['\u{202e}', '\u{2069}', '\u{200b}']), "{text:?}");
    assert!(text.starts_with("a ⟨U+202E⟩drawkcab") && text.contains('日'), "{text:?}");
}

#[test]
fn a_cut_off_end_and_broken_lines() {
    let cut = format!("{V2}[8.0, \"o\", \"half");
    let r = read(&cut).unwrap();
    assert!(r.truncated);
    assert_eq!(r.events.len(), 6);
    assert_eq!(r.text, read(V2).unwrap().text);
    let broken = V2.replace("[1.001376, ", "[oops, ");
    assert!(read(&broken).unwrap_err().to_string().contains("line 3"));
    for (text, wrong) in [
        ("", "empty"),
        ("\n\n", "empty"),
        ("hello\n", "not an asciicast"),
        ("{\"version\": 9}\n", "version 9"),
        ("{\"version\": 1", "not an asciicast"),
        ("{\"version\": 2}\n[1]\n", "three parts"),
        ("{\"version\": 2}\n[1,\"oo\",\"\"]\n", "one character"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(wrong), "{text:?}: {error}");
    }
}

#[test]
fn absurd_values() {
    let text = "{\"version\": 2, \"width\": 99999999, \"height\": 0}\n\
        [5, \"o\", \"a\"]\n[1, \"o\", \"b\"]\n[-3, \"r\", \"0x0\"]\n[1e300, \"o\", \"\"]\n";
    let r = read(text).unwrap();
    assert_eq!((r.header.cols, r.header.rows), (80, 24));
    assert!(r.events.windows(2).all(|w| w[0].time <= w[1].time));
    assert_eq!(size("0x0"), None);
    assert_eq!(size("80x24"), Some((80, 24)));
}

#[test]
fn finding() {
    let r = read(V2).unwrap();
    assert_eq!(r.find("better", 0), Some(1));
    assert_eq!(r.find("Hello", 0), Some(0));
    assert_eq!(r.find("Hello", 1), None);
    assert_eq!(r.find("Hello", 99), None);
}

/// A large recording is read by several threads: the events are the same, and so are the errors.
#[test]
fn large_recordings_are_read_in_pieces() {
    use std::fmt::Write as _;
    let mut text = "\n{\"version\":2,\"width\":80,\"height\":24}\n".to_owned();
    for i in 0..40_000 {
        let _ = writeln!(text, "[{}.25, \"o\", \"{i:040} \\u001b[3{}m\\u00e9\\r\\n\"]", i, i % 8);
    }
    let r = read(&text).unwrap();
    assert!(text.len() > 2 << 20, "{}", text.len());
    assert_eq!(r.events.len(), 40_000);
    for i in [0, 1, 19_999, 20_000, 39_999] {
        let event = &r.events[i];
        assert!((event.time - (i as f64 + 0.25)).abs() < 1e-9);
        assert_eq!(r.data(event), format!("{i:040} \u{1b}[3{}mé\r\n", i % 8));
    }
    let broken = text.replace("[31000.25, \"o\"", "[31000.25, \"oo\"");
    let error = read(&broken).unwrap_err().to_string();
    assert!(error.contains("line 31003:"), "{error}");
    let cut = text.trim_end_matches("\"]\n");
    let r = read(cut).unwrap();
    assert!(r.truncated && r.events.len() == 39_999);
    // Version 3 counts across the pieces.
    let relative = text.replace("\"version\":2", "\"version\":3").replace(".25, \"o\"", ", \"i\"");
    let r = read(&relative).unwrap();
    let sum: f64 = (0..40_000).map(f64::from).sum();
    assert!((r.duration() - sum).abs() < 1.0, "{}", r.duration());
}

mod quick {
    use proptest::prelude::*;

    use super::*;

    fn whole(line: &str) -> Option<(f64, Kind, String)> {
        let text = format!("{{\"version\":2}}\n{line}\n");
        let r = Recording::read(text.as_bytes()).ok()?;
        let event = r.events.first()?;
        Some((event.time, event.kind, r.data(event).to_owned()))
    }

    fn quick(line: &str) -> Option<(f64, Kind, String)> {
        let mut out = "before".to_owned();
        let read = super::super::fast::event(line.as_bytes(), &mut out);
        if read.is_none() {
            assert_eq!(out, "before");
        }
        read.map(|(time, kind)| (time, kind, out.split_off("before".len())))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// What the quick way reads, the parser reads the same.
        #[test]
        fn as_the_parser_does(
            line in r#"[\[ ]{0,2}-?[0-9]{0,4}(\.[0-9]{0,14})?(e3)? ?, ?"[oimrx]{1,2}", ?"([ -~é]|\\["\\/bfnrtu]|\\u[0-9a-fD8]{4}|\u{7}){0,12}"\]? ?"#,
        ) {
            if let Some((time, kind, data)) = quick(&line) {
                let mut json: serde_json::Value = serde_json::from_str(&line).unwrap();
                prop_assert_eq!(&data, json[2].as_str().unwrap());
                prop_assert!((time - json[0].take().as_f64().unwrap()).abs() <= time * 1e-15);
                prop_assert!(whole(&line).is_some_and(|w| w.1 == kind && w.2 == data));
            }
        }

        /// What a recorder writes, it does read.
        #[test]
        fn ordinary_lines_are_read(time in 0u32..4_000_000, data in "\\PC{0,20}|[\u{1b}\r\n\t\\[0-9m\"\\\\]{0,20}") {
            let line = format!("[{}.{:06}, \"o\", {}]", time / 1000, time, serde_json::to_string(&data).unwrap());
            let (_, kind, read) = quick(&line).expect(&line);
            prop_assert_eq!((kind, read), (Kind::Output, data));
        }
    }
}
