//! The row of names above a chart that says which colour is which line.

use super::color::{MUTED, Rgb};
use super::font;
use super::pen::{self, Anchor, Area, At, Drawn};
use plotters::prelude::DrawingBackend;

const TEXT: f64 = 12.0;
const SWATCH: f64 = 16.0;
const AFTER_SWATCH: f64 = 6.0;
const BETWEEN: f64 = 18.0;

/// Height of one row in pixels.
pub(super) const ROW: f64 = 20.0;

/// A name, its colour, and where it stands, relative to the legend's upper left corner.
pub(super) struct Entry {
    name: String,
    color: Rgb,
    at: At,
}

/// Places names in rows of at most this width.
pub(super) fn arrange<'a>(names: impl Iterator<Item = (&'a str, Rgb)>, width: f64) -> Vec<Entry> {
    let (mut x, mut y) = (0.0, 0.0);
    let mut entries = Vec::new();
    for (name, color) in names {
        let needed = SWATCH + AFTER_SWATCH + font::width(name, TEXT);
        if x > 0.0 && x + needed > width {
            (x, y) = (0.0, y + ROW);
        }
        entries.push(Entry {
            name: name.to_string(),
            color,
            at: (x, y),
        });
        x += needed + BETWEEN;
    }
    entries
}

/// How high the entries stand together.
pub(super) fn height(entries: &[Entry]) -> f64 {
    entries.last().map_or(0.0, |last| last.at.1 + ROW)
}

/// Draws the entries with their upper left corner at `at`.
pub(super) fn draw<DB: DrawingBackend>(area: &Area<DB>, entries: &[Entry], at: At) -> Drawn<DB> {
    for entry in entries {
        let (x, middle) = (at.0 + entry.at.0, at.1 + entry.at.1 + ROW / 2.0);
        pen::line(area, (x, middle), (x + SWATCH, middle), entry.color, 3.0)?;
        let text_at = (x + SWATCH + AFTER_SWATCH, middle);
        pen::text(area, &entry.name, TEXT, MUTED, text_at, Anchor::Left)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_wrap_and_none_is_lost() {
        let names = ["loss", "val_loss", "a rather long name of a metric"];
        let entries = arrange(names.into_iter().map(|name| (name, MUTED)), 200.0);
        assert_eq!(entries.len(), 3);
        assert_eq!((entries[1].at.1, entries[2].at), (0.0, (0.0, ROW)));
        assert_eq!(height(&entries), 2.0 * ROW);
        assert_eq!(height(&[]), 0.0);
    }
}
