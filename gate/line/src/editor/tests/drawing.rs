//! Drawing in steps shows what drawing at once would, on a terminal emulator.

use avt::Terminal;
use proptest::prelude::*;

use super::super::{Editor, History, Key, Mode, Outcome};
use super::{keys, type_at};

/// A terminal with a prompt on it, and what the editor has to know of it.
struct Screen {
    terminal: Terminal,
    cols: u16,
    origin: u16,
}

/// The rows, and the column and row of the cursor.
type Seen = (Vec<String>, (usize, usize));

impl Screen {
    fn new(cols: u16, rows: u16, prompt: &str) -> Self {
        let mut terminal = Terminal::new(cols.into(), rows.into()).unwrap();
        terminal.feed(prompt);
        let origin = u16::try_from(terminal.cursor().col).unwrap();
        Self { terminal, cols, origin }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.terminal.feed(std::str::from_utf8(bytes).unwrap());
    }

    fn draw(&mut self, editor: &mut Editor) {
        let bytes = editor.draw(self.cols, self.origin);
        self.feed(&bytes);
    }

    fn finish(&mut self, editor: &mut Editor) {
        let bytes = editor.finish(self.cols, self.origin);
        self.feed(&bytes);
    }

    fn erase(&mut self, editor: &mut Editor) {
        let bytes = editor.erase();
        self.feed(&bytes);
    }

    fn seen(&self) -> Seen {
        let lines = self.terminal.screen().visible_lines();
        let rows = lines.map(|line| line.text().trim_end().to_owned()).collect();
        let cursor = self.terminal.cursor();
        (rows, (cursor.col, cursor.row))
    }

    /// The rows that are not blank.
    fn rows(&self) -> Vec<String> {
        let mut rows = self.seen().0;
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        rows
    }
}

/// The rows after typing something at `$ `.
fn shown(cols: u16, bytes: &[u8]) -> (Vec<String>, (usize, usize)) {
    let mut screen = Screen::new(cols, 50, "$ ");
    let mut editor = Editor::new(History::with_lines(["first", "second"]));
    for key in keys(bytes) {
        editor.key(&key);
        screen.draw(&mut editor);
    }
    (screen.rows(), screen.seen().1)
}

#[test]
fn typing_sends_one_character() {
    let mut editor = Editor::default();
    for c in "echo grün 日本".chars() {
        editor.key(&Key::Char(c));
        assert_eq!(editor.draw(80, 2), c.to_string().as_bytes());
    }
    editor.key(&Key::Backspace);
    assert_eq!(editor.draw(80, 2), b"\x08\x08\x1b[K");
    editor.key(&Key::Left);
    assert_eq!(editor.draw(80, 2), b"\x08\x08");
    assert_eq!(editor.draw(80, 2), b"", "nothing changed");
}

#[test]
fn typing_at_the_end_of_a_long_line_is_as_cheap() {
    let mut editor = Editor::default();
    editor.key(&Key::Paste(vec![b'x'; 16_000]));
    editor.draw(80, 2);
    for _ in 0..300 {
        editor.key(&Key::Char('y'));
        assert!(editor.draw(80, 2).len() <= 6);
    }
}

#[test]
fn wraps_like_a_terminal() {
    assert_eq!(shown(10, b"12345678"), (vec!["$ 12345678".into()], (0, 1)));
    assert_eq!(shown(10, b"123456789"), (vec!["$ 12345678".into(), "9".into()], (1, 1)));
    assert_eq!(shown(10, b"123456789\x7f"), (vec!["$ 12345678".into()], (0, 1)));
    assert_eq!(shown(10, b"12345678\x7f"), (vec!["$ 1234567".into()], (9, 0)));
    assert_eq!(shown(10, b"123456789\x01x"), (vec!["$ x1234567".into(), "89".into()], (3, 0)));
    let wide = shown(10, "1234567日".as_bytes());
    assert_eq!(wide, (vec!["$ 1234567".into(), "日".into()], (2, 1)), "it does not fit");
    let moved = shown(10, "1234567日\x01x".as_bytes());
    assert_eq!(moved.0, ["$ x1234567", "日"]);
    let back = shown(10, "1234567日\x01\x1b[3~".as_bytes());
    assert_eq!(back.0, ["$ 234567日"]);
    assert_eq!(shown(3, "日".as_bytes()).0, ["$", "日"]);
    assert_eq!(Screen::new(1, 5, "").cols, 1);
}

