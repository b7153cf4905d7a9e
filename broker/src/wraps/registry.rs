//! The wraps that run on this machine: what the broker vouches for towards the gate, and which user
//! namespaces are inside.

use std::sync::{Mutex, MutexGuard, PoisonError};

use expacti_protocol::ancestry;
use expacti_protocol::uplink::{Isolation, WrapGrant, WrapRegistration};
use subtle::ConstantTimeEq as _;

use super::origin::Origin;
use super::process::{Namespace, NamespaceId, Peer, Process};
use crate::state::Refusal;
use crate::tokens::{new_token, token_hash};

/// The most wraps at a time.
const MAX_WRAPS: usize = 4096;

/// The longest name of an agent, and of something it may use, in bytes.
const MAX_NAME: usize = 4096;

/// The most wraps of one user of the machine at a time.
const MAX_WRAPS_OF_ONE: usize = 256;

/// The most things that a wrap says its program may use.
const MAX_WITH: usize = 64;

/// One wrap. It is forgotten when its process ends.
struct Wrap {
    token_hash: String,
    about: WrapRegistration,
    process: Process,
    /// Whose it is, with the broker of a whole machine.
    uid: Option<u32>,
    namespace: Option<Namespace>,
    /// The broker of a whole machine has seen that its program lives in a namespace of its own. It cannot
    /// hold one of another user.
    is_seen_inside: bool,
}

impl Wrap {
    fn new(token: &str, about: WrapRegistration, process: Process, uid: Option<u32>) -> Self {
        let token_hash = token_hash(token);
        Self { token_hash, about, process, uid, namespace: None, is_seen_inside: false }
    }
}

/// The wraps of this machine.
pub(crate) struct Wraps {
    /// The broker's own user namespace; none when the kernel does not tell.
    own: Option<Namespace>,
    all: Mutex<Vec<Wrap>>,
}

impl Default for Wraps {
    fn default() -> Self {
        Self { own: Namespace::own().ok(), all: Mutex::default() }
    }
}

