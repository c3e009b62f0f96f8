//! The whole state of training in one checkpoint, and the way back into it.

use super::difference;
use super::network::{content, state, store_parametrizations, stored_parametrizations};
use super::settings::{FitSettings, SETTINGS};
use super::tensors::{fetch, store};
use crate::callback::Callback;
use crate::checkpoint::{Checkpoint, OptimizerRecord, TrainingProgress};
use crate::error::{Error, Result};
use crate::file::{AnyTensor, ModelFile, NamedTensors};
use crate::history::History;
use crate::model::{Average, Clock, Model};
use fb_nn::optim::{NamedState, OptimizerState};
use fb_nn::param::StateDict;
use fb_tensor::{Float, Tensor};
use serde_json::Value;
use std::path::Path;

const PARAMS: &str = "params/";
const OPTIMIZER: &str = "optimizer/";
/// Where the running average of the weights stands.
const AVERAGE: &str = "average/";

/// More epochs or steps than any training makes: what counts on from a larger number could overflow.
const MOST_COUNTED: u64 = 1 << 48;

/// Where the parameters that a callback keeps stand.
fn callback_prefix(index: usize) -> String {
    format!("callbacks/{index}/")
}

impl<F: Float> Model<F> {
    /// Writes everything that training needs to go on exactly as without an interruption: parameters, optimizer
    /// memory, counters, seed and history.
    ///
    /// [`Fit::checkpoint`](crate::Fit::checkpoint) does this after every epoch, callbacks included.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save_checkpoint(&self, path: impl AsRef<Path>, history: &History) -> Result<()> {
        self.checkpoint_with(path.as_ref(), history, &[], None)
    }

    /// Goes back to where a checkpoint was written; returns the history until then.
    ///
    /// The network must have been built as it was then, with the same seed, and compiled with the same optimizer. Its
    /// settings, the loss and the options of `fit` may be others: this is the way to go on differently, while
    /// [`Fit::resume`](crate::Fit::resume) refuses that. What callbacks remembered is left in the file, since a model has
    /// none. On an error nothing has changed.
    ///
    /// # Errors
    /// The file cannot be read, is not a checkpoint or is damaged, or is of another architecture, seed or optimizer.
    pub fn resume(&mut self, path: impl AsRef<Path>) -> Result<History> {
        let path = path.as_ref();
        let checkpoint = Checkpoint::load(path)?;
        self.check_same(&checkpoint, path)?;
        self.go_back(checkpoint, path, &mut [])
    }

    pub(crate) fn checkpoint_with(
        &self,
        path: &Path,
        history: &History,
        callbacks: &[Box<dyn Callback<F>>],
        fit: Option<&FitSettings>,
    ) -> Result<()> {
        let named = self
            .optimizer_state
            .to_named(&*self.optimizer, self.params());
        let mut file = ModelFile::new(self.network.topology().to_json()?.to_string());
        file.set_metadata(SETTINGS, self.settings(fit)?.to_string())?;
        store_parametrizations(&self.network, &mut file)?;
        let tensors = file.tensors_mut();
        for (_, param) in self.params().iter() {
            tensors.insert(format!("{PARAMS}{}", param.name()), store(&param.value));
        }
        for (name, tensor) in self.average.iter().flat_map(|average| &average.values) {
            tensors.insert(format!("{AVERAGE}{name}"), store(tensor));
        }
        for (name, tensor) in &named.slots {
            tensors.insert(format!("{OPTIMIZER}{name}"), store(tensor));
        }
        for (index, callback) in callbacks.iter().enumerate() {
            for (name, tensor) in callback.kept_params().into_iter().flatten() {
                tensors.insert(format!("{}{name}", callback_prefix(index)), store(tensor));
            }
        }
        let mut checkpoint = Checkpoint::new(file);
        checkpoint.progress = TrainingProgress {
            epoch: self.clock.epoch,
            step: self.clock.step,
            batch: 0,
        };
        checkpoint.seed = self.network.topology().seed;
        checkpoint.optimizer = OptimizerRecord {
            kind: named.kind,
            steps: named.steps,
            numbers: Default::default(),
        };
        checkpoint.callbacks = callbacks.iter().map(|callback| callback.state()).collect();
        checkpoint.history = history.clone();
        checkpoint.save(path)
    }

    /// [`Model::resume`] for a training with these callbacks and settings, which must be those that the checkpoint was
    /// written with: with others, training would not go on as it would have without the interruption.
    pub(crate) fn resume_from(
        &mut self,
        path: &Path,
        callbacks: &mut [Box<dyn Callback<F>>],
        fit: &FitSettings,
    ) -> Result<History> {
        let checkpoint = Checkpoint::load(path)?;
        self.check_same(&checkpoint, path)?;
        if let Some(difference) = self.other_settings(fit, &checkpoint, path)? {
            return Err(misfit(
                path,
                &difference.path,
                difference.expected,
                difference.found,
                "train as it was; or, to go on differently, call Model::resume and then fit without .resume()",
            ));
        }
        if checkpoint.callbacks.len() != callbacks.len() {
            return Err(misfit(
                path,
                "callbacks",
                callbacks.len().to_string(),
                checkpoint.callbacks.len().to_string(),
                "give the same callbacks in the same order, or remove the file to start anew",
            ));
        }
        self.go_back(checkpoint, path, callbacks)
    }

    /// Takes back everything from a checkpoint of this training; the callbacks are those of the file, or none.
    fn go_back(
        &mut self,
        checkpoint: Checkpoint,
        path: &Path,
        callbacks: &mut [Box<dyn Callback<F>>],
    ) -> Result<History> {
        let tensors = checkpoint.model.tensors();
        let values = state(&self.network, tensors, PARAMS, path)?;
        let memory = self.memory(&checkpoint, path)?;
        let average = match &self.average {
            Some(average) => Some(Average {
                values: state(&self.network, tensors, AVERAGE, path)?,
                ..*average
            }),
            None => None,
        };
        let kept = (0..callbacks.len())
            .map(|index| self.kept(tensors, &callback_prefix(index), path))
            .collect::<Result<Vec<_>>>()?;
        for ((callback, record), kept) in callbacks.iter_mut().zip(&checkpoint.callbacks).zip(kept)
        {
            callback.restore(record, kept)?;
        }
        self.network.params_mut().load_state_dict(&values)?;
        self.optimizer_state = memory;
        self.average = average;
        self.clock = Clock {
            epoch: checkpoint.progress.epoch,
            step: checkpoint.progress.step,
        };
        Ok(checkpoint.history)
    }

    /// Refuses a checkpoint of another training.
    fn check_same(&self, checkpoint: &Checkpoint, path: &Path) -> Result<()> {
        check_counters(checkpoint, path)?;
        // The seed is a part of the architecture too, but has a way out of its own.
        let seed = self.network.topology().seed;
        if checkpoint.seed != seed {
            return Err(misfit(
                path,
                "seed",
                seed.to_string(),
                checkpoint.seed.to_string(),
                "use the same seed, or remove the file to start anew",
            ));
        }
        let own = self.network.topology().to_json()?;
        let found = checkpoint.model.architecture();
        // Text that is no JSON is compared as what it is: text.
        let found = serde_json::from_str(found).unwrap_or_else(|_| Value::from(found));
        if let Some(difference) = difference::first(&own, &found) {
            let what = match difference.path.as_str() {
                "" => "architecture",
                path => path,
            };
            return Err(misfit(
                path,
                what,
                difference.expected,
                difference.found,
                "build the network as it was, or remove the file to start anew",
            ));
        }
        let own = self.params().parametrizations_to_json()?;
        let found = stored_parametrizations(&checkpoint.model, path)?;
        match difference::first(&own, &found) {
            None => Ok(()),
            Some(difference) => Err(misfit(
                path,
                &format!("parametrizations{}", difference.path),
                difference.expected,
                difference.found,
                "parametrize the weights as they were, in the same order, or remove the file to start anew",
            )),
        }
    }

    fn memory(&self, checkpoint: &Checkpoint, path: &Path) -> Result<OptimizerState<F>> {
        let mut slots = StateDict::new();
        for (name, _) in checkpoint.model.tensors().under(OPTIMIZER) {
            let param = name
                .rsplit_once('/')
                .and_then(|(param, _)| self.params().by_name(param));
            let like = param.map_or_else(|| Tensor::zeros_of([0]), |param| param.value.clone());
            let value = fetch(
                checkpoint.model.tensors(),
                &format!("{OPTIMIZER}{name}"),
                &like,
                path,
            )?;
            slots.insert(name.to_owned(), value);
        }
        let named = NamedState {
            kind: checkpoint.optimizer.kind.clone(),
            steps: checkpoint.optimizer.steps.clone(),
            slots,
        };
        OptimizerState::from_named(&named, &*self.optimizer, self.params())
            .map_err(|cause| content(path, cause))
    }

    /// The parameters that a callback had kept, if any.
    fn kept(
        &self,
        tensors: &NamedTensors,
        prefix: &str,
        path: &Path,
    ) -> Result<Option<StateDict<F>>> {
        let names: Vec<(&str, &AnyTensor)> = tensors.under(prefix).collect();
        if names.is_empty() {
            return Ok(None);
        }
        state(&self.network, tensors, prefix, path).map(Some)
    }
}

/// Refuses a file whose counters nobody has counted to.
fn check_counters(checkpoint: &Checkpoint, path: &Path) -> Result<()> {
    let progress = &checkpoint.progress;
    let counters = [progress.epoch, progress.step, progress.batch];
    let mut counted = counters.iter().chain(checkpoint.optimizer.steps.values());
    match counted.find(|&&count| count > MOST_COUNTED) {
        None => Ok(()),
        Some(count) => Err(Error::Damaged {
            path: path.to_owned(),
            part: "state section",
            expected: format!("epochs and steps up to {MOST_COUNTED}"),
            found: count.to_string(),
            help: "resume from an older checkpoint; this one was changed after it was written",
        }),
    }
}

fn misfit(path: &Path, what: &str, expected: String, found: String, help: &'static str) -> Error {
    Error::CheckpointMisfit {
        path: path.to_owned(),
        what: what.to_owned(),
        expected,
        found,
        help,
    }
}
