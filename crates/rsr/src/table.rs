//! Columns for people, and the same as tab-separated text.

use std::fmt::Write;

/// Rows of text under a header.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with this header and no rows.
    pub(crate) fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        Self {
            rows: vec![header.into_iter().map(Into::into).collect()],
        }
    }

    /// Adds a row.
    pub(crate) fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Columns as wide as their widest cell, two blanks between them; no line end after the last row.
    pub(crate) fn aligned(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        let lines = self.rows.iter().map(|row| {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                write!(line, "{cell:<width$}  ").expect("a String takes any text");
            }
            line.trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// One line a row, tabs between cells; tabs and line ends inside a cell become blanks.
    pub(crate) fn tsv(&self) -> String {
        let lines = self.rows.iter().map(|row| {
            let cells: Vec<String> = row
                .iter()
                .map(|cell| cell.replace(['\t', '\n', '\r'], " "))
                .collect();
            cells.join("\t")
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["name", "n"]);
        table.row(["größer", "1"]);
        table.row(["", "22"]);
        assert_eq!(table.aligned(), "name    n\ngrößer  1\n        22");
    }

    #[test]
    fn a_cell_cannot_break_a_line() {
        let mut table = Table::new(["a", "b"]);
        table.row(["x\ty", "z\nw"]);
        assert_eq!(table.tsv(), "a\tb\nx y\tz w");
    }
}