#[test]
fn hidden_characters_are_drawn_as_their_numbers() {
    let text = "a\u{202e}b\u{200b}e\u{301}\u{2764}\u{fe0f}\u{a0}\u{1f44d}\u{1f3fd}";
    let expected = "$ a<U+202E>b<U+200B>e<U+0301>\u{2764}<U+FE0F><U+00A0>\u{1f44d} <U+1F3FD>";
    let rows = shown(80, text.as_bytes()).0;
    assert_eq!(rows.concat().replace(' ', ""), expected.replace(' ', ""));
    // Not one byte of them reaches the terminal.
    let mut editor = Editor::default();
    editor.key(&Key::Paste(text.as_bytes().to_vec()));
    let drawn = String::from_utf8(editor.draw(80, 2)).unwrap();
    assert!(!drawn.contains(['\u{202e}', '\u{200b}', '\u{301}', '\u{fe0f}', '\u{a0}']));
}

#[test]
fn further_lines_have_a_prompt_of_their_own() {
    let (rows, cursor) = shown(20, b"\x1b[200~for x\ndo\n\tx\x1b[201~\x1b[A");
    assert_eq!(rows, ["$ for x", "> do", ">       x"]);
    assert_eq!(cursor, (4, 1));
    assert_eq!(shown(20, b"if x\r").0, ["$ if x", ">"]);
    // A row that is full to its end keeps the cursor off it.
    assert_eq!(shown(10, b"\x1b[200~12345678\nx\x1b[201~").0, ["$ 12345678", "", "> x"]);
    assert_eq!(shown(2, b"\x1b[200~a\nb\x1b[201~").0, ["$", "a", "b"]);
}

#[test]
fn search_is_shown_instead() {
    assert_eq!(shown(50, b"x\x12").0, ["$ (reverse-i-search)`': x"]);
    let (rows, cursor) = shown(50, b"x\x12ir");
    assert_eq!(rows, ["$ (reverse-i-search)`ir': first"]);
    assert_eq!(cursor.0, "$ (reverse-i-search)`ir': f".len());
    assert_eq!(shown(50, b"\x12irq").0, ["$ (failed reverse-i-search)`irq': first"]);
    assert_eq!(shown(50, b"xy\x12ir\x07").0, ["$ xy"]);
    assert_eq!(shown(50, b"\x12ir\x1b[D").0, ["$ first"]);
}

#[test]
fn a_submitted_line_stays() {
    for drawn in [true, false] {
        for (cols, line, rows) in [
            (20, "ls", vec!["$ ls"]),
            (6, "1234", vec!["$ 1234"]),
            (6, "12345678", vec!["$ 1234", "5678"]),
            (20, "'a\nb'", vec!["$ 'a", "> b'"]),
        ] {
            let mut screen = Screen::new(cols, 10, "$ ");
            let mut editor = Editor::default();
            editor.key(&Key::Paste(line.as_bytes().to_vec()));
            editor.key(&Key::Home);
            if drawn {
                screen.draw(&mut editor);
            }
            assert!(matches!(editor.key(&Key::Enter), Outcome::Submit(_)));
            if drawn {
                screen.draw(&mut editor);
                assert_eq!(screen.rows(), rows, "it is there until it is finished");
            }
            screen.finish(&mut editor);
            assert_eq!(screen.rows(), rows);
            assert_eq!(screen.seen().1, (0, rows.len()), "{line:?}");
            // The next prompt begins with an empty line.
            screen.feed(b"$ ");
            screen.draw(&mut editor);
            assert_eq!(screen.seen().1, (2, rows.len()));
        }
    }
}

#[test]
fn an_interrupted_line_stays_with_its_mark() {
    let mut screen = Screen::new(20, 10, "$ ");
    let mut editor = Editor::default();
    assert_eq!(type_at(&mut editor, b"sleep\x01\x03"), Outcome::Interrupt);
    screen.finish(&mut editor);
    assert_eq!((screen.rows(), screen.seen().1), (vec!["$ sleep^C".into()], (0, 1)));
    let mut screen = Screen::new(7, 10, "$ ");
    type_at(&mut editor, b"12345\x03");
    screen.finish(&mut editor);
    assert_eq!(screen.rows(), ["$ 12345", "^C"]);
}

