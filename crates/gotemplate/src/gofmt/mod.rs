//! Go's `fmt`: printing values with and without a format.

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
pub(crate) fn sprint(args: &[Value]) -> Result<String, String> {
    sprint_with(Printer::default(), args)
}

/// The same, as an action prints them: what pointers point to.
///
/// # Errors
/// A value is nested too deeply to be printed.
pub(crate) fn sprint_pointees(args: &[Value]) -> Result<String, String> {
    sprint_with(Printer::of_pointees(), args)
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
pub(crate) fn sprintln(args: &[Value]) -> Result<String, String> {
    let mut printer = Printer::default();
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
pub(crate) fn sprintf(format: &str, args: &[Value]) -> Result<String, String> {
    let mut printer = Printer::default();
    format::print(&mut printer, format, args);
    printer.finish()
}

/// One value as `%v` shows it in an error message.
pub(crate) fn show(value: &Value, verb: char) -> String {
    let mut printer = Printer::default();
    printer.print_arg(value, verb);
    printer.finish().unwrap_or_else(|error| error)
}
