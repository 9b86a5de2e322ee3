//! `drain`: time for those who use a service to notice that it goes.

use super::{Field, Object};
use crate::{
    job::{Drain, Notice},
    json5::Value,
};

/// `drain` of something that is advertised, with its field: a time, or `{time, mark}`. No time is
/// no drain.
pub(crate) fn drain<'a>(object: &mut Object<'a>) -> Option<(Field<'a>, Drain)> {
    let field = object.take("drain").filter(|field| !field.is_empty_string())?;
    let Value::Object(_) = field.node.value else {
        let time = field.any_duration().filter(|time| !time.is_zero())?;
        return Some((field, Drain { notice: Notice::Deregister, time }));
    };
    let mut object = field.object()?;
    let time = object.require("time", "want how long it takes, like \"3s\"");
    let mark = object.take("mark").and_then(|mark| mark.boolean());
    object.finish();
    let time = time?;
    let notice = if mark == Some(true) { Notice::Mark } else { Notice::Deregister };
    let drain = Drain { notice, time: time.any_duration().filter(|time| !time.is_zero())? };
    Some((time, drain))
}
