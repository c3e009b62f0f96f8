//! From weights of classes to weights of rows.

use crate::error::{Error, Result};
use fb_nn::Target;
use fb_tensor::{Float, Tensor};

/// Checks that there is one usable weight for each class that the targets can name.
pub(super) fn check<F: Float>(weights: &[f64], targets: &Target<F>) -> Result<()> {
    if let Some(bad) = weights.iter().find(|w| !w.is_finite() || **w < 0.0) {
        return Err(Error::Setting {
            what: "class weights",
            expected: "finite numbers from 0 on",
            found: bad.to_string(),
            help: "a weight of 1 leaves a class as it is",
        });
    }
    let beyond = classes(targets)?
        .enumerate()
        .find(|&(_, class)| class >= weights.len());
    match beyond {
        None => Ok(()),
        Some((row, class)) => Err(Error::Setting {
            what: "class weights",
            expected: "one weight for each class",
            found: format!(
                "{} in all, and class {class} in row {row} (both from 0)",
                weights.len()
            ),
            help: "a weight of 1 leaves a class as it is",
        }),
    }
}

/// The weight of each row.
pub(super) fn of_rows<F: Float>(weights: &[f64], targets: &Target<F>) -> Result<Tensor<F>> {
    let rows: Vec<F> = classes(targets)?
        .map(|class| F::from_f64(weights.get(class).copied().unwrap_or(1.0)))
        .collect();
    let len = rows.len();
    Ok(Tensor::from_vec(rows, [len]))
}

/// The class of each row: an index, the side of one half that a single number is on, or the largest of several.
fn classes<F: Float>(targets: &Target<F>) -> Result<Box<dyn Iterator<Item = usize>>> {
    match targets {
        Target::Index(labels) if labels.rank() == 1 => Ok(Box::new(
            labels.to_vec().into_iter().map(|l| l.max(0) as usize),
        )),
        Target::Float(y) if y.rank() == 1 || y.rank() == 2 && y.dim(1) == 1 => {
            let half = F::from_f64(0.5);
            Ok(Box::new(
                y.to_vec().into_iter().map(move |v| usize::from(v > half)),
            ))
        }
        Target::Float(y) if y.rank() == 2 => Ok(Box::new(
            y.argmax(1).to_vec().into_iter().map(|l| l as usize),
        )),
        other => Err(Error::Setting {
            what: "class weights",
            expected: "one class per row",
            found: format!("targets of shape {}", other.shape()),
            help: "class weights need targets [batch], [batch, 1] or one-hot [batch, classes]",
        }),
    }
}
