//! Charts beside or below each other.

use super::color::INK;
use super::pen::{self, Anchor, Area, Draw, Drawn, units};
use super::{LineChart, save};
use crate::error::Result;
use plotters::prelude::DrawingBackend;
use std::path::Path;

const TITLE: f64 = 18.0;
const TITLE_ROW: f64 = 40.0;

/// Line charts side by side under one title, or below each other with their axes in line.
///
/// ```
/// use fb_train::plot::{Figure, LineChart};
/// let figure = Figure::new("two runs")
///     .chart(LineChart::new("loss").line("run 1", [(1.0, 0.7), (2.0, 0.4)]))
///     .chart(LineChart::new("accuracy").line("run 1", [(1.0, 0.6), (2.0, 0.9)]));
/// assert!(figure.to_svg()?.contains("two runs"));
/// # Ok::<(), fb_train::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Figure {
    title: String,
    charts: Vec<LineChart>,
    stacked: bool,
}

impl Figure {
    /// A figure without charts.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            charts: Vec::new(),
            stacked: false,
        }
    }

    /// Puts the charts below each other, their vertical axes in line, instead of side by side.
    #[must_use]
    pub fn stacked(mut self) -> Self {
        self.stacked = true;
        self
    }

    /// One more chart, to the right of the others or below them.
    #[must_use]
    pub fn chart(mut self, chart: LineChart) -> Self {
        self.charts.push(chart);
        self
    }

    /// Whether there is no chart.
    pub fn is_empty(&self) -> bool {
        self.charts.is_empty()
    }

    /// The figure as the text of an SVG file.
    ///
    /// # Errors
    /// A chart has a size outside its range, or the figure cannot be drawn.
    pub fn to_svg(&self) -> Result<String> {
        save::svg(self)
    }

    /// Writes the figure as `.svg`, or as `.png` with the crate feature `png`.
    ///
    /// # Errors
    /// The name ends otherwise, a chart has a size outside its range, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        save::save(self, path.as_ref())
    }
}

impl Draw for Figure {
    fn title(&self) -> &str {
        &self.title
    }

    fn check(&self) -> Result<()> {
        self.charts.iter().try_for_each(LineChart::check)
    }

    fn size(&self) -> (u32, u32) {
        let sizes = || self.charts.iter().map(LineChart::size);
        let (widths, heights) = (sizes().map(|size| size.0), sizes().map(|size| size.1));
        let (width, height) = if self.stacked {
            (widths.max().unwrap_or(0), heights.sum::<u32>())
        } else {
            (widths.sum::<u32>(), heights.max().unwrap_or(0))
        };
        (width.max(240), height + TITLE_ROW as u32)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        pen::text(area, &self.title, TITLE, INK, (16.0, 16.0), Anchor::TopLeft)?;
        let (mut left, mut top) = (0.0, TITLE_ROW);
        let room = self.charts.iter().map(LineChart::tick_width);
        let room = if self.stacked {
            room.fold(0.0, f64::max)
        } else {
            0.0
        };
        for chart in &self.charts {
            let (width, height) = chart.size();
            let (width, height) = (f64::from(width), f64::from(height));
            let corner = (units(left), units(top));
            let chart = chart.clone().with_tick_room(room);
            chart.draw(&area.clone().shrink(corner, (units(width), units(height))))?;
            if self.stacked {
                top += height;
            } else {
                left += width;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_of_a_size_that_cannot_be_drawn_is_refused() {
        for size in [(0, 0), (u32::MAX, 400)] {
            let chart = || LineChart::new("loss").with_size(size.0, size.1);
            let figure = Figure::new("runs")
                .chart(LineChart::new("a"))
                .chart(chart());
            for error in [figure.to_svg().unwrap_err(), chart().to_svg().unwrap_err()] {
                assert_eq!(
                    error.to_string(),
                    format!(
                        "cannot draw \"loss\"\n  \
                         expected a width of 240 to 8000 and a height of 160 to 8000 pixels, found {} × {}\n  \
                         help: choose another .with_size(..); without it a chart has 560 × 360",
                        size.0, size.1
                    )
                );
            }
        }
    }
}
