//! A matrix as coloured cells.

use super::color::{ColorMap, INK, MUTED, ink_on};
use super::pen::{self, Anchor, Area, Draw, Drawn};
use super::{font, save, ticks};
use crate::error::Result;
use plotters::prelude::DrawingBackend;
use std::path::Path;

const TITLE: f64 = 16.0;
const LABEL: f64 = 12.0;
const TEXT: f64 = 11.0;
const MARGIN: f64 = 16.0;

/// A cell with a text in it is as wide as this at least, in pixels.
const LABELLED_CELL: f64 = 40.0;

/// The widest and highest that cells without texts get together, and the smallest that each of them is.
const PLAIN_EXTENT: f64 = 420.0;
const PLAIN_CELL: f64 = 2.0;

/// Distance and width of the bar that says what the colours stand for, and how many shades it shows.
const BAR_GAP: f64 = 14.0;
const BAR: f64 = 12.0;
const SHADES: usize = 64;

/// A matrix as coloured cells, with a title, names of rows and columns, and, if wanted, a text in each cell; without
/// such texts a bar beside it says what the colours stand for.
///
/// ```
/// use fb_train::plot::Heatmap;
/// let svg = Heatmap::new("confusion", vec![vec![0.9, 0.1], vec![0.2, 0.8]])
///     .row_names(["cat", "dog"])
///     .column_names(["cat", "dog"])
///     .x_label("predicted")
///     .y_label("actual")
///     .cell_texts(|row, column| format!("{row}{column}"))
///     .to_svg()?;
/// assert!(svg.contains("predicted"));
/// # Ok::<(), fb_train::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Heatmap {
    title: String,
    x_label: String,
    y_label: String,
    values: Vec<Vec<f64>>,
    row_names: Vec<String>,
    column_names: Vec<String>,
    texts: Option<Vec<Vec<String>>>,
    colors: ColorMap,
}

impl Heatmap {
    /// A map of the given rows, top row first. Rows may end early.
    pub fn new(title: impl Into<String>, rows: Vec<Vec<f64>>) -> Self {
        Self {
            title: title.into(),
            x_label: String::new(),
            y_label: String::new(),
            values: rows,
            row_names: Vec::new(),
            column_names: Vec::new(),
            texts: None,
            colors: ColorMap::default(),
        }
    }

    /// What the columns are.
    #[must_use]
    pub fn x_label(mut self, label: impl Into<String>) -> Self {
        self.x_label = label.into();
        self
    }

    /// What the rows are.
    #[must_use]
    pub fn y_label(mut self, label: impl Into<String>) -> Self {
        self.y_label = label.into();
        self
    }

    /// A name for each row, top row first.
    #[must_use]
    pub fn row_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.row_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// A name for each column.
    #[must_use]
    pub fn column_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.column_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Writes in each cell what `text` says for its row and column.
    #[must_use]
    pub fn cell_texts(mut self, text: impl Fn(usize, usize) -> String) -> Self {
        let row = |(row, values): (usize, &Vec<f64>)| {
            (0..values.len()).map(|column| text(row, column)).collect()
        };
        self.texts = Some(self.values.iter().enumerate().map(row).collect());
        self
    }

    /// How numbers become colours.
    #[must_use]
    pub fn colors(mut self, colors: ColorMap) -> Self {
        self.colors = colors;
        self
    }

    /// The map as the text of an SVG file.
    ///
    /// # Errors
    /// The map cannot be drawn.
    pub fn to_svg(&self) -> Result<String> {
        save::svg(self)
    }

    /// Writes the map as `.svg`, or as `.png` with the crate feature `png`.
    ///
    /// # Errors
    /// The name ends otherwise, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        save::save(self, path.as_ref())
    }

    fn columns(&self) -> usize {
        self.values.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Width and height of a cell in whole pixels.
    fn cell(&self) -> (f64, f64) {
        if let Some(texts) = &self.texts {
            let widest = texts
                .iter()
                .flatten()
                .map(|text| font::width(text, TEXT))
                .fold(0.0, f64::max);
            let side = (widest + 12.0).max(LABELLED_CELL).ceil();
            return (side, side.min(LABELLED_CELL));
        }
        let longest = self.columns().max(self.values.len()).max(1);
        let side = (PLAIN_EXTENT / longest as f64)
            .clamp(PLAIN_CELL, LABELLED_CELL)
            .floor();
        (side, side)
    }

    /// The corner of the first cell.
    fn corner(&self) -> (f64, f64) {
        let names = widest(&self.row_names);
        let left = MARGIN + if names > 0.0 { names + 8.0 } else { 0.0 };
        let left = left
            + if self.y_label.is_empty() {
                0.0
            } else {
                LABEL + 8.0
            };
        (left.ceil(), MARGIN + TITLE + 14.0)
    }

    /// The values that the ends of the colours stand for.
    fn range(&self) -> (f64, f64) {
        self.colors.range(self.values.iter().flatten().copied())
    }

    /// The texts beside the lower and the upper end of the bar; none where the cells say it themselves.
    fn bar_labels(&self) -> Option<Vec<String>> {
        let (low, high) = self.range();
        (self.texts.is_none() && self.columns() > 0).then(|| ticks::labels(&[low, high]))
    }

    /// Whether the names of columns are too wide to stand beside each other and are turned to read upwards.
    fn turned(&self) -> bool {
        widest(&self.column_names) > self.cell().0 - 4.0
    }

    /// Height of the names of columns.
    fn names_below(&self) -> f64 {
        match widest(&self.column_names) {
            0.0 => 0.0,
            width if self.turned() => width + 8.0,
            _ => TEXT + 10.0,
        }
    }
}

