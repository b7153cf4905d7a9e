//! Reads code in other languages for what it does to the system. It must never call code harmless:
//! it only adds effects, and shell lines to look into.

use crate::tables::Effect;

/// What code was seen to do.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) effects: Vec<(Effect, &'static str)>,
    /// Text that the code runs in a shell.
    pub(crate) shell: Vec<String>,
    /// Paths it deletes or writes.
    pub(crate) targets: Vec<String>,
    /// It opens connections.
    pub(crate) network: bool,
    /// It writes files.
    pub(crate) writes: bool,
    /// It runs other programs.
    pub(crate) runs: bool,
}

impl Seen {
    fn add(&mut self, effect: Effect, why: &'static str) {
        if !self.effects.iter().any(|(known, _)| *known == effect) {
            self.effects.push((effect, why));
        }
    }
}

/// Calls that run a shell line or a program.
const RUNS: [&str; 28] = [
    "system",
    "popen",
    "subprocess",
    "Popen",
    "check_output",
    "check_call",
    "getoutput",
    "execSync",
    "spawnSync",
    "execFile",
    "child_process",
    "os.execute",
    "shell_exec",
    "passthru",
    "proc_open",
    "pcntl_exec",
    "IO.popen",
    "Open3",
    "execl",
    "execv",
    "execve",
    "execlp",
    "execvp",
    "spawn",
    "Runtime",
    "ProcessBuilder",
    "%x",
    "qx",
];
/// Calls that delete.
const DELETES: [&str; 17] = [
    "rmtree",
    "os.remove",
    "os.unlink",
    "os.rmdir",
    "os.removedirs",
    "unlink",
    "FileUtils.rm",
    "File.delete",
    "Dir.delete",
    "rm_rf",
    "rmSync",
    "unlinkSync",
    "rmdirSync",
    "fs.rm",
    "rmdir",
    "removedirs",
    ".unlink(",
];
/// Of these, the ones that take a whole tree.
const TREES: [&str; 5] = ["rmtree", "rm_rf", "rm_r", "recursive", "removedirs"];
const NETWORK: [&str; 22] = [
    "socket",
    "urllib",
    "requests.",
    "http.client",
    "httpx",
    "urlopen",
    "Net::HTTP",
    "open-uri",
    "LWP::",
    "IO::Socket",
    "fetch(",
    "XMLHttpRequest",
    "net.connect",
    "net.Socket",
    "fsockopen",
    "curl_init",
    "file_get_contents('http",
    "TCPSocket",
    "/inet/tcp",
    "/dev/tcp",
    "smtplib",
    "paramiko",
];
const WRITES: [&str; 13] = [
    "'w'",
    "\"w\"",
    "'a'",
    "\"a\"",
    "'wb'",
    "\"wb\"",
    "write_text",
    "writeFile",
    "file_put_contents",
    "File.write",
    "'w+'",
    "shutil.copy",
    "shutil.move",
];
const DECODES: [&str; 14] = [
    "b64decode",
    "base64_decode",
    "fromhex",
    "unhexlify",
    "decode64",
    "atob",
    "decode('base64",
    "codecs.decode",
    "zlib.decompress",
    "gzinflate",
    "marshal.loads",
    "'base64')",
    "\"base64\")",
    "unpack(",
];
const EVALUATES: [&str; 8] = [
    "exec(",
    "eval(",
    "compile(",
    "__import__",
    "assert(",
    "create_function",
    "Function(",
    "eval ",
];

