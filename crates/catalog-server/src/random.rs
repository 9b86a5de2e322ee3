//! Randomness from the kernel: ids and jitter.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Every Unix has it; without it ids repeat, which a single catalog survives.
    let _ = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    bytes
}

/// A random UUID (version 4).
pub(crate) fn uuid() -> String {
    let number = u128::from_be_bytes(bytes());
    let number = number & !(0xf << 76) | (4 << 76);
    let number = number & !(0x3 << 62) | (2 << 62);
    let hex = format!("{number:032x}");
    let part = |from, to| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

/// A random time of up to `limit`.
pub(crate) fn up_to(limit: Duration) -> Duration {
    limit.mul_f64(f64::from(u32::from_be_bytes(bytes())) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids() {
        let id = uuid();
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
        assert_eq!((&id[14..15], uuid() == id), ("4", false));
        assert!("89ab".contains(&id[19..20]), "{id}");
        assert!(up_to(Duration::from_secs(1)) <= Duration::from_secs(1));
    }
}
