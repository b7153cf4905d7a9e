//! Does a program run what it reads from standard input? When in doubt: yes.
//!
//! What is data flows without a further look, so this is a list of what is known to be harmless,
//! never a list of what is known to be dangerous: a program, an option or a form of the shell that
//! is not understood here makes everything code.

use expacti_engine::{Assessment, Segment};
use expacti_protocol::command::StdinTreatment;

/// Programs that never run their standard input, whatever their arguments are.
const DATA: &str = "\
    apt-cache arch b2sum base32 base64 basename borg btrfs bunzip2 bzcat bzip2 cat \
    cd chgrp chmod chown cksum cmp column comm cp cpio cut date dd df diff dirname dmesg \
    du echo egrep exit expr factor false fgrep file fmt fold free getent getfacl \
    git-receive-pack git-upload-archive git-upload-pack grep groups gunzip gzip head hexdump \
    hostname iconv id install join jq kill killall last ln logger ls lsblk lscpu lsof lz4 md5sum \
    mkdir mkfifo mktemp mount mv netstat nl nproc numfmt od paste pgrep pidof ping pkill pr \
    printenv printf ps pwd readlink realpath reboot rev rm rmdir rsync scp seq service \
    sftp-server sha1sum sha224sum sha256sum sha384sum sha512sum shasum shred shuf shutdown sleep \
    ss stat strings sum svnserve sync tac tail tee touch tr tree true truncate tsort \
    tty umask umount uname unexpand uniq unlink unxz unzip uptime useradd userdel usermod users \
    uuidgen vmstat wait wc which who whoami xxd xz xzcat yes zcat zfs zip zstd zstdcat";

/// What `git` does without running anything from standard input.
const GIT_DATA: &str = "\
    add branch checkout cherry-pick clone commit describe diff fetch init log ls-files merge mv \
    pull push receive-pack remote reset restore rev-parse rm show stash status switch tag \
    upload-archive upload-pack";

/// Programs that run another one; that one is a segment of its own when the engine found it.
const WRAPPERS: &str = "\
    command doas env exec ionice nice nohup setsid stdbuf sudo time timeout";

/// Where programs of these names are the system's.
const SYSTEM: &str = "\
    /bin /sbin /usr/bin /usr/sbin /usr/local/bin /usr/local/sbin /usr/lib/openssh \
    /usr/libexec/openssh /usr/lib/git-core /usr/libexec/git-core";

/// Shells: with `-c CODE` or a script file their standard input is data.
const SHELLS: &str = "\
    sh bash dash zsh ksh ash";

/// Interpreters, and the options that may stand before code or a script file without changing that
/// it is those that are run.
const INTERPRETERS: &[(&str, &str, &[&str])] = &[
    ("python", "-c", &["-u", "-B", "-I", "-E", "-s", "-S", "-O"]),
    ("perl", "-e", &[]),
    ("ruby", "-e", &[]),
    ("node", "-e", &[]),
    ("php", "-r", &[]),
];

/// What `docker`, `podman` and `kubectl` do without running anything from standard input.
const CONTAINER_DATA: &str = "\
    api-resources api-versions cluster-info cordon cp delete describe drain events explain get \
    images info inspect kill load login logs network pause port ps pull push restart rm rmi \
    rollout save scale stats stop tag top uncordon unpause version volume";

/// Text that gives a shell or interpreter code from elsewhere, makes standard input a name or a
/// value, or evaluates a value: whatever else the line says, it is not looked into further.
const DOUBT: &str = "\
    /dev/stdin /dev/fd /fd/0 /dev/tty /proc/ $( ` (( [[ << BASH_ ENV= LD_ PERL PYTHON RUBY NODE_ \
    PHP IFS PATH= LESS PAGER EDITOR GIT_";

/// Whether a list of words holds a word.
fn is_in(list: &str, word: &str) -> bool {
    list.split(' ').any(|known| known == word)
}

