//! A world for candidates to stand in: a registry that ends sessions when it pleases after their
//! time to live, requests and answers that are late or lost, candidates that are stopped, clocks
//! that go differently and jump. Time is virtual. At every step it is checked that no two believe
//! to lead.

mod random;
mod registry;

use std::collections::BTreeMap;

use super::*;
use random::Random;
use registry::{Registry, Waiting, lasts};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

pub(super) const TTL: Duration = Duration::from_secs(10);
pub(super) const LOCK_DELAY: Duration = Duration::from_secs(3);

/// Of each request.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// How long a look waits for a change.
pub(super) const WAIT: Duration = TTL;

/// What goes wrong, by chance.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Weather {
    /// Requests and answers are lost or late by seconds, candidates are stopped and cut off, clocks
    /// jump.
    Storm,
    /// Nothing, and answers take milliseconds.
    Calm,
}

pub(super) struct World {
    random: Random,
    pub(super) now: Duration,
    weather: Weather,
    schedule: Vec<(Duration, Event)>,
    registry: Registry,
    pub(super) nodes: Vec<Node>,
    /// Who was elected, when, and with which token.
    pub(super) elections: Vec<(Duration, usize, Token)>,
    requests: u64,
    /// When the registry has lost its data last.
    wiped: Duration,
    /// Lines that tell the story of a failure.
    story: Vec<String>,
}

pub(super) struct Node {
    pub(super) candidate: Candidate,
    /// The own clock shows `ahead + rate * now`.
    rate: f64,
    ahead: Duration,
    stopped_until: Duration,
    cut_off_until: Duration,
    /// Answers take seconds until then, and then it is cut off for a while.
    slow_until: Duration,
    /// Requests that are waited for.
    pending: BTreeMap<u64, Request>,
    /// As it has told last.
    leads: Option<Token>,
    pub(super) sent: usize,
}

enum Event {
    /// A request is at the registry; the answer takes so long, or never comes.
    Arrives {
        node: usize,
        id: u64,
        request: Request,
        back: Option<Duration>,
        sent: Moment,
    },
    /// An answer is at the candidate.
    Answers {
        node: usize,
        id: u64,
        reply: Reply,
        sent: Moment,
    },
    /// It is not waited for any longer.
    TimesOut {
        node: usize,
        id: u64,
        sent: Moment,
    },
    Resigns(usize),
    Stands(usize),
}

impl Event {
    /// To whom it happens.
    fn node(&self) -> Option<usize> {
        match self {
            Event::Arrives { .. } => None,
            Event::Answers { node, .. } | Event::TimesOut { node, .. } => Some(*node),
            Event::Resigns(node) | Event::Stands(node) => Some(*node),
        }
    }
}

impl Node {
    fn clock(&self, now: Duration) -> Moment {
        self.ahead + now.mul_f64(self.rate)
    }

    /// When its clock will show this.
    fn when(&self, moment: Moment) -> Duration {
        // Rounded up: a timer is never early.
        moment.saturating_sub(self.ahead).div_f64(self.rate) + Duration::from_micros(1)
    }
}

impl World {
    /// With that many candidates that stand from the beginning.
    pub(super) fn new(count: usize, seed: u64) -> World {
        let mut random = Random(seed | 1);
        random.below(1);
        let nodes = (0..count)
            .map(|_| {
                let rate = 0.94 + random.below(120) as f64 / 1000.0;
                let ahead = random.upto(1000 * SECOND);
                Node {
                    candidate: Candidate::new("primary".to_owned(), TTL, ahead),
                    rate,
                    ahead,
                    stopped_until: Duration::ZERO,
                    cut_off_until: Duration::ZERO,
                    slow_until: Duration::ZERO,
                    pending: BTreeMap::new(),
                    leads: None,
                    sent: 0,
                }
            })
            .collect();
        // A lock delay would hide an overlap.
        let lock_delay = if random.percent(80) { Duration::ZERO } else { LOCK_DELAY };
        World {
            random,
            now: Duration::ZERO,
            weather: Weather::Calm,
            schedule: Vec::new(),
            registry: Registry { lock_delay, ..Registry::default() },
            nodes,
            elections: Vec::new(),
            requests: 0,
            wiped: Duration::ZERO,
            story: Vec::new(),
        }
    }

