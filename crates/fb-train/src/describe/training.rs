//! How a model learns, in words.

use crate::model::LossOn;
use std::fmt;

/// How a model learns.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    /// The kind of the loss.
    pub loss: &'static str,
    /// On which iterations the loss looks.
    pub loss_on: LossOn,
    /// The kind of the gradient strategy.
    pub gradient: &'static str,
    /// The kind of the optimizer.
    pub optimizer: &'static str,
    /// Its learning rate.
    pub learning_rate: f64,
    /// Further terms, such as clipping and penalties, each in a few words.
    pub extras: Vec<String>,
}

impl Training {
    /// The lines of a summary: what, and what is chosen for it.
    pub(super) fn lines(&self, has_loop: bool) -> Vec<(&'static str, String)> {
        let loss = match (has_loop, self.loss_on) {
            (false, _) => self.loss.to_owned(),
            (true, LossOn::Last) => format!("{} on the last iteration", self.loss),
            (true, LossOn::Every) => format!("{} on every iteration", self.loss),
        };
        let mut lines = vec![("loss", loss)];
        if has_loop {
            lines.push(("gradient", self.gradient.to_owned()));
        }
        lines.push((
            "optimizer",
            format!("{}, learning rate {}", self.optimizer, self.learning_rate),
        ));
        lines.extend(self.extras.iter().map(|extra| ("", extra.clone())));
        lines
    }
}

/// One line each for loss, gradient strategy and optimizer.
impl fmt::Display for Training {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (what, chosen)) in self.lines(true).iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{what:<10}  {chosen}")?;
        }
        Ok(())
    }
}
