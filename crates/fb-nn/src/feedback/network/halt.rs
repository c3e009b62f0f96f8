//! Running a loop until each sample is done.
//!
//! Rows do not see each other, so a sample that is done can be left in the batch or taken out of it. A pass that is recorded
//! leaves it in and picks its answer in the end; one that is not takes it out, and what remains gets cheaper.

use super::runner::Runner;
use super::tick::Values;
use super::{Trajectory, Wiring};
use crate::error::{Error, Result};
use crate::feedback::State;
use crate::feedback::gradient::{GradientStrategy, Loop, Read, Unrolled};
use crate::feedback::schedule::{Halt, HaltRule};
use crate::module::{Context, Mode, Value};
use fb_autograd::Var;
use fb_tensor::{Float, Tensor};

/// What halting adds to a run.
#[derive(Clone, Debug)]
pub struct Halting<F: Float> {
    /// How many iterations each sample took.
    pub iterations: Vec<usize>,
    /// The weight of each wanted output, `[batch]` each; they add up to 1 for each sample. Empty where the last output is the
    /// whole answer.
    pub weights: Vec<Var<F>>,
    /// What the layer that halts says at each wanted output, `[batch]` each, before any squashing; empty where none does.
    pub logits: Vec<Var<F>>,
    /// What is added to the loss.
    pub penalty: Option<Var<F>>,
}

/// The samples that still run.
struct Active<F: Float> {
    rows: Vec<usize>,
    runner: Runner<F>,
    state: State<F>,
}

/// Runs a loop under [`Halt`], and what stands behind it.
pub(super) fn run<F: Float>(
    wiring: &Wiring<F>,
    cx: &mut Context<'_, F>,
    values: &mut Values<F>,
    runner: Runner<F>,
    state: State<F>,
    halt: &Halt,
    strategy: &dyn GradientStrategy<F>,
) -> Result<Trajectory<F>> {
    if !strategy.by_tick() {
        return Err(Error::Config {
            what: format!("the gradient strategy {}", strategy.kind()),
            expected: "one that can serve the schedule Halt".to_owned(),
            found: strategy.kind().to_owned(),
            help: "use Bptt or LastK: each iteration is looked at".to_owned(),
        });
    }
    let keeps = cx.mode() == Mode::Train || cx.tape().records();
    let mut ticks = Ticks {
        wiring,
        halt,
        strategy,
        batch: runner.rows(),
        outputs: Vec::new(),
        logits: Vec::new(),
    };
    if keeps {
        ticks.all(cx, values, runner, state)
    } else {
        ticks.shrinking(cx, values, runner, state)
    }
}

struct Ticks<'a, F: Float> {
    wiring: &'a Wiring<F>,
    halt: &'a Halt,
    strategy: &'a dyn GradientStrategy<F>,
    batch: usize,
    /// The first output of each iteration.
    outputs: Vec<Value<F>>,
    logits: Vec<Var<F>>,
}

