//! The training loop.

use super::carry::{self, Carry, Rules};
use super::options::{Fit, Validation};
use super::weights;
use crate::callback::{Action, EpochEnd, FitStart};
use crate::error::{Error, Result};
use crate::history::{EpochRecord, History};
use crate::metrics::Metric;
use crate::model::{Average, IntoSamples, Model, Predict, Samples};
use crate::persist::FitSettings;
use crate::progress::Progress;
use fb_data::Batches;
use fb_nn::feedback::network::Wanted;
use fb_nn::feedback::topology::Clock;
use fb_nn::optim::OptimizerState;
use fb_nn::param::StateDict;
use fb_tensor::{Float, threads};
use std::time::Instant;

impl<F: Float> Model<F> {
    /// Fits the model to samples.
    ///
    /// The whole training runs inside the thread pool. The same seed gives the same result for any number of threads.
    ///
    /// # Errors
    /// The samples or the options cannot be used; a callback fails; a checkpoint cannot be read or written; or a NaN or
    /// infinity appears: then the error names layer, edge and iteration, and the parameters are the last good ones: those
    /// from the start of the last epoch whose first step still found a finite loss and finite gradients (of epochs
    /// shorter than 64 steps, not every one is kept).
    pub fn fit(&mut self, samples: impl IntoSamples<F>, options: Fit<F>) -> Result<History> {
        let samples = samples.into_samples();
        let fit = options;
        threads::scope(move || Run::new(self, samples, fit)?.train())
    }
}

/// One call of `fit`.
struct Run<'a, F: Float> {
    model: &'a mut Model<F>,
    train: Samples<F>,
    validation: Option<Samples<F>>,
    batches: Batches,
    metrics: Vec<Box<dyn Metric<F>>>,
    history: History,
    /// The names of the values that each epoch records.
    recorded: Vec<String>,
    progress: Progress,
    /// What training goes back to: a step from there went well.
    good: Option<Snapshot<F>>,
    /// A later one that no step has been made from: the step before it may have ruined the parameters.
    untried: Option<Snapshot<F>>,
    /// The number of the epoch after the last one, over all calls of `fit`.
    end: u64,
    settings: FitSettings,
    options: Fit<F>,
}

/// A snapshot makes the next step copy every parameter and moment, so where epochs are short it stands for several:
/// the next is not taken at an epoch's start before that many steps.
const STEPS_PER_SNAPSHOT: u64 = 64;

/// What training goes back to when a NaN appears.
struct Snapshot<F: Float> {
    params: StateDict<F>,
    optimizer: OptimizerState<F>,
    clock: crate::model::Clock,
    average: Option<Average<F>>,
}

/// What an epoch's batches added up to.
#[derive(Default)]
struct Totals {
    loss: f64,
    rows: usize,
    iterations: f64,
    steps: usize,
    /// How far the loop is from rest, as the last batch saw it.
    residual: Option<f64>,
}

impl<'a, F: Float> Run<'a, F> {
    fn new(model: &'a mut Model<F>, samples: Samples<F>, mut options: Fit<F>) -> Result<Self> {
        let schedule = options.schedule.as_deref();
        if let Some(schedule) = schedule {
            schedule.validate()?;
        }
        samples.check(
            &model.network,
            "the training data",
            model.sequences(schedule),
        )?;
        check_options(&options)?;
        model.check_settings()?;
        if model.segments().is_some_and(|segments| segments.refill) {
            carry::check(model)?;
        }
        let recorded = recorded(
            model,
            &options,
            !matches!(options.validation, Validation::None),
        );
        check_goal(&options, &recorded)?;
        let (train, validation) = divide(samples, std::mem::take(&mut options.validation))?;
        if let Some(validation) = &validation {
            validation.check(&model.network, "the validation data", model.sequences(None))?;
        }
        if let Some(class_weights) = &options.class_weights {
            weights::check(class_weights, &train.targets)?;
        }
        let mut batches = Batches::new(train.rows(), options.batch_size)?;
        if options.shuffle {
            batches = batches.shuffle(model.network.topology().seed);
        }
        let settings = FitSettings {
            rows: train.rows(),
            batch_size: options.batch_size,
            shuffle: options.shuffle,
            class_weights: options.class_weights.clone(),
            ema: options.ema,
            schedule: match schedule {
                Some(schedule) => Some((schedule.kind(), schedule.config()?)),
                None => None,
            },
        };
        model.average = options
            .ema
            .map(|decay| Average::new(decay, model.network.params()));
        let mut end = model.clock.epoch.saturating_add(options.epochs);
        let mut history = History::new();
        if let (true, Some(path)) = (options.resume, &options.checkpoint)
            && path.exists()
        {
            history = model.resume_from(path, &mut options.callbacks, &settings)?;
            end = options.epochs.max(model.clock.epoch);
            // A run that had ended by itself does not go on.
            let met = match (&options.goal, history.records().last()) {
                (Some(goal), Some(record)) => goal.met_by(record) == Some(true),
                _ => false,
            };
            if met
                || options
                    .callbacks
                    .iter()
                    .any(|callback| callback.is_finished())
            {
                end = model.clock.epoch;
            }
        }
        let progress = Progress::new(options.verbosity, end as usize, batches.count())
            .every(options.log_every);
        let metrics = model.fresh_metrics();
        Ok(Self {
            model,
            train,
            validation,
            batches,
            metrics,
            history,
            recorded,
            progress,
            good: None,
            untried: None,
            end,
            settings,
            options,
        })
    }