/// Reads code in a general language.
pub(crate) fn code(text: &str) -> Seen {
    let mut seen = Seen::default();
    let has = |list: &[&str]| list.iter().any(|needle| text.contains(needle));
    let calls = has(&RUNS)
        || text.contains('`')
        || text.contains("exec ")
        || text.contains("exec(")
        || text.contains("exec \"");
    if calls {
        seen.runs = true;
        seen.add(Effect::Exec, "the code runs other programs");
        seen.shell = literals(text);
        for (from, _) in text.match_indices("%x").chain(text.match_indices("qx")) {
            if let Some(inner) = delimited(text.get(from + 2..).unwrap_or("")) {
                seen.shell.push(inner);
            }
        }
        // `subprocess.run(["rm", "-rf", "/"])`: the list is a command too.
        let list: Vec<String> =
            seen.shell.iter().filter(|text| !text.contains(' ')).cloned().collect();
        if list.len() > 1 {
            seen.shell.push(list.join(" "));
        }
        // The rest of the line after `exec`, as in Tcl: `exec rm -rf /`.
        for verb in ["exec ", "spawn "] {
            for (from, _) in text.match_indices(verb) {
                seen.shell.push(text.get(from + verb.len()..).unwrap_or("").to_owned());
            }
        }
        seen.shell.truncate(16);
    }
    if has(&DELETES) {
        seen.add(Effect::Destructive, "the code deletes files");
        if has(&TREES) {
            seen.add(Effect::Recursive, "the code deletes whole trees");
        }
        seen.targets =
            literals(text).into_iter().filter(|text| text.starts_with(['/', '~', '.'])).collect();
    }
    if has(&NETWORK) {
        seen.network = true;
    }
    if has(&WRITES) {
        seen.writes = true;
        seen.targets.extend(literals(text).into_iter().filter(|text| text.starts_with(['/', '~'])));
    }
    if has(&EVALUATES)
        && (has(&DECODES) || has(&NETWORK) || text.contains("chr(") || text.contains("[::-1]"))
    {
        seen.add(Effect::Obfuscation, "the code decodes and runs text that cannot be read here");
        seen.add(Effect::Unseen, "what is run cannot be seen");
    }
    if text.contains("setuid(") || text.contains("setgid(") || text.contains("setreuid") {
        seen.add(Effect::Privilege, "the code changes its user");
    }
    if text.contains("pty.spawn")
        || (seen.network && text.contains("dup2"))
        || (text.contains("socket") && calls)
        || (text.contains("TCPSocket") && calls)
        || (text.contains("fsockopen") && calls)
    {
        seen.add(Effect::Hijack, "the code gives a shell to someone else");
        if seen.network {
            seen.add(Effect::Critical, "a reverse shell");
        }
    }
    if text.contains("os.fork()") && (text.contains("while") || text.contains("for"))
        || text.contains("fork while")
        || text.contains("while fork")
    {
        seen.add(Effect::Catastrophic, "a fork bomb");
    }
    seen
}

/// Reads an awk program.
pub(crate) fn awk(text: &str) -> Seen {
    let mut seen = Seen::default();
    let bare = without_literals(text);
    let compact: String = bare.chars().filter(|c| !c.is_whitespace()).collect();
    let pipes = compact.replace("||", "");
    if compact.contains("system(") || pipes.contains('|') {
        seen.runs = true;
        seen.add(Effect::Exec, "the awk program runs other programs");
        seen.shell = literals(text);
    }
    if text.contains("/inet/") {
        seen.network = true;
        seen.add(Effect::Hijack, "the awk program opens a connection");
    }
    // Only after `print` does `>` write; elsewhere it compares.
    let writes = bare.split("print").skip(1).any(|statement| {
        let statement = statement.split([';', '}', '\n']).next().unwrap_or("");
        statement.rsplit_once(')').map_or(statement, |(_, rest)| rest).contains('>')
    });
    if writes {
        seen.writes = true;
        seen.targets = literals(text).into_iter().filter(|text| text.starts_with('/')).collect();
    }
    seen
}

/// An awk program without its strings and regular expressions.
fn without_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut last = '(';
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let regex =
            c == '/' && matches!(last, '(' | ',' | '~' | '!' | '{' | '}' | ';' | '&' | '|' | '\n');
        if c == '"' || regex {
            while let Some(inner) = chars.next() {
                if inner == '\\' {
                    chars.next();
                } else if inner == c {
                    break;
                }
            }
            last = '"';
            out.push('"');
            continue;
        }
        if !c.is_whitespace() || c == '\n' {
            last = c;
        }
        out.push(c);
    }
    out
}

/// Reads a sed script.
pub(crate) fn sed(text: &str) -> Seen {
    let mut seen = Seen::default();
    for command in text.split(['\n', ';']) {
        let command = command.trim();
        let body = command.trim_start_matches(|c: char| {
            c.is_ascii_digit() || matches!(c, '$' | ',' | '!' | ' ' | '{' | '~' | '+')
        });
        if let Some(rest) = body.strip_prefix("e ").or_else(|| (body == "e").then_some("")) {
            seen.runs = true;
            seen.add(Effect::Exec, "the sed script runs a command");
            seen.shell.push(rest.to_owned());
        }
        if let Some(file) = body.strip_prefix("w ").or_else(|| body.strip_prefix("W ")) {
            seen.writes = true;
            seen.targets.push(file.trim().to_owned());
        }
    }
    // `s/a/b/e` runs its result, `s/a/b/w file` writes it.
    let mut rest = text;
    while let Some(at) = rest.find('s') {
        let after = rest.get(at + 1..).unwrap_or("");
        rest = after;
        let Some(delimiter) = after
            .chars()
            .next()
            .filter(|c| !c.is_alphanumeric() && !c.is_whitespace() && *c != '\\')
        else {
            continue;
        };
        let mut parts = 0;
        let mut escaped = false;
        let mut end = None;
        for (offset, c) in after.char_indices().skip(1) {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == delimiter {
                parts += 1;
                if parts == 2 {
                    end = Some(offset + c.len_utf8());
                    break;
                }
            }
        }
        let Some(end) = end else { continue };
        let tail = after.get(end..).unwrap_or("");
        let flags: String = tail.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
        if flags.len() <= 6 && flags.bytes().all(|b| b"gpiIme0123456789Mw".contains(&b)) {
            if flags.contains('e') {
                seen.runs = true;
                seen.add(Effect::Exec, "the sed script runs its result");
                seen.add(Effect::Unseen, "what is run is computed");
            }
            if flags.ends_with('w') {
                seen.writes = true;
                seen.targets.push(tail.get(flags.len()..).unwrap_or("").trim().to_owned());
            }
        }
        rest = tail;
    }
    seen
}