impl<F: Float> Ticks<'_, F> {
    /// All samples, all iterations: for training. The answer of each sample is picked or mixed in the end.
    fn all(
        &mut self,
        cx: &mut Context<'_, F>,
        values: &mut Values<F>,
        mut runner: Runner<F>,
        state: State<F>,
    ) -> Result<Trajectory<F>> {
        let most = self.halt.most();
        let mut state = state;
        let mut done = Done::new(self.halt.when(), self.batch);
        for tick in 1..=most {
            cx.enter_iteration(Some(tick));
            let before = state.clone();
            let recorded = self.strategy.records(tick, most);
            let read = if recorded {
                runner.tick(cx, &mut state, tick, true)?
            } else {
                cx.without_gradients(|cx| runner.tick(cx, &mut state, tick, true))?
            };
            let read = Read {
                values: read,
                recorded,
            };
            let (output, _) = self.wiring.read(cx, values, read)?;
            let logit = self.logit(values)?;
            let rows: Vec<usize> = (0..self.batch).collect();
            done.look(&rows, tick, most, &output, logit.as_ref(), &before, &state);
            self.outputs.push(output);
            self.logits.extend(logit);
            let keeps_on = matches!(
                self.halt.when(),
                HaltRule::Ponder { .. } | HaltRule::Confidence { .. }
            );
            if !keeps_on && done.all() {
                break;
            }
        }
        cx.enter_iteration(None);
        self.finish(state, done)
    }

    fn finish(&mut self, state: State<F>, done: Done) -> Result<Trajectory<F>> {
        let logits = std::mem::take(&mut self.logits);
        let outputs = std::mem::take(&mut self.outputs);
        let ran = outputs.len();
        let mut halting = Halting {
            iterations: done
                .iterations
                .iter()
                .map(|&n| if n == 0 { ran } else { n })
                .collect(),
            weights: Vec::new(),
            logits: Vec::new(),
            penalty: None,
        };
        let outputs = match self.halt.when() {
            HaltRule::Adaptive { epsilon, cost, .. } => {
                let (weights, ponder) = adaptive(&logits, *epsilon);
                halting.penalty = Some(ponder.mean() * F::from_f64(*cost));
                vec![mixed(&outputs, &weights)?]
            }
            HaltRule::Ponder { prior, weight, .. } => {
                let weights = halting_distribution(&logits);
                let divergence = divergence_from_geometric(&weights, *prior);
                halting.penalty = Some(divergence.mean() * F::from_f64(*weight));
                halting.weights = weights;
                outputs
            }
            HaltRule::Confidence { .. } => {
                halting.logits = logits;
                outputs
            }
            HaltRule::Residual { .. } | HaltRule::StableArgmax { .. } => {
                vec![picked(&outputs, &halting.iterations)?]
            }
        };
        let done = Unrolled::new(Vec::new(), state);
        Ok(Trajectory::halted(
            outputs,
            ran,
            self.strategy.kind(),
            done.state,
            halting,
        ))
    }

    /// Samples leave when they are done: for evaluation.
    fn shrinking(
        &mut self,
        cx: &mut Context<'_, F>,
        values: &mut Values<F>,
        runner: Runner<F>,
        state: State<F>,
    ) -> Result<Trajectory<F>> {
        let most = self.halt.most();
        let mut active = Active {
            rows: (0..self.batch).collect(),
            runner,
            state,
        };
        let mut done = Done::new(self.halt.when(), self.batch);
        let mut answers: Vec<Option<Tensor<F>>> = vec![None; self.batch];
        let mut states: Vec<(Vec<usize>, State<F>)> = Vec::new();
        let mut ticks = 0;
        while !active.rows.is_empty() && ticks < most {
            ticks += 1;
            cx.enter_iteration(Some(ticks));
            let before = active.state.clone();
            let rows = active.rows.clone();
            let read = cx.for_rows(&rows, |cx| {
                active.runner.tick(cx, &mut active.state, ticks, true)
            })?;
            let read = Read {
                values: read,
                recorded: true,
            };
            let mut part = values.select_rows(&rows, self.batch);
            let (output, _) = cx.for_rows(&rows, |cx| self.wiring.read(cx, &mut part, read))?;
            let logit = self.logit(&part)?;
            let weights = done.look(
                &rows,
                ticks,
                most,
                &output,
                logit.as_ref(),
                &before,
                &active.state,
            );
            let output = numbers(&output)?.tensor();
            for (position, (&row, weight)) in rows.iter().zip(&weights).enumerate() {
                let here = output.index_axis(0, position);
                answers[row] = Some(if done.mixes {
                    let part = here * F::from_f64(*weight);
                    match answers[row].take() {
                        Some(sum) => sum + &part,
                        None => part,
                    }
                } else {
                    here
                });
            }
            let stays: Vec<usize> = (0..rows.len())
                .filter(|&i| done.iterations[rows[i]] == 0)
                .collect();
            if stays.len() < rows.len() {
                let leaves: Vec<usize> = (0..rows.len())
                    .filter(|&i| done.iterations[rows[i]] > 0)
                    .collect();
                let left = leaves.iter().map(|&i| rows[i]).collect();
                states.push((left, active.state.select_rows(&leaves)));
                active = Active {
                    rows: stays.iter().map(|&i| rows[i]).collect(),
                    runner: active.runner.select_rows(cx, &stays),
                    state: active.state.select_rows(&stays),
                };
            }
        }
        cx.enter_iteration(None);
        if !active.rows.is_empty() {
            states.push((active.rows, active.state));
        }
        let answers: Vec<Tensor<F>> = answers.into_iter().flatten().collect();
        let output = Tensor::stack(&answers.iter().collect::<Vec<_>>(), 0);
        let halting = Halting {
            iterations: done
                .iterations
                .iter()
                .map(|&n| if n == 0 { ticks } else { n })
                .collect(),
            weights: Vec::new(),
            logits: Vec::new(),
            penalty: None,
        };
        Ok(Trajectory::halted(
            vec![Value::Float(Var::constant(output))],
            ticks,
            self.strategy.kind(),
            in_order(states, self.batch),
            halting,
        ))
    }

    /// What the layer that halts says, `[batch]`.
    fn logit(&self, values: &Values<F>) -> Result<Option<Var<F>>> {
        let Some(name) = self.halt.when().layer() else {
            return Ok(None);
        };
        let slot = self
            .wiring
            .topology
            .slot(name)
            .expect("checked with the schedule");
        let logit = numbers(values.get(slot))?;
        Ok(Some(logit.reshape([logit.shape()[0]])))
    }
}

