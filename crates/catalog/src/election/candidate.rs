//! One candidate: whether it leads, and which request is due. Pure.
//!
//! # What a candidate believes, and for how long
//!
//! A session lives in the registry for at least its time to live after the registry has handled its
//! opening or its last renewal, which cannot have been before we *sent* it. So whatever happens
//! later, at the registry, on the way or to us, nobody else can be given the lock before *sent + time
//! to live*. We lead until a margin before that on our own clock: a tenth of the time to live, at
//! least 100 ms, for clocks that do not go equally fast (machines' clocks differ by far less than
//! one in a thousand; that leaves nearly all of it) and for the time that a demotion takes to be
//! told.
//!
//! Only an acquisition that was acknowledged makes a leader, while its session is good by that
//! measure. An acquisition whose answer is lost is asked for again: with the same session that
//! changes nothing at the registry. One leadership, one session: who is demoted gives the session up
//! or lets it expire and stands again with a new one. So a token never comes twice, and an answer
//! that comes late, about an old session, is about nothing.

mod lock;
mod message;
mod trouble;

use std::time::Duration;

use super::Demotion;
use super::clock::Moment;
use crate::{Backoff, Class, Error, Holder, Holding, Index, Session, Token};
use lock::Lock;
pub(super) use message::{Due, Plan, Reply, Request, Role, Round};
use trouble::{Step, Troubles};

/// Attempts at a lock that looks free and is not given, such as during a lock delay.
const KNOCK: Backoff =
    Backoff { min: Duration::from_millis(50), max: Duration::from_millis(200), jitter: 0.25 };

pub(super) struct Candidate {
    /// For the log.
    name: String,
    ttl: Duration,
    wish: Wish,
    claim: Claim,
    role: Option<Token>,
    why: Option<Demotion>,
    /// An acquisition is under way.
    acquiring: bool,
    lock: Lock,
    round: Round,
    troubles: Troubles,
    newest: Option<Token>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Stand,
    StayOut,
}

/// Our session.
enum Claim {
    None { open_at: Moment },
    Opening,
    Open(Open),
    Leaving(Leaving),
}

struct Open {
    session: Session,
    /// Nobody else can have got what it holds before then.
    until: Moment,
    renew_at: Moment,
    acquire_at: Moment,
    refusals: u32,
}

/// A session that is given back.
struct Leaving {
    session: Session,
    sending: bool,
    close_at: Moment,
    /// By then it has expired for certain.
    until: Moment,
}

impl Candidate {
    /// Stands from now on.
    pub(super) fn new(name: String, ttl: Duration, now: Moment) -> Candidate {
        Candidate {
            name,
            ttl,
            wish: Wish::Stand,
            claim: Claim::None { open_at: now },
            role: None,
            why: None,
            acquiring: false,
            lock: Lock::new(now),
            round: Round(0),
            troubles: Troubles::default(),
            newest: None,
        }
    }

    /// What it is, given that it is now. Leadership ends by itself, whether or not anybody has
    /// called [`Candidate::settle`].
    pub(super) fn role(&self, now: Moment) -> Role {
        match (&self.claim, self.role) {
            (Claim::Open(open), Some(token)) if now < open.until => {
                Role::Leader { token, until: open.until, round: self.round }
            }
            _ => Role::Follower,
        }
    }

    /// How the last leadership has ended; `None`: there was none yet.
    pub(super) fn why(&self) -> Option<Demotion> {
        self.why
    }

    /// Who has the lock, as last seen.
    pub(super) fn holder(&self) -> Option<&Holder> {
        self.lock.holder.as_ref()
    }

    /// Nothing is left to be given back.
    pub(super) fn is_out(&self) -> bool {
        self.wish == Wish::StayOut && matches!(self.claim, Claim::None { .. })
    }

    pub(super) fn stand(&mut self, now: Moment) {
        self.settle(now);
        self.wish = Wish::Stand;
    }

    pub(super) fn resign(&mut self, now: Moment) {
        self.settle(now);
        self.wish = Wish::StayOut;
        if self.role.is_some() {
            self.demote(Demotion::Resigned, now);
        } else if matches!(self.claim, Claim::Open(_)) {
            // It may hold the lock without our knowing: an answer may be lost or on its way.
            self.leave(now);
        }
        if let Claim::Leaving(leaving) = &mut self.claim {
            leaving.close_at = now;
        }
    }

    /// Ends what time has ended. Comes before everything else.
    pub(super) fn settle(&mut self, now: Moment) {
        match &self.claim {
            Claim::Open(open) if self.role.is_some() && open.until <= now => {
                self.demote(Demotion::Expired, now);
            }
            Claim::Leaving(leaving) if leaving.until <= now && !leaving.sending => {
                self.claim = Claim::None { open_at: now };
            }
            _ => {}
        }
    }