#[test]
fn turning_secret_takes_the_drawing_away() {
    let mut screen = Screen::new(20, 10, "Password: ");
    let before = screen.seen();
    let mut editor = Editor::default();
    type_at(&mut editor, b"typed too early");
    screen.draw(&mut editor);
    assert_ne!(screen.seen(), before);
    editor.set_mode(Mode::Secret);
    screen.draw(&mut editor);
    assert_eq!(screen.seen(), before);
}

#[test]
fn a_prompt_that_fills_its_row() {
    let mut screen = Screen::new(5, 10, "1234$");
    assert_eq!(screen.origin, 5);
    let mut editor = Editor::default();
    screen.draw(&mut editor);
    assert_eq!(screen.seen().1, (0, 1));
    type_at(&mut editor, b"ls");
    screen.draw(&mut editor);
    assert_eq!(screen.rows(), ["1234$", "ls"]);
    screen.erase(&mut editor);
    assert_eq!((screen.rows(), screen.seen().1), (vec!["1234$".into()], (0, 1)));
}

#[test]
fn a_text_higher_than_the_terminal_is_shown_around_the_cursor() {
    let mut screen = Screen::new(20, 5, "old\r\n$ ");
    let mut editor = Editor::default();
    editor.set_rows(5);
    let lines: Vec<String> = (1..=9).map(|line| format!("line {line}")).collect();
    editor.key(&Key::Paste(lines.join("\n").into_bytes()));
    screen.draw(&mut editor);
    assert_eq!(screen.rows(), ["$ <5 rows above>", "> line 6", "> line 7", "> line 8", "> line 9"]);
    for _ in 0..4 {
        editor.key(&Key::Up);
    }
    screen.draw(&mut editor);
    assert_eq!(
        screen.rows(),
        ["$ <4 rows above>", "> line 5", "> line 6", "> line 7", "<2 rows below>"]
    );
    for _ in 0..4 {
        editor.key(&Key::Up);
        screen.draw(&mut editor);
    }
    assert_eq!(screen.rows(), ["$ line 1", "> line 2", "> line 3", "> line 4", "<5 rows below>"]);
    screen.erase(&mut editor);
    assert_eq!((screen.rows(), screen.seen().1), (vec!["$".into()], (2, 0)));
    screen.draw(&mut editor);
    assert!(matches!(editor.key(&Key::Enter), Outcome::Submit(_)));
    screen.finish(&mut editor);
    assert_eq!(screen.rows(), ["> line 6", "> line 7", "> line 8", "> line 9"]);
}

/// Keys that edit, often near wide and hidden characters.
fn edits() -> impl Strategy<Value = Vec<Key>> {
    let text = proptest::sample::select(vec![
        "a",
        "b",
        "b",
        "日",
        "本",
        "é",
        "e\u{301}",
        "\u{1f600}",
        "\u{202e}",
        "\u{200b}",
        "\u{1f468}\u{200d}\u{1f469}",
        "\u{1f1e9}\u{1f1ea}",
        "\u{1f44d}\u{1f3fd}",
        "\t",
        "\n",
        "abcdefgh",
        "one two\nthree",
        "日本語日本語",
        "\u{a0}",
        "\u{ac00}",
        "\u{1100}\u{1161}",
    ])
    .prop_map(|text| Key::Paste(text.as_bytes().to_vec()));
    let key = prop_oneof![
        6 => text,
        5 => proptest::sample::select(vec![
            Key::Left, Key::Left, Key::Right, Key::Home, Key::End, Key::Up, Key::Down,
            Key::Backspace, Key::Backspace, Key::Delete, Key::WordLeft, Key::WordRight,
            Key::WordBackspace, Key::Ctrl(b'k'), Key::Ctrl(b'u'), Key::Ctrl(b'w'), Key::Ctrl(b'y'),
            Key::Ctrl(b't'), Key::Ctrl(b'r'), Key::Ctrl(b'g'), Key::Char('f'), Key::Char('s'),
        ]),
    ];
    proptest::collection::vec(key, 0..30)
}

fn editor(rows: Option<u16>) -> Editor {
    let mut editor = Editor::new(History::with_lines(["first", "日本\nsecond row", "fs"]));
    if let Some(rows) = rows {
        editor.set_rows(rows);
    }
    editor
}