    fn train(mut self) -> Result<History> {
        let result = self.all_epochs();
        self.model.average = None;
        self.progress.finish();
        result.map(|()| self.history)
    }

    fn all_epochs(&mut self) -> Result<()> {
        let start = FitStart {
            values: &self.recorded,
            params: self.model.network.params(),
        };
        for callback in &mut self.options.callbacks {
            callback.on_start(&start)?;
        }
        while self.model.clock.epoch < self.end {
            let mut record = self.epoch()?;
            let weights = self.enter_average()?;
            self.validate(&mut record)?;
            let (stop, restored) = self.after_epoch(record)?;
            match (weights, restored) {
                (Some(_), true) => {
                    // What a callback went back to is what the training ends with.
                    let values = self.model.params().state_dict();
                    if let Some(average) = &mut self.model.average {
                        average.values = values;
                    }
                }
                (Some(weights), false) => self.model.params_mut().load_state_dict(&weights)?,
                (None, _) => {}
            }
            let last = stop || self.model.clock.epoch >= self.end;
            self.write_checkpoint(last)?;
            if stop {
                break;
            }
        }
        if let Some(average) = self.model.average.take() {
            self.model.params_mut().load_state_dict(&average.values)?;
        }
        for callback in &mut self.options.callbacks {
            if let Some(params) = callback.on_end() {
                self.model.params_mut().load_state_dict(&params)?;
            }
        }
        Ok(())
    }

    /// Changes the weights for their average, where one is kept; gives the weights.
    fn enter_average(&mut self) -> Result<Option<StateDict<F>>> {
        let Some(average) = &self.model.average else {
            return Ok(None);
        };
        let weights = self.model.network.params().state_dict();
        self.model
            .network
            .params_mut()
            .load_state_dict(&average.values)?;
        Ok(Some(weights))
    }

    /// One pass over the training samples and the validation.
    fn epoch(&mut self) -> Result<EpochRecord> {
        let recent = self
            .good
            .as_ref()
            .is_some_and(|good| self.model.clock.step < good.clock.step + STEPS_PER_SNAPSHOT);
        if !recent {
            self.untried = Some(Snapshot {
                params: self.model.params().state_dict(),
                optimizer: self.model.optimizer_state.clone(),
                clock: self.model.clock,
                average: self.model.average.clone(),
            });
        }
        let start = Instant::now();
        self.progress
            .start_epoch(self.model.clock.epoch as usize + 1);
        let totals = match self.batches() {
            Ok(totals) => totals,
            Err(error) => {
                if let Some(good) = self.good.take().or_else(|| self.untried.take()) {
                    self.model.params_mut().load_state_dict(&good.params)?;
                    self.model.optimizer_state = good.optimizer;
                    self.model.clock = good.clock;
                    self.model.average = good.average;
                }
                return Err(error);
            }
        };
        let seconds = start.elapsed().as_secs_f64();
        self.model.clock.epoch += 1;
        let mut record = EpochRecord::new(self.model.clock.epoch as usize)
            .with("loss", totals.loss / totals.rows as f64);
        for metric in &mut self.metrics {
            record.set(metric.name().to_owned(), metric.value());
            metric.reset();
        }
        if self.most_iterations() > 1 {
            record.set("iterations", totals.iterations / totals.steps as f64);
        }
        if let Some(residual) = totals.residual {
            record.set("residual", residual);
        }
        record.set("seconds", seconds);
        record.set("rows_per_second", totals.rows as f64 / seconds.max(1e-9));
        Ok(record)
    }

