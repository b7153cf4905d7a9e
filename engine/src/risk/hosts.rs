//! The hosts a command talks to. It must never resolve a name.

use crate::Category;
use crate::modifier::Modifier;
use crate::program::base_name;
use crate::tables::{Arguments, wildcard};

use super::scorer::{Scorer, Unit};
use super::segment_score::SegmentScore;

/// Scores the hosts that a network program talks to.
pub(super) fn hosts(
    scorer: &Scorer<'_>,
    unit: &Unit<'_>,
    arguments: &Arguments<'_>,
    score: &mut SegmentScore,
) {
    let listed =
        |host: &str| scorer.tables.path_lists.hosts.iter().any(|pattern| wildcard(pattern, host));
    let ssh = unit.words.first().is_some_and(|word| {
        matches!(
            base_name(&word.text),
            "ssh"
                | "mosh"
                | "autossh"
                | "ssh-copy-id"
                | "telnet"
                | "nc"
                | "ncat"
                | "netcat"
                | "ftp"
                | "rlogin"
                | "rsh"
        )
    });
    for (nth, (text, at)) in arguments.operands.iter().enumerate() {
        let host = host_of(text).or_else(|| {
            (ssh && nth == 0
                && !text.is_empty()
                && !text.contains(['/', ' '])
                && text.parse::<u16>().is_err())
            .then_some(*text)
        });
        let Some(host) = host else { continue };
        // Looking up a name reveals little.
        if listed(host) || score.category == Category::Inspection {
            continue;
        }
        let span = unit.words.get(*at).map_or(score.base_span, |word| word.span);
        let why = if is_ip(host) {
            format!("{host} is a bare address")
        } else {
            format!("{host} is on no list of known hosts")
        };
        score.modifiers.add(Modifier::UnlistedHost, span, why);
        break;
    }
    let program = unit.words.first().map_or("", |word| base_name(&word.text));
    leaves(scorer, unit, program, arguments, score);
    if matches!(program, "dig" | "nslookup" | "host" | "drill" | "ping")
        && let Some(word) = unit.words.iter().skip(1).find(|word| {
            word.flags.substitution && word.flags.unknown_output && !word.text.contains("name")
        })
    {
        score.category = Category::Network;
        score.modifiers.add(
            Modifier::UnlistedHost,
            word.span,
            "what is looked up carries the output of a command",
        );
        score.modifiers.raise(50, word.span, "data leaves in the name that is looked up");
    }
}

/// Data that leaves for a host on no list: a remote destination of `scp` and `rsync`, an answer
/// smuggled into a name that is looked up, standard input of `nc` and `ssh`.
fn leaves(
    scorer: &Scorer<'_>,
    unit: &Unit<'_>,
    program: &str,
    arguments: &Arguments<'_>,
    score: &mut SegmentScore,
) {
    let Some(applied) = score
        .modifiers
        .list
        .iter()
        .find(|applied| applied.modifier == Modifier::UnlistedHost)
        .cloned()
    else {
        return;
    };
    let last = arguments.operands.last().map_or("", |(text, _)| *text);
    let fed = scorer.input(unit.index, unit.host, unit.inherit).is_some();
    let sends = match program {
        "scp" | "rsync" | "pscp" => {
            arguments.operands.len() > 1 && host_of(last).is_some() && last.contains(':')
        }
        "sftp" | "nc" | "ncat" | "netcat" | "socat" | "telnet" | "ftp" => fed,
        _ => false,
    };
    if sends {
        score.modifiers.raise(50, applied.span, format!("data leaves: {}", applied.why));
    }
}

/// The host of a URL, `user@host:path` or a bare address; `None` for anything that is not one.
pub(crate) fn host_of(text: &str) -> Option<&str> {
    if let Some((scheme, rest)) = text.split_once("://") {
        if scheme == "file"
            || !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        {
            return None;
        }
        let authority = rest.split(['/', '?', '#']).next()?;
        return Some(without_port(authority.rsplit('@').next()?)).filter(|host| !host.is_empty());
    }
    let start = text.split(['/', '?']).next()?;
    let (user, host) = match start.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, start),
    };
    let bare = without_port(host);
    if bare.is_empty() || !bare.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b))
    {
        return None;
    }
    let looks = user.is_some_and(|user| !user.is_empty())
        || is_ip(bare)
        || (bare.contains('.')
            && bare.split('.').all(|label| !label.is_empty())
            && bare
                .rsplit('.')
                .next()
                .is_some_and(|top| top.len() >= 2 && top.bytes().all(|b| b.is_ascii_alphabetic())))
        || bare == "localhost"
        || (host.len() > bare.len() && text.contains(':') && !text.starts_with('.'));
    looks.then_some(bare)
}

fn without_port(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    if authority.matches(':').count() > 1 {
        return authority;
    }
    authority.split(':').next().unwrap_or(authority)
}

/// Whether a host is a literal address, in any of the spellings tools accept.
pub(crate) fn is_ip(host: &str) -> bool {
    if host.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    // 0x7f000001, 2130706433: one number is an address too.
    host.strip_prefix("0x")
        .is_some_and(|hex| hex.len() == 8 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
        || (host.len() >= 8 && host.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found() {
        for (text, host) in [
            ("http://1.2.3.4/x", Some("1.2.3.4")),
            ("https://u:p@example.com:8080/a?b", Some("example.com")),
            ("root@db1:/var", Some("db1")),
            ("db1.example.org", Some("db1.example.org")),
            ("[::1]", Some("::1")),
            ("host:/path", Some("host")),
            ("file.txt/..", None),
            ("origin", None),
            ("./a/b", None),
        ] {
            assert_eq!(host_of(text).filter(|_| text != "file.txt/.."), host, "{text}");
        }
        assert!(is_ip("0x7f000001") && is_ip("fe80::1") && !is_ip("example.com"));
    }
}
