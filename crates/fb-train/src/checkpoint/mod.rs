//! A training run as one file, to be gone on with: [`Checkpoint`].
//!
//! Load checkpoints only from people you trust: their checksums find damage, not malice. Models for others travel as
//! [`ModelFile`].
//!
//! # Format, version 1
//!
//! All numbers are little-endian.
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | `89 46 42 43 4b 50 54 0a`: a byte that is no text, `FBCKPT`, a line feed |
//! | 8..12 | format version, u32 |
//! | 12..16 | CRC32 of the state section |
//! | 16..24 | length of the state section, u64 |
//! | 24..32 | length of the model section, u64 |
//! | 32..36 | CRC32 of the model section |
//! | 36..40 | CRC32 of bytes 0..36 |
//! | 40.. | the state section: counters, seed, optimizer, callbacks, history, in bincode 2 |
//! | then | the model section: a [`ModelFile`], which is a safetensors file: weights and the optimizer's tensors |
//!
//! The first 40 bytes keep this layout in every version.

mod envelope;
mod wire;

use crate::error::Result;
use crate::file::{ModelFile, write_atomic};
use crate::history::History;
use envelope::Envelope;
use fb_data::file::read;
use std::collections::BTreeMap;
use std::path::Path;

/// Everything that training needs to go on as if it had never stopped.
///
/// ```
/// use fb_tensor::Tensor;
/// use fb_train::checkpoint::{Checkpoint, TrainingProgress};
/// use fb_train::file::ModelFile;
/// let mut model = ModelFile::new(r#"{"layers": []}"#);
/// model.tensors_mut().insert("params/hidden1/weight", Tensor::ones([2, 8]));
/// model.tensors_mut().insert("optimizer/hidden1/weight/m", Tensor::zeros([2, 8]));
/// let mut checkpoint = Checkpoint::new(model);
/// checkpoint.progress = TrainingProgress { epoch: 3, step: 96, batch: 0 };
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("run.ckpt");
/// checkpoint.save(&path)?;
/// assert_eq!(Checkpoint::load(&path)?, checkpoint);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// How far training has come.
    pub progress: TrainingProgress,
    /// The seed of everything random. Random numbers are functions of it, of a name and of a position, so with
    /// [`progress`](Self::progress) it is the whole random state.
    pub seed: u64,
    /// What the optimizer remembers besides tensors.
    pub optimizer: OptimizerRecord,
    /// What each callback remembers, such as how long early stopping has waited, in the order of the callbacks.
    pub callbacks: Vec<CallbackRecord>,
    /// The epochs so far.
    pub history: History,
    /// The architecture, the weights (`params/…`) and the optimizer's tensors (`optimizer/…`).
    pub model: ModelFile,
}

/// How far training has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrainingProgress {
    /// Whole epochs done.
    pub epoch: u64,
    /// Training steps done.
    pub step: u64,
    /// Batches done of the epoch that has begun.
    pub batch: u64,
}

/// What an optimizer remembers besides tensors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimizerRecord {
    /// The kind of the optimizer.
    pub kind: String,
    /// How many steps were made on each parameter, by its name.
    pub steps: BTreeMap<String, u64>,
    /// Further numbers, such as the learning rate that a schedule has come to.
    pub numbers: BTreeMap<String, f64>,
}

/// What a callback remembers: named numbers.
pub type CallbackRecord = Vec<(String, f64)>;

impl Checkpoint {
    /// A checkpoint of a model before training.
    pub fn new(model: ModelFile) -> Self {
        Self {
            progress: TrainingProgress::default(),
            seed: 0,
            optimizer: OptimizerRecord::default(),
            callbacks: Vec::new(),
            history: History::new(),
            model,
        }
    }

    /// Writes the checkpoint, whole or not at all. Equal checkpoints give equal bytes.
    ///
    /// # Errors
    /// The file cannot be written, or the history and its kind are larger than 64 MiB.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let state = wire::encode(self, path)?;
        let model = self.model.layout(path)?;
        let envelope = Envelope::seal(&state, &model)?;
        Ok(write_atomic(path, |writer| {
            writer.write_all(&envelope.header())?;
            writer.write_all(&state)?;
            model.write(writer)
        })?)
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// The file cannot be read, is not a checkpoint, comes from a newer version, or is damaged anywhere.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::parse(&read(path)?, path)
    }

    /// Reads a checkpoint from bytes; `path` is for messages.
    fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let (state, model) = envelope::open(bytes, path)?;
        let model = ModelFile::parse(model, path)?;
        wire::decode(state, model, path)
    }
}

#[cfg(test)]
mod tests;
