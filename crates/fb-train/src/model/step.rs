//! One training step.

use super::{LossOn, Model, Samples};
use crate::error::{Error, Result};
use fb_autograd::Var;
use fb_nn::feedback::network::{RunOptions, Trajectory};
use fb_nn::optim::{self, Clip};
use fb_nn::{Context, ParamId, Target, Value};
use fb_tensor::{Float, Tensor};

/// What one training step found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// The loss before the step, penalties included.
    pub loss: f64,
    /// The norm of the gradient before clipping, where the norm is clipped.
    pub gradient_norm: Option<f64>,
    /// How many iterations the loop made.
    pub iterations: usize,
    /// The gradient strategy that was really used.
    pub gradient_used: &'static str,
}

/// What a step needs besides the samples.
pub(crate) struct StepOptions<'a, F: Float> {
    /// One weight per sample, or none.
    pub(crate) weights: Option<&'a Tensor<F>>,
    /// The number of the first row within the epoch.
    pub(crate) first_row: u64,
}

impl<F: Float> Default for StepOptions<'_, F> {
    fn default() -> Self {
        Self {
            weights: None,
            first_row: 0,
        }
    }
}

/// Lists of one step whose memory the next one uses again; empty between steps.
#[derive(Debug)]
pub(super) struct Lists<F: Float> {
    gradients: Vec<(ParamId, Tensor<F>)>,
    updates: Vec<(ParamId, Tensor<F>)>,
}

impl<F: Float> Default for Lists<F> {
    fn default() -> Self {
        Self {
            gradients: Vec::new(),
            updates: Vec::new(),
        }
    }
}

impl<F: Float> Model<F> {
    /// Trains on one batch: the escape hatch for loops of your own. Changes the parameters by one optimizer step.
    ///
    /// If the loss or a gradient is not finite, nothing changes.
    ///
    /// # Errors
    /// The samples are not what the network takes, or a NaN or infinity appears; the error names layer, edge and
    /// iteration.
    pub fn train_batch(&mut self, samples: impl super::IntoSamples<F>) -> Result<StepReport> {
        let samples = samples.into_samples();
        samples.check(&self.network, "the batch")?;
        self.check_settings()?;
        self.step(&samples, &StepOptions::default(), |_| Ok(()))
    }

    /// One step; `look` is shown the network's answer before the parameters change.
    pub(crate) fn step(
        &mut self,
        samples: &Samples<F>,
        options: &StepOptions<'_, F>,
        look: impl FnOnce(&Tensor<F>) -> Result<()>,
    ) -> Result<StepReport> {
        // A run that failed half-way may have left something.
        self.tape.clear();
        let key = self.key();
        let mut cx = Context::train(
            self.network.params(),
            self.tape.clone(),
            key,
            self.clock.step,
        )
        .with_first_row(options.first_row)
        .with_update_list(std::mem::take(&mut self.lists.updates));
        let (trajectory, loss) = self.forward(&mut cx, samples, options)?;
        let mut value = loss.item().to_f64();
        if !value.is_finite() {
            return Err(self.explain(samples, options, "the loss", value));
        }
        let mut found = loss.backward();
        let mut gradients = std::mem::take(&mut self.lists.gradients);
        for (id, leaf) in cx.leaves() {
            if let Some(gradient) = found.take(leaf) {
                gradients.push((id, gradient));
            }
        }
        let mut updates = cx.take_buffer_updates();
        look(answer(&trajectory)?)?;
        let report = StepReport {
            loss: 0.0,
            gradient_norm: None,
            iterations: trajectory.iterations(),
            gradient_used: trajectory.gradient_used(),
        };
        // The tape holds the parameters: with it gone, the optimizer writes them in place instead of copying.
        drop((cx, trajectory, loss, found));
        self.tape.clear();
        for penalty in &self.penalties {
            value += penalty.add_to(self.network.params(), &mut gradients)?;
        }
        if let Some((id, _)) = gradients
            .iter()
            .find(|(_, gradient)| !gradient.is_all_finite())
        {
            let place = format!(
                "the gradient of {:?}",
                self.network.params().get(*id).name()
            );
            return Err(self.explain(samples, options, &place, f64::NAN));
        }
        let gradient_norm = match self.clip {
            Some(clip @ Clip::Norm(_)) => Some(clip.apply(&mut gradients)),
            Some(clip) => {
                clip.apply(&mut gradients);
                None
            }
            None => None,
        };
        let rate = self.optimizer.learning_rate();
        optim::apply(
            &*self.optimizer,
            &mut self.optimizer_state,
            self.network.params_mut(),
            &gradients,
            rate,
        )?;
        for (id, tensor) in updates.drain(..) {
            self.network.params_mut().get_mut(id).value = tensor;
        }
        gradients.clear();
        self.lists = Lists { gradients, updates };
        self.clock.step += 1;
        Ok(StepReport {
            loss: value,
            gradient_norm,
            ..report
        })
    }

    fn forward(
        &self,
        cx: &mut Context<'_, F>,
        samples: &Samples<F>,
        options: &StepOptions<'_, F>,
    ) -> Result<(Trajectory<F>, Var<F>)> {
        let run = RunOptions {
            gradient: self.gradient.clone(),
            wanted: self.loss_on.wanted(),
            ..RunOptions::default()
        };
        let trajectory = self.network.run(cx, samples.inputs.value(), &run)?;
        let loss = self.mean_loss(&trajectory, &samples.targets, options.weights)?;
        Ok((trajectory, loss))
    }

    /// The loss of the wanted outputs, averaged over them.
    pub(super) fn mean_loss(
        &self,
        trajectory: &Trajectory<F>,
        targets: &Target<F>,
        weights: Option<&Tensor<F>>,
    ) -> Result<Var<F>> {
        let mut total: Option<Var<F>> = None;
        for output in trajectory.outputs() {
            let loss = self.loss.forward(numbers(output)?, targets, weights)?;
            total = Some(match total {
                Some(sum) => sum + loss,
                None => loss,
            });
        }
        let total = total.expect("a run has at least one output");
        let count = trajectory.outputs().len();
        debug_assert!(count == 1 || self.loss_on == LossOn::Every);
        Ok(if count == 1 {
            total
        } else {
            total * F::from_f64(1.0 / count as f64)
        })
    }

    /// Runs the failed step again, looking at every value, and says where the first NaN or infinity appears.
    fn explain(
        &self,
        samples: &Samples<F>,
        options: &StepOptions<'_, F>,
        place: &str,
        found: f64,
    ) -> Error {
        self.tape.clear();
        let mut cx = Context::train(
            self.network.params(),
            fb_autograd::Tape::no_grad(),
            self.key(),
            self.clock.step,
        )
        .with_first_row(options.first_row)
        .checked();
        match self.forward(&mut cx, samples, options) {
            Err(error) => error,
            Ok(_) => Error::Diverged {
                place: place.to_owned(),
                step: self.clock.step + 1,
                found,
            },
        }
    }
}

/// The last output as plain numbers.
fn answer<F: Float>(trajectory: &Trajectory<F>) -> Result<&Tensor<F>> {
    Ok(numbers(trajectory.last())?.tensor())
}

/// An output that a loss can look at.
pub(super) fn numbers<F: Float>(output: &Value<F>) -> Result<&Var<F>> {
    output.as_float().ok_or_else(|| Error::OutputKind {
        found: output.kind().to_string(),
    })
}