/// Reads a format of a terminal multiplexer: `#(CMD)` is what a command prints.
pub(crate) fn format(text: &str) -> Seen {
    let mut seen = Seen { runs: true, ..Seen::default() };
    seen.add(Effect::Exec, "the format runs a command");
    for (at, _) in text.match_indices("#(").take(8) {
        let rest = text.get(at + 2..).unwrap_or("");
        let mut depth = 1_usize;
        let end = rest.find(|c| {
            depth = match c {
                '(' => depth + 1,
                ')' => depth.saturating_sub(1),
                _ => depth,
            };
            depth == 0
        });
        seen.shell.push(rest.get(..end.unwrap_or(rest.len())).unwrap_or("").to_owned());
    }
    seen
}

/// Reads an editor's or debugger's command.
pub(crate) fn editor(text: &str) -> Seen {
    let mut seen = Seen::default();
    let command = text.trim_start_matches([':', '+', ' ', '%']);
    let shell = command
        .strip_prefix('!')
        .or_else(|| command.strip_prefix("silent !"))
        .or_else(|| command.strip_prefix("r !"))
        .or_else(|| command.strip_prefix("w !"))
        .or_else(|| command.strip_prefix("shell "))
        .or_else(|| command.strip_prefix("terminal "));
    if let Some(shell) = shell {
        seen.runs = true;
        seen.add(Effect::Exec, "the editor runs a command");
        seen.shell.push(shell.to_owned());
    } else if ["shell", "terminal", "sh"].contains(&command)
        || ["py", "python", "lua", "ruby", "perl", "call system", "call "]
            .iter()
            .any(|verb| command.starts_with(verb))
    {
        seen.runs = true;
        seen.add(Effect::Exec, "the editor runs code");
        seen.shell = literals(command);
    }
    seen
}

/// The string literals of a text, in any of the usual quotes.
fn literals(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if !matches!(c, '"' | '\'' | '`') {
            continue;
        }
        let mut literal = String::new();
        let mut closed = false;
        while let Some(inner) = chars.next() {
            if inner == c {
                closed = true;
                break;
            }
            if inner == '\\' {
                literal.extend(chars.next());
            } else {
                literal.push(inner);
            }
        }
        if closed && !literal.is_empty() && out.len() < 32 {
            out.push(literal);
        }
    }
    out
}

fn delimited(text: &str) -> Option<String> {
    let open = text.chars().next()?;
    let close = match open {
        '(' => ')',
        '{' => '}',
        '[' => ']',
        '/' | '|' | '!' => open,
        _ => return None,
    };
    let inner = text.get(open.len_utf8()..)?;
    Some(inner.split(close).next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_lines_in_code_are_found() {
        for text in [
            "import os; os.system('rm -rf /')",
            "exec \"rm -rf /\"",
            "`rm -rf /`",
            "require('child_process').execSync(\"rm -rf /\")",
            "import subprocess; subprocess.run(['rm', '-rf', '/'])",
            "%x(rm -rf /)",
        ] {
            assert!(
                code(text).shell.iter().any(|line| line == "rm -rf /"),
                "{text}: {:?}",
                code(text)
            );
        }
        assert!(code("print(1)").shell.is_empty());
    }

    #[test]
    fn awk_and_sed_that_only_print_are_quiet() {
        for text in ["{print $1}", "NR>1 {s+=$2} END {print s}", "$1 > 5 {print}", "/a/ {n++}"] {
            let seen = awk(text);
            assert!(!seen.runs && !seen.writes, "{text}: {seen:?}");
        }
        assert!(awk("BEGIN{system(\"id\")}").runs && awk("{print > \"/tmp/x\"}").writes);
        for text in ["s/a/b/g", "/^$/d", "1,10p", "s#/usr#/opt#", "s/e/w/", "$!N;s/\\n/ /"] {
            let seen = sed(text);
            assert!(!seen.runs && !seen.writes, "{text}: {seen:?}");
        }
        assert!(sed("s/.*/id/e").runs && sed("1e id").runs && sed("w /tmp/x").writes);
    }
}