/// Takes edits in, drawing after some of them, and compares each time with a drawing of the same
/// text on a terminal that has seen nothing yet.
fn compare(keys: &[Key], steps: &[bool], cols: u16) -> Result<(), TestCaseError> {
    let prompt = if cols > 4 { "old\r\n~ $ " } else { "$" };
    let rows = if cols < 10 { 900 } else { 120 };
    // What stands below is drawn over.
    let garbage = format!("\r\n{}\x1b[H{prompt}\x1b[K", "#".repeat(usize::from(cols) * 20));
    let mut screen = Screen::new(cols, rows, &garbage);
    let (mut stepwise, mut anew) = (editor(None), editor(None));
    for (at, key) in keys.iter().enumerate() {
        stepwise.key(key);
        anew.key(key);
        if !steps.get(at).copied().unwrap_or(true) {
            continue;
        }
        screen.draw(&mut stepwise);
        let mut pristine = Screen::new(cols, rows, prompt);
        anew.forget_drawing();
        pristine.draw(&mut anew);
        let (seen, cursor) = screen.seen();
        prop_assert_eq!(cursor, pristine.seen().1, "after {:?}", &keys[..=at]);
        let expected = pristine.rows();
        prop_assert_eq!(&seen[..expected.len()], expected, "after {:?}", &keys[..=at]);
    }
    let before = Screen::new(cols, rows, prompt);
    screen.draw(&mut stepwise);
    screen.erase(&mut stepwise);
    if before.origin < cols {
        prop_assert_eq!(screen.seen().1, before.seen().1);
        let row = before.rows().len();
        prop_assert_eq!(&screen.seen().0[..row], &before.seen().0[..row]);
    }
    let mut screen = Screen::new(cols, rows, prompt);
    screen.draw(&mut stepwise);
    screen.finish(&mut stepwise);
    let mut pristine = Screen::new(cols, rows, prompt);
    anew.forget_drawing();
    pristine.finish(&mut anew);
    prop_assert_eq!(screen.seen(), pristine.seen(), "at the end");
    prop_assert_eq!(screen.seen().1.0, 0);
    Ok(())
}

/// The same on a low terminal, where the text is higher than the screen: against one that takes
/// its drawing away each time.
fn compare_low(keys: &[Key], cols: u16, rows: u16) -> Result<(), TestCaseError> {
    let prompt = "$ ";
    let mut screen = Screen::new(cols, rows, prompt);
    let mut other = Screen::new(cols, rows, prompt);
    let before = screen.seen();
    let (mut stepwise, mut anew) = (editor(Some(rows)), editor(Some(rows)));
    for (at, key) in keys.iter().enumerate() {
        stepwise.key(key);
        anew.key(key);
        screen.draw(&mut stepwise);
        // Only the part that is shown may depend on what was shown before.
        let cursor = screen.seen().1;
        prop_assert!(screen.seen().0[0].starts_with('$'), "after {:?}", &keys[..=at]);
        prop_assert!(cursor.0 < usize::from(cols));
        let again = screen.seen();
        screen.erase(&mut stepwise);
        prop_assert_eq!(&screen.seen(), &before);
        screen.draw(&mut stepwise);
        other.draw(&mut anew);
        prop_assert_eq!(other.seen().0[0].starts_with('$'), true);
        let marked = |row: &String| row.contains("rows above>") || row.contains("rows below>");
        // Three rows have no room to say what is left out below.
        if rows >= 4 && !again.0.iter().any(marked) {
            prop_assert_eq!(&screen.seen(), &again);
            prop_assert_eq!(&other.seen(), &again, "after {:?}", &keys[..=at]);
        }
    }
    other.erase(&mut anew);
    prop_assert_eq!(&other.seen(), &before);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn steps_show_what_one_drawing_would(
        keys in edits(),
        steps in proptest::collection::vec(any::<bool>(), 30),
        cols in prop_oneof![1..12_u16, 12..200_u16],
    ) {
        compare(&keys, &steps, cols)?;
    }

    #[test]
    fn low_terminals_keep_their_prompt(keys in edits(), cols in 20..60_u16, rows in 2..8_u16) {
        compare_low(&keys, cols, rows)?;
    }
}
