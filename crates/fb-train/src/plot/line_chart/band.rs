//! Bands around lines.

use super::{Axes, Frame, LineChart};
use crate::plot::pen::{self, Area, Drawn};
use plotters::prelude::{DrawingBackend, PathElement};

/// How much of a line's colour its bands have.
const OPACITY: f64 = 0.18;

/// Where a line's values lie: at each place from a lower to an upper one.
#[derive(Clone, Debug)]
pub(super) struct Band {
    line: String,
    points: Vec<(f64, f64, f64)>,
}

impl Band {
    pub(super) fn new(line: String, points: impl IntoIterator<Item = (f64, f64, f64)>) -> Self {
        let upward = |(x, low, high): (f64, f64, f64)| {
            if low > high {
                (x, high, low)
            } else {
                (x, low, high)
            }
        };
        Self {
            line,
            points: points.into_iter().map(upward).collect(),
        }
    }

    /// The points of both edges.
    pub(super) fn edges(&self) -> impl Iterator<Item = (f64, f64)> {
        let both = |&(x, low, high): &(f64, f64, f64)| [(x, low), (x, high)];
        self.points.iter().flat_map(both)
    }
}

impl LineChart {
    pub(super) fn draw_bands<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        frame: &Frame,
        axes: &Axes,
    ) -> Drawn<DB> {
        for band in &self.bands {
            let named = self.lines.iter().position(|line| line.name == band.line);
            let color = self.color(named.unwrap_or(self.lines.len()));
            // What reaches down to 0 reaches below any logarithmic axis.
            let bottom = self.y_range().start;
            let low = |low: f64| if self.log_y { low.max(bottom) } else { low };
            let shown = |&(x, low, high): &(f64, f64, f64)| {
                self.visible(&(x, high)) && (self.visible(&(x, low)) || (self.log_y && low <= 0.0))
            };
            for stretch in band.points.split(|point| !shown(point)) {
                let upper = stretch.iter().map(|&(x, _, y)| (x, y));
                let lower = stretch.iter().rev().map(|&(x, y, _)| (x, low(y)));
                let place = |(x, y): (f64, f64)| frame.place(axes, x, self.scaled(y));
                let corners: Vec<(i32, i32)> = upper.chain(lower).map(place).collect();
                match stretch.len() {
                    0 => {}
                    1 => area.draw(&PathElement::new(corners, pen::stroke(color, 1.0)))?,
                    _ => pen::tint(area, corners, color, OPACITY)?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::LineChart;

    #[test]
    fn a_band_is_cut_where_it_has_no_place_and_widens_the_axis() {
        let points = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let lows = [0.1, 0.0, f64::NAN, 0.2, 9.0, 0.5];
        let band = points.into_iter().zip(lows).map(|(x, low)| (x, low, 2.0));
        let chart = LineChart::new("t").line("a", [(1.0, 1.0)]).band("a", band);
        assert!(chart.y_range().end > 9.0 && chart.x_range() == (1.0..6.0));
        for chart in [chart.clone(), chart.log_y()] {
            let svg = chart.to_svg().unwrap();
            // The first two places, where 0 is below the logarithmic axis, and the last three.
            assert_eq!(svg.matches("<polygon").count(), 2, "{svg}");
            assert!(!svg.contains("NaN"), "{svg}");
        }
        let alone = LineChart::new("t").band("a", [(1.0, 0.1, 0.2)]);
        assert_eq!(alone.to_svg().unwrap().matches("<polygon").count(), 0);
    }
}
