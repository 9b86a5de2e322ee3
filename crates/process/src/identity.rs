//! As whom a process runs.

use std::fmt;
use std::io;
use std::path::Path;

use nix::unistd::{getgroups, getresgid, getresuid};
use thiserror::Error;

use crate::accounts::{self, User};

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// A user, a group and supplementary groups: as whom a process runs.
///
/// Names are looked up in `/etc/passwd` and `/etc/group` alone: a static program has no other
/// sources (no LDAP, no NIS), and a container seldom has any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    uid: u32,
    gid: u32,
    /// Ascending, each once, `gid` among them.
    groups: Vec<u32>,
    name: Option<String>,
    home: String,
}

/// Why there is no such identity.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// A name that is in no line of the file.
    #[error("no such {kind} {name:?} in {file}")]
    Unknown {
        /// `user` or `group`.
        kind: &'static str,
        /// As it was asked for.
        name: String,
        /// Where we looked.
        file: &'static str,
    },
    /// A name, and no file to look it up in.
    #[error("no such {kind} {name:?}: there is no {file} (an id as a number needs none)")]
    NoFile {
        /// `user` or `group`.
        kind: &'static str,
        /// As it was asked for.
        name: String,
        /// Where we would have looked.
        file: &'static str,
    },
    /// A number that no user or group can have.
    #[error("{number} is no {kind} id: they end at 4294967294")]
    OutOfRange {
        /// `user` or `group`.
        kind: &'static str,
        /// As it was asked for.
        number: String,
    },
    /// An empty name.
    #[error("the {kind}'s name is empty")]
    Empty {
        /// `user` or `group`.
        kind: &'static str,
    },
    /// A file is there and cannot be read.
    #[error("cannot read {file}: {source}")]
    Unreadable {
        /// Which file.
        file: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The system does not tell who we are ourselves.
    #[error("cannot find out as whom we run: {0}")]
    Ours(io::Error),
}

impl Identity {
    /// The identity that a user's and a group's name or number stand for, as for
    /// `docker run --user USER[:GROUP]`:
    ///
    /// * What is all digits is an id, whatever names there are. A user's number need not be in
    ///   `/etc/passwd`; its group is then 0 unless one is given.
    /// * Without `group`, the group is the one that `/etc/passwd` names, and the supplementary
    ///   groups are those in `/etc/group` that have the user as a member.
    /// * With `group`, there are no other groups than that one.
    /// * Without `user`, it is the one as whom we run; without both it is our own identity as it
    ///   is, supplementary groups included.
    ///
    /// # Errors
    /// There is no such user or group, or the files cannot be read.
    pub fn lookup(user: Option<&str>, group: Option<&str>) -> Result<Identity, IdentityError> {
        let (passwd, groups) = (read(PASSWD)?, read(GROUP)?);
        let ours = Identity::ours().map_err(IdentityError::Ours)?;
        Identity::lookup_in(passwd.as_deref(), groups.as_deref(), user, group, &ours)
    }

    /// [`Identity::lookup`] in texts like those of `/etc/passwd` and `/etc/group` (`None`: there
    /// is no such file), for a program that itself runs as `ours`. Pure.
    ///
    /// # Errors
    /// There is no such user or group.
    pub fn lookup_in(
        passwd: Option<&str>,
        group_file: Option<&str>,
        user: Option<&str>,
        group: Option<&str>,
        ours: &Identity,
    ) -> Result<Identity, IdentityError> {
        let users = || accounts::users(passwd.unwrap_or_default());
        let groups = || accounts::groups(group_file.unwrap_or_default());
        let found = match user.map(|user| Key::new("user", user)).transpose()? {
            None => Found::by_id(users(), ours.uid, ours.gid),
            Some(Key::Id(uid)) => Found::by_id(users(), uid, 0),
            Some(Key::Name(name)) => match users().find(|user| user.name == name) {
                Some(user) => Found::from(user),
                None => return Err(unknown("user", name, PASSWD, passwd.is_some())),
            },
        };
        let mut identity = Identity {
            uid: found.uid,
            gid: found.gid,
            groups: Vec::new(),
            name: found.name.map(str::to_owned),
            home: if found.home.is_empty() { "/" } else { found.home }.to_owned(),
        };
        match (user, group.map(|group| Key::new("group", group)).transpose()?) {
            (_, Some(Key::Id(gid))) => identity.gid = gid,
            (_, Some(Key::Name(name))) => match groups().find(|group| group.name == name) {
                Some(group) => identity.gid = group.gid,
                None => return Err(unknown("group", name, GROUP, group_file.is_some())),
            },
            (None, None) => {
                identity.gid = ours.gid;
                identity.groups.clone_from(&ours.groups);
            }
            (Some(_), None) => {
                if let Some(name) = found.name {
                    let theirs = groups().filter(|group| group.has_member(name));
                    identity.groups.extend(theirs.map(|group| group.gid));
                }
            }
        }
        // The group itself is among the supplementary ones, as initgroups and container engines
        // have it: a program that changes its group must not lose what is forbidden to this one.
        identity.groups.push(identity.gid);
        identity.groups = in_order(identity.groups);
        Ok(identity)
    }

