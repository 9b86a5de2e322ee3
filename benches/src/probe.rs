//! The application whose first instruction we want to know the time of.
//!
//! A program of any language runs code before its `main`: a loader, a runtime. So this one is
//! machine code alone: its entry point asks the kernel for the time, writes it into the FIFO that
//! its first argument names, and exits. The code is assembled into this program, which wraps it
//! in an ELF header and writes it to a file.
#![allow(unsafe_code, reason = "the code between two symbols of ours is read as bytes")]

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::time::{ClockId, clock_gettime};
use tempfile::TempDir;

#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".global benches_probe_start, benches_probe_end",
    "benches_probe_start:",
    "mov rbx, rsp", // argc, then the arguments
    "sub rsp, 32",
    "mov eax, 228", // clock_gettime(CLOCK_MONOTONIC, rsp)
    "mov edi, 1",
    "mov rsi, rsp",
    "syscall",
    "mov eax, 2", // open(argv[1], O_WRONLY)
    "mov rdi, [rbx + 16]",
    "mov esi, 1",
    "xor edx, edx",
    "syscall",
    "mov edi, eax", // write(it, rsp, 16)
    "mov rsi, rsp",
    "mov edx, 16",
    "mov eax, 1",
    "syscall",
    "xor edi, edi", // exit_group(0)
    "mov eax, 231",
    "syscall",
    "benches_probe_end:",
);

#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".global benches_probe_start, benches_probe_end",
    "benches_probe_start:",
    "mov x19, sp", // argc, then the arguments
    "sub sp, sp, #32",
    "mov x8, #113", // clock_gettime(CLOCK_MONOTONIC, sp)
    "mov x0, #1",
    "mov x1, sp",
    "svc #0",
    "mov x8, #56", // openat(AT_FDCWD, argv[1], O_WRONLY)
    "mov x0, #-100",
    "ldr x1, [x19, #16]",
    "mov x2, #1",
    "mov x3, #0",
    "svc #0",
    "mov x8, #64", // write(it, sp, 16)
    "mov x1, sp",
    "mov x2, #16",
    "svc #0",
    "mov x8, #94", // exit_group(0)
    "mov x0, #0",
    "svc #0",
    "benches_probe_end:",
);

unsafe extern "C" {
    static benches_probe_start: u8;
    static benches_probe_end: u8;
}

#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;

/// What one time stamp takes in the FIFO.
const STAMP: usize = 16;

/// A point of the monotonic clock, in nanoseconds.
pub(crate) fn now() -> Result<u64> {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    Ok(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
}

/// The probe's file, and the FIFO that it reports to.
pub(crate) struct Probe {
    folder: TempDir,
    fifo: File,
}

impl Probe {
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("benches-").tempdir()?;
        let program = folder.path().join("probe");
        fs::write(&program, image())?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        let fifo = folder.path().join("stamps");
        nix::unistd::mkfifo(&fifo, Mode::S_IRWXU)?;
        // For reading and writing: neither this nor a probe's open ever waits for the other end.
        let fifo = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
            .open(&fifo)?;
        Ok(Self { folder, fifo })
    }

    /// The command line of the probe.
    pub(crate) fn command(&self) -> Vec<String> {
        [self.folder.path().join("probe"), self.stamps()]
            .iter()
            .map(|path| path.to_string_lossy().into_owned())
            .collect()
    }

    /// The path of the FIFO.
    pub(crate) fn stamps(&self) -> PathBuf {
        self.folder.path().join("stamps")
    }

    /// The FIFO itself, for [`write_stamp`]. An exec closes it.
    pub(crate) fn writer(&self) -> Result<File> {
        Ok(self.fifo.try_clone()?)
    }

    /// The next stamp, in nanoseconds of the monotonic clock.
    ///
    /// # Errors
    /// None came within `patience`.
    pub(crate) fn stamp(&self, patience: Duration) -> Result<u64> {
        let mut ready = [PollFd::new(self.fifo.as_fd(), PollFlags::POLLIN)];
        let patience = PollTimeout::try_from(patience.as_millis()).unwrap_or(PollTimeout::MAX);
        ensure!(poll(&mut ready, patience)? == 1, "the application did not start in time");
        let mut bytes = [0; STAMP];
        // A stamp is written at once or not at all.
        (&self.fifo).read_exact(&mut bytes).context("half a time stamp")?;
        let (seconds, nanoseconds) = bytes.split_at(8);
        let number = |part: &[u8]| part.try_into().map(u64::from_le_bytes);
        Ok(number(seconds)? * 1_000_000_000 + number(nanoseconds)?)
    }

    /// Fails if something has been started that was not asked for.
    pub(crate) fn expect_silence(&self) -> Result<()> {
        match self.stamp(Duration::ZERO) {
            Ok(_) => bail!("the application was started more than once"),
            Err(_) => Ok(()),
        }
    }
}

/// Writes the time into a FIFO, in the form in which the probe itself does.
///
/// # Errors
/// Those of the system calls. It allocates nothing, so it may stand between fork and exec.
pub(crate) fn write_stamp(fifo: &File) -> std::io::Result<()> {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    let mut bytes = [0; STAMP];
    let (seconds, nanoseconds) = bytes.split_at_mut(8);
    seconds.copy_from_slice(&time.tv_sec().to_le_bytes());
    nanoseconds.copy_from_slice(&time.tv_nsec().to_le_bytes());
    nix::unistd::write(fifo, &bytes)?;
    Ok(())
}

/// An ELF file: header, one segment that is the whole file, code.
fn image() -> Vec<u8> {
    const ADDRESS: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    // SAFETY: both symbols are labels of the block above, the second behind the first.
    let code = unsafe {
        let start = &raw const benches_probe_start;
        let end = &raw const benches_probe_end;
        std::slice::from_raw_parts(start, end.offset_from_unsigned(start))
    };
    let size = HEADERS + code.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half = |file: &mut Vec<u8>, value: u16| file.extend(value.to_le_bytes());
    let word = |file: &mut Vec<u8>, value: u32| file.extend(value.to_le_bytes());
    let long = |file: &mut Vec<u8>, value: u64| file.extend(value.to_le_bytes());
    half(&mut file, 2); // an executable
    half(&mut file, MACHINE);
    word(&mut file, 1); // version
    long(&mut file, ADDRESS + HEADERS); // entry point
    long(&mut file, 64); // program headers at
    long(&mut file, 0); // no section headers
    word(&mut file, 0); // flags
    for value in [64, 56, 1, 64, 0, 0] {
        half(&mut file, value); // sizes and numbers of headers
    }
    word(&mut file, 1); // load
    word(&mut file, 5); // readable, executable
    for value in [0, ADDRESS, ADDRESS, size, size, 0x1000] {
        long(&mut file, value); // offset, addresses, sizes, alignment
    }
    file.extend_from_slice(code);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "the probe is to be run")]
    fn a_probe_tells_when_it_ran() {
        let probe = Probe::new().unwrap();
        let command = probe.command();
        let before = now().unwrap();
        let status = std::process::Command::new(&command[0]).arg(&command[1]).status().unwrap();
        let stamp = probe.stamp(Duration::from_secs(5)).unwrap();
        assert!(status.success());
        assert!((before..now().unwrap()).contains(&stamp));
        probe.expect_silence().unwrap();
    }

    #[test]
    fn a_probe_that_does_not_run_is_an_error() {
        assert!(Probe::new().unwrap().stamp(Duration::from_millis(5)).is_err());
    }
}
