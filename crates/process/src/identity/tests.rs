use super::*;

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/bash
# comment:x:1:1::/:

broken:x:none:5::/:
app:x:1000:1001:The App,,,:/home/app:/bin/sh
+nis:x:7:7::/:
bare:x:1002:1002
app:x:9:9::/second:/bin/sh
1003:x:1004:1004::/number:/bin/sh
";

const GROUPS: &str = "\
root:x:0:
wheel:x:10:root,app
staff:x:50:bare, app
app:x:1001:
apps:x:60:apple,myapp
broken:x::app
docker:x:998:app";

fn ours() -> Identity {
    let home = "/".to_owned();
    Identity { uid: 1002, gid: 7, groups: vec![7, 8, 9], name: None, home }
}

/// `uid:gid groups name home`.
fn found(user: Option<&str>, group: Option<&str>) -> String {
    let identity = Identity::lookup_in(Some(PASSWD), Some(GROUPS), user, group, &ours()).unwrap();
    let Identity { uid, gid, groups, name, home } = identity;
    format!("{uid}:{gid} {groups:?} {} {home}", name.unwrap_or_default())
}

#[test]
fn users_and_groups_are_found_as_docker_run_finds_them() {
    for (user, group, expected) in [
        (Some("root"), None, "0:0 [0, 10] root /root"),
        // The first line of a name counts.
        (Some("app"), None, "1000:1001 [10, 50, 998, 1001] app /home/app"),
        // The same by number, with name and groups.
        (Some("1000"), None, "1000:1001 [10, 50, 998, 1001] app /home/app"),
        (Some("0"), None, "0:0 [0, 10] root /root"),
        // A given group is the only one.
        (Some("app"), Some("staff"), "1000:50 [50] app /home/app"),
        (Some("app"), Some("7777"), "1000:7777 [7777] app /home/app"),
        (Some("root"), Some("wheel"), "0:10 [10] root /root"),
        // A number without a name.
        (Some("4242"), None, "4242:0 [0]  /"),
        (Some("4242"), Some("wheel"), "4242:10 [10]  /"),
        // All digits are a number, whatever names there are.
        (Some("1003"), None, "1003:0 [0]  /"),
        (Some("01000"), None, "1000:1001 [10, 50, 998, 1001] app /home/app"),
        (Some("4294967294"), None, "4294967294:0 [0]  /"),
        // Fields that a line does not have.
        (Some("bare"), None, "1002:1002 [50, 1002] bare /"),
        // We ourselves.
        (None, Some("wheel"), "1002:10 [10] bare /"),
        (None, None, "1002:7 [7, 8, 9] bare /"),
    ] {
        assert_eq!(found(user, group), expected, "{user:?} {group:?}");
    }
}

#[test]
fn without_files_numbers_are_enough() {
    let lookup = |user, group| Identity::lookup_in(None, None, Some(user), group, &ours());
    let identity = lookup("1000", Some("5")).unwrap();
    assert_eq!((identity.uid(), identity.gid(), identity.groups()), (1000, 5, &[5][..]));
    assert_eq!((identity.name(), identity.home()), (None, Path::new("/")));
    assert_eq!(identity.to_string(), "uid 1000, gid 5");
    let error = lookup("app", None).unwrap_err().to_string();
    let numbers = "(an id as a number needs none)";
    assert_eq!(error, format!("no such user \"app\": there is no /etc/passwd {numbers}"));
    let error = lookup("1", Some("staff")).unwrap_err().to_string();
    assert_eq!(error, format!("no such group \"staff\": there is no /etc/group {numbers}"));
}

#[test]
fn what_is_no_user_or_group_is_said() {
    for (user, group, expected) in [
        (Some("nobody"), None, "no such user \"nobody\" in /etc/passwd"),
        (Some("broken"), None, "no such user \"broken\" in /etc/passwd"),
        (Some("comment"), None, "no such user \"comment\" in /etc/passwd"),
        (Some("+nis"), None, "no such user \"+nis\" in /etc/passwd"),
        (Some("-1"), None, "no such user \"-1\" in /etc/passwd"),
        (Some("ap"), None, "no such user \"ap\" in /etc/passwd"),
        (Some("app"), Some("App"), "no such group \"App\" in /etc/group"),
        (Some("app"), Some("broken"), "no such group \"broken\" in /etc/group"),
        (Some(""), None, "the user's name is empty"),
        (None, Some(""), "the group's name is empty"),
        (Some("4294967295"), None, "4294967295 is no user id: they end at 4294967294"),
        (Some("99999999999"), None, "99999999999 is no user id: they end at 4294967294"),
        (Some("0"), Some("4294967296"), "4294967296 is no group id: they end at 4294967294"),
    ] {
        let error = Identity::lookup_in(Some(PASSWD), Some(GROUPS), user, group, &ours());
        assert_eq!(error.unwrap_err().to_string(), expected);
    }
}
