//! What each key does to the line.

use super::super::{Editor, History, Key, Mode, Outcome};
use super::{program, submitted, type_at};

/// Types bytes into an empty line; the text, with `|` where the cursor is.
#[track_caller]
fn after(bytes: &[u8], expected: &str) {
    let mut editor = Editor::default();
    type_at(&mut editor, bytes);
    let mut text = editor.text().to_owned();
    text.insert(editor.buffer.cursor(), '|');
    assert_eq!(text, expected, "{bytes:?}");
}

#[test]
fn movements() {
    after(b"abc\x1b[D", "ab|c");
    after(b"abc\x02\x02\x06", "ab|c");
    after(b"abc\x01", "|abc");
    after(b"abc\x1b[Hx", "x|abc");
    after(b"abc\x01\x05", "abc|");
    after(b"abc\x1b[1~\x1b[4~", "abc|");
    after(b"one two-three\x1bb\x1bb", "one |two-three");
    after(b"one two\x01\x1bf", "one| two");
    after(b"one two\x01\x1b[1;5C\x1b[1;5C\x1b[1;5D", "one |two");
}

#[test]
fn deletions() {
    after(b"abc\x7f", "ab|");
    after(b"abc\x08", "ab|");
    after(b"abc\x01\x1b[3~", "|bc");
    after(b"abc\x01\x04", "|bc");
    after(b"one two\x17", "one |");
    after(b"one /a/b  \x17", "one |");
    after(b"one two-x\x1b\x7f", "one two-|");
    after(b"one two\x01\x1bd", "| two");
    after(b"abc\x02\x0b", "ab|");
    after(b"abc\x02\x15", "|c");
    after(b"rm x\x7f\x7f\x7f\x7fls", "ls|");
    after(b"abc\x01\x0bls", "ls|");
}

#[test]
fn kills_come_back() {
    after(b"one two\x17\x17x\x19", "xone two|");
    after(b"abc\x15\x19\x19", "abcabc|");
    after(b"ab cd\x01\x1bd\x1bd\x05\x19", "ab cd|");
    after(b"ab\x17x\x17\x19", "x|");
    assert_eq!(type_at(&mut Editor::default(), b"\x19"), Outcome::Bell);
}

#[test]
fn transposes() {
    after(b"ab\x14", "ba|");
    after(b"abc\x02\x14", "acb|");
    after(b"abc\x02\x02\x14", "ba|c");
    assert_eq!(type_at(&mut Editor::default(), b"a\x14"), Outcome::Bell);
    after(b"\x1b[200~a\nb\x1b[201~\x14", "a\nb|");
}

#[test]
fn whole_clusters_move_and_go() {
    let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
    after(format!("a{family}\x7f").as_bytes(), "a|");
    after(format!("a{family}\x1b[Db").as_bytes(), &format!("ab|{family}"));
    after("ae\u{301}\x7f".as_bytes(), "a|");
    after("日本\x1b[D".as_bytes(), "日|本");
}

#[test]
fn bells_leave_the_line_alone() {
    for key in ["\t", "\x0f", "\x16", "\x18", "\x11", "\x13", "\x1d", "\x1bOP", "\x1b.", "\x1b[2~"]
    {
        let mut editor = Editor::default();
        assert_eq!(type_at(&mut editor, format!("a{key}").as_bytes()), Outcome::Bell, "{key:?}");
        assert_eq!(editor.text(), "a");
    }
    let mut editor = Editor::default();
    for key in [b"\x7f", b"\x04"] {
        let text = [b"a\x01".as_slice(), key].concat();
        type_at(&mut editor, &text);
        editor.clear();
    }
    assert_eq!(type_at(&mut editor, b"a\x04"), Outcome::Bell, "not the end of input");
    assert_eq!(type_at(&mut editor, b"\x1b[24;80R"), Outcome::Bell);
    assert_eq!(editor.text(), "a");
}

