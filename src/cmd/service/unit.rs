//! What starts the service: systemd, or somebody by hand.

use std::path::Path;
use std::time::{Duration, Instant};

use expacti_protocol::client::Endpoint;
use expacti_protocol::home::Home;
use expacti_protocol::private::shown;

use super::account::{PATH, root};
use crate::failure::Failure;
use crate::machine::{SERVICE_USER, publish};

/// The unit.
pub(super) const FILE: &str = "/etc/systemd/system/expacti.service";

const NAME: &str = "expacti.service";

/// How long the service may take to be there.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether systemd runs this machine, as sd_booted(3) asks.
pub(super) fn systemd_runs() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Has systemd start the service; where it does not run, returns the commands that do.
pub(super) fn start(home: &Home, program: &Path) -> Result<Option<String>, Failure> {
    if !systemd_runs() {
        let status = crate::daemon::status(Endpoint::unix(home.broker_socket()));
        let runs = crate::runtime::start()?.block_on(status).is_ok();
        return Ok(Some(by_hand(home, program, runs)));
    }
    publish(Path::new(FILE), &text(program)?)?;
    root(&["systemctl", "daemon-reload"])?;
    root(&["systemctl", "enable", NAME])?;
    // Also where it ran with other settings, or as another program.
    root(&["systemctl", "restart", NAME])?;
    let runtime = crate::runtime::start()?;
    let began = Instant::now();
    while runtime.block_on(crate::daemon::status(Endpoint::unix(home.broker_socket()))).is_err() {
        if began.elapsed() > PATIENCE {
            return Err(Failure::failed(format!(
                "the service does not answer: systemctl status {NAME} says more"
            )));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(None)
}

/// Has systemd stop it and forget it.
pub(super) fn stop() -> Result<(), Failure> {
    if !Path::new(FILE).exists() {
        return Ok(());
    }
    if systemd_runs() {
        root(&["systemctl", "disable", "--now", NAME])?;
    }
    std::fs::remove_file(FILE)?;
    if systemd_runs() { root(&["systemctl", "daemon-reload"]) } else { Ok(()) }
}

fn text(program: &Path) -> Result<String, Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    let word = program.to_str().filter(|path| path.chars().all(plain));
    let word = word.ok_or_else(|| {
        Failure::failed(format!("{} cannot be named in a unit of systemd", program.display()))
    })?;
    Ok(include_str!("../../../deploy/systemd/expacti.service").replace("@PROGRAM@", word))
}

fn by_hand(home: &Home, program: &Path, runs: bool) -> String {
    let [_, data, runtime] = home.dirs().map(|dir| dir.display().to_string());
    let program = shown(program);
    let stop = format!("  {program} down        # it runs, with the settings of before\n");
    format!(
        "{}  install -d -o {SERVICE_USER} -g {SERVICE_USER} -m 0755 {runtime}\n  setpriv --reuid={SERVICE_USER} \
         --regid={SERVICE_USER} --init-groups --bounding-set=-all --no-new-privs env -i HOME={data} PATH={PATH} \
         {program} up --foreground --service",
        if runs { stop.as_str() } else { "" }
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_names_the_program_and_lets_the_service_see_who_connects() {
        let unit = text(Path::new("/usr/local/bin/expacti")).unwrap();
        let start = "ExecStart=/usr/local/bin/expacti up --foreground --service";
        assert_eq!(unit.lines().filter(|line| *line == start).count(), 1);
        // With these the broker could place nobody.
        for setting in ["ProtectProc=", "ProcSubset=", "PrivateUsers="] {
            assert!(!unit.lines().any(|line| line.starts_with(setting)), "{setting}");
        }
        assert!(text(Path::new("/opt/a b/expacti")).is_err());
    }
}
