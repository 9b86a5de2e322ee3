//! The table that is printed.

use crate::figures::{Cell, Row};

/// The table as text: a line for each figure, a column for each contender. `!` stands before a
/// value of ours that is over its budget.
pub(crate) fn text(columns: &[&str], rows: &[Row]) -> String {
    let mut lines = vec![head(columns)];
    lines.extend(rows.iter().map(line));
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
        if number == 0 {
            let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            text.push_str(&format!("| {} |\n", rules.join(" | ")));
        }
    }
    text
}

fn head(columns: &[&str]) -> Vec<String> {
    let words = ["figure (min median max)", "must be"];
    words.iter().chain(columns).map(|word| (*word).to_owned()).collect()
}

fn line(row: &Row) -> Vec<String> {
    let mut words = vec![row.figure.clone(), row.budget.text()];
    for (number, cell) in row.cells.iter().enumerate() {
        words.push(match cell {
            // The budget is ours: we are the first.
            Cell::Measured(sample) if number == 0 && !row.budget.is_met(sample) => {
                format!("! {}", sample.text())
            }
            Cell::Measured(sample) => sample.text(),
            Cell::Senseless => "-".to_owned(),
            Cell::Failed(_) => "failed".to_owned(),
        });
    }
    words
}

/// What is over its budget, one sentence each.
pub(crate) fn over_budget(rows: &[Row]) -> Vec<String> {
    rows.iter()
        .filter_map(|row| match row.cells.first() {
            Some(Cell::Measured(sample)) if !row.budget.is_met(sample) => Some(format!(
                "OVER BUDGET: {}: {:.2}, must be {}",
                row.figure,
                sample.median(),
                row.budget.text()
            )),
            _ => None,
        })
        .collect()
}

/// What could not be measured, and why.
pub(crate) fn failures(columns: &[&str], rows: &[Row]) -> Vec<String> {
    let mut failures = Vec::new();
    for row in rows {
        for (column, cell) in columns.iter().zip(&row.cells) {
            if let Cell::Failed(why) = cell {
                failures.push(format!("not measured: {}, {}: {why}", row.figure, column));
            }
        }
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Budget, Sample};

    #[test]
    fn says_what_is_over_budget_and_what_failed() {
        let columns = ["ours", "bare"];
        let row = |value, other| Row {
            figure: "size".to_owned(),
            budget: Budget::AtMost(4.0),
            cells: vec![Cell::Measured(Sample::of([value]).unwrap()), other],
        };
        let rows = [row(4.0, Cell::Senseless), row(4.5, Cell::Failed("gone".to_owned()))];
        assert_eq!(
            text(&columns, &rows),
            "| figure (min median max) | must be | ours   | bare   |\n\
             | ----------------------- | ------- | ------ | ------ |\n\
             | size                    | <= 4    | 4.00   | -      |\n\
             | size                    | <= 4    | ! 4.50 | failed |\n"
        );
        assert_eq!(over_budget(&rows), ["OVER BUDGET: size: 4.50, must be <= 4"]);
        assert_eq!(failures(&columns, &rows), ["not measured: size, bare: gone"]);
    }
}
