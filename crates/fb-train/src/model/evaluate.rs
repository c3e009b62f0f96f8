//! How good a model is on given samples.

use super::{IntoSamples, Model, Predict, Samples};
use crate::error::Result;
use fb_autograd::Var;
use fb_nn::feedback::network::Wanted;
use fb_tensor::{Float, threads};
use std::fmt;

/// Rows that are run through the network at a time.
const BATCH: usize = 256;

/// Loss and metrics over a set of samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Names and values: the loss first, then the metrics in the order of `compile`.
    values: Vec<(String, f64)>,
    rows: usize,
}

impl Evaluation {
    /// The loss.
    pub fn loss(&self) -> f64 {
        self.values[0].1
    }

    /// The value of `"loss"` or of a metric.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values
            .iter()
            .find(|(n, _)| n == name)
            .map(|&(_, value)| value)
    }

    /// Names and values, the loss first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
    }

    /// Over how many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }
}

/// `loss 0.0312  accuracy 0.988  (360 rows)`
impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.values {
            write!(f, "{name} {}  ", crate::text::number(name, *value))?;
        }
        write!(f, "({} rows)", self.rows)
    }
}

impl<F: Float> Model<F> {
    /// Loss and metrics of the answers after the last iteration; of deep supervision, after the last segment.
    ///
    /// # Errors
    /// The samples are not what the network takes.
    pub fn evaluate(&self, samples: impl IntoSamples<F>) -> Result<Evaluation> {
        self.evaluate_with(samples, &Predict::new())
    }

    /// [`Model::evaluate`] under another schedule, or with noise.
    ///
    /// # Errors
    /// The samples are not what the network takes, or the schedule does not fit it.
    pub fn evaluate_with(&self, samples: impl IntoSamples<F>, how: &Predict) -> Result<Evaluation> {
        let samples = samples.into_samples();
        self.check(&samples, "the evaluation data", how)?;
        let mut all = threads::scope(|| self.evaluate_outputs(&samples, Wanted::Last, how))?;
        Ok(all.pop().expect("every run has an output"))
    }

    /// Loss and metrics of the answers after each iteration: how the loop refines them.
    ///
    /// # Errors
    /// The samples are not what the network takes.
    pub fn evaluate_iterations(&self, samples: impl IntoSamples<F>) -> Result<Vec<Evaluation>> {
        let (samples, how) = (samples.into_samples(), Predict::new());
        self.check(&samples, "the evaluation data", &how)?;
        threads::scope(|| self.evaluate_outputs(&samples, Wanted::Every, &how))
    }

    fn check(&self, samples: &Samples<F>, what: &'static str, how: &Predict) -> Result<()> {
        samples.check(&self.network, what, self.sequences(how.schedule_ref()))
    }

    pub(crate) fn evaluate_outputs(
        &self,
        samples: &Samples<F>,
        wanted: Wanted,
        how: &Predict,
    ) -> Result<Vec<Evaluation>> {
        let rows = samples.rows();
        let mut sums: Vec<(f64, Vec<_>)> = Vec::new();
        let mut start = 0;
        while start < rows {
            let end = (start + BATCH).min(rows);
            let batch = samples.range(start..end);
            let outputs = self.answers(&batch.inputs, start, wanted, how)?.outputs;
            if sums.is_empty() {
                sums = outputs
                    .iter()
                    .map(|_| (0.0, self.fresh_metrics()))
                    .collect();
            }
            for (output, (loss, metrics)) in outputs.iter().zip(&mut sums) {
                let value =
                    self.loss
                        .forward(&Var::constant(output.clone()), &batch.targets, None)?;
                *loss += value.item().to_f64() * (end - start) as f64;
                for metric in metrics {
                    metric.update(output, &batch.targets)?;
                }
            }
            start = end;
        }
        Ok(sums
            .into_iter()
            .map(|(loss, metrics)| {
                let mut values = vec![("loss".to_owned(), loss / rows as f64)];
                values.extend(
                    metrics
                        .iter()
                        .map(|metric| (metric.name().to_owned(), metric.value())),
                );
                Evaluation { values, rows }
            })
            .collect())
    }
}
