//! What can befall a catalog.

use std::net::Ipv4Addr;
use std::time::Duration;

use testkit::{Mood, Server};

use crate::registry::{Arrangement, World};

/// One way to lose the catalog, and the way back.
pub(crate) struct Fault {
    what: &'static str,
    pub(crate) arrangement: Arrangement,
    /// Makes it happen.
    pub(crate) strike: fn(&mut World),
    /// Undoes it. When it returns the registry answers again, or is about to by itself.
    pub(crate) mend: fn(&mut World),
    pub(crate) manner: Manner,
    pub(crate) told: Told,
}

/// What one who asks is told meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Something, at once.
    Loud,
    /// Nothing: requests wait until they have waited enough, and connections are tried in vain.
    Silent,
    /// What heartbeats need is still there: the service must not be gone for a moment.
    Redundant,
}

/// What the log may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// One line when it begins, one when it is over.
    Outage,
    /// The catalog is there, but refuses to work: one line at most from each who depends on it
    /// (the service, the watch and the template), and as many when it works again.
    Trouble,
    /// The same or nothing: others may have taken over before anybody noticed.
    Perhaps,
    /// Nothing has happened.
    Nothing,
}

impl Fault {
    /// `consul, frozen`
    pub(crate) fn name(&self) -> String {
        let place = match self.arrangement {
            Arrangement::Consul => "consul",
            Arrangement::Development => "development",
            Arrangement::Etcd => "etcd",
            Arrangement::ConsulCluster => "3 consuls",
            Arrangement::ConsulServers => "3 addresses",
            Arrangement::EtcdCluster => "3 etcds",
            Arrangement::HostsFile => "hosts file",
            Arrangement::NameServer => "name server",
        };
        format!("{place}, {}", self.what)
    }
}

type Act = fn(&mut World);

const SLOW: Duration = Duration::from_secs(2);

pub(crate) fn all() -> Vec<Fault> {
    use Arrangement::*;
    use Manner::*;
    let moods: [(&'static str, Act, Told); 5] = [
        ("slow", |world| world.set(Mood::Slow(SLOW)), Told::Nothing),
        ("answering 500", |world| world.set(Mood::Status(500)), Told::Trouble),
        ("answering 503", |world| world.set(Mood::Status(503)), Told::Outage),
        ("answering garbage", |world| world.set(Mood::Garbage), Told::Trouble),
        ("answering noise", |world| world.set(Mood::Noise), Told::Outage),
    ];
    let mut all = Table::default();
    // The longest first.
    all.add(ConsulCluster, Redundant, Told::Perhaps, "leader lost", lose_leader, regain_all);
    all.add(ConsulCluster, Redundant, Told::Trouble, "quorum lost", lose_quorum, regain_all);
    all.add(ConsulServers, Loud, Told::Perhaps, "server lost", lose_first, regain_all);
    all.add(ConsulServers, Silent, Told::Perhaps, "server frozen", freeze, thaw);
    all.add(EtcdCluster, Redundant, Told::Perhaps, "member lost", lose_first, regain_all);
    all.add(EtcdCluster, Redundant, Told::Perhaps, "member frozen", freeze, thaw);
    all.add(EtcdCluster, Redundant, Told::Perhaps, "member isolated", isolate, join);
    all.add(EtcdCluster, Redundant, Told::Perhaps, "leader lost", lose_leader, regain_all);
    all.add(EtcdCluster, Loud, Told::Trouble, "quorum lost", lose_quorum, regain_all);
    for arrangement in [HostsFile, NameServer] {
        all.add(arrangement, Silent, Told::Outage, "another address", lose_the_address, move_on);
    }
    for arrangement in [Consul, Etcd, Development] {
        all.add(arrangement, Silent, Told::Outage, "frozen", freeze, thaw);
        all.add(arrangement, Silent, Told::Outage, "unreachable", cut, heal);
        all.add(arrangement, Loud, Told::Outage, "restarted empty", kill, return_empty);
    }
    for arrangement in [Consul, Etcd] {
        all.add(arrangement, Loud, Told::Outage, "killed", kill, return_with_memory);
        for (what, strike, told) in moods {
            all.add(arrangement, Loud, told, what, strike, be_honest);
        }
    }
    all.0
}

#[derive(Default)]
struct Table(Vec<Fault>);

impl Table {
    fn add(
        &mut self,
        arrangement: Arrangement,
        manner: Manner,
        told: Told,
        what: &'static str,
        strike: Act,
        mend: Act,
    ) {
        self.0.push(Fault { what, arrangement, strike, mend, manner, told });
    }
}

fn be_honest(world: &mut World) {
    world.set(Mood::Honest);
}

fn kill(world: &mut World) {
    world.set(Mood::Refusing);
    world.servers[0].kill();
}

fn return_with_memory(world: &mut World) {
    world.servers[0].restart();
    world.servers[0].await_ready();
    be_honest(world);
}

fn return_empty(world: &mut World) {
    world.servers[0].restart_empty();
    world.servers[0].await_ready();
    // What others have registered is there before anybody can miss it: that it were gone would be
    // a change, and no false one.
    world.put_other("other-1");
    be_honest(world);
}

fn freeze(world: &mut World) {
    world.servers[0].freeze();
}

fn thaw(world: &mut World) {
    world.servers[0].thaw();
}

fn cut(world: &mut World) {
    world.network.cut(&world.app(), world.servers[0].host());
}

fn heal(world: &mut World) {
    world.network.heal(&world.app(), world.servers[0].host());
}

fn lose(world: &mut World, index: usize) {
    if let Some(proxy) = world.door(index) {
        proxy.set(Mood::Refusing);
    }
    world.servers[index].kill();
}

/// The member that the program speaks to.
fn lose_first(world: &mut World) {
    world.lost.push(0);
    lose(world, 0);
}

/// The member that the program speaks to has no part in the cluster any more, and does not know.
fn isolate(world: &mut World) {
    for other in &world.servers[1..] {
        world.network.cut(world.servers[0].host(), other.host());
    }
}

fn join(world: &mut World) {
    for other in &world.servers[1..] {
        world.network.heal(world.servers[0].host(), other.host());
    }
}

fn leader(world: &World) -> usize {
    world.servers.iter().position(Server::leads).expect("a leader")
}

fn lose_leader(world: &mut World) {
    let leader = leader(world);
    world.lost.push(leader);
    lose(world, leader);
}

fn lose_quorum(world: &mut World) {
    let leader = leader(world);
    for index in [leader, (leader + 1) % 3] {
        world.lost.push(index);
        lose(world, index);
    }
}

fn regain_all(world: &mut World) {
    for index in std::mem::take(&mut world.lost) {
        world.servers[index].restart();
        if let Some(proxy) = world.door(index) {
            proxy.set(Mood::Honest);
        }
    }
}

/// The host is gone, and its name still leads there.
fn lose_the_address(world: &mut World) {
    cut(world);
    world.servers[0].kill();
    world.lost.push(0);
}

fn move_on(world: &mut World) {
    let address: Ipv4Addr = world.servers[1].host().address();
    world.rename(address);
}
