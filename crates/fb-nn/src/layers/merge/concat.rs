//! Values side by side.

use super::{floats, listed, several_floats};
use crate::error::Result;
use crate::module::{Built, Context, Layer, Module, Scope, Spec, Value};
use fb_autograd::Var;
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// Two or more values side by side along their last axis, or another.
///
/// ```
/// use fb_nn::layers::Concat;
/// use fb_nn::Graph;
/// let network = Graph::new()
///     .input("image", [8, 8, 3])
///     .input("depth", [8, 8, 1])
///     .layer("both", Concat::new(), ["image", "depth"])
///     .build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 8, 8, 4]");
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # Shapes
/// - inputs: each `[batch, …]`, the same but for the extent of that axis
/// - returns `[batch, …]` with the sum of those extents
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Concat {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    axis: Option<usize>,
}

impl Concat {
    /// Along the last axis.
    pub fn new() -> Self {
        Self::default()
    }

    /// Along an axis of a sample: 0 is the first behind the batch.
    #[must_use]
    pub fn axis(mut self, axis: usize) -> Self {
        self.axis = Some(axis);
        self
    }
}

impl Layer for Concat {
    const KIND: &'static str = "Concat";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let shapes = several_floats(scope, Self::KIND, inputs)?;
        let axes = shapes[0].len();
        let axis = self.axis.unwrap_or_else(|| axes.saturating_sub(1));
        let rest = |shape: &Shape| -> Vec<usize> {
            let others = shape.iter().enumerate().filter(|(at, _)| *at != axis);
            others.map(|(_, &extent)| extent).collect()
        };
        let fit = axis < axes
            && shapes
                .iter()
                .all(|s| s.len() == axes && rest(s) == rest(&shapes[0]));
        if !fit {
            return Err(scope.error(
                Self::KIND,
                format!("inputs that have axis {axis} and differ in its extent alone"),
                listed(inputs),
                "a Reshape, a Flatten or a pooling layer before one of them brings them together",
            ));
        }
        let extent = shapes
            .iter()
            .map(|shape| shape[axis])
            .fold(0, usize::saturating_add);
        let output = Spec::float(shapes[0].try_with_extent(axis, extent)?);
        Ok(Built {
            output,
            module: Box::new(Joined {
                count: inputs.len(),
                axis,
            }),
            sum: None,
            description: format!("Concat of {}", inputs.len()),
        })
    }
}

#[derive(Debug)]
struct Joined {
    count: usize,
    /// Of a sample.
    axis: usize,
}

impl<F: Float> Module<F> for Joined {
    fn forward(&self, cx: &mut Context<'_, F>, inputs: &[Value<F>]) -> Result<Vec<Value<F>>> {
        let values = floats(cx, inputs, self.count)?;
        Ok(vec![Value::Float(Var::concat(&values, self.axis + 1))])
    }
}
