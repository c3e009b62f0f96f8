//! What training says while it runs: a moving bar on a terminal, one line an epoch, or nothing.

mod bar;
mod line;

pub use line::epoch_line;

use crate::history::EpochRecord;
use bar::Bar;
use std::io::{self, IsTerminal, Write};

/// How much training says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// A moving bar where standard error is a terminal, and lines.
    #[default]
    Auto,
    /// Lines only.
    EpochLines,
    /// Nothing.
    Silent,
}

/// On a terminal a long run prints about this many lines unless told otherwise; the bar shows the rest.
const LINES_ON_TERMINAL: usize = 25;

/// Reports a run: lines to standard output, the moving bar to standard error.
///
/// Each epoch gets a line, or each `n`th after [`every`](Self::every); the last one always gets its line. On a terminal
/// with a moving bar, runs of more than 25 epochs print about 25 lines. A silent reporter costs nothing.
///
/// ```
/// use fb_train::history::EpochRecord;
/// use fb_train::progress::{Progress, Verbosity};
/// let mut progress = Progress::new(Verbosity::EpochLines, 2, 1);
/// for epoch in 1..=2 {
///     progress.start_epoch(epoch);
///     progress.batch(0.5);
///     progress.end_epoch(&EpochRecord::new(epoch).with("loss", 0.5), 1, epoch == 2);
/// }
/// progress.finish();
/// // epoch 1/2  loss 0.5000
/// // epoch 2/2  loss 0.5000
/// ```
#[derive(Debug)]
pub struct Progress {
    epochs: usize,
    every: usize,
    lines: bool,
    bar: Option<Bar>,
}

impl Progress {
    /// A reporter for a run of at most `epochs` epochs of `batches` batches each.
    pub fn new(verbosity: Verbosity, epochs: usize, batches: usize) -> Self {
        let moving = verbosity == Verbosity::Auto && io::stderr().is_terminal();
        let crowded = moving && io::stdout().is_terminal();
        Self {
            epochs,
            every: if crowded {
                epochs.div_ceil(LINES_ON_TERMINAL).max(1)
            } else {
                1
            },
            lines: verbosity != Verbosity::Silent,
            bar: moving.then(|| Bar::new(epochs, batches)),
        }
    }

    /// Prints a line for every `n`th epoch only, and for the last; 0 leaves the choice as it is.
    #[must_use]
    pub fn every(mut self, n: usize) -> Self {
        if n > 0 {
            self.every = n;
        }
        self
    }

    /// Whether nothing is reported at all, so that nobody need compute what would be.
    pub fn is_silent(&self) -> bool {
        !self.lines
    }

    /// An epoch, counted from 1, begins.
    pub fn start_epoch(&mut self, epoch: usize) {
        if let Some(bar) = &mut self.bar {
            bar.start(epoch);
        }
    }

    /// A batch is done. Without a bar this is one comparison.
    #[inline]
    pub fn batch(&mut self, loss: f64) {
        if let Some(bar) = &mut self.bar {
            bar.advance(loss);
        }
    }

    /// An epoch is over, perhaps the last; its iterations, if it has any, were limited to `iteration_limit`.
    pub fn end_epoch(&mut self, record: &EpochRecord, iteration_limit: usize, last: bool) {
        if let Some(line) = self.due_line(record, iteration_limit, last) {
            self.print(&line);
        }
    }

    /// Prints a remark, such as why training stops.
    pub fn note(&self, remark: &str) {
        if self.lines {
            self.print(remark);
        }
    }

    /// The run is over: takes the bar away.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.clear();
        }
    }

    /// The line of this epoch if it is its turn.
    fn due_line(&self, record: &EpochRecord, iteration_limit: usize, last: bool) -> Option<String> {
        let due = self.lines && (last || record.epoch().is_multiple_of(self.every));
        due.then(|| epoch_line(record, self.epochs, Some(iteration_limit)))
    }

    /// A reader that went away (`| head`) is no reason to stop training, so failed writes are ignored.
    fn print(&self, line: &str) {
        let write = || drop(writeln!(io::stdout().lock(), "{line}"));
        match &self.bar {
            Some(bar) => bar.above(write),
            None => write(),
        }
    }
}

/// A run that ends in an error leaves no half-filled bar behind.
impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a run that ends with this epoch.
    fn lines(progress: &Progress, last: usize) -> Vec<String> {
        let line = |epoch| {
            let record = EpochRecord::new(epoch).with("loss", 0.5);
            progress.due_line(&record, 1, epoch == last)
        };
        (1..=last).filter_map(line).collect()
    }

    #[test]
    fn each_epoch_gets_one_line() {
        let progress = Progress::new(Verbosity::EpochLines, 3, 1);
        assert_eq!(
            lines(&progress, 3),
            [
                "epoch 1/3  loss 0.5000",
                "epoch 2/3  loss 0.5000",
                "epoch 3/3  loss 0.5000"
            ]
        );
        assert_eq!(lines(&progress.every(0), 3).len(), 3);
    }

    #[test]
    fn long_runs_may_print_fewer_but_always_the_last() {
        let progress = Progress::new(Verbosity::EpochLines, 25, 1).every(10);
        let epochs = |last| -> Vec<String> {
            lines(&progress, last)
                .iter()
                .map(|line| line[6..8].to_string())
                .collect()
        };
        assert_eq!(epochs(25), ["10", "20", "25"]);
        assert_eq!(epochs(14), ["10", "14"]);
        assert_eq!(epochs(20), ["10", "20"]);
    }

    #[test]
    fn silence_says_nothing() {
        let progress = Progress::new(Verbosity::Silent, 3, 1);
        assert!(progress.is_silent());
        assert!(lines(&progress, 3).is_empty());
    }

    #[test]
    fn without_a_terminal_there_is_no_bar() {
        // Test runners capture the streams; where one does not, a bar is right.
        let progress = Progress::new(Verbosity::Auto, 3, 1);
        assert_eq!(progress.bar.is_some(), io::stderr().is_terminal());
        assert!(Progress::new(Verbosity::EpochLines, 3, 1).bar.is_none());
    }
}
