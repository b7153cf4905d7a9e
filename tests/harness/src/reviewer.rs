//! A scripted reviewer at the command line; must never decide what its verdict does not name.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::Value;

/// What a scripted reviewer does with everything it sees.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Allows.
    Allow,
    /// Denies with a comment.
    Deny(String),
}

/// Decides every pending command through `expacti pending`, `allow` and `deny`; stops on drop.
#[derive(Debug)]
pub struct AutoReviewer {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl AutoReviewer {
    pub(crate) fn start(
        verdict: Verdict,
        expacti: impl Fn(&[&str]) -> (i32, Vec<u8>) + Send + 'static,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let thread = thread::spawn({
            let (stop, seen) = (Arc::clone(&stop), Arc::clone(&seen));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    if !round(&verdict, &expacti, &seen) {
                        thread::sleep(Duration::from_millis(30));
                    }
                }
            }
        });
        Self { stop, seen, thread: Some(thread) }
    }

    /// The ids it decided, in order.
    #[must_use]
    pub fn decided(&self) -> Vec<String> {
        self.seen.lock().map(|seen| seen.clone()).unwrap_or_default()
    }
}

impl Drop for AutoReviewer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// One look at the queue; whether anything was decided.
fn round(
    verdict: &Verdict,
    expacti: &impl Fn(&[&str]) -> (i32, Vec<u8>),
    seen: &Mutex<Vec<String>>,
) -> bool {
    let (status, output) = expacti(&["pending", "--json"]);
    let list = match serde_json::from_slice(&output) {
        Ok(Value::Array(list)) if status == 0 => list,
        _ => return false,
    };
    let mut any = false;
    for id in list.iter().filter_map(|item| item.get("id")?.as_str()) {
        let (status, _) = match verdict {
            Verdict::Allow => expacti(&["allow", id]),
            Verdict::Deny(comment) => expacti(&["deny", id, comment]),
        };
        if status == 0 {
            any = true;
            if let Ok(mut seen) = seen.lock() {
                seen.push(id.to_owned());
            }
        }
    }
    any
}
