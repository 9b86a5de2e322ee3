//! The lines of `/etc/passwd` and `/etc/group`.

/// A line of `/etc/passwd`, as far as it concerns us.
pub(crate) struct User<'a> {
    pub(crate) name: &'a str,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// May be empty.
    pub(crate) home: &'a str,
}

/// A line of `/etc/group`.
pub(crate) struct Group<'a> {
    pub(crate) name: &'a str,
    pub(crate) gid: u32,
    members: &'a str,
}

impl Group<'_> {
    pub(crate) fn has_member(&self, user: &str) -> bool {
        self.members.split(',').any(|member| member.trim() == user)
    }
}

/// The users, in the order of the file. What is no user's line is passed over, as the C library
/// does.
pub(crate) fn users(passwd: &str) -> impl Iterator<Item = User<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let (name, _password) = (fields.next()?, fields.next()?);
        let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let home = fields.nth(1).unwrap_or_default();
        is_name(name).then_some(User { name, uid, gid, home })
    })
}

/// The groups, likewise.
pub(crate) fn groups(group: &str) -> impl Iterator<Item = Group<'_>> {
    group.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let (name, _password) = (fields.next()?, fields.next()?);
        let gid = fields.next()?.parse().ok()?;
        let members = fields.next().unwrap_or_default();
        is_name(name).then_some(Group { name, gid, members })
    })
}

/// Neither a comment nor an entry for NIS, `+` and what follows.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(['#', '+', '-'])
}
