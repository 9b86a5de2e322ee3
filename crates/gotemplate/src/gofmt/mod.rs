//! Go's `fmt`: printing values with and without a format.
//!
//! A format or a list can ask for far more text than it is long. Once there are more than `room`
//! bytes nothing more is printed, and what there is comes back, for the caller to refuse.

mod float;
mod format;
mod printer;
mod text;

use crate::value::Value;
use printer::Printer;

/// The arguments one after the other, with a space between two that are not strings.
///
/// # Errors
/// A value is nested too deeply to be printed.
pub(crate) fn sprint(args: &[Value], room: usize) -> Result<String, String> {
    sprint_with(Printer::new(room), args)
}

/// The same, as an action prints them: what pointers point to.
///
/// # Errors
/// A value is nested too deeply to be printed.
pub(crate) fn sprint_pointees(args: &[Value], room: usize) -> Result<String, String> {
    sprint_with(Printer::of_pointees(room), args)
}

fn sprint_with(mut printer: Printer, args: &[Value]) -> Result<String, String> {
    // Nothing comes before the first argument, so it is spared the space.
    let mut after_string = true;
    for arg in args {
        let is_string = matches!(arg, Value::String(_));
        if !is_string && !after_string {
            printer.out.push(' ');
        }
        printer.print_arg(arg, 'v');
        after_string = is_string;
    }
    printer.finish()
}

/// The arguments with spaces between them and a newline at the end.
///
/// # Errors
/// A value is nested too deeply to be printed.
pub(crate) fn sprintln(args: &[Value], room: usize) -> Result<String, String> {
    let mut printer = Printer::new(room);
    for (i, arg) in args.iter().enumerate() {
        if i > 0 {
            printer.out.push(' ');
        }
        printer.print_arg(arg, 'v');
    }
    printer.out.push('\n');
    printer.finish()
}

/// The arguments as the format says.
///
/// # Errors
/// A value is nested too deeply to be printed.
pub(crate) fn sprintf(format: &str, args: &[Value], room: usize) -> Result<String, String> {
    let mut printer = Printer::new(room);
    format::print(&mut printer, format, args);
    printer.finish()
}

/// One value as `%v` shows it in an error message.
pub(crate) fn show(value: &Value, verb: char) -> String {
    let mut printer = Printer::new(usize::MAX);
    printer.print_arg(value, verb);
    printer.finish().unwrap_or_else(|error| error)
}
