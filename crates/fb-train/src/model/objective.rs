//! What a step makes small: the loss of the answers, and what the run brings besides.

use super::step::numbers;
use super::{LossOn, Model};
use crate::error::{Error, Result};
use crate::metrics::classes;
use fb_autograd::Var;
use fb_nn::feedback::network::Trajectory;
use fb_nn::feedback::schedule::{AnySchedule, HaltRule, Rule};
use fb_nn::loss::BinaryCrossentropy;
use fb_nn::{Loss, Target, Value};
use fb_tensor::{Float, Tensor};

/// The loss of a run.
pub(super) struct Objective<F: Float> {
    /// Everything together.
    pub(super) total: Var<F>,
    /// The part of it that comes from the run, not from the answers.
    pub(super) penalty: f64,
}

impl<F: Float> Model<F> {
    /// The loss of a run under a schedule (the network's own without one): that of the answers as the schedule weighs them,
    /// the loss of a layer that halts, and the run's own penalty.
    pub(super) fn objective(
        &self,
        trajectory: &Trajectory<F>,
        schedule: Option<&dyn AnySchedule>,
        targets: &Target<F>,
        weights: Option<&Tensor<F>>,
    ) -> Result<Objective<F>> {
        let mut total = match trajectory.halting() {
            Some(halting) if !halting.weights.is_empty() => {
                self.expected_loss(trajectory, &halting.weights, targets, weights)?
            }
            _ => self.mean_loss(trajectory, targets, weights)?,
        };
        let mut penalty = 0.0;
        let confidence = trajectory
            .halting()
            .filter(|halting| !halting.logits.is_empty())
            .map(|halting| &halting.logits);
        if let Some(logits) = confidence {
            let loss = self.confidence_loss(trajectory, logits, targets)?
                * F::from_f64(confidence_weight(&self.rule(schedule)));
            penalty += loss.item().to_f64();
            total = total + loss;
        }
        if let Some(own) = trajectory.penalty() {
            penalty += own.item().to_f64();
            total = total + own;
        }
        Ok(Objective { total, penalty })
    }

    /// The rule of a schedule, or of the network's own.
    pub(super) fn rule(&self, schedule: Option<&dyn AnySchedule>) -> Rule {
        match schedule {
            Some(schedule) => schedule.rule(),
            None => self.network.topology().schedule.rule(),
        }
    }

    /// The loss of the wanted outputs, averaged over them.
    fn mean_loss(
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
        debug_assert!(
            count == 1 || self.loss_on == LossOn::Every || trajectory.halting().is_some()
        );
        Ok(if count == 1 {
            total
        } else {
            total * F::from_f64(1.0 / count as f64)
        })
    }

    /// The loss that is expected where each iteration halts with a probability: `Σₖ pₖ·lossₖ` for each sample.
    ///
    /// The gradient flows through the outputs, with the probabilities as weights, and through the probabilities, with each
    /// sample's loss as factor: that part is written as `(p − constant p)·loss`, whose value is 0.
    ///
    /// # References
    /// A. Banino, J. Balaguer, C. Blundell, "PonderNet: learning to ponder", 2021, equation 4.
    fn expected_loss(
        &self,
        trajectory: &Trajectory<F>,
        probabilities: &[Var<F>],
        targets: &Target<F>,
        weights: Option<&Tensor<F>>,
    ) -> Result<Var<F>> {
        let mut total = Var::constant(Tensor::from_scalar(F::ZERO));
        for (output, p) in trajectory.outputs().iter().zip(probabilities) {
            let output = numbers(output)?;
            if !p.tensor().is_all_finite() {
                // The loss refuses such weights; as a loss that is not finite it makes the step look for the place.
                return Ok(Var::constant(Tensor::from_scalar(F::from_f64(f64::NAN))));
            }
            let shares = match weights {
                Some(weights) => p.tensor() * weights,
                None => p.tensor().clone(),
            };
            total = total + self.loss.forward(output, targets, Some(&shares))?;
            if p.requires_grad() {
                let mut losses = self.sample_losses(output.tensor(), targets)?;
                if let Some(weights) = weights {
                    losses = &losses * weights;
                }
                let through = (p - &p.detach()) * &Var::constant(losses);
                total = total + through.mean();
            }
        }
        Ok(total)
    }

    /// The loss of each sample, `[batch]`.
    fn sample_losses(&self, output: &Tensor<F>, targets: &Target<F>) -> Result<Tensor<F>> {
        let batch = output.shape()[0];
        let losses = (0..batch)
            .map(|row| {
                let output = Var::constant(output.slice(0, row..row + 1));
                let loss = self.loss.forward(&output, &range(targets, row), None)?;
                Ok(loss.item())
            })
            .collect::<Result<Vec<F>>>()?;
        Ok(Tensor::from_vec(losses, [batch]))
    }

