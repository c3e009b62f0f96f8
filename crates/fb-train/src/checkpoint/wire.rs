//! The state section: the only file that names bincode.
//!
//! What is written are the types below, not the public ones: bincode stores fields in order and without names, so a
//! field that moves or appears would be read into the wrong place. Each version has its own types, which never change
//! once files of it exist; a new version gets new types and a conversion from the old. There is no recursion, no list of
//! empty things, no attribute that leaves fields out, and sizes are `u64`.

use super::envelope::{LONGEST_STATE, damaged};
use super::{Checkpoint, OptimizerRecord, TrainingProgress};
use crate::error::{Error, Result};
use crate::file::ModelFile;
use crate::history::{EpochRecord, History};
use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Version 1 of the state section.
#[derive(Serialize, Deserialize)]
struct StateV1 {
    epoch: u64,
    step: u64,
    batch: u64,
    seed: u64,
    optimizer: OptimizerV1,
    callbacks: Vec<Vec<(String, f64)>>,
    history: HistoryV1,
}

#[derive(Serialize, Deserialize)]
struct OptimizerV1 {
    kind: String,
    steps: BTreeMap<String, u64>,
    numbers: BTreeMap<String, f64>,
}

/// Epochs in rows; the names of values stand once, in a list that the values point into.
#[derive(Serialize, Deserialize)]
struct HistoryV1 {
    names: Vec<String>,
    epochs: Vec<EpochV1>,
}

#[derive(Serialize, Deserialize)]
struct EpochV1 {
    epoch: u64,
    values: Vec<(u32, f64)>,
    iteration_accuracy: Option<Vec<f64>>,
}

/// Numbers of fixed width, and no more bytes read than a state section may have, whatever lengths it claims.
fn config() -> Configuration<LittleEndian, Fixint, Limit<LONGEST_STATE>> {
    bincode::config::standard()
        .with_fixed_int_encoding()
        .with_limit::<LONGEST_STATE>()
}

/// The bytes of the state section.
///
/// # Errors
/// They would be more than can be read back.
pub(super) fn encode(checkpoint: &Checkpoint, path: &Path) -> Result<Vec<u8>> {
    let too_much = |found: String| Error::File {
        action: "write",
        path: path.to_path_buf(),
        source: std::io::Error::other(format!(
            "the state section takes {found}, more than {LONGEST_STATE} bytes"
        )),
        help: "keep a shorter history; weights and moments belong in the model's tensors",
    };
    let state = StateV1::from(checkpoint);
    let bytes = bincode::serde::encode_to_vec(&state, config())
        .map_err(|error| too_much(error.to_string()))?;
    match bytes.len() {
        length if length > LONGEST_STATE => Err(too_much(format!("{length} bytes"))),
        _ => Ok(bytes),
    }
}

/// A checkpoint from its state section and its model.
///
/// # Errors
/// The bytes are not what [`encode`] writes.
pub(super) fn decode(bytes: &[u8], model: ModelFile, path: &Path) -> Result<Checkpoint> {
    let refused =
        |expected: &str, found: String| damaged(path, "state section", expected.to_string(), found);
    let (state, consumed): (StateV1, usize) = bincode::serde::decode_from_slice(bytes, config())
        .map_err(|error| refused("the state of a training run", error.to_string()))?;
    if consumed != bytes.len() {
        return Err(refused(
            &format!("{} bytes that all mean something", bytes.len()),
            format!("{consumed} that do"),
        ));
    }
    let history = state
        .history
        .read()
        .map_err(|found| refused("values with names", found))?;
    Ok(Checkpoint {
        progress: TrainingProgress {
            epoch: state.epoch,
            step: state.step,
            batch: state.batch,
        },
        seed: state.seed,
        optimizer: OptimizerRecord {
            kind: state.optimizer.kind,
            steps: state.optimizer.steps,
            numbers: state.optimizer.numbers,
        },
        callbacks: state.callbacks,
        history,
        model,
    })
}

impl From<&Checkpoint> for StateV1 {
    fn from(checkpoint: &Checkpoint) -> Self {
        let Checkpoint {
            progress,
            seed,
            optimizer,
            callbacks,
            history,
            ..
        } = checkpoint;
        Self {
            epoch: progress.epoch,
            step: progress.step,
            batch: progress.batch,
            seed: *seed,
            optimizer: OptimizerV1 {
                kind: optimizer.kind.clone(),
                steps: optimizer.steps.clone(),
                numbers: optimizer.numbers.clone(),
            },
            callbacks: callbacks.clone(),
            history: HistoryV1::from(history),
        }
    }
}

impl From<&History> for HistoryV1 {
    fn from(history: &History) -> Self {
        let names = history.names();
        let position = |name: &str| {
            names
                .iter()
                .position(|known| *known == name)
                .unwrap_or(usize::MAX) as u32
        };
        let epoch = |record: &EpochRecord| EpochV1 {
            epoch: record.epoch() as u64,
            values: record
                .values()
                .map(|(name, value)| (position(name), value))
                .collect(),
            iteration_accuracy: record.iteration_accuracy().map(<[f64]>::to_vec),
        };
        let epochs = history.records().iter().map(epoch).collect();
        Self {
            epochs,
            names: names.iter().map(|name| name.to_string()).collect(),
        }
    }
}

impl HistoryV1 {
    /// The history, or what is wrong with it.
    fn read(self) -> Result<History, String> {
        let Self { names, epochs } = self;
        epochs.into_iter().map(|epoch| epoch.read(&names)).collect()
    }
}

impl EpochV1 {
    fn read(self, names: &[String]) -> Result<EpochRecord, String> {
        let epoch = usize::try_from(self.epoch).map_err(|_| format!("epoch {}", self.epoch))?;
        let mut record = EpochRecord::new(epoch);
        for (position, value) in self.values {
            let name = names
                .get(position as usize)
                .ok_or_else(|| format!("a value for name {position}"))?;
            record.set(name.clone(), value);
        }
        Ok(match self.iteration_accuracy {
            Some(accuracy) => record.with_iteration_accuracy(accuracy),
            None => record,
        })
    }
}
