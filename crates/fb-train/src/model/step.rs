//! One training step.

use super::objective::{Objective, answer, confident};
use super::{Model, Samples};
use crate::error::{Error, Result};
use fb_autograd::Var;
use fb_nn::feedback::State;
use fb_nn::feedback::gradient::Segments;
use fb_nn::feedback::network::{RunOptions, Trajectory};
use fb_nn::feedback::schedule::{AnySchedule, Unroll};
use fb_nn::optim::{self, Clip};
use fb_nn::{Context, ParamId, Value};
use fb_tensor::{Float, Tensor};

/// What one training step found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// The loss before the step, penalties included; of deep supervision the mean over segments, by their weights.
    pub loss: f64,
    /// The part of the loss that the run brings by itself: the cost of pondering, or the loss of a layer that halts.
    pub penalty: f64,
    /// The norm of the gradient before clipping, where the norm is clipped.
    pub gradient_norm: Option<f64>,
    /// How many iterations the loop made; of deep supervision all segments together.
    pub iterations: usize,
    /// How many iterations a sample took on average: fewer where samples halt or a solver finds them at rest.
    pub mean_iterations: f64,
    /// How far the loop is from rest at the end: the relative change of what it carries, averaged over samples; of a solver
    /// its residual. Only of some steps, since looking costs an iteration.
    pub residual: Option<f64>,
    /// The gradient strategy that was really used.
    pub gradient_used: &'static str,
}

/// What a step needs besides the samples.
pub(crate) struct StepOptions<'a, F: Float> {
    /// One weight per sample, or none.
    pub(crate) weights: Option<&'a Tensor<F>>,
    /// The number of the first row within the epoch.
    pub(crate) first_row: u64,
    /// The number of each row, where they are not in order.
    pub(crate) rows: Option<&'a [usize]>,
    /// Another schedule than the network's.
    pub(crate) schedule: Option<&'a dyn AnySchedule>,
    /// Whether to look how far the loop is from rest.
    pub(crate) residual: bool,
}

