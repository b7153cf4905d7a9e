//! Harmless lines to run in a temporary directory, written by hand and generated from a seed.

use std::fmt::Write as _;

/// A number from the environment, for long runs.
pub fn env_or(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// xorshift64*: the same sequence everywhere.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next()).unwrap() % n
    }

    pub fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// A line, or several that belong together.
#[derive(Clone, PartialEq, Eq)]
pub struct Case {
    text: String,
    pasted: bool,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text: String = self.text.chars().take(2000).collect();
        write!(f, "{} {text:?}", if self.pasted { "pasted" } else { "typed" })
    }
}

impl Case {
    pub fn typed(text: impl Into<String>) -> Self {
        Self { text: text.into(), pasted: false }
    }

    pub fn pasted(text: impl Into<String>) -> Self {
        Self { text: text.into(), pasted: true }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn keys(&self) -> String {
        if self.pasted {
            format!("\x1b[200~{}\x1b[201~\r", self.text)
        } else {
            format!("{}\r", self.text.replace('\n', "\r"))
        }
    }

    /// One row on both screens: what the editors draw is the same, too.
    pub fn is_one_line(&self) -> bool {
        // The shells' editors show these in their own ways, the gate's shows them escaped.
        let shown_otherwise = ['\n', '\t', '\u{301}', '\u{2009}', '🙂'];
        !self.text.contains(shown_otherwise) && self.text.len() < 1000
    }
}

/// Single lines for both shells.
const LINES: &[&str] = &[
    "echo hello",
    "echo 'it'\\''s' \"a \\\"b\\\" \\$HOME\" c\\ d",
    "echo $'a\\tb\\nc'",
    "printf '%s|' a 'b c' \"d  e\" f\\ g; echo",
    "echo \"äöü ß 漢字 🙂 é\"",
    "echo 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字",
    "printf '%s\\n' ö > 'ümläut file'; cat *läut*",
    "true",
    "false",
    "(exit 42)",
    "echo $?",
    "! true",
    "true && false || echo c",
    "no-such-command-here",
    "cat no-such-file",
    "ls",
    "mkdir -p d1/d2 d1/d3; touch d1/a.txt d1/b.txt d1/c.md",
    "mkdir -p d1; cd d1",
    "pwd",
    "echo *.txt",
    "echo *.[tm]*",
    "echo ?.md",
    "ls -1 nothing*",
    "cd ..",
    "mkdir -p d1/d2; cd d1/d2 && pwd; cd - > /dev/null; pwd",
    "for i in 1 2 3; do echo n$i; done",
    "for ((i = 0; i < 3; i++)); do printf '%d ' $i; done; echo",
    "i=0; while [ $i -lt 3 ]; do i=$((i + 1)); echo w$i; done",
    "case abc in a*) echo starts;; *) echo no;; esac",
    "if [ -d d1 ]; then echo dir; else echo none; fi",
    "[[ abc == a* && 3 -gt 2 ]] && echo yes",
    "[[ abc =~ ^a(.)c$ ]] && echo match",
    "f() { echo \"f got $# args: $*\"; return 3; }",
    "f a 'b c'",
    "unset -f f; f",
    "echo $((1 + 2 * 3)) $((16#ff)) $((7 % 3)) $((1 << 10))",
    "(( 5 > 3 )) && echo bigger",
    "echo {a,b}{1..3}",
    "x='a b  c'; echo $x; echo \"$x\"",
    "echo ${x#a} ${x%c} ${#x} ${x:-no} ${unset:-def}",
    "echo ${x/b/B} ${x:2:3}",
    "arr=(one two 'three four'); echo ${#arr[@]} \"${arr[@]}\"",
    "echo a > f1; echo b >> f1; cat < f1",
    "echo err >&2",
    "{ echo out; echo err >&2; } 2>/dev/null",
    "cat <<< 'a here string'",
    "echo abc | tr a-c A-C | rev",
    "diff <(echo a) <(echo b)",
    "echo $(echo inner $(echo deep)) `echo back`",
    "echo \"a $(echo 'b \"c\"') d\"",
    "sleep 0.05 & wait",
    "{ sleep 0.01; echo bg; } & wait",
    "(echo sub; exit 5)",
    "echo a; echo b; echo c",
    "echo a;",
    "   echo leading spaces",
    "echo trailing spaces   ",
    "echo 'single line # not a comment'",
    "echo a#b",
    "echo )",
    "echo a ;; echo b",
    "| cat",
    "fi",
    "}",
    "do echo x",
    "for in in; do",
    "echo & & echo",
    "echo \\\\ \\a \\\"",
    "echo \"\\\\ \\a \\\"\"",
    "echo -e 'a\\x41\\u00e9'",
    "echo hello!",
    "echo '!!' !x \"!y\"",
    "^a^b",
    "echo ~ | grep -c /",
    "echo ~nobody-such",
    "printf 'no newline'",
    "printf 'one\\r\\ntwo\\rX\\n'",
    "printf '\\033[1mbold\\033[0m\\n'",
    "printf '\\a'",
    "seq 1 50 | tail -n 3",
    "seq -s ' ' 1 200",
    "printf '%080d\\n' 7",
    "printf '%0160d' 7",
    "printf '%060d' 7",
    "exec 3> f3; echo three >&3; exec 3>&-; cat f3",
    "set -- a b c; echo $# $2; shift; echo $1",
    "set --; echo $#",
    "export V=val; sh -c 'echo $V'",
    "V=tmp sh -c 'echo $V'; echo $V",
    "sh -c 'exit 9'",
    "sh -c 'kill -TERM $$'",
    "sh -c 'kill -INT $$'",
    "trap 'echo trapped' USR1; kill -USR1 $$; trap - USR1",
    "alias ll='echo aliased'",
    "ll here",
    "unalias ll; ll here",
    "eval 'echo \"evaluated $((2+2))\"'",
    "source /dev/stdin <<< 'echo sourced'",
    "umask; umask 077; umask; umask 022",
    "type cd",
    "test -t 0 && test -t 1 && test -t 2; echo tty $?",
    "stty size",
    "stty -a | grep -o ' icanon' | head -1",
    "echo $TERM $COLUMNS $LINES",
    "echo $0",
    "echo $- | grep -c i",
    "echo $SHLVL",
    "locale 2>/dev/null | head -1; echo ä | wc -c",
    "printf '%s\\n' a b c | while read -r l; do echo \"<$l>\"; done",
    "read -r a b < <(echo 'x y z'); echo \"$b\"",
    "printf -v out '%03d' 7; echo $out",
    "time_is() { :; }; time_is",
    "echo \"$(seq 3)\"",
    "yes | head -c 20000 | wc -c",
    "cd /nonexistent",
    "cd",
    "cd - > /dev/null",
    "history | wc -l > /dev/null",
    "echo \"unbalanced ( in quotes\" '[' \"{\"",
    "echo \\",
    "env printf '%s\\n' \"a\u{301} combining\"",
    "echo a\u{2009}thin",
    "vi_is=no; set -o | grep -c '^vi ' > /dev/null",
    "enable_something 2>/dev/null; :",
    "'unclosed command name with spaces'",
    ":",
    ": a comment-like # thing",
    "coproc_is=1; echo $coproc_is",
    "echo ${undefined?it is not set}",
    "echo \"${undefined:?}\"",
    "readonly RO=1; RO=2",
    "kill -0 999999999",
    "wait 999999",
    "jobs",
    "fg",
    "echo 1 2 3 | awk '{ print $2, \"q\" }'",
    "python3 -c 'print(\"py\", 1 + 1)'",
    "sed -n '1{s/a/b/;p}' f1",
];

/// Several lines that are one construct, typed or pasted.
const BLOCKS: &[&str] = &[
    "for i in 1 2\ndo\necho x$i\ndone",
    "cat <<E\nline $((1+1))\nE",
    "cat <<'E'\nline $((1+1)) `x` \\\nE",
    "cat <<E > from-heredoc\na\n  b\n\nc\nE",
    "cat <<A; cat <<B\none\nA\ntwo\nB",
    "if true\nthen echo yes\nelse echo no\nfi",
    "g() {\necho in g\nreturn 4\n}",
    "echo \"two\nlines\"",
    "echo 'two\n\n\nmore'",
    "echo a \\\nb \\\nc",
    "echo a |\ntr a b",
    "true &&\necho chained",
    "case x in\nx) echo is x;;\n*) echo not;;\nesac",
    "while read -r l; do\necho \"<$l>\"\ndone <<E\n1\n2 3\nE",
    "echo $(\necho inner\n)",
    "(\necho sub\nexit 3\n)",
    "{\necho group\n}",
    "x=(\na\n'b c'\n); echo ${#x[@]}",
    "echo ${x[\n1\n]}",
    "cat <<\"E O F\"\nquoted delimiter\nE O F",
    "until true\ndo :\ndone",
    "echo $((1 +\n2))",
    "if false; then\n  if true; then echo a; fi\nelif true; then\n  echo 'b\n  c'\nfi",
];

/// What only a paste brings: tabs, and lines that are complete before the last.
const PASTES: &[&str] = &[
    "echo a\necho b",
    "echo a\n\necho b\n",
    "echo a\nfalse\necho $?\nexit_is=$?\n(exit 6)",
    "echo a\tb\t'c\td'",
    "cat <<-E\n\tindented\n\t\tmore\n\tE",
    "echo a\n)\necho b",
    "h() {\n\techo tabbed\n}\nh\nh",
    "mkdir -p d1\ncd d1\npwd\ncd ..",
    "# only a comment\necho after",
    "\n\necho after empty lines",
    "echo '\t'\n",
    "cat > pasted <<E\n\tx\ny\nE\ncat pasted",
    "for i in 1 2 3; do\n\techo $i\ndone > loop-out\nwc -l < loop-out",
];

/// The cases written by hand.
pub fn written(zsh: bool) -> Vec<Case> {
    let mut cases: Vec<Case> = LINES
        .iter()
        // Further lines would be read by what comes next.
        .filter(|line| **line != "echo \\" && **line != "do echo x" || !zsh)
        .filter(|line| **line != "echo \\" && !line.starts_with("for in in"))
        .map(|line| Case::typed(*line))
        .collect();
    cases.extend(BLOCKS.iter().map(|block| Case::typed(*block)));
    cases.extend(BLOCKS.iter().chain(PASTES).map(|block| Case::pasted(*block)));
    for length in [75, 200, 1_000, 4_090, 4_100, 16_350] {
        let x = "x".repeat(length);
        cases.push(Case::typed(format!("y='{x}'; echo ${{#y}}")));
        cases.push(Case::pasted(format!("echo '{x}' > long{length}; wc -c long*")));
    }
    let many: Vec<String> = (0..1_000).map(|n| format!("z{n}=$((1+{n}))")).collect();
    cases.push(Case::pasted(many.join("\n")));
    cases.push(Case::typed("echo $((z1 + z999))"));
    cases
}

const WORDS: &[&str] = &[
    "a",
    "b c",
    "-n",
    "--",
    "x=1",
    "äöü",
    "漢",
    "🙂",
    "$x",
    "~",
    "*",
    "?",
    "[ab]*",
    "{1,2}",
    "d1/*",
    "%s",
    "\\",
    "'",
    "\"",
    "`",
    "$",
    "!",
    "#",
    "&",
    "|",
    ";",
    "<",
    ">",
    "(",
    ")",
    " ",
    "  ",
    "=",
    "^",
    "e\u{301}",
    "$((2+3))",
    "${x}",
    "${#x}",
    "$(echo s)",
    "`echo t`",
    "$?",
    "$#",
    "0",
    "f1",
    "d1",
    ".",
    "..",
];

/// A word that is one word to the shell, quoted one way or another.
fn word(rng: &mut Rng) -> String {
    let mut word = String::new();
    for _ in 0..=rng.below(3) {
        let raw = rng.of(WORDS);
        match rng.below(5) {
            0 => word.push_str(&format!("'{}'", raw.replace('\'', "'\\''"))),
            1 => {
                let inner: String = raw
                    .chars()
                    .flat_map(|c| {
                        let quote = matches!(c, '"' | '\\')
                            || (c == '`' && raw == "`")
                            || (c == '$' && raw == "$");
                        quote.then_some('\\').into_iter().chain([c])
                    })
                    .collect();
                let _ = write!(word, "\"{inner}\"");
            }
            2 => {
                for c in raw.chars() {
                    let plain = c.is_ascii_alphanumeric() || !c.is_ascii();
                    if !plain {
                        word.push('\\');
                    }
                    word.push(c);
                }
            }
            3 => {
                let inner: String = raw
                    .chars()
                    .flat_map(|c| matches!(c, '\'' | '\\').then_some('\\').into_iter().chain([c]))
                    .collect();
                let _ = write!(word, "$'{inner}'");
            }
            _ => word.push_str(rng.of(&[
                "a",
                "$x",
                "$((3*4))",
                "é",
                "{p,q}",
                "d1",
                "$(echo u v)",
                "*.md",
            ])),
        }
    }
    word
}

fn words(rng: &mut Rng) -> String {
    let n = 1 + rng.below(4);
    (0..n).map(|_| word(rng)).collect::<Vec<_>>().join(" ")
}

fn simple(rng: &mut Rng) -> String {
    let words = words(rng);
    match rng.below(9) {
        0..=3 => format!("printf '<%s>\\n' {words}"),
        4 => format!("echo {words}"),
        5 => format!("x={}; echo \"$x\"", word(rng)),
        6 => format!("printf '%s ' {words} | wc -c"),
        7 => format!("for w in {words}; do printf '[%s]' \"$w\"; done; echo"),
        _ => format!("case {} in {}) echo y;; *) echo n;; esac", word(rng), word(rng)),
    }
}

/// A case that a seed gives.
pub fn generated(rng: &mut Rng) -> Case {
    let (one, other) = (simple(rng), simple(rng));
    match rng.below(16) {
        0..=4 => Case::typed(one),
        5 => Case::typed(format!("{one} && {other}")),
        6 => Case::typed(format!("( {one}; exit {} )", rng.below(256))),
        7 => Case::typed(format!("{{ {one}; }} > g{}; cat g*", rng.below(9))),
        8 => Case::typed(format!("if {one}\nthen {other}\nfi")),
        9 => Case::typed(format!(
            "cat <<E{}\n{}\nE",
            rng.of(&["", " | rev", " > h1; cat h1"]),
            heredoc(rng)
        )),
        10 => Case::pasted(format!("{one}\n{other}\n(exit {})", rng.below(256))),
        11 => Case::pasted(format!("fn{}() {{\n\t{one}\n}}\nfn{}", rng.below(4), rng.below(4))),
        12 => Case::typed(format!("echo $(( {} ))", arithmetic(rng))),
        13 => Case::typed(format!(
            "mkdir -p e{0}/e{1}; cd e{0} && {{ {one}; cd ..; }}",
            rng.below(3),
            rng.below(3)
        )),
        14 => Case::typed(format!("{{ {one}; }} > bg 2>&1 & wait $!; cat bg")),
        // Broken: a piece of it, such that nothing is left open.
        _ => Case::typed(format!(
            "{one} {}",
            rng.of(&[")", ";;", "; fi", "| | cat", "; done", "&& ;", "; }"])
        )),
    }
}

fn heredoc(rng: &mut Rng) -> String {
    let n = rng.below(5);
    let rows: Vec<&str> = (0..n)
        .map(|_| {
            rng.of(&["plain", "  $x", "\\$x", "$((1+1))", "it's", "\"q\"", "", "äö 漢", "EE", " E"])
        })
        .collect();
    rows.join("\n")
}

fn arithmetic(rng: &mut Rng) -> String {
    let mut text = rng.below(100).to_string();
    for _ in 0..rng.below(5) {
        let sign = rng.of(&["+", "-", "*", "/", "%", "<<", "|", "&", "==", "<"]);
        let _ = write!(text, " {sign} {}", rng.below(10));
    }
    text
}