    pub(super) fn plan(&self, now: Moment) -> Plan {
        let due = match self.due(now) {
            None => Due::Nothing,
            Some(Request::Renew(_)) if self.role.is_some() => Due::AtOnce,
            Some(_) => Due::InTurn,
        };
        let end = match &self.claim {
            Claim::Open(open) if self.role.is_some() => Some(open.until),
            Claim::Leaving(leaving) => Some(leaving.until),
            _ => None,
        };
        let alarms = self.times().into_iter().flatten().chain(end);
        Plan { due, wake: alarms.filter(|at| *at > now).min() }
    }

    /// The next request, marked as under way.
    pub(super) fn take(&mut self, now: Moment) -> Option<Request> {
        self.settle(now);
        let request = self.due(now)?;
        match (&request, &mut self.claim) {
            (Request::Open, claim) => *claim = Claim::Opening,
            // An answer that does not come is not waited for.
            (Request::Renew(_), Claim::Open(open)) => open.renew_at = now + self.ttl / 6,
            (Request::Acquire(_), _) => self.acquiring = true,
            (Request::Close(_), Claim::Leaving(leaving)) => leaving.sending = true,
            (Request::Look(..), _) => self.lock.take(now),
            _ => {}
        }
        Some(request)
    }

    fn due(&self, now: Moment) -> Option<Request> {
        let is_due = |at: Option<Moment>| at.is_some_and(|at| at <= now);
        let [open, renew, acquire, close, look] = self.times().map(is_due);
        match &self.claim {
            Claim::None { .. } if open => Some(Request::Open),
            Claim::Open(open) if renew => Some(Request::Renew(open.session.clone())),
            Claim::Open(open) if acquire && now < open.until => {
                Some(Request::Acquire(open.session.clone()))
            }
            Claim::Leaving(leaving) if close => Some(Request::Close(leaving.session.clone())),
            _ => look.then_some(Request::Look(self.lock.after, self.round)),
        }
    }

    /// When each request is due: open, renew, acquire, close, look.
    fn times(&self) -> [Option<Moment>; 5] {
        let mut times = [None; 5];
        match &self.claim {
            Claim::None { open_at } if self.wish == Wish::Stand => times[0] = Some(*open_at),
            Claim::Open(open) => {
                times[1] = Some(open.renew_at);
                times[2] = self.wants_lock(open).then_some(open.acquire_at);
            }
            // An acquisition that arrives after the session's end is refused, but the registry may
            // have begun a lock delay for it.
            Claim::Leaving(leaving) if !leaving.sending && !self.acquiring => {
                times[3] = Some(leaving.close_at);
            }
            _ => {}
        }
        times[4] = (!self.lock.looking).then_some(self.lock.next_look());
        times
    }

    fn wants_lock(&self, open: &Open) -> bool {
        // Held by us without our knowing: an answer was lost.
        let is_ours = |holder: &Holder| holder.session == open.session;
        let is_open_to_us = self.lock.known && self.lock.holder.as_ref().is_none_or(is_ours);
        is_open_to_us && self.wish == Wish::Stand && self.role.is_none() && !self.acquiring
    }

    /// Takes in an answer. `sent`: when its request was.
    pub(super) fn done(&mut self, reply: Reply, sent: Moment, now: Moment) {
        self.settle(now);
        match reply {
            Reply::Opened(outcome) => self.opened(outcome, sent, now),
            Reply::Renewed(session, outcome) => self.renewed(&session, outcome, sent, now),
            Reply::Acquired(session, outcome) => {
                self.acquiring = false;
                self.acquired(&session, outcome, now);
            }
            Reply::Closed(session, outcome) => self.closed(&session, outcome, now),
            Reply::Seen(after, round, outcome) => self.saw(after, round, outcome, now),
        }
    }

    fn opened(&mut self, outcome: Result<Session, Error>, sent: Moment, now: Moment) {
        let session = match outcome {
            Ok(session) => session,
            Err(error) => {
                let open_at = now + self.troubles.pause(Step::Open, &self.name, &error);
                self.claim = Claim::None { open_at };
                return;
            }
        };
        self.troubles.over(Step::Open, &self.name);
        self.claim = Claim::Open(Open {
            session,
            until: sent + span(self.ttl),
            renew_at: sent + self.ttl / 3,
            acquire_at: now,
            refusals: 0,
        });
        if self.wish == Wish::StayOut {
            self.leave(now);
        }
    }

    fn renewed(
        &mut self,
        session: &Session,
        outcome: Result<(), Error>,
        sent: Moment,
        now: Moment,
    ) {
        let Claim::Open(open) = &mut self.claim else { return };
        if open.session != *session {
            return;
        }
        match outcome {
            Ok(()) => {
                // Answers may overtake one another.
                if open.until < sent + span(self.ttl) {
                    open.until = sent + span(self.ttl);
                    open.renew_at = sent + self.ttl / 3;
                }
                self.troubles.over(Step::Renew, &self.name);
            }
            Err(Error::Unknown) => self.lost(now),
            Err(error) => {
                let pause = match self.troubles.pause(Step::Renew, &self.name, &error) {
                    _ if self.role.is_some() => hurry(self.ttl),
                    pause => pause,
                };
                open.renew_at = open.renew_at.min(now + pause);
            }
        }
    }

