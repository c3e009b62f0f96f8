//! Answers of a model.

use super::objective::plain;
use super::{Inputs, IntoInputs, Model, Predict};
use crate::error::Result;
use fb_nn::feedback::network::Wanted;
use fb_tensor::{Float, Tensor, threads};

/// Rows that are run through the network at a time.
const BATCH: usize = 256;

const WHAT: &str = "the input of predict";

impl<F: Float> Model<F> {
    /// The answers after the last iteration.
    ///
    /// # Shapes
    /// - `x`: `[batch, …]` as the network takes: numbers, or indices such as tokens
    /// - returns `[batch, …]` as the network gives
    ///
    /// # Errors
    /// The input is not what the network takes, or holds a NaN or infinity.
    pub fn predict(&self, x: impl IntoInputs<F>) -> Result<Tensor<F>> {
        self.predict_with(x, &Predict::new())
    }

    /// [`Model::predict`] under another schedule, or with noise.
    ///
    /// # Errors
    /// The input is not what the network takes, or the schedule does not fit it.
    pub fn predict_with(&self, x: impl IntoInputs<F>, how: &Predict) -> Result<Tensor<F>> {
        let mut all = self.predict_inputs(&x.into_inputs(), Wanted::Last, how)?;
        Ok(all.pop().expect("every run has an output"))
    }

    /// The answers after each iteration.
    ///
    /// # Errors
    /// The input is not what the network takes, or holds a NaN or infinity.
    pub fn predict_iterations(&self, x: impl IntoInputs<F>) -> Result<Vec<Tensor<F>>> {
        self.predict_inputs(&x.into_inputs(), Wanted::Every, &Predict::new())
    }

    /// The most likely class of each row: the largest output, or whether the only one is above one half.
    ///
    /// # Errors
    /// The input is not what the network takes, or holds a NaN or infinity.
    pub fn predict_classes(&self, x: impl IntoInputs<F>) -> Result<Tensor<i64>> {
        let y = self.predict(x)?;
        if y.dims().last() == Some(&1) {
            let half = Tensor::from_scalar(F::from_f64(0.5));
            return Ok(y.gt(&half).cast::<i64>().reshape([y.len()]));
        }
        Ok(y.argmax(y.rank() - 1))
    }

    /// All outputs of a network with several, in the order in which it declares them, after the last iteration.
    ///
    /// # Errors
    /// As [`Model::predict`].
    pub fn predict_all(&self, x: impl IntoInputs<F>) -> Result<Vec<Tensor<F>>> {
        let (inputs, how) = (x.into_inputs(), Predict::new());
        inputs.check(&self.network, WHAT, self.sequences(None))?;
        threads::scope(|| {
            self.by_batches(&inputs, |batch, start| {
                let run = self.answers(batch, start, Wanted::Last, &how)?.run;
                plain(&run.into_last_all())
            })
        })
    }

    fn predict_inputs(
        &self,
        inputs: &Inputs<F>,
        wanted: Wanted,
        how: &Predict,
    ) -> Result<Vec<Tensor<F>>> {
        inputs.check(&self.network, WHAT, self.sequences(how.schedule_ref()))?;
        threads::scope(|| {
            self.by_batches(inputs, |batch, start| {
                Ok(self.answers(batch, start, wanted, how)?.outputs)
            })
        })
    }

    /// What `answers` gives for each batch and its first row, joined over the batches.
    fn by_batches(
        &self,
        inputs: &Inputs<F>,
        answers: impl Fn(&Inputs<F>, usize) -> Result<Vec<Tensor<F>>>,
    ) -> Result<Vec<Tensor<F>>> {
        let rows = inputs.rows();
        let mut parts: Vec<Vec<Tensor<F>>> = Vec::new();
        for start in (0..rows).step_by(BATCH) {
            let batch = inputs.range(start..(start + BATCH).min(rows));
            let outputs = answers(&batch, start)?;
            parts.resize(outputs.len(), Vec::new());
            for (output, part) in outputs.into_iter().zip(&mut parts) {
                part.push(output);
            }
        }
        let joined = parts.into_iter().map(|part| match part.as_slice() {
            [only] => only.clone(),
            several => Tensor::concat(&several.iter().collect::<Vec<_>>(), 0),
        });
        Ok(joined.collect())
    }
}
