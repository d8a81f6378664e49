//! The table of what was measured, and whether it is what was aimed at.

use std::fmt;

/// What a figure came to.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Shown only.
    #[default]
    Unjudged,
    Met,
    /// Over what is aimed at and within what must not be passed.
    PastGoal,
    Missed,
}

impl Verdict {
    pub(super) fn of(met: bool) -> Self {
        if met { Self::Met } else { Self::Missed }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unjudged => "",
            Self::Met => "ok",
            Self::PastGoal => "ok, past the goal",
            Self::Missed => "MISSED",
        })
    }
}

/// One figure. What does not apply is left empty.
#[derive(Default)]
pub(super) struct Row {
    pub(super) what: String,
    pub(super) ours: String,
    pub(super) floor: String,
    /// The ratio, the difference or the value that is judged.
    pub(super) value: String,
    pub(super) target: String,
    pub(super) verdict: Verdict,
}

/// All figures; shown as a table in Markdown, so that it can be put where it is read.
#[derive(Default)]
pub(super) struct Table(Vec<Row>);

impl Table {
    pub(super) fn add(&mut self, row: Row) {
        self.0.push(row);
    }

    /// Whether a target was missed.
    pub(super) fn missed(&self) -> bool {
        self.0.iter().any(|row| row.verdict == Verdict::Missed)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ["what", "ours", "floor", "value", "target", ""];
        let mut lines = vec![heads.map(str::to_owned)];
        lines.extend(self.0.iter().map(|row| {
            let texts = [&row.what, &row.ours, &row.floor, &row.value, &row.target];
            let [what, ours, floor, value, target] = texts.map(String::clone);
            [what, ours, floor, value, target, row.verdict.to_string()]
        }));
        let widths: Vec<usize> = (0..heads.len())
            .map(|column| {
                let cells = lines.iter().filter_map(|line| line.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        for (at, line) in lines.iter().enumerate() {
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                // Figures stand at the right, so that they can be compared.
                if (1..=3).contains(&column) {
                    write!(f, "| {cell:>width$} ")?;
                } else {
                    write!(f, "| {cell:<width$} ")?;
                }
            }
            writeln!(f, "|")?;
            if at == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let (end, dashes) = match column {
                        1..=3 => (":", width + 1),
                        _ => ("", width + 2),
                    };
                    write!(f, "|{}{end}", "-".repeat(dashes))?;
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}