    /// Lets so much time pass in this weather.
    pub(super) fn run(&mut self, weather: Weather, time: Duration) {
        self.weather = weather;
        let end = self.now + time;
        loop {
            let next = (0..self.nodes.len())
                .filter_map(|node| self.wakes(node))
                .chain(self.schedule.iter().map(|(at, _)| *at))
                .chain(self.registry.next())
                .min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.step();
            self.check();
        }
        self.now = end;
        self.check();
    }

    /// Who leads by its own belief.
    pub(super) fn leaders(&self) -> Vec<usize> {
        let leads =
            |node: &Node| matches!(node.candidate.role(node.clock(self.now)), Role::Leader { .. });
        (0..self.nodes.len()).filter(|node| leads(&self.nodes[*node])).collect()
    }

    /// Nobody has the lock, and there is no session of a candidate.
    pub(super) fn is_empty(&self) -> bool {
        self.registry.holder.is_none() && self.registry.sessions.is_empty()
    }

    /// Changes what a candidate wants.
    pub(super) fn resign(&mut self, node: usize) {
        self.schedule.push((self.now, Event::Resigns(node)));
    }

    pub(super) fn stand(&mut self, node: usize) {
        self.schedule.push((self.now, Event::Stands(node)));
    }

    /// Ends every misfortune: the stopped go on, the cut off are back, all stand.
    pub(super) fn calm(&mut self) {
        self.schedule.retain(|(_, event)| !matches!(event, Event::Resigns(_)));
        for node in 0..self.nodes.len() {
            let until = std::mem::replace(&mut self.nodes[node].stopped_until, self.now);
            // What came while it was stopped.
            for (at, event) in &mut self.schedule {
                if event.node() == Some(node) && *at == until {
                    *at = self.now;
                }
            }
            self.nodes[node].cut_off_until = self.now;
            self.stand(node);
        }
    }

    /// The registry loses its data.
    pub(super) fn wipe(&mut self) {
        // Nothing can keep apart who leads by the old tokens and who by the new ones.
        self.elections.clear();
        self.wiped = self.now;
        let waiting = std::mem::take(&mut self.registry.waiting);
        let Registry { opened, lock_delay, .. } = self.registry;
        self.registry = Registry { opened, lock_delay, ..Registry::default() };
        // Connections break.
        for Waiting { node, id, after, round, sent, .. } in waiting {
            let reply = Reply::Seen(Some(after), round, Err(Error::Interrupted("gone".into())));
            self.schedule.push((self.now, Event::Answers { node, id, reply, sent }));
        }
    }

    /// When the candidate has something to do; not before it goes on.
    fn wakes(&self, node: usize) -> Option<Duration> {
        let node = &self.nodes[node];
        let plan = node.candidate.plan(node.clock(self.now));
        let at = match plan.due {
            Due::Nothing => node.when(plan.wake?),
            Due::InTurn | Due::AtOnce => self.now,
        };
        Some(at.max(node.stopped_until))
    }

    fn step(&mut self) {
        if self.registry.settle(self.now) {
            self.wake_those_who_wait();
        }
        for waiting in self.registry.over(self.now) {
            self.answer_look(waiting);
        }
        let mut due: Vec<usize> =
            (0..self.schedule.len()).filter(|event| self.schedule[*event].0 <= self.now).collect();
        if due.is_empty() {
            for node in 0..self.nodes.len() {
                if self.wakes(node).is_some_and(|at| at <= self.now) {
                    self.act(node);
                }
            }
            return;
        }
        // Events of the same moment come in any order.
        let one = due.swap_remove(self.random.below(due.len() as u64) as usize);
        let (_, event) = self.schedule.swap_remove(one);
        self.happens(event);
    }

