//! The table of what may be said from inside, row by row.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;
use crate::args;
use crate::fixed::Places;
use crate::options::LETTERS;

fn fixed() -> Fixed {
    let places = Places {
        home: "/home/me".into(),
        system: "/nonexistent/etc".into(),
        user: "me".to_owned(),
        uid: 77,
        path: "/usr/bin".into(),
    };
    Fixed::new(places, Config::Usual, vec![], true, vec!["/keys/one".into(), "/project/key".into()])
}

fn check_line(line: &str) -> Result<Permitted, String> {
    let args: Vec<OsString> =
        shell_words::split(line).unwrap().into_iter().map(OsString::from).collect();
    let split = args::split(LETTERS, &args).map_err(|e| e.to_string())?;
    check(&split, Path::new("/project"), &fixed()).map_err(|e| e.to_string())
}

fn passes(line: &str) -> String {
    let permitted = check_line(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    permitted.args.join(" ".as_ref()).into_string().unwrap()
}

#[test]
fn ordinary_words_pass() {
    for line in [
        "h",
        "deploy@web-1.example.org",
        "-p 2200 -l deploy h",
        "-J a@j1:22,b@[::1]:23 h",
        "-J none h",
        "-o User=deploy -o Port=22 -o HostName=10.0.0.1 h",
        "ssh://u@h:99",
        "fe80::1%eth0",
        "-C -v -t h -o RequestTTY=force",
        "-o IdentityAgent=none h",
        "-o IdentityAgent=SSH_AUTH_SOCK h",
        "-o HostKeyAlias=[web_1.example-x]:22 h",
        "-o StrictHostKeyChecking=no h",
        "-o ProxyCommand=none h",
        "-o IdentitiesOnly=yes h",
        "-c aes128-ctr h",
    ] {
        assert_eq!(passes(line), line.replace("  ", " "), "{line}");
    }
    assert_eq!(passes("-o 'User=\"deploy\"' h"), "-o User=\"deploy\" h");
}

#[test]
fn what_a_shell_reads_does_not() {
    for value in [
        "x;y",
        "`x`",
        "$(x)",
        "$x",
        "a b",
        "a|b",
        "a&b",
        "a>b",
        "-x",
        "a\"b",
        "a'b",
        "a\\b",
        "a*",
        "~x",
        "#x",
        "a\nb",
        "\u{1b}x",
        "",
        "\u{2003}x",
        "x\u{a0}",
        "\u{b}x",
    ] {
        let quoted = shell_words::quote(value);
        for line in [
            format!("-l {quoted} h"),
            format!("-J {quoted} h"),
            format!("-J ok,{quoted} h"),
            format!("-b {quoted} h"),
            format!("-B {quoted} h"),
            format!("-P {quoted} h"),
            format!("-o {} h", shell_words::quote(&format!("HostName={value}"))),
            format!("-o {} h", shell_words::quote(&format!("User={value}"))),
            format!("-o {} h", shell_words::quote(&format!("user \"{value}\""))),
            format!("-o {} h", shell_words::quote(&format!("Tag={value}"))),
            format!("-o {} h", shell_words::quote(&format!("HostKeyAlias={value}"))),
            format!("-o {} h", shell_words::quote(&format!("ProxyJump={value}"))),
            format!("-o {} h", shell_words::quote(&format!("BindAddress={value}"))),
            format!("-v -- {quoted}"),
            format!("-v -- {}", shell_words::quote(&format!("u@h{value}x;"))),
        ] {
            assert!(check_line(&line).is_err(), "{line:?}");
        }
    }
    // The client decodes it.
    assert!(check_line("ssh://%3Btouch@h").is_err());
    assert!(check_line("-J ssh://%60x%60@h h").is_err());
    assert!(check_line("-o HostKeyAlias=h%x h").is_err());
}

#[test]
fn keys_are_those_that_are_known_outside() {
    assert_eq!(passes("-i ~/.ssh/id_x h"), "-i /home/me/.ssh/id_x h");
    assert_eq!(passes("-i key h"), "-i /project/key h");
    assert_eq!(passes("-i ./key h"), "-i /project/key h");
    assert_eq!(passes("-o 'IdentityFile=\"/keys/one\"' h"), "-o identityfile=/keys/one h");
    assert_eq!(passes("-o IdentityFile=none h"), "-o IdentityFile=none h");
    for line in [
        "-i /keys/two h",
        "-i /home/me/.ssh/../x h",
        "-i ../keys/one h",
        "-i /home/me/.sshx h",
        "-i '/keys/%u' h",
        "-i '${HOME}/.ssh/x' h",
        "-o IdentityFile=/keys/two h",
        "-o 'identityfile /keys/two' h",
        "-o CertificateFile=/keys/two h",
        "-o 'IdentityFile=\"/keys/one\" x' h",
        "-i ~root/.ssh/x h",
        // The client takes these quotes away.
        "-o \"IdentityFile=/home/me/.ssh/'..'/x\" h",
        "-o \"CertificateFile=~/.ssh/'..'/x\" h",
    ] {
        let error = check_line(line).unwrap_err();
        assert!(error.contains("wrap --identity") || error.contains("quotes"), "{line}: {error}");
    }
}

#[test]
fn files_of_known_hosts_are_those_of_the_configuration() {
    assert_eq!(passes("-o UserKnownHostsFile=/dev/null h"), "-o userknownhostsfile=/dev/null h");
    assert_eq!(
        passes("-o 'UserKnownHostsFile=~/.ssh/known_hosts /dev/null' h"),
        "-o userknownhostsfile=/home/me/.ssh/known_hosts /dev/null h"
    );
    for line in [
        "-o UserKnownHostsFile=/project/known h",
        "-o 'UserKnownHostsFile=/dev/null /project/known' h",
        "-o 'GlobalKnownHostsFile=\"/project/known\"' h",
        "-o UserKnownHostsFile= h",
        "-o IdentityAgent=/project/agent h",
        "-o IdentityAgent='$X' h",
        "-o RevokedHostKeys=/project/x h",
        "-o RevokedHostKeys=none h",
    ] {
        assert!(check_line(line).is_err(), "{line}");
    }
}

#[test]
fn the_file_of_f_is_kept_apart() {
    let permitted = check_line("-F ~/.ssh/conf -v h").unwrap();
    assert_eq!(permitted.config, Some(Config::File("/home/me/.ssh/conf".into())));
    assert_eq!(permitted.args, ["-v", "h"]);
    assert_eq!(check_line("-Fnone h").unwrap().config, Some(Config::None));
    assert_eq!(check_line("h").unwrap().config, None);
    for line in
        ["-F ../x h", "-F ~/.ssh/../x h", "-F conf h", "-F /proc/1/net/unix h", "-F /etc/x h"]
    {
        assert!(check_line(line).is_err(), "{line}");
    }
    let mut fixed = fixed();
    fixed.config_name = Some("/project/given".into());
    assert_eq!(fixed.named("/project/given".into()), Some(Config::Usual));
}

proptest! {
    /// However it is said: no value that a shell would read comes out of a checked command line, where
    /// the configuration could put it into one.
    #[test]
    fn nothing_that_a_shell_reads_comes_out(
        user in "[a-z;$`(){}'\"\\\\ -]{0,6}",
        host in "[a-z0-9;$`|&<> %@:/-]{1,8}",
        option in prop::sample::select(vec!["HostName", "User", "HostKeyAlias", "ProxyJump", "Tag"]),
        value in "[a-z;$`(){}'\"\\\\ =-]{0,8}",
    ) {
        let args: Vec<OsString> =
            vec!["-l".into(), user.clone().into(), "-o".into(), format!("{option}={value}").into(), "--".into(), host.clone().into()];
        let split = args::split(LETTERS, &args).unwrap();
        if check(&split, Path::new("/project"), &fixed()).is_ok() {
            let unquoted = value.trim().strip_prefix('=').unwrap_or(value.trim()).trim().trim_matches('"').to_owned();
            for text in [&user, &host, &unquoted] {
                prop_assert!(!text.contains(is_shell_metachar) && !text.starts_with('-'), "{text:?}");
            }
        }
    }
}
