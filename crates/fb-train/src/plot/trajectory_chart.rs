//! What a loop does, iteration by iteration.

use super::{Figure, LineChart, save};
use crate::error::{Error, Result};
use std::path::Path;

/// Width, and height of a panel.
const SIZE: (u32, u32) = (640, 280);

/// The residual and, below it, the accuracy after each iteration of a loop, over the same axis.
///
/// The residuals are a line for the median sample on a logarithmic axis, in a dark band for the middle half of the
/// samples and a pale one for all of them: what is far above the line are the hard samples.
///
/// ```
/// use fb_train::plot::TrajectoryChart;
/// let residuals = [vec![0.8, 0.5, 0.9], vec![0.2, 0.01, 0.6], vec![0.05, 1e-4, 0.4]];
/// let svg = TrajectoryChart::new("an equilibrium layer")
///     .residuals(&residuals)
///     .tolerance(1e-3)
///     .accuracy("validation", &[0.6, 0.85, 0.9])
///     .to_svg()?;
/// assert!(svg.contains("median of 3 samples"));
/// # Ok::<(), fb_train::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TrajectoryChart {
    title: String,
    residuals: Vec<Vec<f64>>,
    tolerance: Option<f64>,
    accuracy: Vec<(String, Vec<f64>)>,
}

impl TrajectoryChart {
    /// A chart without values.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            residuals: Vec::new(),
            tolerance: None,
            accuracy: Vec::new(),
        }
    }

    /// The residuals: for each iteration, the first one first, those of the samples. Later iterations may have fewer, as
    /// where samples stop early. What is not finite counts as larger than everything: the band of all samples then reaches as
    /// far up as anywhere, and a median that is not finite leaves a gap.
    #[must_use]
    pub fn residuals(mut self, by_iteration: &[Vec<f64>]) -> Self {
        self.residuals = by_iteration.to_vec();
        self
    }

    /// The residual at which the loop stops.
    #[must_use]
    pub fn tolerance(mut self, residual: f64) -> Self {
        self.tolerance = Some(residual);
        self
    }

    /// The accuracy after each iteration, the first one first; one line a name.
    #[must_use]
    pub fn accuracy(mut self, name: impl Into<String>, by_iteration: &[f64]) -> Self {
        self.accuracy.push((name.into(), by_iteration.to_vec()));
        self
    }

    /// The panels as a figure, to which others can be added.
    ///
    /// # Errors
    /// There are neither residuals nor accuracies.
    pub fn figure(&self) -> Result<Figure> {
        let mut panels: Vec<LineChart> = self.residual_panel().into_iter().collect();
        panels.extend(self.accuracy_panel());
        let Some(lowest) = panels.pop() else {
            return Err(Error::Plot {
                plot: self.title.clone(),
                expected: "residuals or accuracies of at least one iteration".to_string(),
                found: "none".to_string(),
                help: "record a trajectory first",
            });
        };
        panels.push(lowest.x_label("iteration"));
        let figure = Figure::new(&self.title).stacked();
        Ok(panels.into_iter().fold(figure, Figure::chart))
    }

    /// The chart as the text of an SVG file.
    ///
    /// # Errors
    /// There is nothing to draw.
    pub fn to_svg(&self) -> Result<String> {
        self.figure()?.to_svg()
    }

    /// Writes the chart as `.svg`, or as `.png` with the crate feature `png`.
    ///
    /// # Errors
    /// There is nothing to draw, the name ends otherwise, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        save::save(&self.figure()?, path.as_ref())
    }

    fn iterations(&self) -> usize {
        let lengths = self.accuracy.iter().map(|(_, values)| values.len());
        lengths.fold(self.residuals.len(), usize::max)
    }

    /// A panel over all iterations.
    fn panel(&self, title: &str) -> LineChart {
        LineChart::new(title)
            .with_size(SIZE.0, SIZE.1)
            .whole_x()
            .include_x(1.0)
            .include_x(self.iterations().max(2) as f64)
    }

    fn residual_panel(&self) -> Option<LineChart> {
        let samples = self.residuals.iter().map(Vec::len).max()?;
        let sorted: Vec<Vec<f64>> = self.residuals.iter().map(|values| rising(values)).collect();
        let iterations = || (1..).map(f64::from).zip(&sorted);
        let median = iterations().map(|(x, values)| (x, quantile(values, 0.5)));
        let half = iterations().map(|(x, v)| (x, quantile(v, 0.25), quantile(v, 0.75)));
        let finite = sorted.iter().flatten().filter(|value| value.is_finite());
        let top = finite.fold(f64::NAN, |most, value| most.max(*value));
        let all = iterations().map(|(x, v)| (x, quantile(v, 0.0), quantile(v, 1.0).min(top)));
        let name = match samples {
            1 => "the only sample".to_string(),
            _ => format!("median of {samples} samples (bands: half of them, all)"),
        };
        let mut panel = self.panel("residual").log_y().line(&name, median);
        if samples > 1 {
            panel = panel.band(&name, all).band(&name, half);
        }
        Some(match self.tolerance {
            Some(tolerance) => panel.level("tolerance", tolerance),
            None => panel,
        })
    }

    fn accuracy_panel(&self) -> Option<LineChart> {
        let line = |panel: LineChart, (name, values): &(String, Vec<f64>)| {
            panel.line(name, (1..).map(f64::from).zip(values.iter().copied()))
        };
        let panel = self.panel("accuracy").y_to(1.0);
        (!self.accuracy.is_empty()).then(|| self.accuracy.iter().fold(panel, line))
    }
}