    /// The most iterations of a step.
    fn most_iterations(&self) -> usize {
        most_iterations(self.model, &self.options)
    }

    /// Looks at the validation samples.
    fn validate(&self, record: &mut EpochRecord) -> Result<()> {
        if let Some(validation) = &self.validation {
            let how = Predict::new();
            let evaluation = self
                .model
                .evaluate_outputs(validation, Wanted::Last, &how)?
                .pop();
            for (name, value) in evaluation.iter().flat_map(|e| e.iter()) {
                record.set(format!("val_{name}"), value);
            }
        }
        Ok(())
    }

    fn batches(&mut self) -> Result<Totals> {
        if self
            .model
            .segments()
            .is_some_and(|segments| segments.refill)
        {
            return self.turns();
        }
        let mut totals = Totals::default();
        let count = self.batches.count();
        let looks = self.recorded.iter().any(|name| name == "residual");
        let shuffled = self.options.shuffle;
        for rows in self.batches.epoch(self.model.clock.epoch) {
            let samples = if shuffled {
                self.train.select(rows)
            } else {
                self.train.range(totals.rows..totals.rows + rows.len())
            };
            let row_weights = match &self.options.class_weights {
                Some(class_weights) => Some(weights::of_rows(class_weights, &samples.targets)?),
                None => None,
            };
            let options = crate::model::StepOptions {
                weights: row_weights.as_ref(),
                first_row: totals.rows as u64,
                rows: None,
                schedule: self.options.schedule.as_deref(),
                residual: looks && totals.steps + 1 == count,
            };
            let metrics = &mut self.metrics;
            let report = self.model.step(&samples, &options, |answer| {
                metrics
                    .iter_mut()
                    .try_for_each(|metric| metric.update(answer, &samples.targets))
            })?;
            if let Some(tried) = self.untried.take() {
                self.good = Some(tried);
            }
            totals.loss += report.loss * rows.len() as f64;
            totals.rows += rows.len();
            totals.iterations += report.mean_iterations;
            totals.residual = report.residual;
            totals.steps += 1;
            self.progress.batch(report.loss);
        }
        Ok(totals)
    }

    /// One pass in which samples that halt give their places to others.
    fn turns(&mut self) -> Result<Totals> {
        let mut totals = Totals::default();
        let epoch = self.model.clock.epoch;
        let Some(segments) = self.model.segments() else {
            return Ok(totals);
        };
        let order: Vec<usize> = self.batches.epoch(epoch).flatten().copied().collect();
        let size = self.batches.size();
        let schedule = self.options.schedule.clone();
        let rules = Rules {
            segments,
            schedule: schedule.as_deref(),
            epoch,
        };
        let looks = self.recorded.iter().any(|name| name == "residual");
        let mut waiting = order.iter().copied();
        let mut carry = Carry::new();
        carry.fill(size, &mut waiting, self.model, &rules);
        let (mut loss, mut ran) = (0.0, 0);
        while !carry.is_empty() {
            let look = looks && totals.residual.is_none() && waiting.len() == 0;
            let weights = self.options.class_weights.as_deref();
            let turn = carry.turn(self.model, &self.train, weights, look, &rules, &mut waiting)?;
            if let Some(tried) = self.untried.take() {
                self.good = Some(tried);
            }
            if !turn.left.is_empty() {
                let targets = self.train.select(&turn.left).targets;
                for metric in &mut self.metrics {
                    metric.update(&turn.answers, &targets)?;
                }
            }
            loss += turn.report.loss * turn.ran as f64;
            ran += turn.ran;
            totals.iterations += turn.report.mean_iterations * turn.ran as f64;
            totals.residual = turn.report.residual.or(totals.residual);
            totals.rows += turn.left.len();
            self.progress.batch(turn.report.loss);
        }
        // A sample's iterations are those of all its segments.
        totals.iterations /= totals.rows.max(1) as f64;
        totals.steps = 1;
        totals.loss = loss / ran.max(1) as f64 * totals.rows as f64;
        Ok(totals)
    }

