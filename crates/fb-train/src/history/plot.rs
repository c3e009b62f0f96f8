//! A history as a picture.

use super::table::sample;
use super::{EpochRecord, History};
use crate::error::{Error, Result};
use crate::plot::{Figure, LineChart};
use crate::text::is_score;
use std::path::Path;

/// How many epochs the panel of accuracies by iteration shows.
const EPOCHS_BY_ITERATION: usize = 4;

/// Beyond this ratio of largest to smallest, a loss is drawn on a logarithmic axis.
const LOG_RATIO: f64 = 100.0;

impl History {
    /// Draws the history: losses and errors in one panel, scores such as the accuracy in a second, and where it was
    /// recorded the accuracy after each refinement iteration in a third.
    ///
    /// The format is told by the name: `.svg`, or `.png` with the crate feature `png`.
    ///
    /// # Errors
    /// The name ends otherwise, there is nothing to draw, or the file cannot be written.
    pub fn plot(&self, path: impl AsRef<Path>) -> Result<()> {
        self.figure()?.save(path)
    }

    /// The picture that [`History::plot`] writes, to be drawn otherwise or beside others.
    ///
    /// # Errors
    /// There is nothing to draw.
    pub fn figure(&self) -> Result<Figure> {
        let charts = [self.losses(), self.scores(), self.by_iteration()];
        let figure = charts
            .into_iter()
            .flatten()
            .fold(Figure::new("training history"), Figure::chart);
        if figure.is_empty() {
            return Err(Error::Plot {
                plot: "training history".to_string(),
                expected: "at least one epoch with a loss or a score".to_string(),
                found: match self.len() {
                    0 => "no epoch".to_string(),
                    epochs => format!("neither in any of {epochs}"),
                },
                help: "train for an epoch first",
            });
        }
        Ok(figure)
    }

    fn losses(&self) -> Option<LineChart> {
        let names: Vec<&str> = self
            .names()
            .into_iter()
            .filter(|name| is_loss(name))
            .collect();
        let chart = self.lines(LineChart::new("loss"), &names)?;
        let values = || {
            names
                .iter()
                .flat_map(|name| self.series(name))
                .map(|(_, value)| value)
        };
        let low = values().fold(f64::INFINITY, f64::min);
        let high = values()
            .filter(|value| value.is_finite())
            .fold(0.0, f64::max);
        Some(if low > 0.0 && high > LOG_RATIO * low {
            chart.log_y()
        } else {
            chart.y_from(0.0)
        })
    }

    fn scores(&self) -> Option<LineChart> {
        let names: Vec<&str> = self
            .names()
            .into_iter()
            .filter(|name| is_score(name))
            .collect();
        let title = if names.iter().all(|name| name.contains("accuracy")) {
            "accuracy"
        } else {
            "scores"
        };
        self.lines(LineChart::new(title).y_to(1.0), &names)
    }

    /// One line a name over the epochs; none if there is no name.
    fn lines(&self, chart: LineChart, names: &[&str]) -> Option<LineChart> {
        let line = |chart: LineChart, name: &&str| {
            let points = self
                .series(name)
                .into_iter()
                .map(|(epoch, value)| (epoch as f64, value));
            chart.line(*name, points)
        };
        (!names.is_empty()).then(|| names.iter().fold(chart.x_label("epoch").whole_x(), line))
    }

    fn by_iteration(&self) -> Option<LineChart> {
        let recorded: Vec<&EpochRecord> = self
            .records()
            .iter()
            .filter(|record| record.iteration_accuracy().is_some())
            .collect();
        let chart = LineChart::new("accuracy by iteration")
            .x_label("iteration")
            .whole_x()
            .y_to(1.0)
            .ordered();
        let line = |chart: LineChart, index: usize| {
            let record = recorded[index];
            let accuracy = record.iteration_accuracy().unwrap_or_default();
            let points = accuracy
                .iter()
                .enumerate()
                .map(|(i, &value)| ((i + 1) as f64, value));
            chart.line(format!("epoch {}", record.epoch()), points)
        };
        let shown = sample(recorded.len(), EPOCHS_BY_ITERATION);
        (!shown.is_empty()).then(|| shown.into_iter().fold(chart, line))
    }
}

/// Whether the value belongs beside the loss, on its axis.
fn is_loss(name: &str) -> bool {
    name.split('_')
        .any(|word| matches!(word, "loss" | "error" | "mse" | "mae" | "rmse"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_draw_is_told() {
        let text = |history: History| {
            let text = history.figure().unwrap_err().to_string();
            text.lines().nth(1).unwrap().to_string()
        };
        assert_eq!(
            text(History::new()),
            "  expected at least one epoch with a loss or a score, found no epoch"
        );
        let timed = EpochRecord::new(1).with("seconds", 1.0);
        assert_eq!(
            text(History::from_iter([timed])),
            "  expected at least one epoch with a loss or a score, found neither in any of 1"
        );
    }

    #[test]
    fn losses_beyond_every_axis_are_drawn() {
        for losses in [[1e308, -1e308], [f64::NAN, f64::NAN], [1.0, 1e308]] {
            let records = (1..).zip(losses);
            let history: History = records
                .map(|(epoch, loss)| EpochRecord::new(epoch).with("loss", loss))
                .collect();
            let svg = history.figure().unwrap().to_svg().unwrap();
            assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN"), "{svg}");
        }
    }
}