impl Wraps {
    /// Those whose process has not ended.
    fn live(&self) -> MutexGuard<'_, Vec<Wrap>> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|wrap| !wrap.process.has_ended());
        all
    }

    /// Takes the word of a peer for a wrap: its own process, or its parent's.
    pub(crate) fn register(
        &self,
        peer: &Peer,
        about: WrapRegistration,
    ) -> Result<WrapGrant, Refusal> {
        self.add(peer, None, about)
    }

    /// The same for a user of the machine: both processes must be that user's.
    pub(crate) fn register_of(
        &self,
        peer: &Peer,
        uid: u32,
        about: WrapRegistration,
    ) -> Result<WrapGrant, Refusal> {
        self.add(peer, Some(uid), about)
    }

    fn add(
        &self,
        peer: &Peer,
        uid: Option<u32>,
        about: WrapRegistration,
    ) -> Result<WrapGrant, Refusal> {
        let peer = peer.process().map_err(|_| unseen())?;
        check(&about)?;
        let process = Process::open(about.pid)
            .map_err(|_| Refusal::invalid(format!("there is no process {} to wrap", about.pid)))?;
        // Nobody is locked out by the number of somebody else. In this order: who has the number is
        // held by now, and the peer still lives after it was asked for its parent.
        let related = about.pid == peer.pid()
            || ancestry::stat(peer.pid()).is_ok_and(|stat| stat.parent == about.pid);
        // The parent may be somebody else's, such as init: everybody below would be inside.
        let own = uid.is_none_or(|uid| process.is_of(uid));
        if !related || !own || !peer.is_alive() || !process.is_alive() {
            return Err(Refusal::not_entitled(format!(
                "process {} may register itself or its parent as a wrap, not process {}",
                peer.pid(),
                about.pid
            )));
        }
        let token = new_token()?;
        let mut all = self.live();
        if all.len() >= MAX_WRAPS {
            return Err(Refusal::failed(format!(
                "{MAX_WRAPS} wraps run already; end some of them"
            )));
        }
        if uid.is_some() && all.iter().filter(|wrap| wrap.uid == uid).count() >= MAX_WRAPS_OF_ONE {
            return Err(Refusal::failed(format!(
                "{MAX_WRAPS_OF_ONE} wraps of this user run already; end some of them"
            )));
        }
        all.push(Wrap::new(&token, about, process, uid));
        Ok(WrapGrant { token })
    }

    /// Takes the word of the broker's own process, which runs an agent itself, for that agent. No process
    /// is inside because of it.
    pub(crate) fn register_own(&self, about: WrapRegistration) -> Result<WrapGrant, Refusal> {
        check(&about)?;
        let process = Process::open(std::process::id()).map_err(|_| unseen())?;
        let token = new_token()?;
        let about = WrapRegistration { pid: 0, ..about };
        self.live().push(Wrap::new(&token, about, process, None));
        Ok(WrapGrant { token })
    }

    /// From now on whoever lives in the user namespace of process `pid`, or in one made inside it, is
    /// inside the wrap with that token.
    pub(crate) fn set_namespace(&self, token: &str, pid: u32) -> Result<(), Refusal> {
        let lineage = Process::open(pid)
            .map_err(|_| Refusal::invalid(format!("there is no process {pid}")))?
            .lineage()
            .map_err(|unknown| {
                Refusal::invalid(format!("the namespace of process {pid}: {unknown:?}"))
            })?;
        // The broker's own is outside by definition, and so are those above and beside it: they belong
        // to others.
        let own = self.own.as_ref().ok_or_else(unseen)?.id();
        let below_own = lineage.iter().skip(1).any(|above| above.id() == own);
        let namespace = lineage
            .into_iter()
            .next()
            .filter(|namespace| below_own && namespace.id() != own)
            .ok_or_else(|| {
                Refusal::invalid(format!(
                    "process {pid} does not live in a user namespace below the broker's"
                ))
            })?;
        self.put_namespace(token, namespace)
    }

    /// The same with the broker of a whole machine, for process `pid` of that user. It sees only that the
    /// process lives in another namespace than the machine's first: nobody from there may ask for anything.
    pub(crate) fn see_namespace_of(&self, token: &str, pid: u32, uid: u32) -> Result<(), Refusal> {
        let process = Process::open(pid)
            .map_err(|_| Refusal::invalid(format!("there is no process {pid}")))?;
        if !process.is_of(uid) || !process.is_in_another_namespace() || !process.is_alive() {
            return Err(Refusal::invalid(format!(
                "process {pid} is not one of yours in a user namespace of its own"
            )));
        }
        let mut all = self.live();
        let wrap = by_token(&mut all, token)
            .filter(|wrap| wrap.uid == Some(uid))
            .ok_or_else(|| Refusal::not_found("wrap"))?;
        wrap.is_seen_inside = true;
        Ok(())
    }

    pub(super) fn put_namespace(&self, token: &str, namespace: Namespace) -> Result<(), Refusal> {
        let mut all = self.live();
        let wrap = by_token(&mut all, token).ok_or_else(|| Refusal::not_found("wrap"))?;
        match &wrap.namespace {
            Some(other) if other.id() != namespace.id() => {
                Err(Refusal::invalid("this wrap has a user namespace already"))
            }
            _ => {
                wrap.namespace = Some(namespace);
                Ok(())
            }
        }
    }

    /// The wrap with that token, which that user shows. A wrap of a user of the machine is nobody else's.
    pub(crate) fn check(&self, token: &str, uid: Option<u32>) -> Result<WrapRegistration, Refusal> {
        let mut all = self.live();
        let wrap = by_token(&mut all, token)
            .filter(|wrap| wrap.uid.is_none() || wrap.uid == uid)
            .ok_or_else(|| Refusal::not_found("wrap"))?;
        let mut about = wrap.about.clone();
        // What the broker has not seen it does not vouch for.
        let is_seen = wrap.namespace.is_some() || wrap.is_seen_inside;
        if about.isolation == Isolation::Namespace && !is_seen {
            about.isolation = Isolation::PathOnly;
        }
        Ok(about)
    }

    /// Where a peer stands, now. `by_ancestry`: whether its place in the process tree counts, too.
    pub(crate) fn origin(&self, peer: &Peer, by_ancestry: bool) -> Origin {
        let process = match peer.process() {
            Ok(process) => process,
            Err(unknown) => return unknown.into(),
        };
        let lineage = process.lineage();
        let ids = lineage.as_ref().map(|all| all.iter().map(Namespace::id).collect::<Vec<_>>());
        let ids = ids.as_deref().map_err(|unknown| **unknown);
        let own = self.own.as_ref().map(Namespace::id);
        let (registered, wraps) = self.registered();
        let below = || by_ancestry && ancestry::is_inside_wrap(process.pid(), &wraps);
        let origin = Origin::judge(own.as_ref(), &registered, ids, below);
        // One of another user that lives elsewhere cannot be looked at, and that much is known of it.
        if origin == Origin::Unreadable && process.is_in_another_namespace() {
            return Origin::Foreign;
        }
        // As long as it lives its number is its own: what was said of the number was said of it.
        if origin == Origin::Outside && !process.is_alive() { Origin::Gone } else { origin }
    }

    /// The namespaces of the wraps, and what the process tree is searched for.
    fn registered(&self) -> (Vec<NamespaceId>, Vec<WrapRegistration>) {
        let all = self.live();
        let namespaces = all.iter().filter_map(|w| w.namespace.as_ref().map(Namespace::id));
        (namespaces.collect(), all.iter().map(|w| w.about.clone()).collect())
    }
}

fn by_token<'a>(all: &'a mut [Wrap], token: &str) -> Option<&'a mut Wrap> {
    let hash = token_hash(token.trim());
    all.iter_mut().find(|wrap| wrap.token_hash.as_bytes().ct_eq(hash.as_bytes()).into())
}

fn unseen() -> Refusal {
    Refusal::not_entitled("the system does not say who asks, so no wrap can be registered")
}

fn check(about: &WrapRegistration) -> Result<(), Refusal> {
    let short = |text: &String| text.len() <= MAX_NAME;
    if short(&about.agent) && about.with.len() <= MAX_WITH && about.with.iter().all(short) {
        Ok(())
    } else {
        Err(Refusal::invalid(format!(
            "a wrap says more than it may: names of at most {MAX_NAME} bytes, at most {MAX_WITH} things \
             that the program may use"
        )))
    }
}
