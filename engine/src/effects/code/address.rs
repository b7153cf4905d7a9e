//! Addresses on the network.

/// How far an address leads: 1 to this machine, 3 anywhere; `None` if it is not read.
pub(crate) fn host_of(text: &str, url: bool) -> Option<u8> {
    let mut host = text;
    if url {
        let rest = host.strip_prefix("http://").or_else(|| host.strip_prefix("https://"));
        host = match (rest, host.contains("://")) {
            (Some(rest), _) => rest,
            (None, true) => return None,
            (None, false) => host,
        };
        host = host.split(['/', '?', '#']).next().unwrap_or("");
    }
    if text.contains(['{', '}', '@', '\\', ' '])
        || (url && text.contains(['[', ']']))
        || host.is_empty()
    {
        return None;
    }
    let bare = match host.rsplit_once(':') {
        Some((name, port))
            if !port.is_empty()
                && port.bytes().all(|b| b.is_ascii_digit())
                && !name.contains(':') =>
        {
            name
        }
        _ => host,
    };
    let bytes_of = |text: &str| text.split('.').filter(|part| part.parse::<u8>().is_ok()).count();
    let loopback = bare == "localhost"
        || bare == "::1"
        || (bare.starts_with("127.") && bare.split('.').count() == 4 && bytes_of(bare) == 4);
    let plain = bare.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:".contains(&b));
    match (loopback, plain) {
        (true, _) => Some(1),
        (false, true) => Some(3),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn addresses_on_the_network() {
        for (text, url, reach) in [
            ("http://localhost:5000/x", true, Some(1)),
            ("localhost:80", true, Some(1)),
            ("http://127.0.0.1", true, Some(1)),
            ("http://127.0.0.1.evil.org/", true, Some(3)),
            ("http://localhost.evil.org", true, Some(3)),
            ("http://localhost@evil.org", true, None),
            ("file:///etc/shadow", true, None),
            ("http://{a,b}/", true, None),
            ("example.org", false, Some(3)),
            ("::1", false, Some(1)),
        ] {
            assert_eq!(host_of(text, url), reach, "{text}");
        }
    }
}