#[test]
fn control_keys_are_named() {
    let mut editor = Editor::default();
    assert_eq!(type_at(&mut editor, b"\x04"), Outcome::Eof);
    assert_eq!(type_at(&mut editor, b"abc\x1a"), Outcome::Suspend);
    assert_eq!(type_at(&mut editor, b"\x1c"), Outcome::Quit);
    assert_eq!(type_at(&mut editor, b"\x0c"), Outcome::ClearScreen);
    assert_eq!(editor.text(), "abc");
    assert_eq!(type_at(&mut editor, b"\x03"), Outcome::Interrupt);
    assert!(editor.is_empty());
}

#[test]
fn quoting_a_return_inserts_nothing() {
    let mut editor = Editor::default();
    assert_eq!(submitted(&mut editor, b"\x16\r"), [""]);
}

#[test]
fn lines_in_one_packet_come_in_order() {
    let mut editor = Editor::default();
    assert_eq!(submitted(&mut editor, b"a\nb\rc\r\nd\n"), ["a", "b", "c", "d"]);
    assert_eq!(submitted(&mut editor, b"touch p\n"), ["touch p"]);
}

#[test]
fn a_paste_waits_for_enter() {
    let mut editor = Editor::default();
    assert_eq!(submitted(&mut editor, b"\x1b[200~touch p\r\ntouch q\rx\n\x1b[201~"), [""; 0]);
    assert_eq!(editor.text(), "touch p\ntouch q\nx\n");
    assert_eq!(submitted(&mut editor, b"\r"), ["touch p\ntouch q\nx\n"]);
    let cut = b"\x1b[200~a\x1b[201~;touch p\r";
    assert_eq!(submitted(&mut editor, cut), ["a;touch p"], "one item, whole");
    assert_eq!(submitted(&mut editor, b"x z\x02\x1b[200~y \x1b[201~\r"), ["x y z"]);
    assert_eq!(submitted(&mut editor, b"\x1b[200~a\tb\x1b[201~\r"), ["a\tb"]);
}

#[test]
fn a_paste_with_controls_is_refused_whole() {
    for bad in ["\0", "\x1b[A", "\x7f", "\x03", "\x1b", "\u{9b}", "\x08"] {
        let mut editor = Editor::default();
        let outcome = editor.key(&Key::Paste(format!("touch p{bad}\n").into_bytes()));
        let Outcome::Rejected(why) = outcome else { panic!("{bad:?}: {outcome:?}") };
        assert!(!why.is_empty() && !why.contains(|c: char| c.is_control()));
        assert_eq!(editor.text(), "");
        // What follows is a rest of it, not a line.
        assert!(matches!(type_at(&mut editor, b"; id\r"), Outcome::Rejected(_)));
        assert_eq!(submitted(&mut editor, b"ls\r"), ["ls"]);
    }
    let mut editor = Editor::default();
    assert!(matches!(editor.key(&Key::Paste(vec![0xff])), Outcome::Rejected(_)));
    assert!(matches!(editor.key(&Key::PasteTooLong), Outcome::Rejected(_)));
}

#[test]
fn what_is_not_text_spoils_the_line() {
    for bad in [&b"ls \xff\xfe"[..], b"ls \0x", b"ls \xc2\x9b"] {
        let mut editor = Editor::default();
        type_at(&mut editor, bad);
        assert!(matches!(type_at(&mut editor, b"y\r"), Outcome::Rejected(_)), "{bad:?}");
        assert!(editor.is_empty());
        assert_eq!(submitted(&mut editor, b"ok\r"), ["ok"]);
    }
    // ^C forgets it too.
    let mut editor = Editor::default();
    assert_eq!(type_at(&mut editor, b"\xff\x03"), Outcome::Interrupt);
    assert_eq!(submitted(&mut editor, b"ok\r"), ["ok"]);
    // A key that no decoder makes.
    assert!(matches!(editor.key(&Key::Char('\x1b')), Outcome::Rejected(_)));
}

