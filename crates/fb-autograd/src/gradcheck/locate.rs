//! Where a gradient is wrong.

use super::difference::Function;
use super::{Comparison, GradCheck, GradcheckError};
use crate::Var;
use fb_tensor::{Shape, Tensor};

/// Inputs of more elements are not searched: each element costs two evaluations.
const MOST_ELEMENTS: usize = 4096;

/// The error for a comparison that failed, at the worst element of the input if that can be found.
pub(super) fn failure<F: Fn(&[Var<f64>]) -> Var<f64>>(
    f: &Function<'_, F>,
    along: &Comparison,
    gradient: &Tensor<f64>,
    u: &Tensor<f64>,
    settings: &GradCheck,
) -> GradcheckError {
    let shape = gradient.shape();
    let along_direction = (format!("along a random direction of shape {shape}"), *along);
    let (place, found) = match worst_element(f, along.input, gradient, u, settings) {
        Some((element, found)) => (format!("at element {element} of shape {shape}"), found),
        None => along_direction,
    };
    let Comparison {
        input,
        tape,
        central,
        forward,
        backward,
        kink,
        ..
    } = found;
    if kink {
        return GradcheckError::Kink {
            input,
            place,
            backward,
            forward,
            tape,
        };
    }
    let help = "compare the gradient function of each operation that takes this input with its forward computation";
    GradcheckError::Wrong {
        input,
        place,
        expected: central,
        found: tape,
        help,
    }
}

/// The element whose own difference is farthest from the tape's gradient by it, if any is beyond the tolerance.
fn worst_element<F: Fn(&[Var<f64>]) -> Var<f64>>(
    f: &Function<'_, F>,
    input: usize,
    gradient: &Tensor<f64>,
    u: &Tensor<f64>,
    settings: &GradCheck,
) -> Option<(Shape, Comparison)> {
    if gradient.len() > MOST_ELEMENTS {
        return None;
    }
    let mut worst: Option<(usize, Comparison)> = None;
    for element in 0..gradient.len() {
        let mut unit = gradient.zeros_like();
        unit.make_mut()[element] = 1.0;
        let found = f.compare(input, gradient, &unit, u, settings.step).ok()?;
        if found.error > settings.tolerance && worst.is_none_or(|(_, w)| found.error > w.error) {
            worst = Some((element, found));
        }
    }
    worst.map(|(element, found)| (multi_index(element, gradient.dims()), found))
}

/// The multi-index of an element in row-major order.
fn multi_index(mut element: usize, extents: &[usize]) -> Shape {
    let mut index = extents.to_vec();
    for (place, &extent) in index.iter_mut().zip(extents).rev() {
        *place = element % extent;
        element /= extent;
    }
    Shape::from(index)
}
