//! The moving bar on a terminal.

use crate::text::number;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt;
use std::time::{Duration, Instant};

/// How often the bar is painted at most: eyes see no more, and a fast training step has no time for more.
const REPAINT: Duration = Duration::from_millis(50);

/// Each repaint sets four parts of the bar, and each of them counts as one.
const PAINTS_PER_SECOND: u8 = 100;

/// A bar on standard error that fills once an epoch.
pub(super) struct Bar {
    bar: ProgressBar,
    epochs: usize,
    epoch: usize,
    batches: usize,
    done: usize,
    painted: Instant,
}

impl Bar {
    pub(super) fn new(epochs: usize, batches: usize) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(PAINTS_PER_SECOND);
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) =
            ProgressStyle::with_template("{prefix}  {bar:28.cyan}  {pos}/{len}  {msg}")
        {
            bar.set_style(style.progress_chars("━╸ "));
        }
        Self {
            bar,
            epochs,
            epoch: 0,
            batches,
            done: 0,
            painted: Instant::now(),
        }
    }

    /// Empties the bar for the next epoch.
    pub(super) fn start(&mut self, epoch: usize) {
        (self.epoch, self.done) = (epoch, 0);
    }

    /// Moves the bar on by a batch.
    pub(super) fn advance(&mut self, loss: f64) {
        self.done += 1;
        if self.painted.elapsed() >= REPAINT {
            self.paint(loss);
        }
    }

    #[cold]
    fn paint(&mut self, loss: f64) {
        self.painted = Instant::now();
        self.bar.set_length(self.batches as u64);
        self.bar
            .set_prefix(format!("epoch {}/{}", self.epoch, self.epochs));
        self.bar
            .set_message(format!("loss {}", number("loss", loss)));
        self.bar.set_position(self.done as u64);
    }

    /// Takes the bar away while `print` writes, so that lines stand above it.
    pub(super) fn above(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl fmt::Debug for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bar")
            .field("epoch", &self.epoch)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_follows_the_batches() {
        let mut bar = Bar::new(3, 10);
        bar.bar.set_draw_target(ProgressDrawTarget::hidden());
        bar.start(2);
        bar.advance(0.5);
        bar.advance(0.5);
        bar.paint(0.25);
        assert_eq!((bar.bar.position(), bar.bar.length()), (2, Some(10)));
        assert_eq!(
            (bar.bar.prefix().as_str(), bar.bar.message().as_str()),
            ("epoch 2/3", "loss 0.2500")
        );
        bar.start(3);
        bar.paint(0.25);
        assert_eq!(bar.bar.position(), 0);
    }
}
