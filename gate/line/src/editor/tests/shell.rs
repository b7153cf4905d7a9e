//! Completeness of shell text, against what bash itself says.

use std::io::Write as _;
use std::process::{Command, Stdio};

use expacti_harness::prerequisites;

use super::super::{Editor, Outcome, Syntax, is_complete};
use super::{submitted, type_at};

const OPEN: &[&str] = &[
    "echo 'a",
    "echo \"a",
    "echo \"a $(b \" c",
    "echo \"a\n",
    "echo `a",
    "echo $'a\\'",
    "echo $(ls",
    "echo $((1 + ",
    "echo $((1 + 2)",
    "echo ${a",
    "echo \"${a:-\"b",
    "(ls",
    "( ls; (id)",
    "((1+2",
    "{ ls;",
    "{ ls; }; {",
    "if true",
    "if true; then",
    "if true; then ls; else",
    "if true; then if false; then id; fi",
    "while true; do ls",
    "until x",
    "for x in a b",
    "for x",
    "for x in a; do echo $x",
    "for ((i=0;i<3;i++))",
    "select x in a b; do",
    "case x in",
    "case x in a) ls",
    "case x in a) ls ;;",
    "case x in a|b) ls ;; *)",
    "case x",
    "function f",
    "f()",
    "f() {",
    "f() { ls; }; g() (",
    "ls &&",
    "ls ||",
    "ls |",
    "ls |&",
    "ls && # comment",
    "ls |\n\n",
    "[[ a == b",
    "[[ a == b &&",
    "a=(1 2",
    "a=(1 # )",
    "cat <<EOF",
    "cat <<EOF\n",
    "cat <<EOF\nx",
    "cat <<EOF\nx\nEO",
    "cat <<EOF\n EOF",
    "cat <<-EOF\nx",
    "cat <<'EOF'\n$(\n",
    "cat <<A <<B\nx\nA\ny",
    "cat <<EOF | grep x\nx",
    "echo $(cat <<EOF\nx\nEOF",
    "if cat <<EOF\nx\nEOF",
    "diff <(ls",
    "ls > >(cat",
    "time {",
    "! (",
];

const WHOLE: &[&str] = &[
    "",
    " ",
    "# comment",
    "# it's a comment",
    "ls",
    "ls;",
    "ls &",
    "ls # '",
    "echo a#'b'",
    "echo 'a' \"b\" `c` $(d) ${e} $((1+2))",
    "echo \"$(echo \")\")\"",
    "echo \"`echo a`\"",
    "echo $'it\\'s'",
    "echo \"it's\"",
    "echo it\\'s",
    "echo ${a:-'}'}",
    "echo $(( (1+2)*3 ))",
    "echo $((1+2)) )x(",
    "(ls; (id))",
    "((i++))",
    "{ ls; }",
    "if true; then ls; fi",
    "if true\nthen ls\nelif x; then y\nelse z\nfi",
    "if true; then if false; then id; fi fi",
    "while read x; do echo $x; done < file",
    "until x; do y; done | cat && ls",
    "for x in a b; do echo $x; done",
    "for x do echo; done",
    "for x in a\ndo\nb\ndone",
    "for ((i=0;i<3;i++)); do x; done",
    "for x in a; { echo; }",
    "case x in a) ls;; (b|c) id;; esac",
    "case x in a) ls;& b) id;;& *) x\nesac",
    "case x in esac",
    "f() { ls; }",
    "f() (ls)",
    "function f { ls; }",
    "function f() { ls; }",
    "ls &&\nid",
    "ls |\n\ncat",
    "[[ a == b && c < d ]]",
    "[[ $x =~ ^(a|b)$ ]] && ls",
    "a=(1 2\n3)",
    "a=(1 2) ls",
    "cat <<EOF\nx\nEOF",
    "cat <<EOF\nx\nEOF\n",
    "cat <<-EOF\n\tx\n\tEOF",
    "cat <<'EOF'\n$(\nEOF",
    "cat <<\"E F\"\nit's\nE F",
    "cat <<\\EOF\n`\nEOF",
    "cat <<A <<B\nx\nA\ny\nB",
    "cat <<EOF | grep x && ls\nx\nEOF",
    "echo $(cat <<EOF\nx\nEOF\n)",
    "cat <<< word",
    "cat <<<'a b' > out 2>&1 &> x &",
    "diff <(ls) <(id)",
    "ls > >(cat)",
    "echo if then fi done",
    "echo a; echo }",
    "echo { a",
    "echo a\\\nb",
    "time ls",
    "! ls",
    "coproc ls",
    "a=1 b=2",
    "> file",
    "ls 2> file",
    "echo $# $? $! $$ ${#a}",
    "echo a=b c=$(d)",
];

