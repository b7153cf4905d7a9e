use super::*;

fn reads(text: &str) -> bool {
    read(text, Dialect::Bash, false).is_ok()
}

#[test]
fn what_every_shell_reads_alike_is_read() {
    for text in [
        "ls",
        "ls -la /tmp",
        "cd /x && ls | head -20",
        "a; b\nc",
        "cat /etc/hosts 2>/dev/null",
        "a 2>&1 | b",
        "echo \"$(wc -l < f) lines\"",
        "for f in a b; do echo \"$f\"; done",
        "if [ -f x ]; then a; else b; fi",
        "(cd x && ls)",
        "{ a; b; }",
        "while read -r l; do echo \"$l\"; done < f",
        "find . -name '*.py' -exec ls {} \\;",
        "! a",
        "echo ${x%.txt} ${#x} ${x:-d}",
        "a # comment",
        "echo $((1 + 2))",
        "ls *.[ch]",
        "echo 'é' \"✓ ok\"",
        "[[ -f x && -d y ]]",
        "a &>/dev/null",
        "x=1; echo $x",
    ] {
        assert!(reads(text), "{text:?}: {:?}", read(text, Dialect::Bash, false));
    }
}

#[test]
fn what_shells_read_differently_is_not_read() {
    for text in [
        "a &",
        "a & b",
        "a |& b",
        "echo `id`",
        "echo $'x'",
        "cat <<E\nx\nE",
        "f() { a; }",
        "x=(a b)",
        "a >| f",
        "a <> f",
        "a <(b)",
        "echo {a,b}",
        "echo ~bob",
        "=ls",
        "a 22>f",
        "case x in y) ;; esac",
        "eval x; }",
        "a ;; b",
        "a && ",
        "| a",
        "a ||",
        "if a; then b",
        "echo \"",
        "echo '",
        "$[1]",
        "${x/a/b}",
        "${!x}",
        "$@",
        "select x in a; do b; done",
        "until a; do b; done",
        "(( 1 ))",
        "((a))",
        "echo $((x))",
        "echo \u{e9}",
        "a\u{0}b",
        "a\rb",
        "function f { a; }",
        "x+=1",
        "x[1]=2",
        "echo a(b)",
        "ls !(x)",
        "{ a; } b",
        "for x; do a; done",
        "coproc a",
        "declare x",
        "export x=1",
        "a;;",
        "a\u{1b}",
        "echo \u{e9}`x`",
        "'\u{e9}\\'",
    ] {
        assert!(!reads(text), "{text:?}");
    }
}

#[test]
fn an_unknown_shell_gets_plain_words() {
    for text in ["ls -la /tmp", "df -h", "a b=c,d"] {
        assert!(read(text, Dialect::Unknown, false).is_ok(), "{text}");
    }
    for text in [
        "ls | head",
        "echo 'a'",
        "ls ~",
        "ls *",
        "a;b",
        "a\\b",
        "ls #x",
        "$x",
        "a\nb",
        "(a)",
        "a&b",
    ] {
        assert!(read(text, Dialect::Unknown, false).is_err(), "{text}");
    }
}
