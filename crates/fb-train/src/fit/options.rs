//! The options of `fit`.

use super::goal::Goal;
use crate::callback::Callback;
use crate::model::{IntoSamples, Samples};
use crate::progress::Verbosity;
use fb_nn::feedback::schedule::AnySchedule;
use fb_tensor::Float;
use std::path::PathBuf;
use std::sync::Arc;

/// What is looked at after each epoch besides the training samples.
#[derive(Clone, Debug, Default)]
pub enum Validation<F: Float = f32> {
    /// Nothing.
    #[default]
    None,
    /// This share of the training samples, taken from their end before shuffling and not trained on.
    Split(f64),
    /// These samples.
    Samples(Box<Samples<F>>),
}

/// How to fit a model.
///
/// ```
/// use fb_train::Fit;
/// let fit = Fit::epochs(20).batch_size(32).validation_split(0.2);
/// # let _: Fit = fit;
/// ```
#[derive(Debug)]
pub struct Fit<F: Float = f32> {
    pub(super) epochs: u64,
    pub(super) batch_size: usize,
    pub(super) shuffle: bool,
    pub(super) validation: Validation<F>,
    pub(super) callbacks: Vec<Box<dyn Callback<F>>>,
    pub(super) class_weights: Option<Vec<f64>>,
    pub(super) goal: Option<Goal>,
    pub(super) verbosity: Verbosity,
    pub(super) log_every: usize,
    pub(super) checkpoint: Option<PathBuf>,
    pub(super) checkpoint_every: u64,
    pub(super) resume: bool,
    pub(super) ema: Option<f64>,
    pub(super) schedule: Option<Arc<dyn AnySchedule>>,
}

impl Fit<f32> {
    /// This many epochs, in batches of 32, shuffled.
    pub fn epochs(epochs: u64) -> Self {
        Self::epochs_of(epochs)
    }

    /// Until a value is reached, but at most 10,000 epochs; see [`Fit::max_epochs`].
    pub fn until(goal: Goal) -> Self {
        Self::epochs_of(10_000).goal(goal)
    }
}

impl<F: Float> Fit<F> {
    /// [`Fit::epochs`] for models of another element type.
    pub fn epochs_of(epochs: u64) -> Self {
        Self {
            epochs,
            batch_size: 32,
            shuffle: true,
            validation: Validation::None,
            callbacks: Vec::new(),
            class_weights: None,
            goal: None,
            verbosity: Verbosity::Auto,
            log_every: 1,
            checkpoint: None,
            checkpoint_every: 1,
            resume: false,
            ema: None,
            schedule: None,
        }
    }

    /// Ends training as soon as a value is reached.
    #[must_use]
    pub fn goal(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self
    }

    /// At most this many epochs.
    #[must_use]
    pub fn max_epochs(mut self, epochs: u64) -> Self {
        self.epochs = epochs;
        self
    }

    /// How many rows a step looks at; 32 without it. The last batch of an epoch may have fewer.
    #[must_use]
    pub fn batch_size(mut self, rows: usize) -> Self {
        self.batch_size = rows;
        self
    }

    /// Whether rows are put in a new random order for each epoch; they are, without it.
    #[must_use]
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.shuffle = shuffle;
        self
    }

    /// Evaluates these samples after each epoch; their values are named `val_loss`, `val_accuracy` and so on.
    #[must_use]
    pub fn validation(mut self, samples: impl IntoSamples<F>) -> Self {
        self.validation = Validation::Samples(Box::new(samples.into_samples()));
        self
    }

    /// Keeps this share of the samples (the last ones, before shuffling) out of training and evaluates them after each
    /// epoch.
    #[must_use]
    pub fn validation_split(mut self, share: f64) -> Self {
        self.validation = Validation::Split(share);
        self
    }

    /// Has something look at training while it runs. Can be called several times.
    #[must_use]
    pub fn callback(mut self, callback: impl Callback<F> + 'static) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// One weight per class: rows of a class count that much in the training loss.
    #[must_use]
    pub fn class_weights(mut self, weights: impl Into<Vec<f64>>) -> Self {
        self.class_weights = Some(weights.into());
        self
    }

    /// What is printed: by default a moving bar on a terminal and one line per epoch elsewhere.
    #[must_use]
    pub fn verbosity(mut self, verbosity: Verbosity) -> Self {
        self.verbosity = verbosity;
        self
    }

    /// Prints nothing.
    #[must_use]
    pub fn silent(self) -> Self {
        self.verbosity(Verbosity::Silent)
    }

    /// Prints only every n-th epoch, and the last.
    #[must_use]
    pub fn log_every(mut self, epochs: usize) -> Self {
        self.log_every = epochs;
        self
    }

    /// Keeps a running average of the weights, `a ← decay·a + (1 − decay)·w` after each optimizer step. Validation and
    /// callbacks see the average, and the model ends with it: it is steadier than the weights of any one step.
    ///
    /// ```
    /// let fit = fb_train::Fit::epochs(20).ema(0.999);
    /// # let _: fb_train::Fit = fit;
    /// ```
    #[must_use]
    pub fn ema(mut self, decay: f64) -> Self {
        self.ema = Some(decay);
        self
    }

    /// Trains under another schedule than the network's, such as a random number of iterations. Validation runs as
    /// [`Model::evaluate`](crate::Model::evaluate) does: under the network's own.
    ///
    /// ```
    /// use fb_nn::feedback::schedule::Unroll;
    /// let fit = fb_train::Fit::epochs(20).schedule(Unroll::uniform(2, 8));
    /// # let _: fb_train::Fit = fit;
    /// ```
    #[must_use]
    pub fn schedule(mut self, schedule: impl AnySchedule + 'static) -> Self {
        self.schedule = Some(Arc::new(schedule));
        self
    }

    /// Writes a checkpoint to this file after each epoch.
    #[must_use]
    pub fn checkpoint(mut self, path: impl Into<PathBuf>) -> Self {
        self.checkpoint = Some(path.into());
        self
    }

    /// Writes the checkpoint only after every n-th epoch, and the last.
    #[must_use]
    pub fn checkpoint_every(mut self, epochs: u64) -> Self {
        self.checkpoint_every = epochs;
        self
    }

    /// Goes on from the [checkpoint](Fit::checkpoint) file if it exists: the number of epochs is then that of the whole
    /// training, the interrupted part included, and the result is the same as without the interruption.
    ///
    /// Everything that the steps depend on must be as it was then: seed, network, loss, optimizer, batch size, number of
    /// rows and so on. The callbacks must be as many as then, in the same order: each takes back what it remembered. To go
    /// on differently, call [`Model::resume`](crate::Model::resume) and then `fit` without this.
    #[must_use]
    pub fn resume(mut self) -> Self {
        self.resume = true;
        self
    }
}