/// What the shell says is wrong at once: it would not ask for more.
const WRONG: &[&str] = &[
    "echo )",
    "fi",
    "done",
    "ls ;; id",
    "&& ls",
    "ls && && id",
    "| ls",
    "if fi",
    "{ ls; ) if",
    "( ls }; )) if",
    "ls > ;",
];

/// Whether bash would ask for more.
fn bash_wants_more(text: &str) -> bool {
    let mut child = Command::new("bash")
        .args(["--norc", "-n"])
        .env("LC_ALL", "C")
        .env_remove("BASH_ENV")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A here-document that stops short of its newline is one bash has not read yet.
    child.stdin.take().unwrap().write_all(format!("{text}\n").as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap().stderr;
    let said = String::from_utf8_lossy(&said);
    let first = said.lines().next().unwrap_or("");
    [
        "unexpected end of file",
        "unexpected EOF",
        "delimited by end-of-file",
        "unexpected token `EOF'",
    ]
    .iter()
    .any(|what| first.contains(what))
        && !said.contains("syntax error near")
        && !said.contains("unexpected argument")
}

#[test]
fn open_text_goes_on() {
    for text in OPEN {
        assert!(!is_complete(text), "{text:?}");
    }
}

#[test]
fn whole_text_is_submitted() {
    for text in WHOLE.iter().chain(WRONG) {
        assert!(is_complete(text), "{text:?}");
    }
}

/// Here bash asks for the other quote, and dash and zsh do not.
#[test]
fn what_shells_disagree_on_is_submitted() {
    assert!(is_complete("echo \"${a:-it's}\""));
}

#[test]
fn backslashes_at_the_end() {
    for open in ["echo \\", "echo a\\", "echo \\\\\\", "echo \"a\\", "echo a\\\nb\\"] {
        assert!(!is_complete(open), "{open:?}");
    }
    for whole in ["echo \\\\", "echo a\\\n", "# a\\", "echo a # b\\"] {
        assert!(is_complete(whole), "{whole:?}");
    }
}

#[test]
fn bash_says_the_same() {
    if prerequisites::command("bash").is_none() {
        return;
    }
    for text in OPEN.iter().chain(WHOLE).chain(WRONG) {
        assert_eq!(is_complete(text), !bash_wants_more(text), "{text:?}");
    }
    // Every beginning of a text, too: those that bash calls open must continue here, and the other
    // way round.
    let mut differ = Vec::new();
    for text in WHOLE.iter().filter(|text| text.len() > 12) {
        for (at, _) in text.char_indices().skip(1) {
            let Some(head) = text.get(..at) else { continue };
            // Of this one bash says nothing at all.
            if head == "for ((i=0;i<3;i++)" {
                continue;
            }
            if !head.ends_with('\\') && is_complete(head) == bash_wants_more(head) {
                differ.push(head);
            }
        }
    }
    assert!(differ.is_empty(), "{differ:#?}");
}

#[test]
fn nesting_is_bounded() {
    for piece in
        ["(", "$(", "$((", "((", "{ ", "if ", "`", "\"$(", "${", "[[ ", "a=(", "f() ", "! ", "x |"]
    {
        // Deep ones are called complete: the shell will say.
        let _ = is_complete(&piece.repeat(16 * 1024 / piece.len()));
        let _ = Syntax::Fish.is_complete(&piece.repeat(16 * 1024 / piece.len()));
        let _ = is_complete(&format!("{}x", piece.repeat(30)));
    }
    assert!(!is_complete(&"(".repeat(20)));
    let _ = is_complete(&"cat <<E\n".repeat(2_000));
    let _ = is_complete(&"cat <<E ".repeat(2_000));
}

proptest::proptest! {
    #[test]
    fn any_text_is_read(text in "[ a-c'\"`$(){}\\[\\];&|<>\\\\\n#!=-]{0,60}") {
        for syntax in [Syntax::Bourne, Syntax::Fish, Syntax::Unknown] {
            let _ = syntax.is_complete(&text);
        }
    }
}

const FISH_OPEN: &[&str] = &[
    "if true",
    "if true\necho a\nelse if false",
    "while true; echo",
    "for x in a b",
    "switch x\ncase a",
    "function f",
    "begin; echo",
    "begin; if true; end",
    "echo 'a",
    "echo \"a",
    "echo \"a $(echo",
    "echo (ls",
    "echo (if true; echo",
    "ls |",
    "ls &&",
    "ls ||",
    "not if true",
];

const FISH_WHOLE: &[&str] = &[
    "ls",
    "",
    "# if",
    "if true; echo a; end",
    "if true\necho a\nelse if false\necho b\nelse\necho c\nend",
    "while true; echo; end | cat",
    "for x in if for; echo $x; end",
    "switch x\ncase a b\necho if\ncase '*'\nend",
    "function f --description 'if'; echo; end",
    "begin; echo; end > file",
    "echo 'it\\'s' \"a\\\"b\"",
    "echo (ls (echo a)) b",
    "echo \"a $(echo \"b\") c $(echo d)\" e",
    "echo if end begin",
    "ls |\ncat",
    "ls 2>&1 & echo a",
    "ls; and echo a; or echo b",
    "echo a#b",
    "echo a\\\nb",
    "end",
    "echo )",
];

/// Whether fish would ask for more.
fn fish_wants_more(text: &str) -> bool {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("text.fish");
    std::fs::write(&file, text).unwrap();
    let said = Command::new("fish")
        .arg("-n")
        .arg(&file)
        .env("LC_ALL", "C")
        .env("HOME", home.path())
        .env("XDG_CONFIG_HOME", home.path())
        .env("XDG_DATA_HOME", home.path())
        .output()
        .unwrap()
        .stderr;
    let said = String::from_utf8_lossy(&said);
    ["Missing end", "Unexpected end of", "end of the input"].iter().any(|what| said.contains(what))
}

#[test]
fn fish_has_blocks_of_its_own() {
    let fish = prerequisites::command("fish").is_some();
    for (texts, complete) in [(FISH_OPEN, false), (FISH_WHOLE, true)] {
        for text in texts {
            assert_eq!(Syntax::Fish.is_complete(text), complete, "{text:?}");
            if fish {
                assert_eq!(!fish_wants_more(text), complete, "fish says otherwise: {text:?}");
            }
        }
    }
    assert!(!Syntax::Fish.is_complete("echo \\"));
}

#[test]
fn the_editor_knows_the_language() {
    let mut editor = Editor::default();
    editor.set_syntax(Syntax::of_shell("fish"));
    assert_eq!(submitted(&mut editor, b"if true\recho\rend\r"), ["if true\necho\nend"]);
    editor.set_syntax(Syntax::of_shell("tcsh"));
    assert_eq!(submitted(&mut editor, b"if true\r"), ["if true"]);
    editor.set_syntax(Syntax::of_shell("zsh"));
    assert_eq!(type_at(&mut editor, b"if true\r"), Outcome::Changed);
}