#[test]
fn a_long_line_is_refused_once_and_whole() {
    let mut editor = Editor::default();
    let mut refusals = 0;
    for _ in 0..300_000 {
        refusals += usize::from(matches!(editor.key(&Key::Char('x')), Outcome::Rejected(_)));
    }
    assert_eq!(refusals, 1);
    assert!(editor.text().len() <= super::super::validate::MAX_LINE);
    assert!(matches!(editor.key(&Key::Enter), Outcome::Rejected(_)));
    assert!(editor.is_empty());
    let mut editor = program();
    type_at(&mut editor, &[b'x'; 1_000]);
    assert_eq!(submitted(&mut editor, b"\r").len(), 1);
    type_at(&mut editor, &[b'x'; 1_001]);
    assert!(matches!(editor.key(&Key::Enter), Outcome::Rejected(_)));
}

#[test]
fn hidden_characters_are_noted() {
    let mut editor = Editor::default();
    let outcome = type_at(&mut editor, "echo \u{202e}x\u{200b}\u{200b}\r".as_bytes());
    let Outcome::Submit(line) = outcome else { panic!("{outcome:?}") };
    assert_eq!(line.notes, ["hidden characters: U+202E, U+200B (2 times)"]);
    assert_eq!(line.bytes, "echo \u{202e}x\u{200b}\u{200b}".as_bytes());
    let Outcome::Submit(line) = type_at(&mut editor, "grün\r".as_bytes()) else { panic!() };
    assert!(line.notes.is_empty());
}

#[test]
fn incomplete_syntax_goes_on() {
    let mut editor = Editor::default();
    assert_eq!(type_at(&mut editor, b"for x in a b\r"), Outcome::Changed);
    assert_eq!(submitted(&mut editor, b"do\recho $x\rdone\r"), ["for x in a b\ndo\necho $x\ndone"]);
    assert_eq!(
        submitted(&mut editor, b"cat <<EOF\nrm\nEOF\nls\n"),
        ["cat <<EOF\nrm\nEOF", "ls"],
        "a here-document is one item"
    );
    // Enter in the middle continues at the end.
    assert_eq!(submitted(&mut editor, b"echo 'a\x01\rb'\r"), ["echo 'a\nb'"]);
    assert_eq!(submitted(&mut editor, b"echo a\\\rb\r"), ["echo a\\\nb"]);
    // A program gets every line.
    assert_eq!(submitted(&mut program(), b"if true\r"), ["if true"]);
}

#[test]
fn rows_of_a_text() {
    after(b"\x1b[200~one\ntwo\nthree\x1b[201~\x1b[A", "one\ntwo|\nthree");
    after(b"\x1b[200~one\ntwo\nthree\x1b[201~\x01\x1b[A\x1b[A", "|one\ntwo\nthree");
    after(b"\x1b[200~one\ntwo\nthree\x1b[201~\x1b[A\x1b[A\x1b[B", "one\ntwo|\nthree");
    after(b"\x1b[200~one\ntwo\x1b[201~\x01\x0b\x15", "one|");
    after(b"\x1b[200~one\ntwo\x1b[201~\x1b[A\x05\x0b", "one|two");
    after(b"\x1b[200~one\ntwo\x1b[201~\x1b[A\x01x", "x|one\ntwo");
}

fn with_history() -> Editor {
    Editor::new(History::with_lines(["first", "second\nrow", "third"]))
}

#[test]
fn history_is_the_gates_own() {
    let mut editor = with_history();
    assert_eq!(submitted(&mut editor, b"\x1b[A\r"), ["third"]);
    let mut editor = with_history();
    assert_eq!(submitted(&mut editor, b"new\x10\x10\x10\r"), ["first"]);
    let mut editor = with_history();
    type_at(&mut editor, b"new\x1b[A\x1b[A\x1b[A\x1b[A");
    assert_eq!(editor.text(), "first");
    assert_eq!(type_at(&mut editor, b"\x1b[A"), Outcome::Bell);
    type_at(&mut editor, b"\x0e\x0e\x0e");
    assert_eq!(editor.text(), "new", "the draft is still there");
    assert_eq!(type_at(&mut editor, b"\x0e"), Outcome::Bell);
}

