//! Exit codes, those of the original.

/// All is well.
pub(crate) const OK: u8 = 0;
/// Something of the system fails: a pid file cannot be written, a signal not be caught.
pub(crate) const SYSTEM: u8 = 11;
/// Stopped before what `-once` asked for was done.
pub(crate) const INTERRUPTED: u8 = 12;
/// The command line cannot be used.
pub(crate) const FLAGS: u8 = 13;
/// A template or a command fails.
pub(crate) const RENDERING: u8 = 14;
/// Settings in files cannot be used.
pub(crate) const SETTINGS: u8 = 15;

/// What `-help` says of them.
pub(crate) const CODES: [(u8, &str); 6] = [
    (OK, "all is rendered (-once), or asked to stop; with -exec: its program's code"),
    (SYSTEM, "the system refuses something, such as the pid file"),
    (INTERRUPTED, "asked to stop before all was rendered (-once)"),
    (FLAGS, "the command line cannot be used"),
    (RENDERING, "a template is wrong, a file cannot be written (-once), or a command failed"),
    (SETTINGS, "settings cannot be used: those of a file, or of the catalog"),
];