    fn happens(&mut self, event: Event) {
        if let Some(stopped) = event.node().map(|node| self.nodes[node].stopped_until)
            && stopped > self.now
        {
            self.schedule.push((stopped, event));
            return;
        }
        match event {
            Event::Arrives { node, id, request, back, sent } => {
                self.arrives(node, id, request, back, sent);
            }
            Event::Answers { node, id, reply, sent } => {
                let clock = self.nodes[node].clock(self.now);
                if self.nodes[node].pending.remove(&id).is_some() {
                    self.tell(node, format_args!("{reply:?}"));
                    self.nodes[node].candidate.done(reply, sent, clock);
                }
            }
            Event::TimesOut { node, id, sent } => {
                let clock = self.nodes[node].clock(self.now);
                if let Some(request) = self.nodes[node].pending.remove(&id) {
                    self.tell(node, format_args!("no answer to {request:?}"));
                    self.nodes[node].candidate.done(lost(request), sent, clock);
                }
            }
            Event::Resigns(node) => {
                self.tell(node, format_args!("resigns"));
                let clock = self.nodes[node].clock(self.now);
                self.nodes[node].candidate.resign(clock);
            }
            Event::Stands(node) => {
                self.tell(node, format_args!("stands"));
                let clock = self.nodes[node].clock(self.now);
                self.nodes[node].candidate.stand(clock);
            }
        }
    }

    /// A candidate sends what is due.
    fn act(&mut self, node: usize) {
        let clock = self.nodes[node].clock(self.now);
        self.nodes[node].candidate.settle(clock);
        if let Some(request) = self.nodes[node].candidate.take(clock) {
            self.send(node, request, clock);
        }
        if self.weather == Weather::Storm {
            self.misfortune(node);
        }
    }

    fn misfortune(&mut self, node: usize) {
        match self.random.below(60) {
            0 => {
                let time = self.random.upto(40 * SECOND);
                self.tell(node, format_args!("stopped for {time:?}"));
                self.nodes[node].stopped_until = self.now + time;
            }
            1 => {
                let time = self.random.upto(60 * SECOND);
                self.tell(node, format_args!("cut off for {time:?}"));
                self.nodes[node].cut_off_until = self.now + time;
            }
            2 => {
                let jump = self.random.upto(20 * SECOND);
                self.tell(node, format_args!("its clock jumps by {jump:?}"));
                self.nodes[node].ahead += jump;
            }
            3 => {
                let again = self.now + self.random.upto(20 * SECOND);
                self.schedule.push((self.now, Event::Resigns(node)));
                self.schedule.push((again, Event::Stands(node)));
            }
            4 => {
                let time = self.random.upto(15 * SECOND);
                self.tell(node, format_args!("slow for {time:?}, then cut off"));
                self.nodes[node].slow_until = self.now + time;
            }
            _ => {}
        }
    }

    fn send(&mut self, node: usize, request: Request, sent: Moment) {
        self.tell(node, format_args!("sends {request:?}"));
        self.requests += 1;
        let id = self.requests;
        let deadline = match &request {
            Request::Look(Some(_), _) => WAIT + TIMEOUT,
            _ => TIMEOUT,
        };
        self.nodes[node].sent += 1;
        self.nodes[node].pending.insert(id, request.clone());
        self.schedule.push((self.now + deadline, Event::TimesOut { node, id, sent }));
        let slow = self.weather == Weather::Storm && self.nodes[node].slow_until > self.now;
        let (there, back) = if slow {
            (Some(MS), Some(TIMEOUT.mul_f64(0.4) + self.random.upto(TIMEOUT.mul_f64(0.59))))
        } else {
            (self.way(node), self.way(node))
        };
        if let Some(there) = there {
            let event = Event::Arrives { node, id, request, back, sent };
            self.schedule.push((self.now + there, event));
        }
    }

    /// How long something is on its way; `None`: for ever.
    fn way(&mut self, node: usize) -> Option<Duration> {
        let storm = self.weather == Weather::Storm;
        let Node { cut_off_until, slow_until, .. } = self.nodes[node];
        let was_slow = slow_until > Duration::ZERO && slow_until + 20 * SECOND > self.now;
        if cut_off_until > self.now || storm && (was_slow || self.random.percent(10)) {
            None
        } else if storm && self.random.percent(20) {
            // Some arrive after nobody waits for them any more.
            Some(self.random.upto(8 * SECOND))
        } else {
            Some(MS + self.random.upto(5 * MS))
        }
    }