    /// As whom we run, without a name: no file is read.
    ///
    /// # Errors
    /// If the system does not tell our groups.
    pub fn ours() -> io::Result<Identity> {
        let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        let mut groups: Vec<u32> = getgroups()?.into_iter().map(nix::unistd::Gid::as_raw).collect();
        groups.push(gid);
        Ok(Identity { uid, gid, groups: in_order(groups), name: None, home: "/".to_owned() })
    }

    /// Whether we run as exactly this, so that a child gets it without our doing. When in doubt,
    /// no: then the system decides.
    pub(crate) fn is_ours(&self) -> bool {
        let (Ok(uids), Ok(gids), Ok(ours)) = (getresuid(), getresgid(), Identity::ours()) else {
            return false;
        };
        [uids.real, uids.effective, uids.saved].iter().all(|uid| uid.as_raw() == self.uid)
            && [gids.real, gids.effective, gids.saved].iter().all(|gid| gid.as_raw() == self.gid)
            && ours.groups == self.groups
    }

    /// The user's id.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// The group's id.
    pub fn gid(&self) -> u32 {
        self.gid
    }

    /// The supplementary groups, ascending, [`Identity::gid`] among them.
    pub fn groups(&self) -> &[u32] {
        &self.groups
    }

    /// The user's name in `/etc/passwd`; `None`: it has none.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The user's home directory in `/etc/passwd`; `/` if it has none.
    pub fn home(&self) -> &Path {
        Path::new(&self.home)
    }
}

/// In ascending order, each once.
fn in_order(groups: Vec<u32>) -> Vec<u32> {
    let mut ordered = Vec::with_capacity(groups.len());
    for group in groups {
        if let Err(place) = ordered.binary_search(&group) {
            ordered.insert(place, group);
        }
    }
    ordered
}

/// Reads as a name: `user "app" (uid 1000, gid 1000)`, `uid 1000, gid 0`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Identity { uid, gid, .. } = self;
        match &self.name {
            Some(name) => write!(f, "user {name:?} (uid {uid}, gid {gid})"),
            None => write!(f, "uid {uid}, gid {gid}"),
        }
    }
}

/// What a user or a group is given as.
enum Key<'a> {
    Id(u32),
    Name(&'a str),
}

impl Key<'_> {
    fn new<'a>(kind: &'static str, text: &'a str) -> Result<Key<'a>, IdentityError> {
        if text.is_empty() {
            return Err(IdentityError::Empty { kind });
        }
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Key::Name(text));
        }
        match text.parse() {
            // The last one means "no change" to the system.
            Ok(id) if id != u32::MAX => Ok(Key::Id(id)),
            _ => Err(IdentityError::OutOfRange { kind, number: text.to_owned() }),
        }
    }
}

/// A user, whether or not the file has it.
struct Found<'a> {
    uid: u32,
    gid: u32,
    name: Option<&'a str>,
    home: &'a str,
}

impl<'a> Found<'a> {
    fn by_id(mut users: impl Iterator<Item = User<'a>>, uid: u32, gid: u32) -> Found<'a> {
        let nameless = Found { uid, gid, name: None, home: "" };
        users.find(|user| user.uid == uid).map_or(nameless, Found::from)
    }
}

impl<'a> From<User<'a>> for Found<'a> {
    fn from(user: User<'a>) -> Found<'a> {
        Found { uid: user.uid, gid: user.gid, name: Some(user.name), home: user.home }
    }
}

fn unknown(kind: &'static str, name: &str, file: &'static str, exists: bool) -> IdentityError {
    let name = name.to_owned();
    if exists {
        IdentityError::Unknown { kind, name, file }
    } else {
        IdentityError::NoFile { kind, name, file }
    }
}

/// The file's text, or `None` if there is no such file. Bytes that are no UTF-8 stand in comments
/// if anywhere.
fn read(file: &'static str) -> Result<Option<String>, IdentityError> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(IdentityError::Unreadable { file, source }),
    }
}

#[cfg(test)]
mod tests;
