//! Secrets that show in any text, whatever language it is: tokens of known form, addresses with a
//! password, headers, and what is named like a secret. Its work is linear in the text.

use std::ops::Range;
use std::sync::LazyLock;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use super::names::{MAX_NAME, is_no_value, is_secret_header, is_secret_name};
use super::pairs;

/// Expressions whose first group is the secret.
const PATTERNS: [&str; 34] = [
    // Tokens that say by their form what they are.
    r"(?:^|[^A-Za-z0-9])((?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16})(?:[^A-Za-z0-9]|$)",
    r"(?:^|[^A-Za-z0-9])((?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{20,}|gl(?:pat|dt|rt|ptt|cbt|ft|soat|agent|imt)-[A-Za-z0-9_\-.]{16,}|xox[abeprs]-[A-Za-z0-9\-]{8,}|xapp-[A-Za-z0-9\-]{10,}|sk-[A-Za-z0-9_\-]{16,}|[srp]k_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{16,}|AIza[0-9A-Za-z_\-]{30,}|ya29\.[0-9A-Za-z_\-]{20,}|GOCSPX-[0-9A-Za-z_\-]{20,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_\-]{20,}|hf_[A-Za-z0-9]{24,}|do[opr]_v1_[a-f0-9]{40,}|SG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,}|hv[sbr]\.[A-Za-z0-9_\-]{16,}|s\.[A-Za-z0-9]{24}|dckr_pat_[A-Za-z0-9_\-]{16,}|rubygems_[a-f0-9]{40,}|cio[A-Za-z0-9]{32,}|tskey-[A-Za-z0-9\-]{10,}|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{24,}|sq0[a-z]{3}-[A-Za-z0-9_\-]{20,}|EAAC[A-Za-z0-9]{20,}|key-[a-f0-9]{32}|NRAK-[A-Z0-9]{20,}|lin_api_[A-Za-z0-9]{30,}|pul-[a-f0-9]{36,}|atlasv1\.[A-Za-z0-9_\-]{30,}|r8_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{30,}|xai-[A-Za-z0-9]{30,}|sntr(?:ys|yu)_[A-Za-z0-9_=\-]{30,}|dapi[a-f0-9]{32}|AGE-SECRET-KEY-1[A-Z0-9]{30,}|ATATT3[A-Za-z0-9_\-=]{30,}|glsa_[A-Za-z0-9_]{30,}|figd_[A-Za-z0-9_\-]{30,}|fo1_[A-Za-z0-9_\-]{30,}|FlyV1 [A-Za-z0-9_,+/=\-]{20,}))",
    r"(?:^|[^A-Za-z0-9])(eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{4,}(?:\.[A-Za-z0-9_\-]*)*)",
    r"(?s)-----BEGIN [A-Z0-9 ]*(?:PRIVATE KEY|PGP PRIVATE KEY BLOCK)[A-Z ]*-----(.+?)(?:-----END|\z)",
    r"PuTTY-User-Key-File[^\n]*\n(?s)(.+)",
    // Addresses: user:password@host, and a token in the place of the user.
    r#"[a-zA-Z][a-zA-Z0-9+.\-]*://[^\s/:@"'`<>]*:([^\s/"'`<>]+)@"#,
    r#"[a-zA-Z][a-zA-Z0-9+.\-]*://[^\s/:@"'`<>]*:([0-9]*[^\s"'`<>0-9/][^\s"'`<>]*)@[A-Za-z0-9.\-\[]+(?::\d+)?(?:[/?\s"']|$)"#,
    r#"[a-zA-Z][a-zA-Z0-9+.\-]*://([A-Za-z0-9_\-]{20,})@"#,
    r#"(?:^|[\s"'=])[A-Za-z0-9_.\-]+:([^\s"'@/]+)@(?:tcp|unix|udp)\("#,
    r"hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_\-]{8,})",
    r"discord(?:app)?\.com/api/webhooks/([A-Za-z0-9/_\-]{8,})",
    r"api\.telegram\.org/(?:file/)?bot([A-Za-z0-9:_\-]{6,})",
    r#"[?&](?:key|sig|signature|code|auth|X-Amz-Signature|X-Amz-Credential|X-Goog-Signature|sv_sig|pass|p)=([^\s&"'#]{4,})"#,
    // Headers.
    r#"(?i)authorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|token|digest|negotiate|apikey|api-key|splunk|bot|key|oauth|hawk|ntlm|sso-key|genie(?:key)?|pat|jwt|aws4-hmac-sha256)\s+)([^\s"'`]+)"#,
    r#"(?i)\b(?:bearer|x-access-token)[ \t:]+([A-Za-z0-9_\-.=+/]{8,})"#,
    r#"(?im)(?:^|["'])(?:set-)?cookie:\s*([^"'\r\n]+)"#,
    // SQL and its kin.
    r#"(?i)\bidentified\s+(?:with\s+\S+\s+)?(?:by|as)\s+(?:password\s+)?\\?["'`]((?:[^"'`\\]|\\[^"'`]|\\.)+)"#,
    r#"(?i)\bpassword(?:\s*[=(]\s*|\s+)(?:for\s+\S+\s*[=(]?\s*)?(?:N|password\s*\()?\s*\\?["'`]((?:[^"'`\\]|\\.)+)"#,
    r#"(?i)\bset\s+password\b[^;=]{0,120}(?:=|\bto\b)\s*(?:password\s*\(\s*)?\\?["'`]?([^\s"'`;)]+)"#,
    r#"(?i)\bpragma\s+(?:re)?key\s*=\s*["'`]*([^"'`;]+)"#,
    r#"(?i)\b(?:create|alter)\s+user\s+[^\s;]+\s+identified\s+by\s+([^\s"'`;\\]{2,})"#,
    r#"(?i)\battach\b[^;\n]{0,120}\bkey\s+\\?["']([^"'\\]+)"#,
    r#"(?i)\b(?:db\.)?(?:auth|changeUserPassword)\(\s*["'`][^"'`]*["'`]\s*,\s*["'`]([^"'`]+)"#,
    r#"(?i)\bauth\s*=\s*\(\s*["'][^"']*["']\s*,\s*["']([^"']+)"#,
    // A call that sets one: `u.set_password('x')`.
    r#"(?i)\bset_?(?:\w*_)?(?:password|passwd|secret|token|api_?key)\s*\(\s*\\?["'`]([^"'`\\]+)"#,
    // Calls that take one in its place: `crypt("x", salt)`, `new mysqli(host, user, "x")`.
    r#"(?i)\b(?:crypt|password_hash|hashpw|generate_password_hash|make_password|ConvertTo-SecureString)(?:\s*\(\s*|\s+(?:-String\s+)?)b?\\?["'`]([^"'`\\]+)"#,
    r#"(?i)\b(?:mysqli(?:_connect)?|PDO|ldap_bind|imap_open|ftp_login)\(\s*[^,()]{1,120},\s*\\?["'][^"']*["']\s*,\s*\\?["']([^"'\\]+)"#,
    // What is printed in the place of a file or by a command: `--token-file <(echo x)`.
    r#"(?i)(?:(?:key|token|secret|pass(?:word|phrase|wd)?|pw)(?:[\-_]?file)?["']?[ =]+|sshpass\s+-f\s*|--from-file[= ][^\s=<]+=)<\(\s*(?:echo|printf)(?:\s+-[ne]+)?\s+(?:["']?%s(?:\\+n)?["']?\s+)?["']?([^\s"')]+)"#,
    r#"(?i)pass(?:word|phrase)?[\-_]?(?:command|cmd|eval)["']?[ =]+["']?(?:echo|printf)\s+(?:["']?%s(?:\\+n)?["']?\s+)?([^\s"']+)"#,
    // Files of passwords: netrc, pgpass.
    r#"(?im)\blogin\s+\S+\s+password\s+["']?([^\s"']+)"#,
    r#"(?m)(?:^|[\s"'])[A-Za-z0-9_.\-*]+:(?:\d{3,5}|\*):[A-Za-z0-9_.\-*]+:[A-Za-z0-9_.\-*]+:([^\s"']+)"#,
    // Files of other programs: fetchmail's, and answers for packages.
    r#"(?i)\bpoll\s[^\n]*\buser\s+\S+[^\n]*\bpass(?:word)?\s+["']?([^\s"']+)"#,
    r#"(?i)[\w\-]+/[\w\-]*passw[\w\-]*\s+password\s+["']?([^\s"']+)"#,
    // `expect`: what is typed after it asked.
    r#"(?i)assword[^\n]{0,60}\bsend(?:_user)?\s+(?:--\s+)?\\?["{]([^"}\\\n]+)"#,
];

