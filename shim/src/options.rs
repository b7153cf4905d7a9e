//! What becomes of each option of OpenSSH's client: one table for the letters, one for the keywords
//! of `-o`. An option that would open a way round the gate is refused, never passed on silently; a
//! keyword that is in no table is refused too.

/// What becomes of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// Given to the client only: it concerns the agent's side of the connection.
    ClientOnly,
    /// Given to both: the client, and `ssh -G` that resolves the target.
    Both,
    /// Given to `ssh -G` only: it concerns the gate's side of the connection.
    ResolveOnly,
    /// Has no effect behind a gate; left out.
    Drop,
    /// Connection sharing: refused when typed, left out when a tool such as Ansible adds it.
    Sharing(&'static str),
    /// Refused, with the reason.
    Refuse(&'static str),
    /// Refused unless it switches the feature off, in which case it is left out.
    RefuseUnlessOff(&'static str),
    /// The client prints information and ends; there is no connection.
    InfoOnly,
}

use Treatment::{Both, ClientOnly, Drop, InfoOnly, Refuse, RefuseUnlessOff, ResolveOnly, Sharing};

/// The option letters of OpenSSH 9.4 and later, as its `ssh.c` gives them to `getopt`.
pub(crate) const LETTERS: &str =
    "1246ab:c:e:fgi:kl:m:no:p:qstvxAB:CD:E:F:GI:J:KL:MNO:P:Q:R:S:TVw:W:XYy";

/// The same before 9.4, when `-P` took no value.
pub(crate) const LETTERS_BEFORE_9_4: &str =
    "1246ab:c:e:fgi:kl:m:no:p:qstvxAB:CD:E:F:GI:J:KL:MNO:PQ:R:S:TVw:W:XYy";

const FORWARD: &str = "forwarding would carry bytes that nobody reviewed; run the command that \
                       needs it on the target instead";
const AGENT: &str = "agent forwarding would let the target use your keys without review; \
                     leave it out";
const X11: &str = "X11 forwarding would carry bytes that nobody reviewed; leave it out";
const SHARE: &str = "a shared connection would carry commands past the gate; leave it out, the \
                     gate keeps connections open itself";
/// What `mosh` is told, which asks its own proxy command for the target's address.
pub(crate) const MOSH: &str = "mosh speaks UDP to the target, past the gate: nothing typed in it \
     would be held; use ssh, or, where that is meant, mosh --experimental-remote-ip=remote, whose \
     start is held as a command";
const PROXY: &str = "a proxy command on the command line would replace the gate; put it in your \
                     ~/.ssh/config, or use -J";
const LOCAL: &str = "it would run a program beside the connection; leave it out";
const PKCS11: &str = "the gate cannot load a PKCS#11 library for you; add the key to your \
                      ssh-agent (ssh-add -s) instead";

/// The treatment of an option letter.
pub(crate) fn letter(letter: u8) -> Treatment {
    match letter {
        b'4' | b'6' | b'b' | b'B' | b'c' | b'F' | b'l' | b'm' | b'p' | b'P' => Both,
        b'C' | b'E' | b'N' | b'T' | b'e' | b'f' | b'n' | b'q' | b's' | b't' | b'v' | b'y' => {
            ClientOnly
        }
        b'J' | b'i' => ResolveOnly,
        b'1' | b'2' | b'a' | b'g' | b'k' | b'x' => Drop,
        b'G' | b'Q' | b'V' => InfoOnly,
        b'D' | b'L' | b'R' | b'W' => Refuse(FORWARD),
        b'w' => Refuse("a tunnel device would carry traffic that nobody reviewed; leave it out"),
        b'A' => Refuse(AGENT),
        b'X' | b'Y' => Refuse(X11),
        b'K' => Refuse("it hands your Kerberos credentials to the target; leave it out"),
        b'I' => Refuse(PKCS11),
        b'M' => Sharing(SHARE),
        b'S' => Sharing(SHARE),
        b'O' => Refuse(SHARE),
        _ => Refuse("expacti does not know this option; leave it out"),
    }
}

/// The treatment of a keyword of `ssh_config(5)` given with `-o`, in lower case; `None` when it is
/// not known.
pub(crate) fn keyword(keyword: &str) -> Option<Treatment> {
    KEYWORDS.iter().find(|(name, _)| *name == keyword).map(|(_, treatment)| *treatment)
}

/// Every keyword of OpenSSH 7.4 to 10 (and the two of Debian's patches), sorted by treatment.
const KEYWORDS: &[(&str, Treatment)] = &[
    // The agent's side of the connection.
    ("batchmode", ClientOnly),
    ("challengeresponseauthentication", ClientOnly),
    ("channeltimeout", ClientOnly),
    ("compression", ClientOnly),
    ("escapechar", ClientOnly),
    ("exitonforwardfailure", ClientOnly),
    ("fingerprinthash", ClientOnly),
    ("forkafterauthentication", ClientOnly),
    ("ipqos", ClientOnly),
    ("kbdinteractiveauthentication", ClientOnly),
    ("kbdinteractivedevices", ClientOnly),
    ("loglevel", ClientOnly),
    ("logverbose", ClientOnly),
    ("numberofpasswordprompts", ClientOnly),
    ("passwordauthentication", ClientOnly),
    ("preferredauthentications", ClientOnly),
    ("protocolkeepalives", ClientOnly),
    ("rekeylimit", ClientOnly),
    ("remotecommand", ClientOnly),
    ("requesttty", ClientOnly),
    ("sendenv", ClientOnly),
    ("serveralivecountmax", ClientOnly),
    ("sessiontype", ClientOnly),
    ("setenv", ClientOnly),
    ("setuptimeout", ClientOnly),
    ("skeyauthentication", ClientOnly),
    ("stdinnull", ClientOnly),
    ("syslogfacility", ClientOnly),
    ("tcpkeepalive", ClientOnly),
    ("versionaddendum", ClientOnly),
    ("warnweakcrypto", ClientOnly),
    // Both sides.
    ("addressfamily", Both),
    ("bindaddress", Both),
    ("bindinterface", Both),
    ("ciphers", Both),
    ("ignoreunknown", Both),
    ("macs", Both),
    ("port", Both),
    ("refuseconnection", Both),
    ("serveraliveinterval", Both),
    ("tag", Both),
    ("user", Both),
    // The gate's side.
    ("canonicaldomains", ResolveOnly),
    ("canonicalizefallbacklocal", ResolveOnly),
    ("canonicalizehostname", ResolveOnly),
    ("canonicalizemaxdots", ResolveOnly),
    ("canonicalizepermittedcnames", ResolveOnly),
    ("casignaturealgorithms", ResolveOnly),
    ("certificatefile", ResolveOnly),
    ("connectionattempts", ResolveOnly),
    ("connecttimeout", ResolveOnly),
    ("globalknownhostsfile", ResolveOnly),
    ("hashknownhosts", ResolveOnly),
    ("hostkeyalgorithms", ResolveOnly),
    ("hostkeyalias", ResolveOnly),
    ("hostname", ResolveOnly),
    ("identitiesonly", ResolveOnly),
    ("identityagent", ResolveOnly),
    ("identityfile", ResolveOnly),
    ("identityfile2", ResolveOnly),
    ("kexalgorithms", ResolveOnly),
    ("nohostauthenticationforlocalhost", ResolveOnly),
    ("proxyjump", ResolveOnly),
    ("pubkeyacceptedalgorithms", ResolveOnly),
    ("pubkeyacceptedkeytypes", ResolveOnly),
    ("pubkeyauthentication", ResolveOnly),
    ("requiredrsasize", ResolveOnly),
    ("revokedhostkeys", ResolveOnly),
    ("rsaminsize", ResolveOnly),
    ("stricthostkeychecking", ResolveOnly),
    ("userknownhostsfile", ResolveOnly),
    // Without effect behind a gate.
    ("addkeystoagent", Drop),
    ("checkhostip", Drop),
    ("cipher", Drop),
    ("clearallforwardings", Drop),
    ("compressionlevel", Drop),
    ("controlpersist", Drop),
    ("enablesshkeysign", Drop),
    ("forwardx11timeout", Drop),
    ("forwardx11trusted", Drop),
    ("gatewayports", Drop),
    ("gssapiauthentication", Drop),
    ("gssapiclientidentity", Drop),
    ("gssapikexalgorithms", Drop),
    ("gssapikeyexchange", Drop),
    ("gssapirenewalforcesrekey", Drop),
    ("gssapiserveridentity", Drop),
    ("gssapitrustdns", Drop),
    ("hostbasedacceptedalgorithms", Drop),
    ("hostbasedauthentication", Drop),
    ("hostbasedkeytypes", Drop),
    ("obscurekeystroketiming", Drop),
    ("permitremoteopen", Drop),
    ("protocol", Drop),
    ("proxyusefdpass", Drop),
    ("rhostsrsaauthentication", Drop),
    ("rsaauthentication", Drop),
    ("securitykeyprovider", Drop),
    ("streamlocalbindmask", Drop),
    ("streamlocalbindunlink", Drop),
    ("tunneldevice", Drop),
    ("updatehostkeys", Drop),
    ("usekeychain", Drop),
    ("useprivilegedport", Drop),
    ("useroaming", Drop),
    ("usersh", Drop),
    ("verifyhostkeydns", Drop),
    ("visualhostkey", Drop),
    ("xauthlocation", Drop),
    // Ways round the gate.
    ("controlmaster", Sharing(SHARE)),
    ("controlpath", Sharing(SHARE)),
    ("dynamicforward", Refuse(FORWARD)),
    ("enableescapecommandline", RefuseUnlessOff(FORWARD)),
    ("forwardagent", RefuseUnlessOff(AGENT)),
    ("forwardx11", RefuseUnlessOff(X11)),
    (
        "gssapidelegatecredentials",
        RefuseUnlessOff("it hands your Kerberos credentials to the target; leave it out"),
    ),
    ("host", Refuse("it has no meaning on a command line")),
    ("include", Refuse("it has no meaning on a command line; use -F")),
    ("knownhostscommand", RefuseUnlessOff(LOCAL)),
    ("localcommand", RefuseUnlessOff(LOCAL)),
    ("localforward", Refuse(FORWARD)),
    ("match", Refuse("it has no meaning on a command line")),
    ("permitlocalcommand", RefuseUnlessOff(LOCAL)),
    ("pkcs11provider", RefuseUnlessOff(PKCS11)),
    ("proxycommand", RefuseUnlessOff(PROXY)),
    ("remoteforward", Refuse(FORWARD)),
    ("smartcarddevice", RefuseUnlessOff(PKCS11)),
    ("tunnel", RefuseUnlessOff("a tunnel device would carry traffic that nobody reviewed")),
];

/// What `ssh_config(5)` takes for a space.
const BLANK: [char; 2] = [' ', '\t'];

/// Splits the value of `-o` into keyword (in lower case) and value, as `ssh_config(5)` does:
/// `Keyword=value`, `Keyword value`, `Keyword = "value"`. `None` when there is no plain keyword.
pub(crate) fn split_option(text: &str) -> Option<(String, &str)> {
    // Not what else Unicode calls a space: the client takes it for a part of the value.
    let text = text.trim_start_matches(BLANK);
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    let (key, rest) = text.split_at_checked(end)?;
    if key.is_empty() || !rest.starts_with([' ', '\t', '=']) {
        return None;
    }
    let rest = rest.trim_matches(BLANK);
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim_matches(BLANK);
    Some((key.to_ascii_lowercase(), rest))
}

/// Whether this proxy command is the one `mosh` gives (`mosh --fake-proxy`; old ones ended it in `!`).
pub(crate) fn is_mosh(value: &str) -> bool {
    value.split_whitespace().any(|word| word.trim_matches(['"', '\'', '!']) == "--fake-proxy")
}

/// Whether a value switches its feature off.
pub(crate) fn is_off(value: &str) -> bool {
    matches!(value.trim_matches('"').to_ascii_lowercase().as_str(), "no" | "none" | "false")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_of_both_generations_has_a_treatment_of_its_own() {
        for spec in [LETTERS, LETTERS_BEFORE_9_4] {
            // What `-o` does depends on its keyword.
            for c in spec.bytes().filter(|c| !matches!(c, b':' | b'o')) {
                let unknown = letter(b'?');
                assert_ne!(letter(c), unknown, "-{}", c as char);
            }
        }
    }

    #[test]
    fn no_keyword_is_listed_twice() {
        for (n, (name, _)) in KEYWORDS.iter().enumerate() {
            assert!(!KEYWORDS.iter().skip(n + 1).any(|(other, _)| other == name), "{name}");
            assert_eq!(*name, name.to_ascii_lowercase());
        }
    }

    #[test]
    fn options_split_as_ssh_config_lines() {
        assert_eq!(split_option("Port=22").unwrap(), ("port".into(), "22"));
        assert_eq!(split_option("  PORT \t= 22 ").unwrap(), ("port".into(), "22"));
        assert_eq!(split_option("ProxyCommand nc %h").unwrap(), ("proxycommand".into(), "nc %h"));
        assert_eq!(split_option("User=a=b").unwrap(), ("user".into(), "a=b"));
        for odd in ["\"ProxyCommand\" x", "Proxy\"Command\" x", "", "=x", "#Port 22", "Port"] {
            assert_eq!(split_option(odd), None, "{odd}");
        }
        assert!(is_off("\"No\"") && is_off("none") && !is_off("yes") && !is_off(""));
    }
}
