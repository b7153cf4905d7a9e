//! Does a program run what it reads from standard input? When in doubt: yes.

use expacti_engine::{Assessment, Segment};
use expacti_protocol::command::StdinTreatment;

/// Shells: with `-c CODE` or a script file their standard input is data.
const SHELLS: &[&str] =
    &["sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "csh", "tcsh", "busybox", "rbash"];

/// Interpreters that run standard input when no program is named.
const INTERPRETERS: &[&str] = &[
    "python",
    "perl",
    "ruby",
    "node",
    "nodejs",
    "deno",
    "bun",
    "php",
    "lua",
    "tclsh",
    "Rscript",
    "R",
    "julia",
    "irb",
    "pry",
    "ghci",
    "scala",
    "groovy",
    "osascript",
    "pwsh",
    "gdb",
    "bc",
    "ed",
    "ex",
    "vi",
    "vim",
    "emacs",
];

/// Clients that run standard input as their language unless a command or file is given.
const CLIENTS: &[&str] = &[
    "psql",
    "mysql",
    "mariadb",
    "sqlite3",
    "mongosh",
    "mongo",
    "redis-cli",
    "sqlplus",
    "cqlsh",
    "clickhouse-client",
    "influx",
    "cypher-shell",
    "sqlcmd",
    "isql",
];

/// Programs that run other commands given on standard input.
const RUNNERS: &[&str] = &[
    "xargs",
    "parallel",
    "at",
    "batch",
    "crontab",
    "source",
    ".",
    "eval",
    "ssh",
    "telnet",
    "nc",
    "su",
    "sudoedit",
    "screen",
    "tmux",
    "script",
    "expect",
    "make",
    "ansible-console",
    "kubectl",
    "docker",
    "podman",
    "nsenter",
    "chroot",
    "unshare",
    "machinectl",
    "systemd-run",
];

/// How the standard input of a command is to be treated.
pub(crate) fn treatment(assessment: &Assessment) -> StdinTreatment {
    let data = !assessment.uninspectable
        && !assessment.segments.is_empty()
        && assessment.segments.iter().all(|s| !runs_stdin(s));
    if data { StdinTreatment::Data } else { StdinTreatment::Code }
}

fn runs_stdin(segment: &Segment) -> bool {
    let Some(program) = segment.program.as_deref() else { return true };
    let name = program.rsplit('/').next().unwrap_or(program);
    let args: Vec<&str> = segment.argv.iter().skip(1).map(String::as_str).collect();
    let has = |options: &[&str]| args.iter().any(|a| options.contains(a));
    // `. /dev/stdin`, `bash /proc/self/fd/0`, `python /dev/fd/0`.
    if args.iter().any(|a| a.contains("/dev/stdin") || a.ends_with("/fd/0")) && !is_copier(name) {
        return true;
    }
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let operand = args.iter().any(|a| !a.starts_with('-'));
    let is = |list: &[&str]| list.contains(&name) || (!base.is_empty() && list.contains(&base));
    if is(SHELLS) {
        // A cluster such as -ec also takes code; -s and -i read standard input whatever else.
        let code =
            args.iter().any(|a| a.starts_with('-') && !a.starts_with("--") && a.contains('c'));
        let stdin = args.iter().any(|a| {
            a.starts_with('-') && !a.starts_with("--") && (a.contains('s') || a.contains('i'))
        });
        return !code && (stdin || !operand);
    }
    if is(INTERPRETERS) {
        let code = has(&["-c", "-e", "-E", "-r", "--eval", "-p", "-m"]);
        return has(&["-", "-i"]) || !(code || operand);
    }
    if is(CLIENTS) {
        return !has(&["-c", "-e", "-f", "--command", "--execute", "--eval", "--file"])
            && !args.iter().any(|a| {
                ["--command=", "--execute=", "--eval=", "--file=", "-c", "-e", "-f"]
                    .iter()
                    .any(|p| a.starts_with(p) && a.len() > p.len())
            });
    }
    if name == "sudo" || name == "doas" {
        return has(&["-i", "-s"]) || !operand;
    }
    // What docker and kubectl run was looked into as a segment of its own; with a terminal or
    // without a command they may still hand standard input to a shell inside.
    if matches!(name, "docker" | "podman" | "kubectl") {
        return has(&["exec", "run", "attach", "debug"]) && !inner_is_known(segment)
            || (has(&["apply", "create", "replace"]) && has(&["-"]));
    }
    if name == "tee" || name == "cat" {
        return false;
    }
    is(RUNNERS)
}

/// Programs for which `/dev/stdin` is merely a file to copy from.
fn is_copier(name: &str) -> bool {
    matches!(
        name,
        "cat"
            | "cp"
            | "dd"
            | "tee"
            | "install"
            | "wc"
            | "head"
            | "tail"
            | "sort"
            | "gzip"
            | "tar"
            | "sha256sum"
    )
}

fn inner_is_known(_outer: &Segment) -> bool {
    // The segment of the inner command says what it does with its input; but the outer one cannot
    // tell whether it was found, so it is not trusted.
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(command: &str) -> bool {
        let assessment =
            expacti_engine::assess(command.as_bytes(), &expacti_engine::Context::default());
        treatment(&assessment) == StdinTreatment::Code
    }

    #[test]
    fn probe() {
        for command in [
            "bash -o pipefail",
            "bash -euo pipefail",
            "bash --rcfile /dev/null",
            "bash -O extglob",
            "zsh -o shwordsplit",
            "python3 -W ignore",
            "python3 -X dev",
            "perl -I lib",
            "perl -I/lib",
            "ruby -I lib",
            "node --require x",
            "node -r x",
            "php -d a=b",
            "psql -f - db",
            "psql --file=-",
            "mysql -e 'select 1' ",
            "mysql db",
            "sqlite3 db",
            "sed -f - x",
            "awk -f - x",
            "awk -f /dev/stdin",
            "dc",
            "m4",
            "sftp -b - h",
            "gnuplot",
            "octave",
            "ftp h",
            "lftp h",
            "mail root",
            "guile",
            "sbcl",
            "erl",
            "iex",
            "ocaml",
            "jshell",
            "pypy3",
            "ipython",
            "duckdb",
            "swipl",
            "iptables-restore",
            "nft -f -",
            "git apply",
            "git am",
            "patch -p1",
            "chpasswd",
            "passwd",
            "crontab",
            "crontab -",
            "at now",
            "batch",
            "lxc exec c bash",
            "incus exec c bash",
            "nerdctl exec -i c sh",
            "oc exec -i p -- sh",
            "kubectl exec -i p -- cat",
            "kubectl exec -i p -- sh",
            "docker exec -i c sh",
            "docker-compose exec c sh",
            "crictl exec -i c sh",
            "virsh console x",
            "systemd-run --pipe bash",
            "env bash",
            "nice bash",
            "timeout 5 bash",
            "nohup sh",
            "sudo bash",
            "sudo -u x bash",
            "sudo -s",
            "stdbuf -oL bash",
            "setsid bash",
            "ionice bash",
            "chrt 1 bash",
            "flock /x bash",
            "flock /x -c bash",
            "strace bash",
            "time bash",
            "exec bash",
            "command bash",
            "builtin eval x",
            "busybox sh",
            "busybox ash",
            "toybox sh",
            "env -S 'bash'",
            "doas sh",
            "pkexec sh",
            "runuser -u x sh",
            "su - x",
            "su x -c bash",
            "su x -c 'bash -s'",
            "chroot /x",
            "nsenter -t 1 -m",
            "unshare -r",
            "script -c bash",
            "ssh h",
            "xargs rm",
            "parallel",
            "watch bash",
            "entr sh",
            "rlwrap bash",
            "proot bash",
            "firejail bash",
            "bwrap --bind / / bash",
            "setpriv bash",
            "capsh --",
            "gosu x bash",
            "su-exec x bash",
            "tini bash",
            "dumb-init sh",
            "taskset 1 bash",
            "numactl bash",
            "cgexec -g x bash",
            "ltrace bash",
            "valgrind bash",
            "faketime x bash",
            "dbus-run-session bash",
            "torsocks bash",
            "proxychains bash",
            "fakeroot bash",
            "fakeroot",
            "sg x",
            "newgrp x",
            "scl enable x bash",
            "poetry run python",
            "uv run python",
            "pipenv run python",
            "npx ts-node",
            "conda run bash",
            "direnv exec . bash",
            "nix-shell",
            "vagrant ssh",
            "bash x.sh",
            "bash -c 'cat'",
            "bash -c bash",
            "bash -c 'exec bash'",
            "sh -c 'sh -s'",
            "sh -c 'read x; eval $x'",
            "read x; $x",
            "while read l; do $l; done",
            "while read l; do eval \"$l\"; done",
            "cat | sh",
            "tee x; sh x",
            "cat > x && sh x",
            "source /dev/stdin",
            ". /dev/fd/0",
            "bash /dev/fd/0",
            "bash /proc/self/fd/0",
            "bash <(cat)",
            "$(cat)",
            "`cat`",
            "eval \"$(cat)\"",
            "sh -c \"$(cat)\"",
            "python3 -",
            "python3 - a",
            "python3 -c 'exec(input())'",
            "bash 0<&0",
            "bash <&3",
            "tar xf - --to-command=sh",
            "vim x",
            "ex x",
            "ex -s x",
            "ed x",
            "emacs x",
            "less x",
            "man ls",
            "nano x",
            "view x",
            "nvim x",
            "vi -",
            "more x",
            "top",
            "journalctl",
            "git log",
            "make",
            "make -f -",
            "make -f- all",
            "ansible-playbook /dev/stdin",
            "tclsh x",
            "expect -",
            "expect x",
            "R --vanilla",
            "Rscript -",
            "julia -p 2",
            "deno run -",
            "node -",
            "node x",
            "node --inspect",
            "lua -",
            "lua -l x",
            "lua -i x",
            "php -a",
            "php -S x",
            "ruby -",
            "ruby -W0 x",
            "irb -r x",
            "perl -w",
            "perl -",
            "perl x",
            "perl -Mstrict",
            "perl -M strict",
            "ghci x",
            "mongo --quiet db",
            "redis-cli -x set k",
            "redis-cli",
            "psql -c 'select 1'",
            "psql -c 'copy x from stdin'",
            "psql -v a=b db",
            "mysql -f db",
            "mysql -f",
            "mysql --force -e x",
            "sqlplus u/p",
            "sqlite3 db .read",
            "influx",
            "bq query",
            "beeline",
            "hive",
            "spark-sql",
            "impala-shell",
            "snowsql",
            "cassandra-cli",
        ] {
            let a = expacti_engine::assess(command.as_bytes(), &expacti_engine::Context::default());
            if !code(command) {
                println!(
                    "DATA  {command:40} {:?}",
                    a.segments
                        .iter()
                        .map(|s| (s.argv.join(" "), s.via.clone()))
                        .collect::<Vec<_>>()
                );
            }
        }
    }
}