static EXPRESSIONS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::builder()
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .configure(cache())
        .build_many(&PATTERNS)
        .ok()
});

/// Something without which no expression matches: one cheap search instead of a dear one.
static STARTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::builder()
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .build_many(&[
            r"(?i)authori[sz]ation|bearer|x-access-token|cookie|identified|assword|pragma|auth\s*[(=]|login|webhooks|set_?[a-z_]*(?:token|secret|passwd|key)|<\(|pass(?:phrase)?[\-_]?c|crypt|hashpw|securestring|mysqli|pdo\(|ldap_bind|imap_open|ftp_login|attach|poll\s",
            r"://|@tcp|@udp|@unix|:\d{3}|:\*:|AKIA|ASIA|ABIA|ACCA|gh[pousr]_|github_pat|gl[a-z]+-|xox|xapp-|sk-|k_live|k_test|whsec|AIza|ya29|GOCSPX|npm_|pypi-|hf_|do[opr]_v1|SG\.|hv[sbr]\.|s\.[A-Za-z0-9]{8}|dckr_|rubygems_|cio[A-Za-z0-9]{8}|tskey-|shp[a-z]{2}_|sq0|EAAC|key-|NRAK|lin_api|pul-|atlasv1|r8_|gsk_|xai-|sntr|dapi|AGE-SECRET|ATATT3|glsa_|figd_|fo1_|FlyV1|eyJ|-----BEGIN|PuTTY|hooks\.slack|telegram|[?&][A-Za-z_\-]+=",
        ])
        .ok()
});

