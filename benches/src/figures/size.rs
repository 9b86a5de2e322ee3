//! The size of the program's file, stripped.

use std::fs;

use anyhow::{Result, ensure};

use super::{Row, row};
use crate::contender::Contender;
use crate::sample::{Budget, Sample};

const BUDGET: Budget = Budget::AtMost(4.0);

pub(super) fn measure(contenders: &[Contender]) -> Result<Vec<Row>> {
    Ok(vec![row("size of the stripped file, MB", BUDGET, contenders, |contender| {
        let Some(binary) = contender.binary() else { return Ok(None) };
        let file = fs::read(binary)?;
        ensure!(file.starts_with(b"\x7fELF"), "{} is no ELF file", binary.display());
        // The names of its sections are near its end, and the table of symbols is one of them.
        ensure!(
            !file.windows(9).any(|name| name == b"\0.symtab\0"),
            "{} is not stripped",
            binary.display()
        );
        Ok(Sample::of([file.len() as f64 / 1e6]))
    })])
}
