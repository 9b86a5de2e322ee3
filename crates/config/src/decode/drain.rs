//! `drain`: time for those who use a service to notice that it goes.

use std::time::Duration;

use super::{Field, Object};
use crate::{
    job::{Drain, Notice},
    json5::Value,
};

/// Longer than anybody waits for the end of a program.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// `drain` of something that is advertised, with its field: a time, or `{time, mark}`. No time is
/// no drain.
pub(crate) fn drain<'a>(object: &mut Object<'a>) -> Option<(Field<'a>, Drain)> {
    let field = object.take("drain").filter(|field| !field.is_empty_string())?;
    let Value::Object(_) = field.node.value else {
        let time = time(&field)?;
        return Some((field, Drain { notice: Notice::Deregister, time }));
    };
    let mut object = field.object()?;
    let time_field = object.require("time", "want how long it takes, like \"3s\"");
    let mark = object.take("mark").and_then(|mark| mark.boolean());
    object.finish();
    let time_field = time_field?;
    let notice = if mark == Some(true) { Notice::Mark } else { Notice::Deregister };
    let drain = Drain { notice, time: time(&time_field)? };
    Some((time_field, drain))
}

fn time(field: &Field<'_>) -> Option<Duration> {
    let time = field.any_duration()?;
    if time > LONGEST {
        field.refuse("is too long", "want at most 24h");
    }
    (!time.is_zero() && time <= LONGEST).then_some(time)
}