/// Room for the expressions' automata, in bytes: with the usual two megabytes they are built anew all
/// the time.
pub(super) fn cache() -> regex_automata::meta::Config {
    regex_automata::meta::Config::new().hybrid_cache_capacity(16 << 20)
}

/// The most secrets of known form in one text; what follows is masked as a whole.
const MOST: usize = 4096;

/// Where secrets are in a text.
pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    of_known_form(text, found);
    named(text, found);
    pairs::find(text, found);
    in_manifest(text, found);
}

/// Where secrets are in one word of a shell, without its quotes.
pub(super) fn find_in_word(text: &str, found: &mut Vec<Range<usize>>) {
    find(text, found);
    // What goes by the name of a secret is one to the end of the word: `PASS='a b,c'`.
    let bytes = text.as_bytes();
    let begin = |at: usize| bytes.get(at).is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
    if let Some(at) = text.find('=')
        && let Some(left) = text.get(..at)
        // Behind an option's letters: `-Dname=`, `-ename=`; or its name: `--env=name=`.
        && left.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-:/+@[]".contains(&b))
    {
        let plain = left.trim_end_matches('+').trim_start_matches('-');
        let glued = left.strip_prefix('-').and_then(|rest| rest.get(1..)).unwrap_or("");
        if begin(left.len() - left.trim_start_matches('-').len())
            && (is_secret_name(plain) || (left.starts_with('-') && is_secret_name(glued)))
        {
            push_value(text, at + 1..text.len(), found);
        } else if left.starts_with('-') {
            // `--env=PASSWORD=x`, `--set=auth.password=x`
            let rest = text.get(at + 1..).unwrap_or("");
            if let Some(second) = rest.find('=')
                && is_secret_name(rest.get(..second).unwrap_or(""))
                && rest.get(..second).is_some_and(is_name)
            {
                push_value(text, at + 1 + second + 1..text.len(), found);
            }
        }
    }
    // A header to its end, whatever its value looks like.
    if let Some(at) = text.find(':')
        && let Some(name) = text.get(..at)
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && is_secret_header(name)
        && text.get(at + 1..at + 3) != Some("//")
    {
        header_value(text, at + 1, found);
    }
}

