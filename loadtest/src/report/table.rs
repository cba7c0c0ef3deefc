//! A table of text, as wide as its cells need.

use std::fmt;

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a line of titles.
#[derive(Debug)]
pub(crate) struct Table {
    aligns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these titles.
    pub(crate) fn new(columns: &[(&str, Align)]) -> Self {
        Self {
            aligns: columns.iter().map(|(_, align)| *align).collect(),
            rows: vec![
                columns
                    .iter()
                    .map(|(title, _)| (*title).to_owned())
                    .collect(),
            ],
        }
    }

    /// Adds a row, with a cell for each column.
    pub(crate) fn add(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.aligns.len()).map(width).collect();
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for ((cell, align), width) in row.iter().zip(&self.aligns).zip(&widths) {
                let padding = " ".repeat(width - cell.chars().count());
                match align {
                    Align::Left => line.extend([cell.as_str(), &padding]),
                    Align::Right => line.extend([padding.as_str(), cell]),
                }
                line.push_str("  ");
            }
            writeln!(formatter, "{}", line.trim_end())?;
            if number == 0 {
                let rules: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
                writeln!(formatter, "{}", rules.join("  "))?;
            }
        }
        Ok(())
    }
}

/// A time with three digits or so: `87 µs`, `1.24 ms`, `3.10 s`.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn time(microseconds: u64) -> String {
    let value = microseconds as f64;
    match microseconds {
        0..1000 => format!("{microseconds} µs"),
        1000..10_000 => format!("{:.2} ms", value / 1e3),
        10_000..1_000_000 => format!("{:.1} ms", value / 1e3),
        _ => format!("{:.2} s", value / 1e6),
    }
}

/// A share from 0 to 1 as `97.25 %`.
pub(crate) fn share(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&[("status", Align::Left), ("p99", Align::Right)]);
        table.add(["404".to_owned(), time(87)]);
        table.add(["no answer".to_owned(), time(30_000_000)]);
        let expected = "\
status         p99
─────────  ───────
404          87 µs
no answer  30.00 s
";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn times_have_about_three_digits() {
        let times = [0, 999, 1240, 12_400, 999_900, 1_000_000, 61_230_000].map(time);
        assert_eq!(
            times,
            [
                "0 µs", "999 µs", "1.24 ms", "12.4 ms", "999.9 ms", "1.00 s", "61.23 s"
            ]
        );
    }
}
