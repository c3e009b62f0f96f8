//! What can go wrong in training, with files and with plots, with the place and a way out.

use std::path::PathBuf;

/// Something that cannot be trained, measured, drawn, saved or loaded as asked.
///
/// Every text names the place, what was expected, what was found, and ends in a `help` line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor operation on shapes that come from data.
    #[error(transparent)]
    Tensor(#[from] fb_tensor::Error),
    /// Data that cannot be read or used.
    #[error(transparent)]
    Data(#[from] fb_data::Error),
    /// A network that cannot be built, or that met something it cannot compute with.
    #[error(transparent)]
    Network(#[from] fb_nn::Error),
    /// Samples without rows.
    #[error(
        "{what}: no rows\n  expected at least one row, found none\n  help: check the filters and splits that made it"
    )]
    EmptyData {
        /// Which data.
        what: &'static str,
    },
    /// Inputs that are not what the network takes.
    #[error("{what}: wrong input\n  expected {expected}, found {found}\n  help: {help}")]
    InputShape {
        /// Which data.
        what: &'static str,
        /// What the network takes.
        expected: String,
        /// What there is.
        found: String,
        /// A way out.
        help: &'static str,
    },
    /// A NaN or an infinity in data.
    #[error(
        "{what}: {found} in the {part}\n  row {row}, feature {feature} (both from 0): expected a finite number, found {found}\n  help: fill or drop missing values before training"
    )]
    NotFinite {
        /// Which data.
        what: &'static str,
        /// Which part of it: `data` for what goes in, or `targets`.
        part: &'static str,
        /// The row, from 0.
        row: usize,
        /// The feature, from 0.
        feature: usize,
        /// The number.
        found: f64,
    },
    /// Another number of targets than of inputs.
    #[error(
        "{what}: rows differ\n  expected as many targets as inputs, found {inputs} inputs and {targets} targets\n  help: the first axis of both is the row"
    )]
    RowsDiffer {
        /// Which data.
        what: &'static str,
        /// Rows of inputs.
        inputs: usize,
        /// Rows of targets.
        targets: usize,
    },
    /// A label outside the classes.
    #[error(
        "{what}: label out of range\n  row {row} (from 0): expected 0 to {}, found {label}\n  help: labels count from 0; the last layer needs one unit a class",
        classes.saturating_sub(1)
    )]
    Label {
        /// Which data.
        what: &'static str,
        /// The row, from 0.
        row: usize,
        /// The label.
        label: i64,
        /// How many classes there are.
        classes: usize,
    },
    /// Two metrics with one name.
    #[error(
        "metric \"{name}\" is there twice\n  expected different names, found \"{name}\" again\n  help: drop one of them; \"loss\" is always there"
    )]
    DuplicateMetric {
        /// The name.
        name: String,
    },
    /// A network whose output is not numbers, so that no loss can look at it.
    #[error(
        "the output cannot be trained\n  expected numbers, found {found}\n  help: end the network with a layer that gives numbers, such as Dense"
    )]
    OutputKind {
        /// What the output is.
        found: String,
    },
    /// A loss or gradient that is NaN or infinite though every value of the replayed step was finite.
    #[error(
        "training diverged at step {step}\n  {place}: expected a finite number, found {found}\n  help: lower the learning rate, or limit gradients with .clip(..)"
    )]
    Diverged {
        /// Where it was seen.
        place: String,
        /// The step, from 1.
        step: u64,
        /// The number.
        found: f64,
    },
    /// A checkpoint of another training.
    #[error("{} is the checkpoint of another training\n  {what}: expected {expected}, found {found}\n  help: {help}", path.display())]
    CheckpointMisfit {
        /// The file.
        path: PathBuf,
        /// What differs: `seed`, `callbacks`, a place in the architecture such as `layers[1].config.units`, or one in the
        /// settings such as `fit.batch_size`.
        what: String,
        /// What this training has.
        expected: String,
        /// What the checkpoint has.
        found: String,
        /// A way out.
        help: &'static str,
    },
    /// A value of the history that is asked for but not recorded.
    #[error(
        "{what}: no value \"{name}\"\n  expected one of {known}, found \"{name}\"\n  help: add the metric to compile, or validation data for names that start with val_"
    )]
    UnknownValue {
        /// Who asks.
        what: &'static str,
        /// The name.
        name: String,
        /// The names that are recorded.
        known: String,
    },
    /// A network, or what an optimizer remembers of one, that a file describes and that cannot be.
    #[error("{} cannot be used\n  {cause}", path.display())]
    FileContent {
        /// The file.
        path: PathBuf,
        /// What is wrong, with a way out.
        cause: fb_nn::Error,
    },
    /// A file that the operating system does not let us read or write.
    #[error("cannot {action} {}\n  {source}\n  help: {help}", path.display())]
    File {
        /// What was tried: `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
        /// A way out.
        help: &'static str,
    },
    /// A file of another kind than asked for.
    #[error("{} is not {kind}\n  expected {expected}, found {found}\n  help: {help}", path.display())]
    ForeignFile {
        /// The file.
        path: PathBuf,
        /// The kind asked for, such as `a checkpoint`.
        kind: &'static str,
        /// What the file should hold.
        expected: String,
        /// What it holds.
        found: String,
        /// A way out.
        help: &'static str,
    },
    /// A file that a newer version of this library wrote.
    #[error(
        "{} has a newer format\n  expected format version {newest} or older, found {found}\n  help: load it with a newer version of this library",
        path.display()
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// The newest version that can be read.
        newest: u32,
        /// The version of the file.
        found: u64,
    },
    /// A file that was cut off or changed after it was written.
    #[error("{} is damaged in its {part}\n  expected {expected}, found {found}\n  help: {help}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which part of the file.
        part: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
        /// A way out.
        help: &'static str,
    },
    /// A tensor in a file, or on its way there, that cannot be used as asked.
    #[error("tensor \"{tensor}\" of {} cannot be used\n  expected {expected}, found {found}\n  help: {help}", path.display())]
    FileTensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// What was asked for.
        expected: String,
        /// What is there.
        found: String,
        /// A way out.
        help: &'static str,
    },
    /// A file name whose ending says nothing we can write.
    #[error("cannot write a plot to {}\n  expected a name that ends in {expected}, found {found}\n  help: {help}", path.display())]
    PlotFormat {
        /// The file.
        path: PathBuf,
        /// The endings that can be written.
        expected: &'static str,
        /// The ending.
        found: String,
        /// A way out.
        help: &'static str,
    },
    /// A plot that cannot be drawn.
    #[error("cannot draw \"{plot}\"\n  expected {expected}, found {found}\n  help: {help}")]
    Plot {
        /// The title of the plot.
        plot: String,
        /// What there should be.
        expected: String,
        /// What there is.
        found: String,
        /// A way out.
        help: &'static str,
    },
    /// Outputs and targets that a metric cannot compare.
    #[error(
        "metric \"{metric}\" cannot compare output and target\n  expected {expected}, found {found}\n  help: {help}"
    )]
    Metric {
        /// The metric.
        metric: String,
        /// What it takes.
        expected: String,
        /// What it was given.
        found: String,
        /// A way out.
        help: &'static str,
    },
    /// A label outside the classes, met by a metric.
    #[error(
        "metric \"{metric}\" met a label out of range\n  row {row} of the batch (from 0): expected {expected}, found {found}\n  help: {help}"
    )]
    MetricLabel {
        /// The metric.
        metric: String,
        /// The row of the batch, from 0.
        row: usize,
        /// Which labels there are.
        expected: String,
        /// The label.
        found: String,
        /// A way out.
        help: &'static str,
    },
    /// A setting outside its domain.
    #[error("{what}: bad setting\n  expected {expected}, found {found}\n  help: {help}")]
    Setting {
        /// The setting.
        what: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: String,
        /// A way out.
        help: &'static str,
    },
}

/// Shorthand for results with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_travel_between_threads() {
        fn check<T: Send + Sync + std::error::Error>() {}
        check::<Error>();
    }

    #[test]
    fn texts_name_place_expected_found_and_a_way_out() {
        let error = Error::Damaged {
            path: "run/last.checkpoint".into(),
            part: "header",
            expected: "64 bytes".to_string(),
            found: "12 bytes".to_string(),
            help: "load the checkpoint before it",
        };
        assert_eq!(
            error.to_string(),
            "run/last.checkpoint is damaged in its header\n  expected 64 bytes, found 12 bytes\n  help: load the checkpoint before it"
        );
    }
}
