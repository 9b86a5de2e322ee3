//! What of the program stays in memory.

use std::fs;

/// Gives back the memory of our own code. What is still needed comes back from the page cache,
/// a few microseconds at the first use of each part; what was needed only to start (reading a
/// configuration, a first TLS handshake) does not, until it is needed again. For a program that
/// then sleeps for most of its life, a call after its start.
///
/// Does nothing where the system does not say what is mapped.
pub fn release_code() {
    let (Ok(maps), Ok(exe)) =
        (fs::read_to_string("/proc/self/maps"), fs::read_link("/proc/self/exe"))
    else {
        return;
    };
    let ours = |line: &&str| line.ends_with(&*exe.to_string_lossy());
    for (start, end) in maps.lines().filter(ours).filter_map(code) {
        release(start, end);
    }
}

/// The addresses of a mapping, if it holds code and nothing that was ever written: executable, not
/// writable, private, of a file. Data that is read-only by now was written by the relocation.
fn code(line: &str) -> Option<(usize, usize)> {
    let (range, rest) = line.split_once(' ')?;
    if !rest.starts_with("r-xp ") {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    Some((usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
}

#[expect(unsafe_code, reason = "madvise")]
fn release(start: usize, end: usize) {
    // SAFETY: the kernel has just told that this is a private, executable and not writable mapping
    // of our own file; nothing in this program unmaps or changes one. Its pages are those of the
    // file, unchanged (the program has no relocations in its code), so that dropping them loses
    // nothing: the next access, even that of this function's return, reads them again.
    unsafe {
        libc::madvise(start as *mut libc::c_void, end.saturating_sub(start), libc::MADV_DONTNEED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs::File;
    use std::os::fd::AsRawFd as _;

    /// Code that no other thread of the test runs: our own file, mapped once more.
    #[expect(unsafe_code, reason = "mmap")]
    fn map_own_code() -> &'static [u8] {
        let exe = File::open("/proc/self/exe").unwrap();
        let size = usize::try_from(exe.metadata().unwrap().len()).unwrap();
        // SAFETY: a new mapping at an address that the kernel chooses, never unmapped, of a file
        // that nobody writes while it runs.
        unsafe {
            let (flags, fd) = (libc::MAP_PRIVATE, exe.as_raw_fd());
            let access = libc::PROT_READ | libc::PROT_EXEC;
            let address = libc::mmap(std::ptr::null_mut(), size, access, flags, fd, 0);
            assert_ne!(address, libc::MAP_FAILED);
            std::slice::from_raw_parts(address.cast(), size)
        }
    }

    /// In kB, as the kernel counts it for this mapping alone.
    fn resident(mapping: &[u8]) -> u64 {
        let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
        let start = format!("{:x}-", mapping.as_ptr().addr());
        let ours = smaps.lines().skip_while(|line| !line.starts_with(&start));
        let line = ours.clone().find(|line| line.starts_with("Rss:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    fn sum(mapping: &[u8]) -> u64 {
        mapping.iter().map(|byte| u64::from(*byte)).sum()
    }

    #[test]
    fn code_leaves_and_comes_back() {
        let code = map_own_code();
        let before = sum(code);
        assert!(resident(code) > 0);
        release_code();
        assert_eq!(resident(code), 0);
        assert_eq!(sum(code), before);
        assert!(resident(code) > 0);
    }

    #[test]
    fn only_code_is_released() {
        let line = |flags| format!("55d0-55e0 {flags} 00001000 fe:00 77 /bin/x");
        assert_eq!(code(&line("r-xp")), Some((0x55d0, 0x55e0)));
        for flags in ["r--p", "rw-p", "rwxp", "r-xs"] {
            assert_eq!(code(&line(flags)), None, "{flags}");
        }
    }
}
