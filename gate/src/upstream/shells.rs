//! What the gate has found out about accounts' shells. An answer is kept for a few minutes: long
//! enough for an agent that connects for every command, short enough for a change of the account by
//! somebody else. What a person allows may change the account, so it ends every answer about it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use expacti_protocol::shell::PosixShell;
use tokio::sync::watch;

/// How long an answer is believed.
const FRESH: Duration = Duration::from_secs(300);

/// How long an account is not asked again after it gave no answer.
const SILENT: Duration = Duration::from_secs(60);

/// Accounts that are remembered; past it all are forgotten.
const MOST: usize = 4096;

/// An account as it was reached: the same name on another host, behind another way or with another
/// key (each may have a command of its own) is another account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Account {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) transport: Option<Vec<String>>,
    /// The fingerprint of the host key that the target showed.
    pub(crate) host_key: String,
    /// The key or certificate that logged in.
    pub(crate) login: String,
}

/// `None` until the answer is there; then the shell, where it is known.
type Answer = Option<Option<PosixShell>>;

/// See the module.
#[derive(Default)]
pub(crate) struct Shells {
    known: Mutex<HashMap<Account, Entry>>,
    /// Accounts that were found to have no SFTP server, and when.
    without_sftp: Mutex<HashMap<Account, Instant>>,
}

struct Entry {
    at: Instant,
    answer: watch::Receiver<Answer>,
}

impl Entry {
    fn is_alive(&self) -> bool {
        let age = self.at.elapsed();
        match *self.answer.borrow() {
            Some(Some(_)) => age < FRESH,
            Some(None) | None => age < SILENT,
        }
    }
}

/// What is known of an account's shell.
pub(crate) enum Known {
    /// The caller is to ask.
    Ask(Asking),
    /// The answer, or a question that somebody else has asked.
    Asked(watch::Receiver<Answer>),
}

/// A question that is being asked. If it is dropped, there was no answer.
pub(crate) struct Asking(watch::Sender<Answer>);

impl Asking {
    /// Where the answer will be.
    pub(crate) fn result(&self) -> watch::Receiver<Answer> {
        self.0.subscribe()
    }

    /// The answer.
    pub(crate) fn answer(self, shell: Option<PosixShell>) {
        self.0.send_replace(Some(shell));
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.send_if_modified(|answer| answer.is_none().then(|| *answer = Some(None)).is_some());
    }
}

impl Shells {
    fn lock(&self) -> MutexGuard<'_, HashMap<Account, Entry>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has been answered, or is being asked.
    pub(crate) fn asked(&self, account: &Account) -> Option<watch::Receiver<Answer>> {
        let known = self.lock();
        known.get(account).filter(|entry| entry.is_alive()).map(|entry| entry.answer.clone())
    }

    /// The same; if there is nothing, the caller is the one to ask.
    pub(crate) fn ask(&self, account: &Account) -> Known {
        let mut known = self.lock();
        if let Some(entry) = known.get(account).filter(|entry| entry.is_alive()) {
            return Known::Asked(entry.answer.clone());
        }
        if known.len() >= MOST {
            known.clear();
        }
        let (sender, answer) = watch::channel(None);
        known.insert(account.clone(), Entry { at: Instant::now(), answer });
        Known::Ask(Asking(sender))
    }

    /// The account was found to have no SFTP server.
    pub(crate) fn has_no_sftp(&self, account: &Account) {
        let mut all = self.without_sftp.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(account.clone(), Instant::now());
    }

    /// Whether it was found so a short time ago.
    pub(crate) fn lacks_sftp(&self, account: &Account) -> bool {
        let all = self.without_sftp.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(account).is_some_and(|at| at.elapsed() < FRESH)
    }

    /// Something may change this user's accounts there: what is known or being asked is void.
    pub(crate) fn forget(&self, host: &str, user: &str) {
        self.lock().retain(|account, _| account.host != host || account.user != user);
    }
}

/// Waits for an answer.
pub(crate) async fn answered(mut answer: watch::Receiver<Answer>) -> Option<PosixShell> {
    answer.wait_for(Option::is_some).await.ok().and_then(|answer| (*answer).flatten())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn account(host_key: &str, login: &str) -> Account {
        Account {
            host: "web-1".to_owned(),
            port: 22,
            user: "deploy".to_owned(),
            transport: None,
            host_key: host_key.to_owned(),
            login: login.to_owned(),
        }
    }

    fn ask(shells: &Shells, account: &Account) -> Asking {
        match shells.ask(account) {
            Known::Ask(asking) => asking,
            Known::Asked(_) => panic!("asked already"),
        }
    }

    #[tokio::test]
    async fn an_answer_is_for_one_host_key_and_one_login() {
        let shells = Shells::default();
        ask(&shells, &account("k1", "a")).answer(Some(PosixShell::Bash));
        let known = shells.asked(&account("k1", "a")).unwrap();
        assert_eq!(answered(known).await, Some(PosixShell::Bash));
        for other in [account("k2", "a"), account("k1", "b")] {
            assert!(shells.asked(&other).is_none(), "{other:?}");
        }
    }

    #[tokio::test]
    async fn one_asks_and_the_others_wait() {
        let shells = Shells::default();
        let asking = ask(&shells, &account("k", "a"));
        let Known::Asked(other) = shells.ask(&account("k", "a")) else { panic!("asked twice") };
        let waiting = tokio::spawn(answered(other));
        asking.answer(Some(PosixShell::Zsh));
        assert_eq!(waiting.await.unwrap(), Some(PosixShell::Zsh));
    }

    #[tokio::test]
    async fn a_question_without_an_answer_says_nothing_and_is_not_repeated_at_once() {
        let shells = Shells::default();
        drop(ask(&shells, &account("k", "a")));
        let known = shells.asked(&account("k", "a")).unwrap();
        assert_eq!(answered(known).await, None);
    }

    #[tokio::test]
    async fn what_may_have_changed_is_asked_again() {
        let shells = Shells::default();
        let old = ask(&shells, &account("k", "a"));
        shells.forget("web-1", "deploy");
        let new = ask(&shells, &account("k", "a"));
        old.answer(Some(PosixShell::Bash));
        new.answer(None);
        let known = shells.asked(&account("k", "a")).unwrap();
        assert_eq!(answered(known).await, None, "the answer from before the change is void");
        shells.forget("web-2", "deploy");
        assert!(shells.asked(&account("k", "a")).is_some(), "another host");
    }

    #[test]
    fn an_answer_grows_old() {
        let entry = |answer, age| Entry {
            at: Instant::now().checked_sub(age).unwrap(),
            answer: watch::channel(answer).1,
        };
        let bash = Some(Some(PosixShell::Bash));
        assert!(entry(bash, FRESH / 2).is_alive());
        assert!(!entry(bash, FRESH).is_alive());
        assert!(entry(Some(None), SILENT / 2).is_alive());
        assert!(!entry(Some(None), SILENT).is_alive());
    }
}
