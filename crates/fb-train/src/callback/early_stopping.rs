//! Ending training when it no longer gets better.

use super::{Action, Callback, EpochEnd, FitStart};
use crate::error::{Error, Result};
use crate::history::Direction;
use fb_nn::param::StateDict;
use fb_tensor::Float;

/// Ends training when a value has not improved for some epochs.
///
/// ```
/// use fb_train::EarlyStopping;
/// let stop = EarlyStopping::monitor("val_loss").patience(5).restore_best();
/// ```
#[derive(Clone, Debug)]
pub struct EarlyStopping<F: Float = f32> {
    monitor: String,
    direction: Option<Direction>,
    patience: u64,
    min_delta: f64,
    restore_best: bool,
    best: Option<f64>,
    waited: u64,
    best_params: Option<StateDict<F>>,
}

impl EarlyStopping<f32> {
    /// Watches a value of the history, such as `"val_loss"`; smaller is better for losses and errors, larger for
    /// everything else. Patience is 0 epochs unless set.
    pub fn monitor(name: impl Into<String>) -> Self {
        Self::monitor_of(name)
    }
}

impl<F: Float> EarlyStopping<F> {
    /// [`EarlyStopping::monitor`] for models of another element type.
    pub fn monitor_of(name: impl Into<String>) -> Self {
        Self {
            monitor: name.into(),
            direction: None,
            patience: 0,
            min_delta: 0.0,
            restore_best: false,
            best: None,
            waited: 0,
            best_params: None,
        }
    }

    /// Training ends after so many epochs in a row without improvement, as in Keras; 0 means 1.
    #[must_use]
    pub fn patience(mut self, epochs: u64) -> Self {
        self.patience = epochs;
        self
    }

    /// By how much the value must change to count as better.
    #[must_use]
    pub fn min_delta(mut self, delta: f64) -> Self {
        self.min_delta = delta;
        self
    }

    /// Says whether smaller or larger is better.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = Some(direction);
        self
    }

    /// Goes back to the parameters of the best epoch when training ends.
    #[must_use]
    pub fn restore_best(mut self) -> Self {
        self.restore_best = true;
        self
    }

    fn unknown(&self, known: String) -> Error {
        Error::UnknownValue {
            what: "EarlyStopping",
            name: self.monitor.clone(),
            known,
        }
    }

    /// Whether the value has failed to improve for too long.
    fn is_exhausted(&self) -> bool {
        self.waited >= self.patience.max(1)
    }

    fn improves(&self, value: f64) -> bool {
        let direction = self
            .direction
            .unwrap_or_else(|| Direction::of(&self.monitor));
        match (self.best, direction) {
            (None, _) => !value.is_nan(),
            (Some(best), Direction::Minimize) => direction.is_better(value, best - self.min_delta),
            (Some(best), Direction::Maximize) => direction.is_better(value, best + self.min_delta),
        }
    }
}

impl<F: Float> Callback<F> for EarlyStopping<F> {
    fn on_start(&mut self, start: &FitStart<'_, F>) -> Result<()> {
        if !(self.min_delta.is_finite() && self.min_delta >= 0.0) {
            return Err(Error::Setting {
                what: "EarlyStopping min_delta",
                expected: "a finite number from 0 on",
                found: self.min_delta.to_string(),
                help: "direction() says which way is better",
            });
        }
        if !start.values.contains(&self.monitor) {
            return Err(self.unknown(start.values.join(", ")));
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, event: &EpochEnd<'_, F>) -> Result<Action<F>> {
        let value = event.record.get(&self.monitor).ok_or_else(|| {
            let known: Vec<_> = event.record.values().map(|(name, _)| name).collect();
            self.unknown(known.join(", "))
        })?;
        if self.improves(value) {
            self.best = Some(value);
            self.waited = 0;
            if self.restore_best {
                self.best_params = Some(event.params.state_dict());
            }
            return Ok(Action::Continue);
        }
        self.waited = self.waited.saturating_add(1);
        if !self.is_exhausted() {
            return Ok(Action::Continue);
        }
        let best = self
            .best
            .map_or_else(|| "none".to_owned(), |best| format!("{best:.4}"));
        let reason = format!(
            "{} has not improved on {best} for {} epochs",
            self.monitor, self.waited
        );
        Ok(Action::Stop {
            reason,
            restore: None,
        })
    }

    fn on_end(&mut self) -> Option<StateDict<F>> {
        self.best_params.take()
    }

    fn is_finished(&self) -> bool {
        self.is_exhausted()
    }

    fn state(&self) -> Vec<(String, f64)> {
        let mut state = vec![("waited".to_owned(), self.waited as f64)];
        state.extend(self.best.map(|best| ("best".to_owned(), best)));
        state
    }

    fn kept_params(&self) -> Option<&StateDict<F>> {
        self.best_params.as_ref()
    }

    fn restore(&mut self, state: &[(String, f64)], params: Option<StateDict<F>>) -> Result<()> {
        let find = |name: &str| {
            state
                .iter()
                .find(|(n, _)| n == name)
                .map(|&(_, value)| value)
        };
        self.best = find("best");
        self.waited = find("waited").unwrap_or(0.0) as u64;
        self.best_params = params;
        Ok(())
    }
}