    /// How well the layer that halts knows whether each answer is right, averaged over iterations.
    fn confidence_loss(
        &self,
        trajectory: &Trajectory<F>,
        logits: &[Var<F>],
        targets: &Target<F>,
    ) -> Result<Var<F>> {
        let mut total = Var::constant(Tensor::from_scalar(F::ZERO));
        for (output, logit) in trajectory.outputs().iter().zip(logits) {
            let right = self.right(numbers(output)?.tensor(), targets)?;
            let right = right
                .iter()
                .map(|&right| F::from_f64(f64::from(u8::from(right))));
            let right: Vec<F> = right.collect();
            let batch = right.len();
            let right = Target::Float(Tensor::from_vec(right, [batch]));
            total = total
                + BinaryCrossentropy
                    .from_logits()
                    .forward(logit, &right, None)?;
        }
        Ok(total * F::from_f64(1.0 / logits.len() as f64))
    }

    /// Above what a single number says yes: 0 where the loss takes logits, or one half.
    pub(super) fn threshold(&self) -> f64 {
        let config = self.loss.config().unwrap_or_default();
        match config.get("from_logits").and_then(|v| v.as_bool()) {
            Some(true) => 0.0,
            _ => 0.5,
        }
    }

    /// For each sample, whether all that an output says of it is right.
    ///
    /// Against indices the largest of the last axis counts; against numbers, which must be 0 or 1, what is above one half
    /// (above 0 where the loss takes logits), and against one-hot numbers the largest, unless the loss is one of yes or no.
    pub(crate) fn right(&self, output: &Tensor<F>, targets: &Target<F>) -> Result<Vec<bool>> {
        let batch = output.shape()[0];
        let threshold = self.threshold();
        let binary = self.loss.kind() == "BinaryCrossentropy";
        let mut flat = (output.clone(), targets.clone());
        if let Target::Float(y) = targets {
            let classes = output.dims().last().copied().unwrap_or(1);
            let all_binary = y.iter().all(|v| v == F::ZERO || v == F::ONE);
            let one_hot = classes > 1
                && y.shape() == output.shape()
                && y.sum_axes(&[y.rank() - 1], false)
                    .iter()
                    .all(|v| v == F::ONE);
            if !all_binary || !(binary || classes == 1 || one_hot) {
                let found = y.iter().find(|&v| v != F::ZERO && v != F::ONE);
                return Err(Error::Setting {
                    what: "Halt::confidence",
                    expected: "targets that an answer can be right about: class indices, 0 and 1, or one-hot rows",
                    found: match found {
                        Some(number) => format!("the number {number}"),
                        None => format!("targets of shape {}", y.shape()),
                    },
                    help: "for numbers halt by Halt::residual, Halt::adaptive or Halt::ponder",
                });
            }
            if binary {
                // Each number is an answer of its own.
                flat = (
                    output.reshape([output.len(), 1]),
                    Target::Float(y.reshape([y.len(), 1])),
                );
            }
        }
        let mut all: Vec<bool> = Vec::new();
        classes::for_each_row("confidence", &flat.0, &flat.1, threshold, |said, is| {
            all.push(said == Some(is));
        })?;
        let per_sample = (all.len() / batch.max(1)).max(1);
        Ok(all
            .chunks_exact(per_sample)
            .map(|answers| answers.iter().all(|&right| right))
            .collect())
    }
}

/// The answer of each sample: the output at which it halted, or the last.
pub(super) fn answer<F: Float>(trajectory: &Trajectory<F>) -> Result<Tensor<F>> {
    let last = numbers(trajectory.last())?.tensor();
    let outputs = trajectory.outputs();
    let Some(halting) = trajectory.halting().filter(|_| outputs.len() > 1) else {
        return Ok(last.clone());
    };
    let rows = halting.iterations.iter().enumerate().map(|(row, &tick)| {
        let output = outputs
            .get(tick.saturating_sub(1))
            .unwrap_or(trajectory.last());
        Ok(numbers(output)?.tensor().index_axis(0, row))
    });
    let rows = rows.collect::<Result<Vec<_>>>()?;
    Ok(Tensor::stack(&rows.iter().collect::<Vec<_>>(), 0))
}

/// What the layer that halts says of each sample in the end: whether it should.
pub(super) fn confident<F: Float>(trajectory: &Trajectory<F>) -> Option<Vec<bool>> {
    let logits = trajectory.halting()?.logits.last()?;
    Some(logits.tensor().iter().map(|z| z > F::ZERO).collect())
}

fn confidence_weight(rule: &Rule) -> f64 {
    match rule.inner() {
        Rule::Halt(halt) => match halt.when() {
            HaltRule::Confidence { weight, .. } => *weight,
            _ => 0.0,
        },
        _ => 0.0,
    }
}

fn range<F: Float>(targets: &Target<F>, row: usize) -> Target<F> {
    match targets {
        Target::Float(y) => Target::Float(y.slice(0, row..row + 1)),
        Target::Index(y) => Target::Index(y.slice(0, row..row + 1)),
        _ => unreachable!("targets are numbers or indices"),
    }
}

/// What the outputs of a run are, as plain numbers.
pub(super) fn plain<F: Float>(outputs: &[Value<F>]) -> Result<Vec<Tensor<F>>> {
    let tensors = outputs.iter().map(|y| Ok(numbers(y)?.tensor().clone()));
    tensors.collect()
}
