//! What the static program leaves out of the libraries below it.
//!
//! A symbol that the program defines is not taken from an archive, and what only that symbol
//! needed does not come with it. With `panic = "abort"` nothing ever unwinds, and the file has
//! neither tables for it nor symbols (`scripts/no-unwind.ld`): a backtrace was always empty. So the
//! walk along the stack ends before its first frame, and the 140 kB that would have read debug
//! information for it are dead code. A panic says what and where and aborts, as before
//! (`tests/lean.rs`). Tests and other programs link as usual.
#![expect(unsafe_code, reason = "symbols that libraries look for")]

use std::ffi::{c_int, c_void};

/// `_URC_END_OF_STACK`.
const END_OF_STACK: c_int = 5;

/// The frames of the stack: none. A panic prints its message and its place all the same.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_visit: *const c_void, _data: *mut c_void) -> c_int {
    END_OF_STACK
}

/// The extent of a thread's stack: not known. Rust's runtime asks, at every start, in order to give
/// an overflow of the stack a message before it ends the program; the C library reads
/// `/proc/self/maps` for the answer, by `sscanf`, which brings with it 100 kB that read numbers with
/// decimals. Without an answer, the overflow ends the program by SIGSEGV just so, as it did; what
/// may recurse deeply here (templates, JSON) is bounded by itself.
#[unsafe(no_mangle)]
extern "C" fn pthread_getattr_np(_thread: *const c_void, _attributes: *mut c_void) -> c_int {
    libc::ENOSYS
}

/// Named by code that is never reached: it belongs to unwinding, of Rust's panics and of the C
/// library's cancelled threads. We do neither.
macro_rules! unreached {
    ($($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name() {
            std::process::abort();
        }
    )*};
}

unreached! {
    _Unwind_ForcedUnwind _Unwind_GetCFA _Unwind_GetDataRelBase _Unwind_GetIP _Unwind_GetIPInfo
    _Unwind_GetLanguageSpecificData _Unwind_GetRegionStart _Unwind_GetTextRelBase _Unwind_Resume
    _Unwind_SetGR _Unwind_SetIP
}
