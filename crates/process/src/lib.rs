//! Sole owner of processes: fork, exec, wait, kill, process groups, the duties of PID 1, and what
//! children write. It knows nothing of jobs or events.
//!
//! # Theory of operation
//!
//! **No exit status is lost or stolen.** [`Processes`] both starts and reaps, through `&mut self`,
//! so that the two never overlap: a child's pid is in the table before `waitpid(-1)` can return it.
//! SIGCHLD wakes one loop, which reaps until nothing is left; a pid in the table is reported by
//! [`Processes::next_exit`], any other (an orphan that fell to us as PID 1 or as child subreaper)
//! is forgotten. Nobody else in the program may wait: `std::process::Child` is dropped at once.
//! A pid is signalled only while it is in the table, that is before it is reaped, so that a signal
//! never hits a stranger to whom the kernel gave the number anew.
//!
//! **What a child inherits.** Exactly the environment of its [`Spec`]; three streams and no other
//! descriptor of ours (all are close-on-exec); an empty signal mask (ours is cleared at the start);
//! the default disposition for SIGPIPE (which Rust's runtime ignores in us) and for every signal
//! that we handle (exec resets handlers). A signal that was ignored when we were started, such as
//! SIGHUP under `nohup`, and that the program does not handle, stays ignored in children.
//!
//! **How it is started.** The program's path is resolved here, in the `PATH` of the *child's*
//! environment, and neither `pre_exec` nor ids are used: so std takes its `posix_spawn` path, which
//! costs the same however large we are, and errors of exec are known at once.
//!
//! **As whom.** An [`Identity`] that is not our own takes a fork: supplementary groups, group, user
//! are set in this order in the child, and then it enters its working directory, with no more
//! rights than it will have. Whatever of that fails, nothing is executed.
//!
//! **What children write** is pumped by one thread, [`Output`], which is also the only writer of
//! our own log, so that lines never interleave. The event loop never waits for whoever reads our
//! output: a blocked reader stops the pump, full pipes slow the children, and nothing else happens.
//! See the module `output` for its bounds.

mod accounts;
mod capture;
mod children;
mod credentials;
mod error;
mod exit;
mod footprint;
mod identity;
#[cfg(all(panic = "abort", target_feature = "crt-static"))]
mod lean;
mod output;
mod place;
mod program;
mod source;
mod spec;
mod time;

pub use capture::Capture;
pub use children::Processes;
pub use error::SpawnError;
pub use exit::{Exit, ExitStatus, Pid};
pub use footprint::release_code;
pub use identity::{Identity, IdentityError};
pub use nix::sys::signal::Signal;
pub use output::{LineFormat, Output, Sink};
pub use program::locate;
pub use source::{Source, Tail, Traffic};
pub use spec::{Group, Spec, Streams};
pub use time::{Clock, timestamp};
