//! Elections: of all who stand for the same lock, one leads at a time.
//!
//! `candidate` decides, purely; `task` sends what is due; `clock` is what leadership is measured
//! with. How it is made sure that nobody leads beside us stands in `candidate`; what no candidate
//! can make sure of, stands at [`campaign`].

mod candidate;
mod clock;
mod task;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch as cell};
use tokio::time::Instant;

use crate::{Catalog, Holder, SessionTerms, Token};
use candidate::{Candidate, Role, Round};
pub use clock::{BootTime, Clock, Moment};

/// What a candidate stands for, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidacy {
    /// Name of the election, in logs and in the name of the session.
    pub name: String,
    /// The lock: the same for all who stand against each other.
    pub key: String,
    /// Without a renewal for this long the registry may give the lock to somebody else. At least
    /// 1 s makes sense; registries have bounds of their own.
    pub ttl: Duration,
    /// How long nobody is elected after the elected one was lost without a word.
    pub lock_delay: Duration,
    /// What the lock says about its holder.
    pub value: Vec<u8>,
}

/// Whether a candidate leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// It does, from now on.
    Elected {
        /// Whoever guards what the election is about refuses those who come with a smaller one.
        token: Token,
    },
    /// It does not, any more.
    Demoted {
        /// Why it has ended.
        why: Demotion,
    },
}

/// Why a leadership has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demotion {
    /// The session could not be renewed in time. Nobody else leads yet; soon somebody may.
    Expired,
    /// The registry has ended the session.
    SessionLost,
    /// The registry has given the lock to somebody else, or somebody has deleted it.
    LockLost,
    /// [`Election::resign`].
    Resigned,
}

impl fmt::Display for Demotion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Demotion::Expired => "the session could not be renewed in time",
            Demotion::SessionLost => "the catalog has ended the session",
            Demotion::LockLost => "the lock was taken away",
            Demotion::Resigned => "it has resigned",
        })
    }
}

/// How a resignation has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resignation {
    /// The registry has taken the lock back: others can have it at once.
    Acknowledged,
    /// It may still keep the lock for us until the session has expired; why.
    GaveUp(String),
}

/// Handle to a candidate. Clones are of the same candidate; each is told of every change by
/// [`Election::changed`], beginning with the present state of affairs. With the last one the
/// candidate ends: it leads no more, and gives the lock back without anybody waiting for that.
pub struct Election {
    handle: Arc<Handle>,
    news: cell::Receiver<News>,
    /// The leadership that [`Election::changed`] has told last.
    told: Option<Round>,
}

/// What the handles and the task share.
struct Shared {
    catalog: Arc<dyn Catalog>,
    clock: Arc<dyn Clock>,
    name: String,
    key: String,
    terms: SessionTerms,
    value: Vec<u8>,
    candidate: Mutex<Candidate>,
    news: cell::Sender<News>,
    /// Somebody wants something of the candidate.
    wished: Notify,
}

/// What is known of a candidate. It lives where the handles can read it whatever the task does.
#[derive(Clone, PartialEq)]
struct News {
    role: Role,
    why: Option<Demotion>,
    holder: Option<Holder>,
    is_out: bool,
    is_over: bool,
}

/// Its end is the end of the last handle.
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.change(|candidate, now| candidate.resign(now));
        self.shared.news.send_modify(|news| news.is_over = true);
        self.shared.wished.notify_one();
    }
}

/// Stands for election, from now on. Must be called within a tokio runtime with I/O and time.
///
/// At most one of those who stand for a key believes to lead, at any time, however requests, answers
/// and candidates are delayed, lost, stopped or suspended, as long as
///
/// * the registry ends no session before its time to live without handing out a greater token, and
///   says so to those who ask for the lock: whoever destroys a session or deletes the lock by hand
///   makes room for another leader at once, and the old one learns of it by a notification, that is
///   milliseconds later. So does a registry that loses its data; its tokens start anew, too.
/// * clocks differ in speed by less than a tenth, and do not stand still while other machines go on.
///   The clock counts a suspended machine's sleep, but that of a virtual machine whose host stopped
///   it is not known inside.
///
/// And what a leader has begun may go on when its leadership ends in between, for a computer may stop
/// between any two instructions. Both are what the token is for: whatever must not be touched by two
/// remembers the greatest token it has seen and refuses those who come with a smaller one.
#[must_use]
pub fn campaign(catalog: Arc<dyn Catalog>, candidacy: Candidacy) -> Election {
    campaign_with(catalog, candidacy, Arc::new(BootTime::default()))
}

/// As [`campaign`], by another clock.
#[must_use]
pub fn campaign_with(
    catalog: Arc<dyn Catalog>,
    candidacy: Candidacy,
    clock: Arc<dyn Clock>,
) -> Election {
    let Candidacy { name, key, ttl, lock_delay, value } = candidacy;
    let terms = SessionTerms { name: format!("election {name}"), ttl, lock_delay };
    let candidate = Mutex::new(Candidate::new(name.clone(), ttl, clock.now()));
    let news =
        News { role: Role::Follower, why: None, holder: None, is_out: false, is_over: false };
    let (news, heard) = cell::channel(news);
    let wished = Notify::new();
    let shared = Shared { catalog, clock, name, key, terms, value, candidate, news, wished };
    let shared = Arc::new(shared);
    tokio::spawn(task::run(Arc::clone(&shared)));
    Election { handle: Arc::new(Handle { shared }), news: heard, told: None }
}