fn widest(names: &[String]) -> f64 {
    names
        .iter()
        .map(|name| font::width(name, TEXT))
        .fold(0.0, f64::max)
}

impl Draw for Heatmap {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (u32, u32) {
        let (corner, cell) = (self.corner(), self.cell());
        let bar = self
            .bar_labels()
            .map_or(0.0, |labels| BAR_GAP + BAR + 6.0 + widest(&labels));
        let width = corner.0 + cell.0 * self.columns() as f64 + bar;
        let width = width.max(MARGIN + font::width(&self.title, TITLE));
        let below = self.names_below()
            + if self.x_label.is_empty() {
                0.0
            } else {
                LABEL + 10.0
            };
        let height = corner.1 + cell.1 * self.values.len() as f64 + below;
        (
            (width + MARGIN).ceil() as u32,
            (height + MARGIN).ceil() as u32,
        )
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        pen::text(
            area,
            &self.title,
            TITLE,
            INK,
            (MARGIN, MARGIN),
            Anchor::TopLeft,
        )?;
        self.draw_cells(area)?;
        self.draw_bar(area)?;
        self.draw_names(area)
    }
}

impl Heatmap {
    fn draw_cells<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let (corner, cell) = (self.corner(), self.cell());
        let (low, high) = self.range();
        // Cells with a text stand apart; those of a picture touch.
        let gap = if self.texts.is_some() { 1.0 } else { 0.0 };
        for (row, values) in self.values.iter().enumerate() {
            for (column, value) in values.iter().enumerate() {
                let color = self.colors.at((value - low) / (high - low));
                let from = (
                    corner.0 + cell.0 * column as f64,
                    corner.1 + cell.1 * row as f64,
                );
                let to = (from.0 + cell.0, from.1 + cell.1);
                pen::rectangle(area, from, (to.0 - gap, to.1 - gap), color)?;
                if let Some(texts) = &self.texts {
                    let middle = ((from.0 + to.0 - gap) / 2.0, (from.1 + to.1 - gap) / 2.0);
                    pen::text(
                        area,
                        &texts[row][column],
                        TEXT,
                        ink_on(color),
                        middle,
                        Anchor::Middle,
                    )?;
                }
            }
        }
        Ok(())
    }

    fn draw_bar<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let Some(labels) = self.bar_labels() else {
            return Ok(());
        };
        let (corner, cell) = (self.corner(), self.cell());
        let left = corner.0 + cell.0 * self.columns() as f64 + BAR_GAP;
        let (top, bottom) = (corner.1, corner.1 + cell.1 * self.values.len() as f64);
        let height = (bottom - top) / SHADES as f64;
        for shade in 0..SHADES {
            let color = self
                .colors
                .at((SHADES - 1 - shade) as f64 / (SHADES - 1) as f64);
            let at = top + height * shade as f64;
            pen::rectangle(area, (left, at), (left + BAR, at + height), color)?;
        }
        for (label, height) in labels.iter().zip([bottom - TEXT / 2.0, top + TEXT / 2.0]) {
            pen::text(
                area,
                label,
                TEXT,
                MUTED,
                (left + BAR + 6.0, height),
                Anchor::Left,
            )?;
        }
        Ok(())
    }

    fn draw_names<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let (corner, cell) = (self.corner(), self.cell());
        let (rows, columns) = (self.values.len(), self.columns());
        let bottom = corner.1 + cell.1 * rows as f64;
        for (row, name) in self.row_names.iter().take(rows).enumerate() {
            let at = (corner.0 - 8.0, corner.1 + cell.1 * (row as f64 + 0.5));
            pen::text(area, name, TEXT, MUTED, at, Anchor::Right)?;
        }
        for (column, name) in self.column_names.iter().take(columns).enumerate() {
            let middle = corner.0 + cell.0 * (column as f64 + 0.5);
            if self.turned() {
                let at = (middle, bottom + 6.0 + font::width(name, TEXT) / 2.0);
                pen::upright_text(area, name, TEXT, MUTED, at)?;
            } else {
                pen::text(area, name, TEXT, MUTED, (middle, bottom + 6.0), Anchor::Top)?;
            }
        }
        if !self.x_label.is_empty() {
            let at = (
                corner.0 + cell.0 * columns as f64 / 2.0,
                bottom + self.names_below() + 6.0,
            );
            pen::text(area, &self.x_label, LABEL, MUTED, at, Anchor::Top)?;
        }
        if !self.y_label.is_empty() {
            let at = (MARGIN + LABEL / 2.0, (corner.1 + bottom) / 2.0);
            pen::upright_text(area, &self.y_label, LABEL, MUTED, at)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_drawn_with_its_text() {
        let map = Heatmap::new("m", vec![vec![1.0, 2.0], vec![3.0]])
            .cell_texts(|r, c| format!("cell {r}{c}"));
        let svg = map.to_svg().unwrap();
        assert_eq!(svg.matches("cell ").count(), 3);
        // Three cells and the paper.
        assert_eq!(svg.matches("<rect").count(), 4);
    }

    #[test]
    fn degenerate_maps_are_drawn() {
        for rows in [
            vec![],
            vec![vec![]],
            vec![vec![f64::NAN]],
            vec![vec![0.0; 3]; 2],
        ] {
            let svg = Heatmap::new("m", rows)
                .row_names(["a", "b", "c", "d"])
                .to_svg()
                .unwrap();
            assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN"), "{svg}");
        }
    }

    #[test]
    fn long_names_of_columns_are_turned() {
        let map = Heatmap::new("m", vec![vec![1.0; 3]]).column_names(["a", "b", "iris-versicolor"]);
        assert!(map.turned());
        assert!(map.to_svg().unwrap().contains("rotate(270"));
    }
}
