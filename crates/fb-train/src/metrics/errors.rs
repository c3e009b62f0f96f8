//! What metrics say about outputs and targets that do not fit.

use crate::error::Error;
use fb_nn::Target;
use fb_tensor::{Float, Shape};

/// The shapes do not fit each other.
#[cold]
pub(super) fn shapes<F: Float>(
    metric: &str,
    output: &Shape,
    target: &Target<F>,
    help: &'static str,
) -> Error {
    Error::Metric {
        metric: metric.to_string(),
        expected: format!("a target for an output of shape {output}"),
        found: described(target),
        help,
    }
}

/// The metric does not take such a target.
#[cold]
pub(super) fn kind<F: Float>(
    metric: &str,
    expected: &str,
    target: &Target<F>,
    help: &'static str,
) -> Error {
    Error::Metric {
        metric: metric.to_string(),
        expected: expected.to_string(),
        found: described(target),
        help,
    }
}

/// The output of this row has no class because it is not a number.
#[cold]
pub(super) fn not_a_number(metric: &str, row: usize) -> Error {
    Error::Metric {
        metric: metric.to_string(),
        expected: "outputs that are numbers".to_string(),
        found: format!("NaN in row {row} of the batch (from 0)"),
        help: "look for what made the network give NaN, often a learning rate that is too high",
    }
}

/// The target of this row names no class.
#[cold]
pub(super) fn label(
    metric: &str,
    row: usize,
    expected: String,
    found: String,
    help: &'static str,
) -> Error {
    Error::MetricLabel {
        metric: metric.to_string(),
        row,
        expected,
        found,
        help,
    }
}

/// `numbers of shape [4, 1]` or `class indices of shape [4]`
fn described<F: Float>(target: &Target<F>) -> String {
    let kind = match target {
        Target::Index(_) => "class indices",
        _ => "numbers",
    };
    format!("{kind} of shape {}", target.shape())
}