/// How the standard input of a command is to be treated; `pty`: it has a terminal.
pub(crate) fn treatment(assessment: &Assessment, pty: bool) -> StdinTreatment {
    let segments = &assessment.segments;
    let data = !assessment.uninspectable
        && !segments.is_empty()
        && (only_copies(assessment) || !is_doubtful(assessment))
        && segments.iter().all(|s| is_data(s, segments, pty))
        // What was copied from standard input a moment ago may be what is run now.
        && (segments.len() == 1 || !segments.iter().any(runs_file));
    if data { StdinTreatment::Data } else { StdinTreatment::Code }
}

fn is_doubtful(assessment: &Assessment) -> bool {
    let words = assessment.segments.iter().flat_map(|s| &s.argv).map(String::as_str);
    std::iter::once(assessment.command.as_str())
        .chain(words)
        .any(|text| DOUBT.split(' ').any(|sign| text.contains(sign)))
}

/// `cat /dev/stdin`: there standard input is merely a file.
fn only_copies(assessment: &Assessment) -> bool {
    let [one] = assessment.segments.as_slice() else { return false };
    let copies = matches!(
        name(one),
        Some(
            "cat" | "cp" | "dd" | "gzip" | "head" | "install" | "sha256sum" | "tail" | "tee" | "wc"
        )
    );
    // Its name comes first on the line: no assignment stands before it.
    copies
        && one.argv.first().is_some_and(|word| assessment.command.starts_with(word.as_str()))
        && !assessment.command.contains(['$', '`', '(', '<'])
}

/// The name of a segment's program, when it is one of the system's or found on its `PATH`.
fn name(segment: &Segment) -> Option<&str> {
    let word = segment.argv.first()?;
    match word.rsplit_once('/') {
        None => Some(word),
        Some((dir, name)) => is_in(SYSTEM, dir).then_some(name),
    }
}

fn args(segment: &Segment) -> impl Iterator<Item = &str> {
    segment.argv.iter().skip(1).map(String::as_str)
}

fn is_data(segment: &Segment, all: &[Segment], pty: bool) -> bool {
    let Some(name) = name(segment) else {
        // A program of somebody's own is not known to leave its input alone.
        return false;
    };
    // What it runs was found, and is judged as well.
    let looked_through = || all.iter().any(|s| s.via.iter().any(|via| via == name));
    if is_in(DATA, name) {
        return true;
    }
    if is_in(WRAPPERS, name) {
        return looked_through();
    }
    match program_of(segment) {
        Program::Code if is_in(SHELLS, name) => return looked_through(),
        Program::Code | Program::File => return true,
        Program::Stdin => return false,
        Program::Other => {}
    }
    match name {
        // On a terminal they show their output in a pager, which runs commands; systemd's own
        // tools restrict it where sudo is used.
        "git" => !pty && args(segment).next().is_some_and(|a| is_in(GIT_DATA, a)),
        "journalctl" | "systemctl" => !pty || segment.via.iter().any(|via| via == "sudo"),
        // A configuration given here may name programs to run.
        "apt" | "apt-get" | "dnf" | "dpkg" | "yum" => {
            !args(segment).any(|a| a.starts_with("-o") || a.starts_with("-c") || a.contains('='))
        }
        // They can hand what they read to a program that is named.
        "sort" => !args(segment).any(|a| a.starts_with("--")),
        "tar" => !args(segment).enumerate().any(|(at, a)| {
            let long = a.starts_with("--");
            let harmless = ["--strip-components=", "--exclude=", "--no-same-owner"];
            long && !harmless.iter().any(|h| a.starts_with(h))
                || (at == 0 || a.starts_with('-')) && !long && a.contains(['I', 'F'])
        }),
        "find" => !args(segment).any(|a| a.starts_with("-exec") || a.starts_with("-ok")),
        "sed" | "awk" | "gawk" | "mawk" => {
            // The program may be in a file; the file may be standard input.
            !args(segment).any(|a| a.starts_with('-') && !matches!(a, "-n" | "-i" | "-e" | "-E"))
        }
        "curl" => !args(segment).any(|a| {
            a.starts_with("--config")
                || (a.starts_with('-') && !a.starts_with("--") && a.contains('K'))
        }),
        "psql" => client(segment, 'c', "--command"),
        "mysql" | "mariadb" => client(segment, 'e', "--execute"),
        "docker" | "podman" | "kubectl" => {
            let first = args(segment).next().unwrap_or_default();
            is_in(CONTAINER_DATA, first)
                && !args(segment).any(|a| a == "-" || a.ends_with("=-") || a == "-f-")
        }
        _ => false,
    }
}