impl<F: Float> Default for StepOptions<'_, F> {
    fn default() -> Self {
        Self {
            weights: None,
            first_row: 0,
            rows: None,
            schedule: None,
            residual: false,
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

/// Where a segment starts.
#[derive(Clone, Debug)]
pub(crate) struct Start<F: Float> {
    /// What the edges carry; nothing yet without it.
    pub(crate) state: Option<State<F>>,
    /// The samples that start anew, if some do.
    pub(crate) fresh: Option<Tensor<bool>>,
    /// How much the loss counts. With 0 nothing is learned.
    pub(crate) weight: f64,
}

impl<F: Float> Start<F> {
    fn first(weight: f64) -> Self {
        Self {
            state: None,
            fresh: None,
            weight,
        }
    }
}

/// What a segment came to.
pub(crate) struct Segment<F: Float> {
    pub(crate) report: StepReport,
    /// What the edges carry, cut off the tape.
    pub(crate) state: State<F>,
    /// The answer of each sample.
    pub(crate) answer: Tensor<F>,
    /// Whether each sample should halt, where a layer says so.
    pub(crate) confident: Option<Vec<bool>>,
}

impl<F: Float> Model<F> {
    /// Trains on one batch: the escape hatch for loops of your own. Changes the parameters by one optimizer step, or under
    /// [`DeepSupervision`](fb_nn::feedback::gradient::DeepSupervision) by one for each segment.
    ///
    /// If the loss or a gradient is not finite, nothing changes in that step.
    ///
    /// # Errors
    /// The samples are not what the network takes, or a NaN or infinity appears; the error names layer, edge and
    /// iteration.
    pub fn train_batch(&mut self, samples: impl super::IntoSamples<F>) -> Result<StepReport> {
        let samples = samples.into_samples();
        samples.check(&self.network, "the batch", self.sequences(None))?;
        self.check_settings()?;
        self.step(&samples, &StepOptions::default(), |_| Ok(()))
    }

    /// How training is cut into segments, if it is.
    pub(crate) fn segments(&self) -> Option<Segments> {
        self.gradient.as_ref()?.segments()
    }

    /// One step, or one for each segment; `look` is shown the network's (last) answer.
    pub(crate) fn step(
        &mut self,
        samples: &Samples<F>,
        options: &StepOptions<'_, F>,
        look: impl FnOnce(&Tensor<F>) -> Result<()>,
    ) -> Result<StepReport> {
        let mut look = Some(look);
        let mut look = |answer: &Tensor<F>| look.take().map_or(Ok(()), |look| look(answer));
        let Some(segments) = self.segments() else {
            let done = self.segment(samples, options, Start::first(1.0), &mut look)?;
            return Ok(done.report);
        };
        let mut start = Start::first(1.0);
        let (mut total, mut penalty, mut whole) = (0.0, 0.0, 0.0);
        let (mut iterations, mut mean_iterations) = (0, 0.0);
        for number in 1..=segments.count {
            start.weight = segments.weights.of(number, segments.count);
            let last = number == segments.count;
            let options = StepOptions {
                residual: options.residual && last,
                ..*options
            };
            let weight = start.weight;
            let done = match last {
                true => self.segment(samples, &options, start, &mut look)?,
                false => self.segment(samples, &options, start, &mut |_| Ok(()))?,
            };
            total += weight * done.report.loss;
            penalty += weight * done.report.penalty;
            whole += weight;
            iterations += done.report.iterations;
            mean_iterations += done.report.mean_iterations;
            if last {
                return Ok(StepReport {
                    loss: total / whole,
                    penalty: penalty / whole,
                    iterations,
                    mean_iterations,
                    gradient_used: "DeepSupervision",
                    ..done.report
                });
            }
            start = Start {
                state: Some(done.state),
                ..Start::first(1.0)
            };
        }
        unreachable!("there is at least one segment")
    }

    /// One run with a loss and an optimizer step of its own; `look` is shown its answer before the parameters change.
    pub(crate) fn segment(
        &mut self,
        samples: &Samples<F>,
        options: &StepOptions<'_, F>,
        start: Start<F>,
        look: &mut dyn FnMut(&Tensor<F>) -> Result<()>,
    ) -> Result<Segment<F>> {
        // A run that failed half-way may have left something.
        self.tape.clear();
        let learns = start.weight != 0.0;
        let tape = match learns {
            true => self.tape.clone(),
            false => fb_autograd::Tape::no_grad(),
        };
        let mut cx = Context::train(self.network.params(), tape, self.key(), self.clock.step)
            .with_first_row(options.first_row)
            .with_update_list(std::mem::take(&mut self.lists.updates));
        let (trajectory, objective) = self.forward(&mut cx, samples, options, &start)?;
        let Objective { total, penalty } = objective;
        let mut value = total.item().to_f64();
        if !value.is_finite() {
            return Err(self.explain(samples, options, &start, "the loss", value));
        }
        let report = StepReport {
            loss: value,
            penalty,
            gradient_norm: None,
            iterations: trajectory.iterations(),
            mean_iterations: mean_iterations(&trajectory),
            residual: match options.residual {
                true => self.residual(samples, options, &trajectory)?,
                false => None,
            },
            gradient_used: trajectory.gradient_used(),
        };
        let (answer, confident) = (answer(&trajectory)?, confident(&trajectory));
        look(&answer)?;
        if !learns {
            return Ok(Segment {
                report,
                state: trajectory.state().detached(),
                answer,
                confident,
            });
        }
        let loss = match start.weight {
            1.0 => total,
            weight => total * F::from_f64(weight),
        };
        let mut found = loss.backward();
        let mut gradients = std::mem::take(&mut self.lists.gradients);
        for (id, leaf) in cx.leaves() {
            if let Some(gradient) = found.take(leaf) {
                gradients.push((id, gradient));
            }
        }
        let mut updates = cx.take_buffer_updates();
        let state = trajectory.state().detached();
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
            return Err(self.explain(samples, options, &start, &place, f64::NAN));
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
        if let Some(average) = &mut self.average {
            average.update(self.network.params());
        }
        self.clock.step += 1;
        Ok(Segment {
            report: StepReport {
                loss: value,
                gradient_norm,
                ..report
            },
            state,
            answer,
            confident,
        })
    }

    fn forward(
        &self,
        cx: &mut Context<'_, F>,
        samples: &Samples<F>,
        options: &StepOptions<'_, F>,
        start: &Start<F>,
    ) -> Result<(Trajectory<F>, Objective<F>)> {
        let trajectory = match options.rows {
            Some(rows) => cx.for_rows(rows, |cx| self.run(cx, samples, options, start))?,
            None => self.run(cx, samples, options, start)?,
        };
        let objective = self.objective(
            &trajectory,
            options.schedule,
            &samples.targets,
            options.weights,
        )?;
        Ok((trajectory, objective))
    }

    fn run(
        &self,
        cx: &mut Context<'_, F>,
        samples: &Samples<F>,
        options: &StepOptions<'_, F>,
        start: &Start<F>,
    ) -> Result<Trajectory<F>> {
        let state = match (&start.state, &start.fresh) {
            (Some(state), Some(mask)) => {
                let fresh = self.network.initial_state(cx, samples.rows());
                Some(state.reset_rows(mask, &fresh)?)
            }
            (state, _) => state.clone(),
        };
        let run = RunOptions {
            jacobian_penalty: self.jacobian_penalty,
            schedule: options.schedule,
            gradient: self.gradient.clone(),
            wanted: self.loss_on.wanted(),
            state,
        };
        Ok(self.network.run_all(cx, &samples.inputs.values(), &run)?)
    }

    /// How far a run has come to rest: what its solver says, or how much one more iteration changes what it carries.
    fn residual(
        &self,
        samples: &Samples<F>,
        options: &StepOptions<'_, F>,
        trajectory: &Trajectory<F>,
    ) -> Result<Option<f64>> {
        if let Some(report) = trajectory.solver_report() {
            return Ok(Some(mean(report.samples.iter().map(|s| s.residual))));
        }
        if self.sequences(options.schedule) || trajectory.state().rows().is_none() {
            return Ok(None);
        }
        let no_tape = fb_autograd::Tape::no_grad();
        let mut cx = Context::train(self.network.params(), no_tape, self.key(), self.clock.step)
            .with_first_row(options.first_row);
        let before = trajectory.state().detached();
        let once = Unroll::iterations(1);
        let run = RunOptions {
            schedule: Some(&once),
            state: Some(before.clone()),
            ..RunOptions::default()
        };
        let values = samples.inputs.values();
        let after = match options.rows {
            Some(rows) => cx.for_rows(rows, |cx| self.network.run_all(cx, &values, &run))?,
            None => self.network.run_all(&mut cx, &values, &run)?,
        };
        let changes = change(&before, after.state());
        Ok(Some(mean(changes.iter().map(|change| change.relative))))
    }

    /// Runs the failed step again, looking at every value, and says where the first NaN or infinity appears.
    fn explain(
        &self,
        samples: &Samples<F>,
        options: &StepOptions<'_, F>,
        start: &Start<F>,
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
        match self.forward(&mut cx, samples, options, start) {
            Err(error) => error,
            Ok(_) => Error::Diverged {
                place: place.to_owned(),
                step: self.clock.step + 1,
                found,
            },
        }
    }
}

/// How much what a loop carries of one sample has changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    /// The norm of the change.
    pub(crate) absolute: f64,
    /// The norm of the change over that of the values.
    pub(crate) relative: f64,
}

/// How much the state of each sample has changed, over all edges together.
pub(crate) fn change<F: Float>(before: &State<F>, after: &State<F>) -> Vec<Change> {
    let rows = after.rows().unwrap_or(0);
    let (mut change, mut size) = (vec![0.0; rows], vec![0.0; rows]);
    let old = before.to_tensors();
    for (name, new) in after.to_tensors() {
        let new = new.to_vec();
        let per_row = (new.len() / rows.max(1)).max(1);
        // What was not there before held zeros.
        let old = old
            .iter()
            .find(|(known, _)| *known == name)
            .map_or_else(|| vec![F::ZERO; new.len()], |(_, old)| old.to_vec());
        let pairs = new.chunks_exact(per_row).zip(old.chunks_exact(per_row));
        for (row, (new, old)) in pairs.enumerate() {
            for (a, b) in new.iter().zip(old) {
                change[row] += (a.to_f64() - b.to_f64()).powi(2);
                size[row] += a.to_f64().powi(2);
            }
        }
    }
    let both = change.into_iter().zip(size);
    both.map(|(change, size)| Change {
        absolute: change.sqrt(),
        relative: change.sqrt() / (size.sqrt() + 1e-9),
    })
    .collect()
}

/// How many iterations a sample took on average.
fn mean_iterations<F: Float>(trajectory: &Trajectory<F>) -> f64 {
    match trajectory.iterations_used().as_slice() {
        [] => trajectory.iterations() as f64,
        used => mean(used.iter().map(|&n| n as f64)),
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

/// An output that a loss can look at.
pub(super) fn numbers<F: Float>(output: &Value<F>) -> Result<&Var<F>> {
    output.as_float().ok_or_else(|| Error::OutputKind {
        found: output.kind().to_string(),
    })
}
