//! Takes the service away again.

use std::path::Path;
use std::time::{Duration, Instant};

use expacti_protocol::client::{Client, ClientError, Endpoint};
use expacti_protocol::home::Home;

use super::{account, files, is_set_up, places, program, unit};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::machine::{self, SERVICE_USER};
use crate::print;

/// How long the service may take to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Takes away everything but the data and the settings, or those as well.
pub(super) fn run(_config: &Config, purge: bool, yes: bool) -> Outcome {
    let home = Home::of_service();
    let [config, data, runtime] = home.dirs();
    if !is_set_up() && !(purge && (config.exists() || data.exists())) {
        print::note("there is no service of this machine");
        return Ok(0);
    }
    let kept = if purge {
        format!(
            "{} and {} go, too: the log, recordings, and the key to the targets",
            data.display(),
            config.display()
        )
    } else {
        format!("{} and {} stay; --purge takes them, too", data.display(), config.display())
    };
    print::line(&format!(
        "This stops the service of this machine, and removes its sockets, its user {SERVICE_USER} and what leads \
         every account to it. {kept}. Programs that run in `expacti wrap` lose their connections."
    ))?;
    if !yes && !crate::ask::agreed("Go on?")? {
        print::note("nothing was changed");
        return Ok(0);
    }
    unit::stop()?;
    stop(&home)?;
    // From here on nobody is led to it, also if the rest fails.
    remove_file(&machine::client_file())?;
    remove_dir(runtime)?;
    account::remove()?;
    if purge {
        remove_dir(data)?;
        for file in files::all(&home) {
            remove_file(&file)?;
        }
        if std::fs::remove_dir(config).is_err() && config.exists() {
            print::note(&format!("{} stays: others have put files there", config.display()));
        }
    } else {
        // The number of the user may be given to somebody else.
        places::own(data, 0, 0)?;
    }
    remove_file(Path::new(program::COPY))?;
    if let Some(dir) = Path::new(program::COPY).parent() {
        let _ = std::fs::remove_dir(dir);
    }
    print::note("the service of this machine is gone");
    Ok(0)
}

/// Stops what was started by hand: asks it, and waits until nothing runs as its user.
fn stop(home: &Home) -> Result<(), Failure> {
    let runtime = crate::runtime::start()?;
    let client = Client::new(Endpoint::unix(home.broker_socket()))?;
    let asked: Result<(), _> = runtime.block_on(client.post("/v1/shutdown", &()));
    match asked {
        Ok(()) | Err(ClientError::Unreachable { .. }) => {}
        Err(e) => return Err(e.into()),
    }
    let Some(account) = account::find()? else { return Ok(()) };
    let began = Instant::now();
    loop {
        let left = processes_of(account.uid)?;
        if left.is_empty() {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            let left: Vec<String> = left.iter().map(u32::to_string).collect();
            return Err(Failure::failed(format!(
                "processes of the user {SERVICE_USER} still run: end them (kill {}), and try again",
                left.join(" ")
            )));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The processes of a user that have not ended.
fn processes_of(uid: u32) -> Result<Vec<u32>, Failure> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let status = std::fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let ended = field("State:").is_some_and(|state| state.trim_start().starts_with('Z'));
        let uids = field("Uid:").unwrap_or_default();
        if !ended && uids.split_ascii_whitespace().any(|one| one == uid.to_string()) {
            found.push(pid);
        }
    }
    Ok(found)
}

fn remove_file(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::failed(format!("failed to remove {}: {e}", path.display())))
        }
        _ => Ok(()),
    }
}

fn remove_dir(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::failed(format!("failed to remove {}: {e}", path.display())))
        }
        _ => Ok(()),
    }
}
