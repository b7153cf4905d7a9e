//! What the broker and the command line tell a process that is not outside, with real user
//! namespaces. The wrap's part is played by a script that speaks to the broker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;

use anyhow::{Result, ensure};
use expacti_harness::{Outcome, Trial, prerequisites, trial};
use serde_json::json;

/// Starts a program in a user namespace of its own, in which the user keeps the name.
const UNSHARE: [&str; 3] = ["unshare", "--user", "--map-current-user"];

/// Whether this user may make user namespaces. Where not, the test is to return at once.
fn has_namespaces(t: &Trial) -> Result<bool> {
    let has = t.direct(&[&UNSHARE[..], &["true"]].concat()).run()?.code() == 0;
    if !has {
        prerequisites::missing(
            "a user namespace for this user",
            "sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0",
        );
    }
    Ok(has)
}

fn refused(outcome: &Outcome, why: &str) -> Result<()> {
    outcome.expect_code(5)?.expect_no_stdout()?;
    ensure!(outcome.err().contains(why), "expected {why:?} in {}", outcome.describe());
    Ok(())
}

/// A program for python3 with `ask(method, path, body)`: the status and the answer of the broker.
fn python(t: &Trial, program: &str) -> String {
    format!(
        "import array, http.client, json, os, socket, subprocess, sys\n\
         SOCKET = {:?}\n\
         EXPACTI = {:?}\n\
         UNSHARE = {UNSHARE:?}\n\
         class Broker(http.client.HTTPConnection):\n\
         \x20   def __init__(self, sock=None):\n\
         \x20       super().__init__('localhost')\n\
         \x20       self.given = sock\n\
         \x20   def connect(self):\n\
         \x20       self.sock = self.given or socket.socket(socket.AF_UNIX)\n\
         \x20       if not self.given: self.sock.connect(SOCKET)\n\
         def ask(method, path, body=None, sock=None):\n\
         \x20   broker = Broker(sock)\n\
         \x20   broker.request(method, path, json.dumps(body), {{'Content-Type': 'application/json'}})\n\
         \x20   answer = broker.getresponse()\n\
         \x20   return answer.status, json.loads(answer.read() or 'null')\n{program}",
        t.home().join("broker.sock").display().to_string(),
        t.binary().display().to_string(),
    )
}

#[test]
fn who_lives_in_another_namespace_is_told_to_come_out() -> Result<()> {
    let t = trial!()?;
    if !has_namespaces(&t)? {
        return Ok(());
    }
    t.up()?;
    let marker = t.marker("m");
    let run = t.wrap(&["ssh", "target", &marker.touch()]).spawn()?;
    let held = t.wait_pending()?;
    let binary = t.binary().display().to_string();
    for words in [
        &["pending"][..],
        &["allow", &held.id],
        &["rules", "add", "--exact", "id"],
        &["reviewer", "add", "eve"],
        &["audit", "log"],
        &["down"],
        &["wrap", "--", "true"],
    ] {
        let argv = [&UNSHARE[..], &[&binary], words].concat();
        refused(&t.direct(&argv).run()?, "another user namespace")?;
    }
    assert!(!marker.exists());
    t.allow(&held.id)?;
    run.wait()?.expect_code(0)?;
    assert!(marker.exists());
    assert_eq!(t.expacti(&["rules", "list", "--json"])?.json()?, json!([]));
    Ok(())
}