/// What a shell or an interpreter runs.
enum Program {
    /// Code on its command line.
    Code,
    /// A file.
    File,
    /// Its standard input, or it cannot be told.
    Stdin,
    /// It is neither shell nor interpreter.
    Other,
}

fn program_of(segment: &Segment) -> Program {
    let Some(name) = name(segment) else { return Program::Stdin };
    if is_in(SHELLS, name) {
        return program_of_shell(segment);
    }
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let known = |n: &str| INTERPRETERS.iter().find(|(i, ..)| *i == n);
    let Some((interpreter, code, harmless)) = known(name).or_else(|| known(base)) else {
        return Program::Other;
    };
    // The first word that says something decides; an option with a value is not understood.
    let first = args(segment).find(|a| !harmless.contains(a)).unwrap_or("-");
    let perl_code = |a: &str| {
        let letters = a.strip_prefix('-').and_then(|a| a.strip_suffix(['e', 'E']));
        *interpreter == "perl" && letters.is_some_and(|l| l.chars().all(|c| "nplaw".contains(c)))
    };
    if first == *code || perl_code(first) {
        Program::Code
    } else if first.starts_with('-') || first.is_empty() {
        Program::Stdin
    } else {
        Program::File
    }
}

fn program_of_shell(segment: &Segment) -> Program {
    let mut args = args(segment);
    let mut code = false;
    while let Some(arg) = args.next() {
        if matches!(arg, "--norc" | "--noprofile" | "--posix" | "--login") {
            continue;
        }
        if arg.starts_with('+') {
            return Program::Stdin;
        }
        let Some(letters) = arg.strip_prefix('-') else {
            // The operand: code after -c, else a script.
            return if code { Program::Code } else { Program::File };
        };
        if letters.is_empty() || !letters.chars().all(|c| "cefhlnouvxCE".contains(c)) {
            return Program::Stdin;
        }
        code |= letters.contains('c');
        // `-o pipefail`: the next word is its value, not a script.
        for _ in letters.matches('o') {
            args.next();
        }
    }
    Program::Stdin
}

fn runs_file(segment: &Segment) -> bool {
    matches!(program_of(segment), Program::File)
}