impl Clone for Election {
    fn clone(&self) -> Self {
        Election { handle: Arc::clone(&self.handle), news: self.news.clone(), told: None }
    }
}

impl Election {
    /// Waits until something else is so than what this has told last, and tells it; at first, nobody
    /// was elected. [`Leadership::Elected`] and [`Leadership::Demoted`] take turns. A leadership that
    /// has ended by the time that this is polled is told as ended, or not at all if it had not been
    /// told yet. Cancel-safe.
    ///
    /// Whoever queues the answer should ask [`Election::token`] when acting on it.
    pub async fn changed(&mut self) -> Leadership {
        loop {
            let role = self.news.borrow_and_update().role;
            let now = self.handle.shared.clock.now();
            let until = match (self.told, role) {
                (None, Role::Leader { token, until, round }) if now < until => {
                    self.told = Some(round);
                    return Leadership::Elected { token };
                }
                (Some(told), Role::Leader { until, round, .. }) if told == round && now < until => {
                    Some(until)
                }
                (Some(_), _) => {
                    self.told = None;
                    let why = self.news.borrow().why.unwrap_or(Demotion::Expired);
                    return Leadership::Demoted { why };
                }
                (None, _) => None,
            };
            let deadline = async {
                match until {
                    Some(until) => self.handle.shared.clock.until(until).await,
                    None => std::future::pending().await,
                }
            };
            // The sender lives as long as the handle: changed() cannot fail.
            tokio::select! {
                _ = self.news.changed() => {}
                () = deadline => {}
            }
        }
    }

    /// The token, if we lead at this moment.
    #[must_use]
    pub fn token(&self) -> Option<Token> {
        let now = self.handle.shared.clock.now();
        match self.news.borrow().role {
            Role::Leader { token, until, .. } if now < until => Some(token),
            _ => None,
        }
    }

    /// Who holds the lock, as the registry has last said; `None`: nobody, or it has not said yet.
    #[must_use]
    pub fn leader(&self) -> Option<Holder> {
        self.news.borrow().holder.clone()
    }

    /// Leads no more and gives the lock back, so that others can have it at once; then stays out
    /// until [`Election::stand`]. Counts from this call on, whether or not the future is polled. The
    /// future resolves when the registry has acknowledged, or when `deadline` has passed; it is
    /// tried further even then, until the session has certainly expired.
    pub fn resign(&self, deadline: Duration) -> impl Future<Output = Resignation> + Send + use<> {
        let until = Instant::now() + deadline;
        let handle = Arc::clone(&self.handle);
        let mut news = self.news.clone();
        handle.shared.change(|candidate, now| candidate.resign(now));
        // Whoever stops should not wait for the next probe of an outage.
        handle.shared.catalog.reachability().hurry();
        async move {
            match tokio::time::timeout_at(until, news.wait_for(|news| news.is_out)).await {
                Ok(_) => Resignation::Acknowledged,
                Err(_) => {
                    let outage = handle.shared.catalog.reachability().outage();
                    Resignation::GaveUp(match outage {
                        Some(reason) => format!("not acknowledged in time: {reason}"),
                        None => "not acknowledged in time".to_owned(),
                    })
                }
            }
        }
    }

    /// Stands again after [`Election::resign`].
    pub fn stand(&self) {
        self.handle.shared.change(|candidate, now| candidate.stand(now));
    }
}

impl Shared {
    fn candidate(&self) -> MutexGuard<'_, Candidate> {
        self.candidate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is wanted of the candidate.
    fn change(&self, change: impl FnOnce(&mut Candidate, Moment)) {
        let mut candidate = self.candidate();
        let now = self.clock.now();
        change(&mut candidate, now);
        self.publish(&candidate, now);
        self.wished.notify_one();
    }

    /// Lets the handles know. A leadership that lasts is no news, and those who wait for its end
    /// look how long it lasts.
    fn publish(&self, candidate: &Candidate, now: Moment) {
        let role = candidate.role(now);
        let mut told = None;
        self.news.send_if_modified(|news| {
            let leadership = |role| match role {
                Role::Leader { round, .. } => Some(round),
                Role::Follower => None,
            };
            let is_change = leadership(role) != leadership(news.role);
            if is_change {
                told = Some(role);
            }
            let is_news =
                is_change || candidate.why() != news.why || candidate.is_out() != news.is_out;
            news.role = role;
            news.why = candidate.why();
            news.is_out = candidate.is_out();
            if news.holder.as_ref() != candidate.holder() {
                news.holder = candidate.holder().cloned();
            }
            is_news
        });
        match told {
            Some(Role::Leader { token, .. }) => {
                log::info!("election {}: elected, with token {}", self.name, token.0);
            }
            Some(Role::Follower) => {
                let why = candidate.why().unwrap_or(Demotion::Expired);
                log::info!("election {}: not the elected one any more: {why}", self.name);
            }
            None => {}
        }
    }
}
