//! The training loop.

use super::options::{Fit, Validation};
use super::weights;
use crate::callback::{Action, EpochEnd, FitStart};
use crate::error::{Error, Result};
use crate::history::{EpochRecord, History};
use crate::metrics::Metric;
use crate::model::{IntoSamples, Model, Samples};
use crate::persist::FitSettings;
use crate::progress::Progress;
use fb_data::Batches;
use fb_nn::feedback::network::Wanted;
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
}

/// What an epoch's batches added up to.
#[derive(Default)]
struct Totals {
    loss: f64,
    rows: usize,
    iterations: usize,
    steps: usize,
}

impl<'a, F: Float> Run<'a, F> {
    fn new(model: &'a mut Model<F>, samples: Samples<F>, mut options: Fit<F>) -> Result<Self> {
        samples.check(&model.network, "the training data")?;
        check_options(&options)?;
        model.check_settings()?;
        let recorded = recorded(model, !matches!(options.validation, Validation::None));
        check_goal(&options, &recorded)?;
        let (train, validation) = divide(samples, std::mem::take(&mut options.validation))?;
        if let Some(validation) = &validation {
            validation.check(&model.network, "the validation data")?;
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
        };
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
        let start = FitStart {
            values: &self.recorded,
            params: self.model.network.params(),
        };
        for callback in &mut self.options.callbacks {
            callback.on_start(&start)?;
        }
        while self.model.clock.epoch < self.end {
            let record = self.epoch()?;
            let stop = self.after_epoch(record)?;
            let last = stop || self.model.clock.epoch >= self.end;
            self.write_checkpoint(last)?;
            if stop {
                break;
            }
        }
        for callback in &mut self.options.callbacks {
            if let Some(params) = callback.on_end() {
                self.model.params_mut().load_state_dict(&params)?;
            }
        }
        self.progress.finish();
        Ok(self.history)
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
        if let Some(validation) = &self.validation {
            let evaluation = self.model.evaluate_outputs(validation, Wanted::Last)?.pop();
            for (name, value) in evaluation.iter().flat_map(|e| e.iter()) {
                record.set(format!("val_{name}"), value);
            }
        }
        let most = self.model.network.iterations();
        if most > 1 {
            record.set("iterations", totals.iterations as f64 / totals.steps as f64);
        }
        record.set("seconds", seconds);
        record.set("rows_per_second", totals.rows as f64 / seconds.max(1e-9));
        Ok(record)
    }

    fn batches(&mut self) -> Result<Totals> {
        let mut totals = Totals::default();
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
            totals.iterations += report.iterations;
            totals.steps += 1;
            self.progress.batch(report.loss);
        }
        Ok(totals)
    }

    /// Tells everybody about the epoch; whether training should end.
    fn after_epoch(&mut self, record: EpochRecord) -> Result<bool> {
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
        if let Some(params) = restore {
            self.model.params_mut().load_state_dict(&params)?;
        }
        let last = stop || self.model.clock.epoch >= self.end;
        self.progress
            .end_epoch(&record, self.model.network.iterations(), last);
        for note in notes {
            self.progress.note(&note);
        }
        self.history.push(record);
        Ok(stop)
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
fn recorded<F: Float>(model: &Model<F>, validates: bool) -> Vec<String> {
    let mut names = vec!["loss".to_owned()];
    let metrics = model.fresh_metrics();
    names.extend(metrics.iter().map(|metric| metric.name().to_owned()));
    if validates {
        let of_validation: Vec<_> = names.iter().map(|name| format!("val_{name}")).collect();
        names.extend(of_validation);
    }
    if model.network.iterations() > 1 {
        names.push("iterations".to_owned());
    }
    names.extend(["seconds", "rows_per_second"].map(str::to_owned));
    names
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
