//! Whether targets belong to an output.

use super::Target;
use crate::error::{Error, Result};
use fb_autograd::Var;
use fb_tensor::{Float, Shape, Tensor};

/// Targets that are finite numbers in the shape of the output.
pub(super) fn numbers<'a, F: Float>(
    kind: &str,
    output: &Var<F>,
    target: &'a Target<F>,
) -> Result<&'a Tensor<F>> {
    not_empty(kind, output)?;
    let target = same_shape(kind, output.shape(), target)?;
    match first(target, |t| !t.is_finite()) {
        None => Ok(target),
        Some((row, found)) => {
            let help = "drop or fill missing values before training";
            Err(error(
                kind,
                "finite targets",
                format!("{found} in row {row}"),
                help,
            ))
        }
    }
}

/// Targets between 0 and 1 in the shape of the output.
pub(super) fn probabilities<'a, F: Float>(
    kind: &str,
    shape: &Shape,
    target: &'a Target<F>,
) -> Result<&'a Tensor<F>> {
    let target = same_shape(kind, shape, target)?;
    // Written so that NaN is outside.
    match first(target, |t| !(t >= F::ZERO && t <= F::ONE)) {
        None => Ok(target),
        Some((row, found)) => {
            let help = "targets are probabilities: 1 for what is the case, 0 for what is not";
            Err(error(
                kind,
                "targets between 0 and 1",
                format!("{found} in row {row}"),
                help,
            ))
        }
    }
}

/// Refuses outputs that cannot be probabilities, which is what a forgotten activation gives. NaN passes: it is found
/// in the loss, where training looks for the layer that made it.
pub(super) fn output_is_probable<F: Float>(kind: &str, output: &Var<F>, help: &str) -> Result<()> {
    match first(output.tensor(), |p| p < F::ZERO || p > F::ONE) {
        None => Ok(()),
        Some((row, found)) => Err(error(
            kind,
            "an output between 0 and 1",
            format!("{found} in row {row}"),
            help,
        )),
    }
}

/// Refuses outputs without elements: the mean of nothing is no number.
pub(super) fn not_empty<F: Float>(kind: &str, output: &Var<F>) -> Result<()> {
    if !output.shape().is_empty() && !output.tensor().is_empty() {
        return Ok(());
    }
    Err(error(
        kind,
        "an output [batch, ...] of at least one sample",
        output.shape().to_string(),
        "",
    ))
}

/// Class indices from 0 to below `classes`.
pub(super) fn labels(kind: &str, labels: &Tensor<i64>, classes: usize, help: &str) -> Result<()> {
    let wrong = labels
        .iter()
        .enumerate()
        .find(|&(_, label)| usize::try_from(label).map_or(true, |l| l >= classes));
    let Some((position, label)) = wrong else {
        return Ok(());
    };
    let row = position / (labels.len() / labels.dim(0)).max(1);
    let expected = format!("labels from 0 to {} for {classes} classes", classes - 1);
    Err(error(
        kind,
        expected,
        format!("label {label} in row {row}"),
        help,
    ))
}

/// Numbers in the given shape.
fn same_shape<'a, F: Float>(
    kind: &str,
    shape: &Shape,
    target: &'a Target<F>,
) -> Result<&'a Tensor<F>> {
    match target {
        Target::Float(t) if t.shape() == shape => Ok(t),
        Target::Float(t) => Err(misfit(kind, shape, t.shape())),
        Target::Index(t) => {
            let help = "Tensor::one_hot turns indices into numbers; CrossEntropy takes indices as they are";
            Err(error(
                kind,
                format!("numbers {shape} as targets"),
                format!("class indices {}", t.shape()),
                help,
            ))
        }
    }
}

fn misfit(kind: &str, output: &Shape, target: &Shape) -> Error {
    let batch_differs = output.first() != target.first();
    let help = match **output {
        _ if batch_differs => "inputs and targets have one row per sample".to_owned(),
        [.., 1] if target.len() + 1 == output.len() => {
            "a Dense(1) output needs targets [batch, 1]: use targets.unsqueeze(1)".to_owned()
        }
        [_, outputs] => format!(
            "the last layer gives {outputs} numbers per sample: change its units or the targets"
        ),
        _ => "targets have the shape of the output".to_owned(),
    };
    error(
        kind,
        format!("targets {output}, like the output"),
        target.to_string(),
        help,
    )
}

pub(super) fn error(
    kind: &str,
    expected: impl Into<String>,
    found: impl Into<String>,
    help: impl Into<String>,
) -> Error {
    Error::Data {
        place: kind.to_owned(),
        expected: expected.into(),
        found: found.into(),
        help: help.into(),
    }
}

/// The row and value of the first element that is `wrong`.
fn first<F: Float>(t: &Tensor<F>, wrong: impl Fn(F) -> bool) -> Option<(usize, F)> {
    if let Some(values) = t.as_slice()
        && !values.iter().any(|&x| wrong(x))
    {
        return None;
    }
    let (position, value) = t.iter().enumerate().find(|&(_, x)| wrong(x))?;
    Some((position / (t.len() / t.dim(0)).max(1), value))
}