#[test]
fn history_keeps_what_it_should() {
    let mut editor = Editor::default();
    submitted(&mut editor, b"a\ra\rb\r secret\r\r   \ra\r");
    assert_eq!(editor.history().lines().collect::<Vec<_>>(), ["a", "b", "a"]);
    editor.set_mode(Mode::Program);
    assert_eq!(submitted(&mut editor, b"select 1\r\x1b[A\r"), ["select 1", "select 1"]);
    editor.set_mode(Mode::Secret);
    assert_eq!(submitted(&mut editor, b"hunter2\r"), ["hunter2"]);
    editor.set_mode(Mode::Shell);
    assert_eq!(editor.history().len(), 3);
    for line in 0..2_000 {
        editor.history_mut().push(&line.to_string());
    }
    assert_eq!(editor.history().len(), 1_000);
    let mut big = History::new();
    for line in 0..200 {
        big.push(&format!("{line}{}", "x".repeat(16_000)));
    }
    assert!(big.lines().map(str::len).sum::<usize>() <= 1 << 20);
    assert!(History::with_lines(["a\x1bb", ""]).is_empty());
}

#[test]
fn search_goes_back() {
    let mut editor = with_history();
    assert_eq!(submitted(&mut editor, b"\x12ir\r"), ["third"]);
    let mut editor = with_history();
    assert_eq!(submitted(&mut editor, b"\x12ir\x12\r"), ["first"]);
    let mut editor = with_history();
    assert_eq!(type_at(&mut editor, b"x\x12ir\x12\x12"), Outcome::Bell, "no third one");
    assert_eq!(type_at(&mut editor, b"\x07"), Outcome::Changed);
    assert_eq!(editor.text(), "x", "^G puts back what was there");
    type_at(&mut editor, b"\x12sec\x1b");
    assert_eq!(editor.text(), "second\nrow", "ESC keeps it");
    let mut editor = with_history();
    assert_eq!(type_at(&mut editor, b"x\x12sec\x03"), Outcome::Changed);
    assert_eq!(editor.text(), "x");
    let mut editor = with_history();
    type_at(&mut editor, b"\x12thx\x7f\x05!");
    assert_eq!(editor.text(), "third!");
}

#[test]
fn secrets_leave_no_trace() {
    let mut editor = Editor::default();
    editor.set_mode(Mode::Secret);
    for key in
        [b"a".as_slice(), b"b", b"\x7f", b"\x17", b"\x19", b"\x1b[A", b"\x12", b"\t", b"\x04"]
    {
        assert_eq!(type_at(&mut editor, key), Outcome::Nothing, "{key:?}");
        assert!(editor.draw(80, 10).is_empty());
    }
    assert_eq!(submitted(&mut editor, b"c d\r"), ["ac d"]);
    assert!(editor.finish(80, 10).is_empty());
    assert_eq!(type_at(&mut editor, b"\x04"), Outcome::Eof);
    assert!(matches!(type_at(&mut editor, b"\x1b[200~a\nb\x1b[201~"), Outcome::Rejected(_)));
    assert_eq!(type_at(&mut editor, b"half\x03"), Outcome::Interrupt);
    assert!(editor.finish(80, 10).is_empty());
    type_at(&mut editor, b"half\x15");
    assert!(editor.is_empty());
    type_at(&mut editor, b"half");
    editor.set_mode(Mode::Shell);
    assert!(editor.is_empty(), "it would be shown");
    type_at(&mut editor, b"\x19");
    assert!(editor.is_empty(), "nor is it in the kill ring");
    let mut editor = Editor::default();
    editor.set_mode(Mode::Secret);
    let Outcome::Submit(line) = type_at(&mut editor, b"hunter2\r") else { panic!() };
    assert!(line.secret && !format!("{line:?}").contains("hunter2"));
}
