//! Values that lines are compared with.

use super::{Axes, Frame, LineChart, TICK};
use crate::plot::color::{AXIS, MUTED};
use crate::plot::pen::{self, Anchor, Area, Drawn};
use plotters::coord::ranged1d::Ranged;
use plotters::prelude::DrawingBackend;

/// A named value on the vertical axis.
#[derive(Clone, Debug)]
pub(super) struct Level {
    name: String,
    y: f64,
}

impl Level {
    pub(super) fn new(name: String, y: f64) -> Self {
        Self { name, y }
    }

    pub(super) fn height(&self) -> f64 {
        self.y
    }
}

impl LineChart {
    pub(super) fn draw_levels<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        frame: &Frame,
        axes: &Axes,
    ) -> Drawn<DB> {
        let range = self.y_range();
        for level in self.levels.iter().filter(|l| range.contains(&l.y)) {
            let height = axes.y.map(&self.scaled(level.y), frame.rows());
            let height = f64::from(height) / pen::UNITS;
            let (from, to) = ((frame.left, height), (frame.right, height));
            pen::dashes(area, from, to, AXIS, 1.5)?;
            // Above the line, unless the frame ends there.
            let beside = if height - TICK < frame.top { 9.0 } else { -9.0 };
            let at = (frame.right, height + beside);
            pen::text(area, &level.name, TICK, MUTED, at, Anchor::Right)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::LineChart;

    #[test]
    fn a_level_is_on_the_axis_if_it_has_a_place_there() {
        let chart = LineChart::new("t").line("a", [(1.0, 1.0), (2.0, 2.0)]);
        for (y, log, shown) in [
            (1e-3, true, true),
            (0.0, true, false),
            (f64::NAN, false, false),
        ] {
            let chart = chart.clone().level("tolerance", y);
            let chart = if log { chart.log_y() } else { chart };
            assert_eq!(chart.y_range().start < 1e-3, shown && y > 0.0);
            assert_eq!(chart.to_svg().unwrap().contains("tolerance"), shown);
        }
    }
}