/// How a header says what kind of secret follows.
fn is_scheme(word: &str) -> bool {
    [
        "api-key",
        "apikey",
        "basic",
        "bearer",
        "bot",
        "digest",
        "jwt",
        "key",
        "negotiate",
        "ntlm",
        "oauth",
        "pat",
        "token",
    ]
    .iter()
    .any(|scheme| scheme.eq_ignore_ascii_case(word))
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

fn push_value(text: &str, range: Range<usize>, found: &mut Vec<Range<usize>>) {
    if text.get(range.clone()).is_some_and(|value| !is_no_value(value)) {
        found.push(range);
    }
}

/// The value of a header, without its scheme: `Bearer` and so on tells what it is.
fn header_value(text: &str, from: usize, found: &mut Vec<Range<usize>>) {
    let value = text.get(from..).unwrap_or("");
    let start = from + value.len() - value.trim_start().len();
    let value = text.get(start..).unwrap_or("").trim_end();
    let first = value.split(' ').next().unwrap_or("");
    let scheme = first.len() < value.len()
        && first.len() < 20
        && first.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
    let skip = if scheme { first.len() + 1 } else { 0 };
    let range = start + skip..start + value.len();
    if text.get(range.clone()).is_some_and(|v| !is_no_value(v) && !is_version(v)) {
        found.push(range);
    }
}

/// `latest`, `v1.2`: what stands behind the name of a container's image.
fn is_version(value: &str) -> bool {
    let rest = value.strip_prefix('v').unwrap_or(value);
    matches!(value, "latest" | "stable" | "main" | "master" | "dev" | "edge" | "alpine" | "slim")
        || (rest.len() < 12
            && rest.contains('.')
            && rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

fn of_known_form(text: &str, found: &mut Vec<Range<usize>>) {
    let Some(expressions) = &*EXPRESSIONS else {
        found.push(0..text.len());
        return;
    };
    if STARTS.as_ref().is_some_and(|starts| !starts.is_match(text)) {
        return;
    }
    let mut captures = expressions.create_captures();
    let mut at = 0;
    let mut rounds = 0;
    while at < text.len() {
        rounds += 1;
        if rounds > MOST {
            found.push(at..text.len());
            return;
        }
        let input = regex_automata::Input::new(text).span(at..text.len());
        expressions.search_captures(&input, &mut captures);
        let Some(whole) = captures.get_match() else { return };
        let Some(secret) = captures.get_group(1) else { return };
        let range = secret.start..secret.end;
        match text.get(range.clone()) {
            Some(value) if !is_variable(value) && !is_no_value(value) => {
                found.push(range.clone());
                at = range.end.max(at + 1);
            }
            Some(_) => at = (whole.start() + 1).max(secret.start),
            // Not at the edges of characters: all of it.
            None => {
                found.push(widen(text, whole.start()..whole.end()));
                at = whole.end().max(at + 1);
            }
        }
        while at < text.len() && !text.is_char_boundary(at) {
            at += 1;
        }
    }
}

/// A range with whole characters.
pub(super) fn widen(text: &str, range: Range<usize>) -> Range<usize> {
    let mut start = range.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = range.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

/// A variable or a substitution, which is no secret: what it stands for is not known here.
fn is_variable(value: &str) -> bool {
    let rest = value.trim_start_matches(['"', '\'']);
    let named = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    match rest.strip_prefix('$') {
        Some(rest) if rest.starts_with('{') => !rest.contains('-') && !rest.contains('='),
        Some(rest) if rest.starts_with('(') => true,
        Some(rest) => {
            let end = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
            named(rest)
                && rest.get(end..).is_none_or(|rest| rest.is_empty() || rest.starts_with('$'))
        }
        None => {
            rest.starts_with('`')
                || (rest.starts_with('%') && rest.ends_with('%') && rest.len() > 2)
        }
    }
}

/// `NAME=value`, `name: value`, `"name": "value"`, however deep in quotes.
fn named(text: &str, found: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let mut next = 0;
    while let Some(offset) =
        bytes.get(next..).and_then(|rest| rest.iter().position(|b| matches!(b, b'=' | b':')))
    {
        let at = next + offset;
        next = at + 1;
        let Some((name, quoted)) = name_before(text, at) else { continue };
        let Some(word) = text.get(name.clone()) else { continue };
        if !(is_secret_name(word) || glued_name(word)) {
            continue;
        }
        let colon = byte(at) == b':';
        let mut value = at + 1;
        if colon && matches!(byte(value), b'/' | b':') && byte(value + 1) == byte(value) {
            continue;
        }
        if colon && byte(value) == b'?' {
            continue;
        }
        if matches!(byte(value), b'=' | b'>' | b'~' | b'-' | b'+') && (colon || byte(value) != b'-')
        {
            value += 1;
        }
        let spaces = bytes
            .get(value..)
            .map_or(0, |rest| rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count());
        // `NAME= command` is an empty value in a shell; `name = value` is one in other languages.
        if spaces > 0 && !colon && !matches!(byte(at.wrapping_sub(1)), b' ' | b'\t') {
            continue;
        }
        value += spaces;
        // `Authorization: Bearer x`: what the scheme is may be seen.
        let scheme = bytes.get(value..).map_or(0, |rest| {
            rest.iter().take_while(|b| b.is_ascii_alphabetic() || **b == b'-').count()
        });
        if colon
            && is_secret_header(word)
            && byte(value + scheme) == b' '
            && text.get(value..value + scheme).is_some_and(is_scheme)
        {
            value += scheme + 1;
        }
        let close_to =
            colon && spaces == 0 && !quoted && !matches!(byte(value), b'"' | b'\'' | b'\\');
        let range = value_at(text, value);
        let Some(found_value) = text.get(range.clone()) else { continue };
        if close_to && (found_value.len() < 4 || is_version(found_value)) {
            continue;
        }
        // `read -p 'Password: ' -s x`: an option.
        let option = spaces > 0 && found_value.len() < 4 && found_value.starts_with('-');
        if !option && !is_no_value(found_value) && !is_variable(found_value) {
            next = range.end.max(next);
            found.push(range);
        }
    }
}

/// Which of the values that a format of `printf` takes goes by the name of a secret: `password=%s`.
pub(super) fn formatted(format: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let mut number = 0;
    for (at, _) in format.match_indices('%') {
        match format.get(at + 1..).and_then(|rest| rest.chars().next()) {
            Some('%') | None => continue,
            Some(_) => {}
        }
        let before = format.get(..at).unwrap_or("").trim_end_matches([' ', '"', '\'', '\\']);
        let named = before.strip_suffix(['=', ':']).and_then(|name| {
            let (range, _) = name_before(before, name.len())?;
            before.get(range)
        });
        if named.is_some_and(is_secret_name) {
            found.push(number);
        }
        number += 1;
    }
    found
}

/// `-pPASSWORD=`: an option's letter before the name.
fn glued_name(word: &str) -> bool {
    word.strip_prefix('-').and_then(|rest| rest.get(1..)).is_some_and(is_secret_name)
}

/// The name in front of a `=` or `:`, and whether it is in quotes.
fn name_before(text: &str, at: usize) -> Option<(Range<usize>, bool)> {
    let bytes = text.as_bytes();
    let before = |at: usize| at.checked_sub(1).and_then(|at| bytes.get(at)).copied();
    let mut end = at;
    while matches!(before(end), Some(b' ' | b'\t')) && at - end < 4 {
        end -= 1;
    }
    if matches!(before(end), Some(b'+' | b':')) {
        end -= 1;
    }
    let outer = end;
    while matches!(before(end), Some(b'"' | b'\'' | b'\\' | b']')) && outer - end < 4 {
        end -= 1;
    }
    let mut start = end;
    while end - start < MAX_NAME
        && before(start).is_some_and(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
    {
        start -= 1;
    }
    (start < end).then_some((start..end, end < outer))
}

/// A value that begins there: in quotes, or up to what cannot be part of one.
fn value_at(text: &str, from: usize) -> Range<usize> {
    let bytes = text.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let mut start = from;
    while byte(start) == b'\\'
        && start - from < 4
        && matches!(byte(start + 1), b'\\' | b'"' | b'\'')
    {
        start += 1;
    }
    let slashes = start - from;
    if matches!(byte(start), b'b' | b'N' | b'r' | b'f' | b'u')
        && matches!(byte(start + 1), b'"' | b'\'')
    {
        start += 1;
    }
    if let quote @ (b'"' | b'\'' | b'`') = byte(start) {
        let inner = start + 1;
        let mut at = inner;
        while at < bytes.len() {
            if byte(at) == b'\\' && slashes == 0 {
                at += 2;
                continue;
            }
            if byte(at) == quote {
                break;
            }
            at += 1;
        }
        let mut end = at.min(bytes.len());
        while slashes > 0 && end > inner && byte(end - 1) == b'\\' {
            end -= 1;
        }
        return widen(text, inner..end);
    }
    let mut at = from;
    while at < bytes.len() {
        match byte(at) {
            b'\\' if !matches!(byte(at + 1), b'"' | b'\'' | b'n') => at += 1,
            b'\\' => break,
            b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'`' | b';' | b'&' | b'|' | b'<'
            | b'>' => {
                break;
            }
            // They may be part of a password, unless what follows shows that they are not.
            b',' if ends_value(bytes, at + 1, true) => break,
            b')' | b'}' | b']' if ends_value(bytes, at + 1, false) => break,
            _ => {}
        }
        at += 1;
    }
    widen(text, from..at.min(bytes.len()))
}

/// Whether the value is over before `at`.
fn ends_value(bytes: &[u8], at: usize, comma: bool) -> bool {
    let rest = bytes.get(at..).unwrap_or(&[]);
    match rest.first() {
        None => true,
        Some(b) if b" \t\r\n\"'`;&|,)}]<>".contains(b) => true,
        Some(_) if comma => {
            let name = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || b"_.-".contains(b));
            let length = name.count();
            length > 0
                && (length == rest.len() || matches!(rest.get(length), Some(b'=' | b':' | b',')))
        }
        Some(_) => false,
    }
}

/// The values of a Kubernetes `Secret`, whatever they are called.
fn in_manifest(text: &str, found: &mut Vec<Range<usize>>) {
    if !(text.contains("kind: Secret") || text.contains("kind: \"Secret\"")) {
        return;
    }
    let mut at = 0;
    let mut data: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let indent = line.len() - line.trim_start_matches(' ').len();
        let content = line.trim();
        if content.is_empty() {
            continue;
        }
        if data.is_some_and(|outer| indent <= outer) {
            data = None;
        }
        if matches!(content, "data:" | "stringData:") {
            data = Some(indent);
        } else if data.is_some() {
            // A value of several lines has none of its own.
            let value = content.split_once(": ").map_or(content, |(_, value)| value.trim());
            if let Some(offset) = line.rfind(value)
                && !content.ends_with(':')
                && !matches!(value, "|" | ">" | "|-" | ">-")
            {
                push_value(text, start + offset..start + offset + value.len(), found);
            }
        }
    }
}
