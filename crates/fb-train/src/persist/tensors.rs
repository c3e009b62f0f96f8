//! Tensors of either float type on their way into and out of files.

use crate::error::{Error, Result};
use crate::file::{AnyTensor, NamedTensors};
use fb_tensor::{Element, Float, Tensor};
use std::path::Path;

/// The tensor as files hold it. The cast is from a type to itself, so it changes nothing.
pub(super) fn store<F: Float>(tensor: &Tensor<F>) -> AnyTensor {
    if F::NAME == f32::NAME {
        AnyTensor::F32(tensor.cast())
    } else {
        AnyTensor::F64(tensor.cast())
    }
}

/// A tensor of a file, which must be of the right element type and shape.
pub(super) fn fetch<F: Float>(
    tensors: &NamedTensors,
    name: &str,
    like: &Tensor<F>,
    path: &Path,
) -> Result<Tensor<F>> {
    let refused = |found: String, help| Error::FileTensor {
        path: path.to_owned(),
        tensor: name.to_owned(),
        expected: format!("a tensor of {} and shape {}", F::NAME, like.shape()),
        found,
        help,
    };
    let Some(tensor) = tensors.get(name) else {
        return Err(refused(
            "none".to_owned(),
            "the file was written for another architecture, or edited",
        ));
    };
    let value: Tensor<F> = match tensor {
        AnyTensor::F32(t) if F::NAME == f32::NAME => t.cast(),
        AnyTensor::F64(t) if F::NAME == f64::NAME => t.cast(),
        other => {
            let found = format!("one of {} and shape {}", other.element(), other.shape());
            return Err(refused(
                found,
                "load it with the element type that it was written with",
            ));
        }
    };
    if value.shape() != like.shape() {
        let help = "the file was written for another architecture, or edited";
        return Err(refused(format!("one of shape {}", value.shape()), help));
    }
    Ok(value)
}
