use super::*;

fn programs(line: &str) -> Vec<String> {
    let shared = read(line);
    shared
        .script
        .commands
        .iter()
        .filter_map(|command| command.words.first())
        .map(|word| word.text.clone())
        .collect()
}

fn checked(line: &str) -> Script {
    let mut shared = read(line);
    check(&mut shared);
    shared.script
}

#[test]
fn nested_commands_are_found() {
    for (line, expected) in [
        ("ls -la /tmp", "ls"),
        ("echo $(cat $(ls $(pwd)))", "pwd ls cat echo"),
        ("diff <(sort a) <(rm b) > >(tee c)", "sort rm tee diff"),
        ("cat <<EOF\nhi $(rm -rf /) `id`\nEOF\nls", "rm id cat ls"),
        ("cat <<'EOF'\nhi $(rm -rf /)\nEOF\n", "cat"),
        ("for f in $(find .); do rm \"$f\"; done", "find rm"),
        ("if a; then b; elif c; then d; else e; fi >/dev/sda", "a b c d e"),
        ("case $1 in a|b) rm x;; (c) id;& *) ls ;;& esac", "rm id ls"),
        ("f() { rm x; }; f", "rm f"),
        ("x=$(cat <<'EOF'\nit's \"odd\nEOF\n); rm y", "cat rm"),
        ("( ( rm x ) )", "rm"),
        ("r\\\nm -rf \"/\"", "rm"),
        ("[[ $x =~ [[:space:]]*(;|\\&) ]] && rm y", "rm"),
        ("echo a | while read -r l; do rm \"$l\"; done < <(ls)", "echo read rm ls"),
        ("coproc NAME { rm x; }", "rm"),
        ("$'\\x72m' -rf /", "rm"),
        ("x=rm; $x -rf /", "rm"),
        ("{rm,-rf,/}", "rm"),
        ("rm${IFS}-rf${IFS}/", "rm"),
        ("$(echo cm0= | base64 -d) -rf /", "echo base64 rm"),
        ("`echo rm` x", "echo rm"),
    ] {
        let mut found = programs(line);
        found.sort_unstable();
        let mut expected: Vec<&str> = expected.split(' ').collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{line}");
    }
}

#[test]
fn invalid_lines_are_problems() {
    for line in [
        "echo 'abc",
        "echo $(rm x",
        "echo )",
        "ls; fi",
        "ls;; rm",
        "ls |",
        "&& rm x",
        "echo \\$(id",
    ] {
        assert!(!checked(line).problems.is_empty(), "{line}");
    }
}

#[test]
fn deep_and_endless_texts_are_problems_not_crashes() {
    for line in [
        "$(".repeat(30_000),
        "( ".repeat(30_000),
        "if ".repeat(20_000),
        "((".repeat(30_000),
        "${a:-".repeat(12_000),
        "[[ ".repeat(20_000),
        "{ ".repeat(30_000),
        "function f ".repeat(5_000),
        "coproc ".repeat(9_000),
        "`".repeat(60_000),
        "$((".repeat(20_000),
        "case x in x) ".repeat(5_000),
        "\"$(".repeat(20_000),
        "<(".repeat(30_000),
        "! ".repeat(30_000),
        "a[".repeat(30_000),
    ] {
        let start = line.get(..12).unwrap_or("").to_owned();
        assert!(!checked(&line).problems.is_empty(), "{start}");
    }
}

#[test]
fn the_referee_agrees_on_everyday_lines() {
    for line in [
        "ls -la | grep \"a b\" && echo 'x' > /tmp/y 2>&1",
        "for i in 1 2 3; do echo $i; done",
        "find . -name '*.log' -exec rm {} \\;",
        "awk '{print $1}' file | sort | uniq -c",
        "a=(x $(id) [3]=y); echo ${a[0]}",
        "declare -A m=([k]=v)",
        "cat <<A <<B; rm x\n$(id)\nA\n$(pwd)\nB\n",
        "echo $((1 + 2)) $[3]",
        "while :; do x; done 2>/dev/null &",
    ] {
        let problems = checked(line).problems;
        assert!(problems.is_empty(), "{line}: {problems:?}");
    }
}