/// A database client that is given its statement: `-c SQL`, `-Atc SQL`, `--command=SQL`.
fn client(segment: &Segment, letter: char, long: &str) -> bool {
    let mut given = false;
    for arg in args(segment) {
        if let Some(option) = arg.strip_prefix("--") {
            given |= option == long.trim_start_matches('-') || arg.starts_with(&format!("{long}="));
            if option.starts_with("file") {
                return false;
            }
        } else if let Some(letters) = arg.strip_prefix('-') {
            if letters.contains('f') {
                return false;
            }
            given |= letters.ends_with(letter) && letters.chars().all(|c| c.is_ascii_alphabetic());
        }
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(command: &str, pty: bool) -> StdinTreatment {
        let context = expacti_engine::Context { pty, ..expacti_engine::Context::default() };
        treatment(&expacti_engine::assess(command.as_bytes(), &context), pty)
    }

    /// Those of a list, set apart by bars and line ends, that are not treated so.
    fn other_than(wanted: StdinTreatment, pty: bool, list: &str) -> Vec<&str> {
        let commands = list.split(['\n', '¦']).map(str::trim).filter(|c| !c.is_empty());
        commands.filter(|command| of(command, pty) != wanted).collect()
    }

    /// Each of these runs what comes on standard input, or may.
    #[test]
    fn code_is_never_taken_for_data() {
        let list = r#"
            $SHELL ¦ `cat` ¦ $(cat) ¦ eval "$(cat)" ¦ sh -c "$(cat)" ¦ bash ¦ bash - ¦ bash -s
            bash -l ¦ bash -i ¦ bash -c ¦ /bin/bash ¦ bash -x ¦ bash -o pipefail
            bash -euo pipefail ¦ bash -eu -o pipefail ¦ bash +o posix ¦ bash --rcfile /dev/null
            bash --init-file x ¦ bash -O extglob ¦ bash -sx y ¦ zsh -o shwordsplit ¦ sh -o errexit
            bash -euo pipefail -s x ¦ fish ¦ busybox sh ¦ bash /dev/stdin ¦ bash /dev/fd/0
            bash /proc/self/fd/0 ¦ bash /dev/st"din" ¦ . /dev/stdin ¦ source x ¦ bash <(cat)
            bash 0<&0 ¦ exec bash ¦ command bash ¦ bash -c bash ¦ bash -c 'exec bash'
            sh -c 'sh -s' ¦ sh -c 'read x; eval $x' ¦ read x; $x ¦ while read l; do $l; done
            read x; echo $((x)) ¦ [[ $x -eq 1 ]] ¦ x=$(cat); echo $((x)) ¦ cat() { bash; }; cat
            tee x; sh x ¦ cat > x && sh x ¦ cat > x; ./x ¦ cat > x; python3 x ¦ cat | sh
            cat | sudo sh ¦ /tmp/cat ¦ ./cat ¦ ~/bin/cat ¦ BASH_ENV=/dev/st"din" bash x
            LD_PRELOAD=/dev/stdin ls ¦ PERL5OPT=-d perl x ¦ PATH=/tmp cat ¦ PATH=/tmp:$PATH; ls
            export BASH_"ENV"=x; bash y ¦ python3 ¦ python3 - ¦ python3 -i x ¦ python3 -W ignore
            python3 -X dev ¦ python3 -m code ¦ python3 -u ¦ python3 -Bi x ¦ pypy3 ¦ ipython ¦ perl
            perl - ¦ perl -w ¦ perl -I lib ¦ perl -I/lib ¦ perl -M strict ¦ perl -n ¦ ruby -I lib
            ruby ¦ ruby -W0 ¦ irb ¦ node ¦ node - ¦ node -r x ¦ node -i ¦ node --require x ¦ php
            php -d a=b ¦ php -a ¦ lua -l x ¦ tclsh x ¦ julia -p 2 ¦ deno ¦ bun ¦ R --vanilla
            Rscript - ¦ ghci x ¦ guile ¦ sbcl ¦ erl ¦ iex ¦ ocaml ¦ jshell ¦ octave ¦ gnuplot
            swipl ¦ m4 ¦ dc ¦ bc ¦ ed x ¦ ex -s x ¦ vi x ¦ vim x ¦ vim -es x ¦ emacs x ¦ gdb x
            make ¦ make -f - ¦ xargs rm ¦ parallel ¦ at now ¦ batch ¦ crontab - ¦ expect x
            sqlite3 db ¦ redis-cli ¦ psql ¦ psql db ¦ psql -f - db ¦ psql -f x
            psql -c 'select 1' -f - ¦ psql --file=- ¦ mysql ¦ mysql db ¦ mysql -f ¦ mysql --force
            mongosh ¦ duckdb ¦ hive ¦ bq query ¦ sed -f - x ¦ sed -nf - x
            sed --file=- x ¦ awk -f - x ¦ gawk -E - x ¦ find . -exec sh ; ¦ curl -K - ¦ curl -sK - x
            curl --config - x ¦ nft -f - ¦ iptables-restore ¦ git apply | sh ¦ sftp -b - h ¦ ftp h
            lftp h ¦ mail root ¦ ssh h ¦ ssh h bash ¦ telnet h ¦ nc -l 1 ¦ su ¦ su - x
            su x -c bash ¦ sudo -i ¦ sudo -s ¦ sudo -iu root ¦ sudo -su root ¦ sudo bash
            sudo -u x bash ¦ sudo -u x bash -s ¦ doas sh ¦ pkexec sh ¦ runuser -u x sh ¦ env bash
            env -S bash ¦ env -i bash ¦ nice bash ¦ nice ¦ timeout 5 bash ¦ nohup sh
            stdbuf -oL bash ¦ setsid bash ¦ ionice bash ¦ chrt 1 bash ¦ taskset 1 bash
            flock x bash ¦ strace bash ¦ time bash ¦ rlwrap bash ¦ proot bash
            bwrap --bind / / bash ¦ capsh -- ¦ gosu x bash ¦ tini bash ¦ valgrind bash
            faketime x bash ¦ fakeroot ¦ newgrp x ¦ entr sh ¦ uv run python ¦ npx ts-node
            nix-shell ¦ vagrant ssh ¦ virsh console x ¦ chroot /x ¦ nsenter -t 1 -m ¦ unshare -r
            systemd-run --pipe bash ¦ watch bash ¦ docker exec -i c sh ¦ docker run -i x
            docker -H x exec -i c sh ¦ docker attach c ¦ docker build - ¦ docker compose exec c sh
            docker start -ai c ¦ podman exec c sh ¦ kubectl exec -i p -- sh ¦ kubectl apply -f -
            kubectl delete -f - ¦ kubectl delete -f- ¦ kubectl delete --filename=-
            kubectl -n x exec p -- sh ¦ lxc exec c bash ¦ crictl exec -i c sh ¦ oc exec -i p -- sh
            my-own-program ¦ tar -I bash -xf - ¦ tar xIf bash - ¦ tar --to=sh -xf - ¦ tar --use-c=sh -x
            sort --compress-program=sh ¦ apt-get -o DPkg::Pre-Invoke::=sh install x ¦ git shell
            git -c alias.x=!sh x ¦ git bisect run sh ¦ git submodule foreach sh"#;
        assert_eq!(other_than(StdinTreatment::Code, false, list), [""; 0]);
    }

    /// What agents send data to every day goes without a second question.
    #[test]
    fn data_stays_data() {
        let list = r#"
            cat ¦ cat > file ¦ cat /dev/stdin ¦ /bin/cat ¦ tee -a log > /dev/null ¦ wc -l
            sha256sum ¦ tar xzf - -C /srv ¦ dd of=/tmp/x bs=64k ¦ sort | uniq -c ¦ gzip -d
            head -c 3; exit 4 ¦ grep -i error ¦ jq .a ¦ sed -n 5p ¦ sed s/a/b/ x ¦ awk '{print $1}'
            find . -name x ¦ git status ¦ git-receive-pack '/srv/x.git'
            rsync --server -vlogDtpre.iLsfxCIvu . /srv/x ¦ scp -t /tmp/x ¦ systemctl status x
            journalctl -u x ¦ docker ps ¦ docker logs -f x ¦ kubectl get pods -n x
            psql -c 'select 1' ¦ psql -Atc 'select 1' db ¦ mysql -e 'select 1' db ¦ python3 x.py
            python3 -c 'print(1)' ¦ python3 -u x.py ¦ perl -pe s/a/b/ ¦ perl -lane 'print'
            ruby -e 'puts 1' ¦ node x.js ¦ bash x.sh ¦ bash -e x.sh ¦ bash -c cat
            bash -euo pipefail -c 'cat > x' ¦ sudo cat ¦ sudo -u x tee y ¦ sudo systemctl restart x
            sudo apt-get install x ¦ timeout 5 cat ¦ nohup cat ¦ curl -T - https://x ¦ echo hi
            mkdir -p x && cd x && ls"#;
        assert_eq!(other_than(StdinTreatment::Data, false, list), [""; 0]);
    }

    #[test]
    fn a_pager_on_a_terminal_is_a_shell() {
        let list = r#"
            less x ¦ man ls ¦ git log ¦ sudo git log ¦ journalctl ¦ systemctl ¦ top ¦ vim x"#;
        assert_eq!(other_than(StdinTreatment::Code, true, list), [""; 0]);
        let list = r#"
            tail -f x ¦ sudo apt upgrade ¦ cat ¦ sudo systemctl restart x"#;
        assert_eq!(other_than(StdinTreatment::Data, true, list), [""; 0]);
    }
}
