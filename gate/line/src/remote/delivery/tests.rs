//! What a delivery sends, step by step, and what it never sends.

use super::*;

fn check(buffer: &str) -> Event {
    Event::Check(Check { buffer: buffer.into(), utf8: true, ..Check::default() })
}

fn output(text: &str) -> Event {
    Event::Output(text.into())
}

fn show(text: &str) -> Step {
    Step::Show(text.into())
}

fn verified(line: &str) -> Delivery {
    let mut delivery = Delivery::verified(line.as_bytes(), false, false).unwrap();
    assert_eq!(
        delivery.start(),
        [
            Step::Const(Const::PasteStart),
            Step::Item,
            Step::Const(Const::PasteEnd),
            Step::Const(Const::CheckKey),
            Step::Wait
        ]
    );
    delivery
}

fn is_abort(steps: &[Step]) -> bool {
    matches!(steps, [Step::Const(Const::Interrupt), Step::Aborted(_), Step::Wait])
}

const RETURN: [Step; 3] = [Step::Const(Const::Return), Step::Accepted, Step::Wait];

#[test]
fn the_same_buffer_is_accepted_once() {
    let mut delivery = verified("ls");
    assert!(delivery.on(&output("ls")).is_empty());
    assert_eq!(delivery.on(&check("ls")), RETURN);
    assert!(delivery.on(&check("ls")).is_empty());
    assert!(delivery.start().is_empty());
    assert!(delivery.timeout().is_empty() && delivery.is_done());
    assert!(delivery.on(&check("ls")).is_empty());
}

#[test]
fn anything_else_is_interrupted() {
    let good = Check { buffer: b"ls".to_vec(), utf8: true, ..Check::default() };
    for bad in [
        Check { buffer: b"ls ".to_vec(), ..good.clone() },
        Check { buffer: b"".to_vec(), ..good.clone() },
        Check { foreign: true, ..good.clone() },
        Check { history_expansion: true, ..good.clone() },
        Check { continued: true, ..good.clone() },
        Check { unready: true, ..good.clone() },
    ] {
        let mut delivery = verified("ls");
        assert!(is_abort(&delivery.on(&Event::Check(bad.clone()))), "{bad:?}");
        assert!(delivery.on(&Event::Check(good.clone())).is_empty(), "{bad:?}");
    }
    assert!(is_abort(&verified("ls").on(&Event::CommandStart)));
    let mut delivery = verified("ä");
    let check = Check { buffer: "ä".into(), utf8: false, ..good };
    assert!(is_abort(&delivery.on(&Event::Check(check))));
}

#[test]
fn without_an_answer_it_is_interrupted_twice_and_given_up() {
    let mut delivery = verified("ls");
    assert!(is_abort(&delivery.timeout()));
    assert_eq!(delivery.timeout(), [Step::Const(Const::Interrupt), Step::Wait]);
    assert!(!delivery.is_done());
    assert!(delivery.timeout().is_empty());
    assert!(delivery.is_done());
}

#[test]
fn one_that_was_not_begun_is_never_begun_late() {
    let mut delivery = Delivery::verified(b"ls", false, false).unwrap();
    assert!(matches!(&delivery.timeout()[..], [Step::Aborted(_)]));
    assert!(delivery.start().is_empty());
}

#[test]
fn lines_with_tab_or_newline_ask_first() {
    for line in ["a\nb", "a\tb"] {
        let mut delivery = Delivery::verified(line.as_bytes(), false, false).unwrap();
        assert_eq!(delivery.start(), [Step::Const(Const::CheckKey), Step::Wait]);
        assert_eq!(delivery.on(&check("")).get(1), Some(&Step::Item));
        assert_eq!(delivery.on(&check(line)), RETURN);
    }
    let mut delivery = Delivery::verified(b"a\nb", false, false).unwrap();
    delivery.start();
    assert!(is_abort(&delivery.on(&check("a\nb"))));
}

#[test]
fn bashs_echo_ends_with_paste_mode() {
    let mut delivery = verified("ls");
    delivery.on(&check("ls"));
    assert!(delivery.on(&output("\r$ ls\r\n\rmore\r\n")).is_empty());
    assert!(delivery.on(&Event::PasteMode(false)).is_empty());
    assert!(delivery.is_done());
    assert_eq!(delivery.on(&output("\x1b[?2004l\rerror")), [show("\x1b[?2004l\rerror")]);
}

#[test]
fn zshs_echo_ends_with_the_newline_after_paste_mode() {
    let mut delivery = verified("ls");
    delivery.on(&check("ls"));
    assert_eq!(delivery.on(&output("\x1b[2Dls\x1b[?1l\x1b>")), [show("\x1b[?1l\x1b>")]);
    delivery.on(&Event::PasteMode(false));
    let steps = delivery.on(&output("\x1b[?2004l\r\r\nzsh: error\r\n"));
    assert_eq!(steps, [show("\x1b[?2004lzsh: error\r\n")]);
    assert!(delivery.is_done());
}

#[test]
fn after_an_abort_output_is_dropped_until_the_prompt() {
    let mut delivery = verified("ls");
    delivery.on(&check("sl"));
    assert!(delivery.on(&output("^C\r\n")).is_empty());
    delivery.on(&Event::PasteMode(false));
    assert!(delivery.on(&output("$ ")).is_empty());
    delivery.on(&Event::PromptEnd);
    assert!(delivery.is_done());
}

#[test]
fn an_echo_is_compared_and_dropped() {
    let mut delivery = Delivery::unverified(b"ls", 80, b"$ ", true).unwrap();
    assert_eq!(delivery.start(), [Step::Item, Step::Wait]);
    assert!(delivery.on(&output("l")).is_empty());
    assert_eq!(delivery.on(&output("s")), RETURN);
    assert_eq!(delivery.on(&output("\r\nfile\r\n")), [show("file\r\n")]);
    assert!(delivery.is_done());

    let mut delivery = Delivery::unverified(b"ls", 80, b"$ ", true).unwrap();
    delivery.start();
    assert!(delivery.on(&output("rm")).is_empty());
    assert!(is_abort(&delivery.timeout()));
}

#[test]
fn what_a_prompt_could_change_is_not_sent_unchecked() {
    let unverified = |line: &str| Delivery::unverified(line.as_bytes(), 80, b"", true).err();
    assert_eq!(unverified("echo !!"), Some(Undeliverable::HistoryExpansion));
    assert!(Delivery::unverified(b"! echo !!", 80, b"", false).is_ok());
    assert_eq!(unverified("^a^b"), Some(Undeliverable::HistoryExpansion));
    assert_eq!(unverified("a\tb"), Some(Undeliverable::NotOneLine));
    assert_eq!(unverified("a\nb"), Some(Undeliverable::NotOneLine));
    assert_eq!(unverified("a\u{200b}b"), Some(Undeliverable::Hidden));
    assert_eq!(unverified(&"x".repeat(1_001)), Some(Undeliverable::TooLong));
    assert_eq!(unverified(&"x".repeat(1_000)), None);
    for line in [&b"a\x1bb"[..], b"a\x7f", b"a\0", b"a\rb", b"\xc2\x85"] {
        let verified = Delivery::verified(line, false, false).err();
        assert_eq!(verified, Some(Undeliverable::Control), "{line:?}");
    }
    let verified = Delivery::verified(b"\xff", false, false).err();
    assert_eq!(verified, Some(Undeliverable::NotUtf8));
}