/// The values from small to large, what is not a number among the largest.
fn rising(values: &[f64]) -> Vec<f64> {
    let number = |value: &f64| {
        if value.is_nan() {
            f64::INFINITY
        } else {
            *value
        }
    };
    let mut values: Vec<f64> = values.iter().map(number).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The value below which this share of sorted values lies, between neighbours in proportion; NaN if there are none.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = share * last as f64;
    let (below, part) = (sorted[place as usize], place.fract());
    if part == 0.0 {
        return below;
    }
    below + part * (sorted[place as usize + 1] - below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        let sorted = rising(&[3.0, 1.0, f64::NAN, 2.0, 5.0]);
        assert_eq!(sorted, [1.0, 2.0, 3.0, 5.0, f64::INFINITY]);
        let found = [0.0, 0.25, 0.375, 0.5, 1.0].map(|share| quantile(&sorted, share));
        assert_eq!(found, [1.0, 2.0, 2.5, 3.0, f64::INFINITY]);
        assert!(quantile(&[], 0.5).is_nan());
        assert_eq!(quantile(&[7.0], 0.5), 7.0);
    }

    #[test]
    fn both_panels_stand_on_one_axis() {
        let residuals: Vec<Vec<f64>> = (1..9).map(|k| vec![0.5_f64.powi(k), 0.9]).collect();
        let chart = TrajectoryChart::new("loop")
            .residuals(&residuals)
            .tolerance(1e-2)
            .accuracy("test", &[0.5, 0.9]);
        let svg = chart.to_svg().unwrap();
        assert!(
            svg.starts_with("<svg width=\"640\" height=\"600\""),
            "{svg}"
        );
        for text in ["loop", "residual", "tolerance", "accuracy", "test"] {
            assert!(svg.contains(text), "{text}");
        }
        assert_eq!(svg.matches("<polygon").count(), 2);
        // The axis of iterations is named once, below, and both panels have its 8 values.
        assert_eq!(svg.matches("\niteration\n").count(), 1, "{svg}");
        assert_eq!(svg.matches("\n8\n").count(), 2, "{svg}");
    }

    #[test]
    fn samples_that_stop_and_residuals_that_are_no_numbers_are_drawn() {
        let residuals = [
            vec![1.0, 2.0],
            vec![0.0],
            vec![],
            vec![f64::NAN, f64::INFINITY],
        ];
        let svg = TrajectoryChart::new("t").residuals(&residuals).to_svg();
        assert!(!svg.unwrap().contains("NaN"));
        let one = TrajectoryChart::new("t").residuals(&[vec![0.5]]).to_svg();
        assert!(one.unwrap().contains("the only sample"));
        let text = TrajectoryChart::new("t").to_svg().unwrap_err().to_string();
        assert!(
            text.contains("residuals or accuracies of at least one iteration"),
            "{text}"
        );
    }
}
