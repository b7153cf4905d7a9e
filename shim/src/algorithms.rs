//! Ciphers and MACs between the client and the gate: what the user asked for, as far as the gate
//! has it. It must never fall back to nothing, or to what the gate would refuse.

use crate::args::Request;
use crate::ssh_config::Settings;

/// What the gate has, fastest first.
const CIPHERS: &str = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,\
                       chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr";
const MACS: &str = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,\
                    hmac-sha2-512";

/// The client's options for both, and what to tell the user.
pub(crate) fn choose(request: &Request, settings: &Settings) -> (Vec<String>, Vec<String>) {
    let mut warnings = Vec::new();
    let mut one = |keyword: &str, given: bool, known: &str| {
        // A configuration file's choice was made for the target.
        let asked = settings.value(&keyword.to_ascii_lowercase()).filter(|_| given);
        let kept = asked.map(|asked| intersection(asked, known)).filter(|kept| !kept.is_empty());
        if let (Some(asked), None) = (asked, &kept) {
            warnings.push(format!(
                "the gate has none of the {keyword} asked for ({asked}): using its own"
            ));
        }
        format!("{keyword}={}", kept.unwrap_or_else(|| known.to_owned()))
    };
    let options = vec![one("Ciphers", request.ciphers, CIPHERS), one("MACs", request.macs, MACS)];
    (options, warnings)
}

/// Of `asked`, in its order, what is `known`.
fn intersection(asked: &str, known: &str) -> String {
    let known: Vec<&str> = known.split(',').collect();
    let kept: Vec<&str> = asked.split(',').filter(|name| known.contains(name)).collect();
    kept.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(given: bool, ciphers: &str) -> (String, usize) {
        let request = Request { ciphers: given, ..Request::default() };
        let settings = Settings::parse(&format!("ciphers {ciphers}\nmacs hmac-md5\n"));
        let (options, warnings) = choose(&request, &settings);
        (options.first().cloned().unwrap_or_default(), warnings.len())
    }

    #[test]
    fn the_users_ciphers_as_far_as_the_gate_has_them() {
        let own = format!("Ciphers={CIPHERS}");
        assert_eq!(
            chosen(true, "aes256-cbc,aes128-ctr,aes128-gcm@openssh.com"),
            ("Ciphers=aes128-ctr,aes128-gcm@openssh.com".to_owned(), 0)
        );
        assert_eq!(chosen(true, "3des-cbc"), (own.clone(), 1));
        assert_eq!(chosen(false, "3des-cbc"), (own, 0));
    }
}
