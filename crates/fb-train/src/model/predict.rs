//! Answers of a model.

use super::step::numbers;
use super::{Inputs, IntoInputs, Model};
use crate::error::Result;
use fb_nn::Context;
use fb_nn::feedback::network::{RunOptions, Wanted};
use fb_tensor::{Float, Tensor, threads};

/// Rows that are run through the network at a time.
const BATCH: usize = 256;

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
        let mut all = self.predict_inputs(&x.into_inputs(), Wanted::Last)?;
        Ok(all.pop().expect("every run has an output"))
    }

    /// The answers after each iteration.
    ///
    /// # Errors
    /// The input is not what the network takes, or holds a NaN or infinity.
    pub fn predict_iterations(&self, x: impl IntoInputs<F>) -> Result<Vec<Tensor<F>>> {
        self.predict_inputs(&x.into_inputs(), Wanted::Every)
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

    fn predict_inputs(&self, inputs: &Inputs<F>, wanted: Wanted) -> Result<Vec<Tensor<F>>> {
        inputs.check(&self.network, "the input of predict")?;
        threads::scope(|| {
            let rows = inputs.rows();
            let mut parts: Vec<Vec<Tensor<F>>> = Vec::new();
            for start in (0..rows).step_by(BATCH) {
                let batch = inputs.range(start..(start + BATCH).min(rows));
                let options = RunOptions {
                    wanted,
                    ..RunOptions::default()
                };
                let mut cx = Context::eval(self.network.params());
                let trajectory = self.network.run(&mut cx, batch.value(), &options)?;
                parts.resize(trajectory.outputs().len(), Vec::new());
                for (output, part) in trajectory.outputs().iter().zip(&mut parts) {
                    part.push(numbers(output)?.tensor().clone());
                }
            }
            Ok(parts
                .into_iter()
                .map(|part| match part.as_slice() {
                    [only] => only.clone(),
                    several => Tensor::concat(&several.iter().collect::<Vec<_>>(), 0),
                })
                .collect())
        })
    }
}