/// Which samples are done.
struct Done {
    rule: HaltRule,
    /// How many iterations each sample took; 0 while it runs.
    iterations: Vec<usize>,
    /// What has been used up of each sample's probability to halt.
    used: Vec<f64>,
    /// The last largest outputs of each sample, and for how many iterations they have been the same.
    stable: Vec<(Vec<i64>, usize)>,
    /// Whether the answer is a mean over iterations.
    mixes: bool,
}

impl Done {
    fn new(rule: &HaltRule, batch: usize) -> Self {
        Self {
            rule: rule.clone(),
            iterations: vec![0; batch],
            used: vec![0.0; batch],
            stable: vec![(Vec::new(), 0); batch],
            mixes: matches!(rule, HaltRule::Adaptive { .. }),
        }
    }

    fn all(&self) -> bool {
        self.iterations.iter().all(|&n| n > 0)
    }

    /// Notes which of the running samples are done with this iteration; gives the weight of its output for each.
    #[expect(
        clippy::too_many_arguments,
        reason = "everything that a rule may look at"
    )]
    fn look<F: Float>(
        &mut self,
        rows: &[usize],
        tick: usize,
        most: usize,
        output: &Value<F>,
        logit: Option<&Var<F>>,
        before: &State<F>,
        after: &State<F>,
    ) -> Vec<f64> {
        let probabilities: Vec<f64> = logit.map_or_else(Vec::new, |logit| {
            logit.tensor().iter().map(|x| sigmoid(x.to_f64())).collect()
        });
        let residuals = match self.rule {
            HaltRule::Residual { .. } => residuals(before, after),
            _ => Vec::new(),
        };
        let largest = match self.rule {
            HaltRule::StableArgmax { .. } => largest(output),
            _ => Vec::new(),
        };
        let mut weights = vec![1.0; rows.len()];
        for (position, &row) in rows.iter().enumerate() {
            if self.iterations[row] > 0 {
                continue;
            }
            let halts = match self.rule {
                HaltRule::Adaptive { epsilon, .. } => {
                    let p = probabilities[position];
                    let ends = self.used[row] + p >= 1.0 - epsilon || tick == most;
                    weights[position] = if ends { 1.0 - self.used[row] } else { p };
                    self.used[row] += p;
                    ends
                }
                HaltRule::Ponder { .. } => {
                    // The share that has halted by now; more likely than not is enough.
                    let p = probabilities[position];
                    self.used[row] += (1.0 - self.used[row]) * p;
                    self.used[row] >= 0.5
                }
                HaltRule::Confidence { .. } => probabilities[position] > 0.5,
                HaltRule::Residual { tolerance } => residuals[position] <= tolerance,
                HaltRule::StableArgmax { iterations } => {
                    let (last, times) = &mut self.stable[row];
                    if *last == largest[position] {
                        *times += 1;
                    } else {
                        last.clone_from(&largest[position]);
                        *times = 1;
                    }
                    *times > iterations
                }
            };
            if halts {
                self.iterations[row] = tick;
            }
        }
        weights
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// How much the state of each sample has changed, relative to its size.
fn residuals<F: Float>(before: &State<F>, after: &State<F>) -> Vec<f64> {
    let rows = after.rows().unwrap_or(0);
    let (mut change, mut size) = (vec![0.0; rows], vec![0.0; rows]);
    let mut old = before.values();
    for new in after.values() {
        let new = new.tensor().to_vec();
        let per_row = (new.len() / rows.max(1)).max(1);
        // A register that was empty before held zeros.
        let old = old
            .next()
            .map_or_else(|| vec![F::ZERO; new.len()], |old| old.tensor().to_vec());
        let pairs = new.chunks_exact(per_row).zip(old.chunks_exact(per_row));
        for (row, (new, old)) in pairs.enumerate() {
            for (a, b) in new.iter().zip(old) {
                change[row] += (a.to_f64() - b.to_f64()).powi(2);
                size[row] += a.to_f64().powi(2);
            }
        }
    }
    let relative = |(change, size): (f64, f64)| change.sqrt() / (size.sqrt() + 1e-9);
    change.into_iter().zip(size).map(relative).collect()
}

/// For each sample, where the largest output of each of its rows is.
fn largest<F: Float>(output: &Value<F>) -> Vec<Vec<i64>> {
    match output {
        Value::Float(y) => {
            let places = y.tensor().argmax(y.shape().len() - 1).to_vec();
            let per_row = (places.len() / y.shape()[0].max(1)).max(1);
            places.chunks_exact(per_row).map(<[i64]>::to_vec).collect()
        }
        other => vec![Vec::new(); other.shape()[0]],
    }
}

/// The weight of each iteration and what each sample ponders, `[batch]` each: iterations plus remainder.
///
/// The number of iterations has no derivative; the remainder, one minus the probabilities before the last iteration, has.
fn adaptive<F: Float>(logits: &[Var<F>], epsilon: f64) -> (Vec<Var<F>>, Var<F>) {
    let batch = logits[0].shape()[0];
    let one = Var::constant(Tensor::ones_of([batch]));
    let mut before = Var::constant(Tensor::zeros_of([batch]));
    let mut running = vec![true; batch];
    let mut weights = Vec::with_capacity(logits.len());
    let mut ponder = Var::constant(Tensor::zeros_of([batch]));
    for (tick, logit) in logits.iter().enumerate() {
        let p = logit.sigmoid();
        let last = tick + 1 == logits.len();
        let total: Vec<f64> = (before.tensor() + p.tensor())
            .iter()
            .map(F::to_f64)
            .collect();
        let ends: Vec<bool> = (0..batch)
            .map(|row| running[row] && (last || total[row] >= 1.0 - epsilon))
            .collect();
        let runs = mask(&running);
        let stops = mask(&ends);
        let remainder = &one - &before;
        let weight = Var::where_(&stops, &remainder, &p);
        let nothing = Var::constant(Tensor::zeros_of([batch]));
        weights.push(Var::where_(&runs, &weight, &nothing));
        let iteration = Var::where_(&stops, &(&one + &remainder), &one);
        ponder = ponder + Var::where_(&runs, &iteration, &nothing);
        before = before + p;
        for (runs, ends) in running.iter_mut().zip(&ends) {
            *runs &= !ends;
        }
    }
    (weights, ponder)
}

fn mask(rows: &[bool]) -> Tensor<bool> {
    Tensor::from_vec(rows.to_vec(), [rows.len()])
}

/// The probability to halt at each iteration, `[batch]` each: the last takes what is left.
fn halting_distribution<F: Float>(logits: &[Var<F>]) -> Vec<Var<F>> {
    let batch = logits[0].shape()[0];
    let mut left = Var::constant(Tensor::ones_of([batch]));
    let mut weights = Vec::with_capacity(logits.len());
    for (tick, logit) in logits.iter().enumerate() {
        if tick + 1 == logits.len() {
            weights.push(left.clone());
        } else {
            let p = logit.sigmoid();
            let weight = &left * &p;
            left = &left - &weight;
            weights.push(weight);
        }
    }
    weights
}

/// The divergence of each sample's halting distribution from a geometric one that is cut off at as many iterations.
fn divergence_from_geometric<F: Float>(weights: &[Var<F>], prior: f64) -> Var<F> {
    let count = weights.len() as i32;
    let whole = 1.0 - (1.0 - prior).powi(count);
    let batch = weights[0].shape()[0];
    let mut sum = Var::constant(Tensor::zeros_of([batch]));
    for (tick, weight) in weights.iter().enumerate() {
        let expected = prior * (1.0 - prior).powi(tick as i32) / whole;
        // p ln(p / q), with a floor where p is 0.
        let floor = Var::constant(Tensor::full_of([batch], F::from_f64(1e-12)));
        let log = (weight + &floor).ln() - F::from_f64(expected.ln());
        sum = sum + weight * &log;
    }
    sum
}

/// The mean of outputs with these weights.
fn mixed<F: Float>(outputs: &[Value<F>], weights: &[Var<F>]) -> Result<Value<F>> {
    let mut sum: Option<Var<F>> = None;
    for (output, weight) in outputs.iter().zip(weights) {
        let y = numbers(output)?;
        let part = y * &per_sample(weight, y);
        sum = Some(match sum {
            Some(sum) => sum + part,
            None => part,
        });
    }
    Ok(Value::Float(sum.expect("a loop runs at least once")))
}

/// `[batch]` as `[batch, 1, …]` for `like`.
fn per_sample<F: Float>(weight: &Var<F>, like: &Var<F>) -> Var<F> {
    let mut extents = vec![1; like.shape().len()];
    extents[0] = weight.shape()[0];
    weight.reshape(extents)
}

/// For each sample the output of the iteration at which it was done.
fn picked<F: Float>(outputs: &[Value<F>], iterations: &[usize]) -> Result<Value<F>> {
    let mut answer = numbers(&outputs[outputs.len() - 1])?.clone();
    for (tick, output) in outputs.iter().enumerate().rev().skip(1) {
        let here: Vec<bool> = iterations.iter().map(|&n| n == tick + 1).collect();
        if here.contains(&true) {
            let y = numbers(output)?;
            let mut extents = vec![1; y.shape().len()];
            extents[0] = here.len();
            let here = mask(&here).reshape(extents).broadcast_to(*y.shape());
            answer = Var::where_(&here, y, &answer);
        }
    }
    Ok(Value::Float(answer))
}

/// The states of all samples in their order.
fn in_order<F: Float>(parts: Vec<(Vec<usize>, State<F>)>, batch: usize) -> State<F> {
    let mut place = vec![0; batch];
    let mut next = 0;
    for (rows, _) in &parts {
        for &row in rows {
            place[row] = next;
            next += 1;
        }
    }
    let first = &parts[0].1;
    let count = first.values().count();
    let joined = (0..count).map(|position| {
        let values: Vec<&Var<F>> = parts
            .iter()
            .filter_map(|(_, state)| state.values().nth(position))
            .collect();
        Var::concat(&values, 0).select_rows(&place)
    });
    first.with_values(joined.collect::<Vec<_>>())
}

fn numbers<F: Float>(value: &Value<F>) -> Result<&Var<F>> {
    value.as_float().ok_or_else(|| Error::Data {
        place: "the schedule Halt".to_owned(),
        expected: "an output of numbers".to_owned(),
        found: value.kind().to_string(),
        help: String::new(),
    })
}