    fn acquired(&mut self, session: &Session, outcome: Result<Option<Token>, Error>, now: Moment) {
        let Claim::Open(open) = &mut self.claim else { return };
        if open.session != *session || self.role.is_some() {
            return;
        }
        match outcome {
            // Too late: the session must be renewed first, and the lock asked for again.
            Ok(Some(_)) if open.until <= now => open.acquire_at = now,
            Ok(Some(token)) => {
                self.troubles.over(Step::Acquire, &self.name);
                if self.newest.is_some_and(|newest| newest >= token) {
                    log::warn!(
                        "election {}: token {} is not above the last one, {}: the catalog has \
                         started anew, and whatever guards by tokens refuses this one",
                        self.name,
                        token.0,
                        self.newest.map_or(0, |newest| newest.0)
                    );
                }
                self.newest = Some(token);
                self.role = Some(token);
                // What was asked before has seen the lock as it was before.
                self.begin_round(now);
            }
            Ok(None) => {
                open.refusals = open.refusals.saturating_add(1);
                open.acquire_at = now + KNOCK.pause(open.refusals);
                self.troubles.over(Step::Acquire, &self.name);
            }
            Err(Error::Unknown) => self.lost(now),
            Err(error) => {
                open.acquire_at = now + self.troubles.pause(Step::Acquire, &self.name, &error);
            }
        }
    }

    fn closed(&mut self, session: &Session, outcome: Result<(), Error>, now: Moment) {
        let Claim::Leaving(leaving) = &mut self.claim else { return };
        if leaving.session != *session {
            return;
        }
        leaving.sending = false;
        match outcome {
            Ok(()) | Err(Error::Unknown) => {
                self.troubles.over(Step::Close, &self.name);
                self.claim = Claim::None { open_at: now };
            }
            Err(error) => {
                let pause = self.troubles.pause(Step::Close, &self.name, &error);
                leaving.close_at = now + pause;
            }
        }
    }

    fn saw(
        &mut self,
        after: Option<Index>,
        round: Round,
        outcome: Result<Holding, Error>,
        now: Moment,
    ) {
        if round != self.round {
            return;
        }
        self.lock.looking = false;
        let Holding { holder, index } = match outcome {
            Ok(holding) => holding,
            // A connection that sat idle may be cut by anything on the way, or the registry has
            // gone: an immediate look decides.
            Err(error) if after.is_some() && error.class() == Class::Outage => {
                self.lock.after = None;
                self.lock.look_at = now;
                return;
            }
            Err(error) => {
                self.lock.after = None;
                let pause = self.troubles.pause(Step::Look, &self.name, &error);
                self.lock.look_at = now + pause;
                return;
            }
        };
        self.troubles.over(Step::Look, &self.name);
        // An index that goes backwards: the registry has started anew.
        self.lock.after = Some(index).filter(|index| after.is_none_or(|after| *index >= after));
        self.lock.look_at = now;
        let is_new = !std::mem::replace(&mut self.lock.known, true) || self.lock.holder != holder;
        self.lock.holder = holder;
        let Claim::Open(open) = &mut self.claim else { return };
        if self.role.is_none() {
            if is_new {
                open.refusals = 0;
                open.acquire_at = now;
            }
            return;
        }
        let is_ours = |it: &Holder| it.session == open.session && Some(it.token) == self.role;
        if !self.lock.holder.as_ref().is_some_and(is_ours) {
            self.demote(Demotion::LockLost, now);
        }
    }

    /// The registry has ended our session.
    fn lost(&mut self, now: Moment) {
        if self.role.is_some() {
            self.demote(Demotion::SessionLost, now);
        }
        self.claim = Claim::None { open_at: now };
    }

    fn demote(&mut self, why: Demotion, now: Moment) {
        self.role = None;
        self.why = Some(why);
        self.leave(now);
        self.begin_round(now);
    }

    /// Gives the session back.
    fn leave(&mut self, now: Moment) {
        if let Claim::Open(open) = &self.claim {
            self.claim = Claim::Leaving(Leaving {
                session: open.session.clone(),
                sending: false,
                close_at: now,
                // Registries may end a session up to twice its time to live after its last renewal,
                // and one that we sent may still be on its way.
                until: now + self.ttl * 3,
            });
        }
    }

    /// What was seen so far, and is being looked at, is from another time.
    fn begin_round(&mut self, now: Moment) {
        self.round.0 += 1;
        self.lock.forget(now);
    }
}

/// How long after its sending a renewal makes leadership good for.
pub(super) fn span(ttl: Duration) -> Duration {
    let margin = (ttl / 10).max(Duration::from_millis(100)).min(ttl / 2);
    ttl - margin
}

/// Before a renewal that leadership depends on is tried again.
fn hurry(ttl: Duration) -> Duration {
    (ttl / 6).clamp(Duration::from_millis(50), Duration::from_secs(1))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;