    fn arrives(
        &mut self,
        node: usize,
        id: u64,
        request: Request,
        back: Option<Duration>,
        sent: Moment,
    ) {
        let registry = &mut self.registry;
        let index = registry.index;
        let reply = match request {
            Request::Open => {
                registry.opened += 1;
                let session = Session(format!("{}", registry.opened));
                let ends = self.now + lasts(&mut self.random);
                registry.sessions.insert(session.0.clone(), ends);
                Reply::Opened(Ok(session))
            }
            Request::Renew(session) => {
                let ends = self.now + lasts(&mut self.random);
                let found = registry.sessions.get_mut(&session.0).map(|at| *at = ends);
                Reply::Renewed(session, found.ok_or(Error::Unknown))
            }
            Request::Acquire(session) => {
                let outcome = registry.acquire(&session, self.now);
                Reply::Acquired(session, outcome)
            }
            Request::Close(session) => {
                registry.sessions.remove(&session.0);
                if registry.holder.as_ref().is_some_and(|(holder, _)| *holder == session) {
                    registry.holder = None;
                    registry.index += 1;
                }
                Reply::Closed(session, Ok(()))
            }
            Request::Look(Some(after), round) if after == Index(index) => {
                let until = self.now + WAIT;
                let waiting = Waiting { node, id, after, round, until, back, sent };
                registry.waiting.push(waiting);
                return;
            }
            Request::Look(after, round) => {
                let holding = registry.holding();
                Reply::Seen(after, round, Ok(holding))
            }
        };
        if self.registry.index != index {
            self.wake_those_who_wait();
        }
        if let Some(back) = back {
            self.schedule.push((self.now + back, Event::Answers { node, id, reply, sent }));
        }
    }

    fn wake_those_who_wait(&mut self) {
        for waiting in std::mem::take(&mut self.registry.waiting) {
            self.answer_look(waiting);
        }
    }

    fn answer_look(&mut self, waiting: Waiting) {
        let Waiting { node, id, after, round, back, sent, .. } = waiting;
        let reply = Reply::Seen(Some(after), round, Ok(self.registry.holding()));
        // The way back may have become worse since.
        if let Some(back) = back.filter(|_| self.nodes[node].cut_off_until <= self.now) {
            self.schedule.push((self.now + back, Event::Answers { node, id, reply, sent }));
        }
    }

    /// What must be so at every moment.
    fn check(&mut self) {
        let leaders = self.leaders();
        let is_news = self.wiped > Duration::ZERO && self.now < self.wiped + 50 * MS;
        assert!(leaders.len() <= 1 || is_news, "{leaders:?} lead at once\n{}", self.story());
        for node in 0..self.nodes.len() {
            let leads = match self.nodes[node].candidate.role(self.nodes[node].clock(self.now)) {
                Role::Leader { token, .. } => Some(token),
                Role::Follower => None,
            };
            if std::mem::replace(&mut self.nodes[node].leads, leads) == leads {
                continue;
            }
            self.tell(node, format_args!("leads: {leads:?}"));
            let Some(token) = leads else { continue };
            if let Some((_, _, last)) = self.elections.last() {
                assert!(*last < token, "{token:?} after {last:?}\n{}", self.story());
            }
            self.elections.push((self.now, node, token));
        }
    }

    fn tell(&mut self, node: usize, what: std::fmt::Arguments<'_>) {
        self.story.push(format!("{:>10.3?} {node}: {what}", self.now));
    }

    /// The end of the story.
    pub(super) fn story(&self) -> String {
        self.story[self.story.len().saturating_sub(60)..].join("\n")
    }
}

/// What the candidate makes of a request without an answer.
fn lost(request: Request) -> Reply {
    let error = Error::Timeout(TIMEOUT);
    match request {
        Request::Open => Reply::Opened(Err(error)),
        Request::Renew(session) => Reply::Renewed(session, Err(error)),
        Request::Acquire(session) => Reply::Acquired(session, Err(error)),
        Request::Close(session) => Reply::Closed(session, Err(error)),
        Request::Look(after, round) => Reply::Seen(after, round, Err(error)),
    }
}