#[test]
fn nobody_in_the_namespace_of_a_wrap_decides() -> Result<()> {
    let t = trial!()?;
    if !has_namespaces(&t)? {
        return Ok(());
    }
    t.up()?;
    // This script plays `expacti wrap` and its helper; the shell is the wrapped program.
    let script = python(
        &t,
        r#"
status, grant = ask('POST', '/v1/wraps', {'pid': os.getpid(), 'agent': 'bot', 'isolation': 'namespace'})
assert status == 200, grant
shell = subprocess.Popen([*UNSHARE, 'sh'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
def inside(line):
    shell.stdin.write(f'{line} 2>&1; echo "status $?"\n')
    shell.stdin.flush()
    said = ''
    while not said.endswith('\n') or 'status' not in said:
        said += shell.stdout.readline()
    return said
assert inside('true') == 'status 0\n'
# The broker's own namespace is no wrap's.
status, said = ask('POST', '/v1/wraps/namespace', {'token': grant['token'], 'pid': os.getpid()})
assert status == 400, said
status, said = ask('POST', '/v1/wraps/namespace', {'token': 'x', 'pid': shell.pid})
assert status == 404, said
foreign = inside(f'{EXPACTI} pending')
assert 'another user namespace' in foreign and 'status 5' in foreign, foreign
status, said = ask('POST', '/v1/wraps/namespace', {'token': grant['token'], 'pid': shell.pid})
assert status == 200, said
nested = ' '.join(UNSHARE)
for prefix in ('', nested, f'{nested} {nested}', 'setsid -w', f'env -i HOME=$HOME EXPACTI_HOME=$EXPACTI_HOME'):
    for words in ('pending', 'rules add --exact id', 'down', 'status --json'):
        said = inside(f'{prefix} {EXPACTI} {words}')
        if words.startswith('status'):
            assert '"agent"' in said and 'status 0' in said, (prefix, words, said)
        else:
            assert 'inside a wrap' in said and 'status 5' in said, (prefix, words, said)
# The wrap itself is below the wrap; only a gate asks whose token it is.
for method, path in (('GET', '/v1/pending'), ('POST', '/v1/wraps'), ('POST', '/v1/wraps/check')):
    status, said = ask(method, path, {'pid': os.getpid(), 'token': grant['token']})
    assert status == 403, (path, said)
shell.stdin.close()
shell.wait()
print('held')
"#,
    );
    t.direct(&["python3", "-c", &script]).run()?.expect_stdout("held\n")?;
    assert_eq!(t.expacti(&["rules", "list", "--json"])?.json()?, json!([]));
    Ok(())
}

#[test]
fn a_connection_that_was_handed_on_is_refused() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let script = python(
        &t,
        r#"
assert ask('GET', '/v1/pending')[0] == 200
ours, theirs = socket.socketpair()
child = os.fork()
if child == 0:
    broker = socket.socket(socket.AF_UNIX)
    broker.connect(SOCKET)
    # The broker has accepted it by then: one whose process is gone before is closed without a word.
    broker.sendall(b'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    while not broker.recv(4096).endswith(b'ok\n'): pass
    fds = array.array('i', [broker.fileno()])
    theirs.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
    os._exit(0)
_, control, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(4))
fds = array.array('i')
fds.frombytes(control[0][2])
os.waitpid(child, 0)
status, said = ask('GET', '/v1/pending', sock=socket.socket(fileno=fds[0]))
print(status, said['message'])
"#,
    );
    let outcome = t.direct(&["python3", "-c", &script]).run()?;
    ensure!(outcome.out().starts_with("403 refused: the process"), "{}", outcome.describe());
    Ok(())
}

#[test]
fn every_command_says_that_it_is_inside() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let binary = t.binary().display().to_string();
    let commands = [
        "up",
        "up --foreground",
        "down",
        "broker --listen 127.0.0.1:0",
        "gate --listen 127.0.0.1:0",
        "wrap -- true",
        "demo --unattended",
        "pending",
        "allow cmd_1",
        "deny cmd_1",
        "rules list",
        "policy list",
        "reviewer add eve",
        "audit verify",
        "sessions",
        "review",
        "replay sess_1",
    ];
    let tries: String = commands
        .iter()
        .flat_map(|words| {
            // Once with the mark, once without it.
            [format!("{binary} {words}"), format!("env -u EXPACTI_WRAP {binary} {words}")]
        })
        .map(|line| format!("said=$({line} 2>&1 </dev/null); echo \"$? $said\"\n"))
        .collect();
    let outcome = t.wrap(&["sh", "-c", &tries]).run()?;
    let said = outcome.out();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), commands.len() * 2, "{said}");
    for line in lines {
        assert!(line.starts_with("5 expacti: refused: inside a wrap"), "{line}\n{said}");
    }
    // What needs neither broker nor data still works.
    let risk = t.wrap(&["sh", "-c", &format!("{binary} risk 'rm -rf /' --json")]).run()?;
    ensure!(risk.expect_code(0)?.out().contains("\"score\""), "{}", risk.describe());
    Ok(())
}

#[test]
fn a_covered_home_is_inside() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    t.expacti(&["pending"])?.expect_code(0)?;
    fs::write(t.home().join("INSIDE"), "")?;
    refused(&t.expacti(&["pending"])?, "inside a wrap")?;
    fs::remove_file(t.home().join("INSIDE"))?;
    t.expacti(&["pending"])?.expect_code(0)?;
    Ok(())
}
