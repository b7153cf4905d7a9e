//! Compares the reading of command lines with the real client's, and states what is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::process::Command;

use super::*;
use crate::options::LETTERS;

fn words(line: &str) -> Vec<OsString> {
    shell_words::split(line).unwrap().into_iter().map(OsString::from).collect()
}

/// What the real client makes of a command line: its whole configuration, or that it fails.
fn config(args: &[OsString]) -> Option<String> {
    let output = Command::new("ssh").args(["-F", "none", "-G"]).args(args).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// Command lines as people, agents and tools write them, and some that nobody should.
const LINES: &[&str] = &[
    "h",
    "h ls",
    "h ls -la",
    "h -- ls -la",
    "h -p 22 ls",
    "h -p22 ls -p 23",
    "-p 22 h",
    "-p22 h",
    "-tp22 h",
    "-tp 22 h ls",
    "-4Cvp 22 -l u h",
    "-ttvvv h",
    "u@h",
    "u@v@h",
    "-l w u@h",
    "u@h -l w",
    "-lw u@h ls",
    "ssh://u@h:99",
    "ssh://u@h:99 ls",
    "-p 22 ssh://h:99",
    "ssh://[::1]:99",
    "::1",
    "u@::1 id",
    "-- h",
    "-- h ls",
    "-- h -p 99",
    "-- h -p 99 ls",
    "-T -- u@h ls -l x",
    "h -- -p 99",
    "h -p 22 -- -p 99",
    "h -- -- -p 99",
    "-p 22 h -l u -- -l v",
    "-o Port=22 h",
    "-oPort=22 h",
    "-o 'Port 22' h",
    "-o 'Port = \"22\"' h",
    "-o 'PORT\t22' h -oUser=x",
    "h -o User=x ls -o User=y",
    "-o User=x -l y h",
    "-l y -o User=x h",
    "-i /nonexistent h",
    "-i/nonexistent -p 22 h",
    "-F none -p 2 h",
    "-Fnone h",
    "-c aes128-ctr h",
    "-m hmac-sha2-256 h",
    "-e none h",
    "-e '~' h",
    "-E /dev/null h",
    "-b 127.0.0.1 h",
    "-B lo h",
    "-J j h",
    "-J u@j:22,k h ls",
    "-Jj h",
    "-q -x -a -k h",
    "-N h",
    "-n h ls",
    "-f h ls",
    "-s h sftp",
    "-h",
    "-p",
    "-o",
    "-z h",
    "-pz h",
    "-- ",
    "-",
    "- h",
    "h -",
    "h - -p 99",
    "h '' -p 99",
    "h 'ls -p 99'",
    "h -v -z",
    "h -t -t sudo -u x -p y id",
    "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=10 u@h uptime",
    "-C -o ControlPersist=60s -o KbdInteractiveAuthentication=no -o ConnectTimeout=10 -tt h 'sh -c x'",
    "-x -oPermitLocalCommand=no -oClearAllForwardings=yes -oRemoteCommand=none -oRequestTTY=no -oForwardAgent=no -l u -p 9 -- h 'scp -t /x'",
    "-o SendEnv=GIT_PROTOCOL -p 22 git@h \"git-upload-pack 'x.git'\"",
    "-6 -p 1 h -4 -p 2 ls",
    "-vl u -p3 h",
    "-o Port=1 -p 2 h",
    "-p 2 -o Port=1 h",
    "-yY h",
];

#[test]
fn options_end_where_the_client_ends_them() {
    assert!(LINES.len() >= 70);
    let optstring = if crate::client::tag_is_known("ssh".as_ref()) {
        LETTERS
    } else {
        options::LETTERS_BEFORE_9_4
    };
    for line in LINES {
        // The second form tells where the command begins: there an option is no option any more.
        for trailer in ["", " -p 4567 -l trailer"] {
            let args = words(&format!("{line}{trailer}"));
            let real = config(&args);
            let ours = split(optstring, &args).ok().and_then(|split| {
                let mut rebuilt = Vec::new();
                split.before.iter().for_each(|flag| flag.push_to(&mut rebuilt));
                rebuilt.push(split.destination.filter(|d| !d.is_empty())?);
                split.behind.iter().for_each(|flag| flag.push_to(&mut rebuilt));
                if !split.command.is_empty() {
                    rebuilt.push("--".into());
                    rebuilt.extend(split.command);
                }
                config(&rebuilt)
            });
            let lines = |text: &Option<String>| -> Vec<String> {
                text.iter().flat_map(|t| t.lines().map(str::to_owned)).collect()
            };
            let (ours, real) = (lines(&ours), lines(&real));
            assert_eq!(ours.len(), real.len(), "ssh {line}{trailer}");
            for (ours, real) in ours.iter().zip(&real) {
                assert_eq!(ours, real, "ssh {line}{trailer}");
            }
        }
    }
}

#[test]
fn the_words_of_the_command_are_the_clients() {
    let command = |line: &str| match read(LETTERS, &words(line), Origin::User).unwrap() {
        Invocation::Connect(request) => request.command.join(" ".as_ref()),
        Invocation::InfoOnly(_) => panic!("{line}"),
    };
    assert_eq!(command("h"), "");
    assert_eq!(command("-p 22 h ls -p 23"), "ls -p 23");
    assert_eq!(command("h -p 22 -- -p 23"), "-p 23");
    assert_eq!(command("-- h -p 22"), "-p 22");
    assert_eq!(command("h -t 'a  b' -- c"), "a  b -- c");
}

/// Lines that are refused whoever gives them.
const REFUSED: &[&str] = &[
    "-L 1:a:2 h",
    "-L1:a:2 h",
    "-NfL 1:a:2 h",
    "h -L 1:a:2 ls",
    "-R 1:a:2 h",
    "-D 1080 h",
    "-W a:22 h",
    "-w 0:0 h",
    "-A h",
    "-tA h",
    "-X h",
    "-Y h",
    "-K h",
    "-I /usr/lib/p11.so h",
    "-O exit h",
    "-o 'ProxyCommand nc %h %p' h",
    "-oproxycommand=nc h",
    "-o LocalForward='1 a:2' h",
    "-o 'remoteforward 1 a:2' h",
    "-o DynamicForward=1 h",
    "-o ForwardAgent=yes h",
    "-o ForwardAgent=/tmp/agent h",
    "-o 'ForwardX11 \"yes\"' h",
    "-o Tunnel=point-to-point h",
    "-o LocalCommand=id h",
    "-o PermitLocalCommand=yes h",
    "-o KnownHostsCommand=/bin/x h",
    "-o EnableEscapeCommandline=yes h",
    "-o PKCS11Provider=/x h",
    "-o GSSAPIDelegateCredentials=yes h",
    "-o Include=/x h",
    "-o Match=all h",
    "-o Host=x h",
    "-o NoSuchKeyword=1 h",
    "-o '\"ProxyCommand\" nc' h",
    "-o 'Proxy\"Command\" nc' h",
    "-o 'User=x\nProxyCommand=nc' h",
    "h -o ProxyCommand=nc",
];

/// Lines that are refused when typed, and lose the option when a program gives them.
const SHARING: &[&str] =
    &["-M h", "-S /tmp/c h", "-MS/tmp/c h", "-o ControlMaster=auto h", "-o ControlPath=/tmp/%C h"];

/// Lines that pass.
const PASSED: &[&str] = &[
    "-S none h",
    "-o ControlMaster=no -o ControlPath=none h",
    "-o ForwardAgent=no -o ForwardX11=no -o Tunnel=no h",
    "-o ProxyCommand=none h",
    "-o ControlPersist=60s h",
    "-o StdinNull=yes -o ClearAllForwardings=no h",
    "-a -x -k -g h",
    "-J j h",
    "-s h sftp",
];

#[test]
fn what_would_go_round_the_gate_is_refused() {
    for line in REFUSED {
        for from in [Origin::User, Origin::Program] {
            match read(LETTERS, &words(line), from) {
                Err(e @ WrapError::Refused { .. }) => {
                    assert_eq!(e.exit_status(), 2);
                    assert!(e.to_string().contains(" is refused: "), "{e}");
                }
                other => panic!("ssh {line}: {other:?}"),
            }
        }
    }
    let mosh = "-n -tt -S none -o 'ProxyCommand='\\''/usr/bin/mosh'\\'' --fake-proxy -- %h %p' h";
    match read(LETTERS, &words(mosh), Origin::Program) {
        Err(e) => assert!(e.to_string().contains("--experimental-remote-ip=remote"), "{e}"),
        other => panic!("{mosh}: {other:?}"),
    }
    for line in SHARING {
        let typed = read(LETTERS, &words(line), Origin::User);
        assert!(matches!(typed, Err(WrapError::Refused { .. })), "ssh {line}: {typed:?}");
        match read(LETTERS, &words(line), Origin::Program).unwrap() {
            Invocation::Connect(r) => {
                assert!(
                    r.client_args == ["h"] && r.resolve_args == ["h"] && !r.left_out.is_empty(),
                    "{line}"
                );
            }
            Invocation::InfoOnly(_) => panic!("{line}"),
        }
    }
    for line in PASSED {
        assert!(
            matches!(read(LETTERS, &words(line), Origin::User), Ok(Invocation::Connect(_))),
            "{line}"
        );
    }
}

#[test]
fn what_informs_never_connects() {
    let inform = |line: &str| match read(LETTERS, &words(line), Origin::User).unwrap() {
        Invocation::InfoOnly(args) => args.join(" ".as_ref()).into_string().unwrap(),
        Invocation::Connect(_) => panic!("{line}"),
    };
    assert_eq!(inform("-V"), "-V");
    assert_eq!(inform("-vV -o ProxyCommand=id h ls"), "-V");
    assert_eq!(inform("-Q cipher h"), "-Q cipher");
    assert_eq!(inform("-G -o ProxyCommand=id h"), "-G -G -o ProxyCommand=id h");
    assert_eq!(inform("-v"), "");
    for (line, ok) in [("-- -oProxyCommand=x", false), ("-z", false), ("'' ls", false), ("h", true)]
    {
        assert_eq!(read(LETTERS, &words(line), Origin::User).is_ok(), ok, "{line}");
    }
}

#[test]
fn each_option_is_said_to_whom_it_concerns() {
    let line = "-4 -p 22 -i k -J j -F f -v -t -o User=u -o HostName=x -o RequestTTY=no -oHostKeyAlias=a -f h -N x";
    let Invocation::Connect(request) = read(LETTERS, &words(line), Origin::User).unwrap() else {
        panic!("{line}");
    };
    let text = |v: &[OsString]| v.join(" ".as_ref()).into_string().unwrap();
    assert_eq!(text(&request.client_args), "-4 -p 22 -v -t -o User=u -o RequestTTY=no -f h -N");
    assert_eq!(
        text(&request.resolve_args),
        "-4 -p 22 -i k -J j -o User=u -o HostName=x -o HostKeyAlias=a h"
    );
    assert_eq!(request.config.as_deref(), Some("f".as_ref()));
    assert!(request.background && request.verbose);
}