    /// Tells everybody about the epoch; whether training should end, and whether it goes back to other weights.
    fn after_epoch(&mut self, record: EpochRecord) -> Result<(bool, bool)> {
        let mut stop = false;
        if let Some(goal) = &self.options.goal {
            stop = goal.met_by(&record) == Some(true);
        }
        let event = EpochEnd {
            epoch: self.model.clock.epoch,
            record: &record,
            params: self.model.network.params(),
        };
        let (mut restore, mut notes) = (None, Vec::new());
        for callback in &mut self.options.callbacks {
            if let Action::Stop {
                reason,
                restore: params,
            } = callback.on_epoch_end(&event)?
            {
                stop = true;
                restore = params.or(restore);
                notes.push(reason);
            }
        }
        let restored = restore.is_some();
        if let Some(params) = restore {
            self.model.params_mut().load_state_dict(&params)?;
        }
        let last = stop || self.model.clock.epoch >= self.end;
        let most = self.most_iterations();
        self.progress.end_epoch(&record, most, last);
        for note in notes {
            self.progress.note(&note);
        }
        self.history.push(record);
        Ok((stop, restored))
    }

    fn write_checkpoint(&self, last: bool) -> Result<()> {
        let Some(path) = &self.options.checkpoint else {
            return Ok(());
        };
        if last
            || self
                .model
                .clock
                .epoch
                .is_multiple_of(self.options.checkpoint_every.max(1))
        {
            self.model.checkpoint_with(
                path,
                &self.history,
                &self.options.callbacks,
                Some(&self.settings),
            )?;
        }
        Ok(())
    }
}

/// The names of the values that each epoch records.
fn recorded<F: Float>(model: &Model<F>, options: &Fit<F>, validates: bool) -> Vec<String> {
    let mut names = vec!["loss".to_owned()];
    let metrics = model.fresh_metrics();
    names.extend(metrics.iter().map(|metric| metric.name().to_owned()));
    if validates {
        let of_validation: Vec<_> = names.iter().map(|name| format!("val_{name}")).collect();
        names.extend(of_validation);
    }
    if most_iterations(model, options) > 1 {
        names.push("iterations".to_owned());
        if !model.sequences(options.schedule.as_deref()) {
            names.push("residual".to_owned());
        }
    }
    names.extend(["seconds", "rows_per_second"].map(str::to_owned));
    names
}

/// The most iterations that a step makes; 1 without a loop.
fn most_iterations<F: Float>(model: &Model<F>, options: &Fit<F>) -> usize {
    let mut edges = model.network.topology().edges.iter();
    let has_loop = edges.any(|edge| edge.delay > 0 && edge.clock == Clock::Iteration);
    let own = model.network.iterations();
    let one = match &options.schedule {
        Some(schedule) if has_loop => schedule.iterations(),
        _ => own,
    };
    if !has_loop && one == 1 {
        return 1;
    }
    one * model.segments().map_or(1, |segments| segments.count)
}

/// Refuses a goal that no epoch could meet, before any training.
fn check_goal<F: Float>(options: &Fit<F>, recorded: &[String]) -> Result<()> {
    let Some(goal) = &options.goal else {
        return Ok(());
    };
    if recorded.contains(&goal.name) {
        return goal.check();
    }
    Err(Error::UnknownValue {
        what: "the goal",
        name: goal.name.clone(),
        known: recorded.join(", "),
    })
}

fn check_options<F: Float>(options: &Fit<F>) -> Result<()> {
    if options.resume && options.checkpoint.is_none() {
        return Err(Error::Setting {
            what: "Fit::resume",
            expected: "a checkpoint file to go on from",
            found: "none".to_owned(),
            help: "name it with .checkpoint(\"run.ckpt\")",
        });
    }
    if let Some(decay) = options.ema
        && !(0.0..1.0).contains(&decay)
    {
        return Err(Error::Setting {
            what: "Fit::ema",
            expected: "a decay from 0 up to, but not including, 1",
            found: decay.to_string(),
            help: "0.999 averages over about a thousand steps",
        });
    }
    Ok(())
}

/// Training and validation samples.
fn divide<F: Float>(
    samples: Samples<F>,
    validation: Validation<F>,
) -> Result<(Samples<F>, Option<Samples<F>>)> {
    match validation {
        Validation::None => Ok((samples, None)),
        Validation::Samples(validation) => Ok((samples, Some(*validation))),
        Validation::Split(share) => {
            let rows = samples.rows();
            let kept = if (0.0..1.0).contains(&share) {
                (rows as f64 * (1.0 - share)).round() as usize
            } else {
                0
            };
            if kept == 0 || kept >= rows {
                return Err(Error::Setting {
                    what: "Fit::validation_split",
                    expected: "a share between 0 and 1 that leaves rows on both sides",
                    found: format!("{share} of {rows} rows"),
                    help: "0.2 keeps every fifth row for validation",
                });
            }
            Ok((samples.range(0..kept), Some(samples.range(kept..rows))))
        }
    }
}
