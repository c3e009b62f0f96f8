//! Sums and products of values of one shape.

use super::{floats, listed, several_floats};
use crate::error::Result;
use crate::module::{Built, Context, Layer, Module, Scope, Spec, Value};
use fb_autograd::Var;
use fb_tensor::Float;
use serde::{Deserialize, Serialize};

/// The sum of two or more values of one shape.
///
/// ```
/// use fb_nn::layers::{Add, Dense};
/// use fb_nn::Graph;
/// let network = Graph::new()
///     .input("x", [4])
///     .layer("hidden", Dense::new(4), "x")
///     .layer("sum", Add::new(), ["x", "hidden"])
///     .build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 4]");
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # Shapes
/// - inputs: each `[batch, …]`, the same
/// - returns the same
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Add {}

/// The product, element by element, of two or more values of one shape.
///
/// ```
/// use fb_nn::layers::{Activation, Dense, Multiply};
/// use fb_nn::Graph;
/// let network = Graph::new()
///     .input("x", [4])
///     .layer("gate", Dense::new(4).activation(Activation::Sigmoid), "x")
///     .layer("gated", Multiply::new(), ["x", "gate"])
///     .build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 4]");
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # Shapes
/// - inputs: each `[batch, …]`, the same
/// - returns the same
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Multiply {}

impl Add {
    /// The sum.
    pub fn new() -> Self {
        Self {}
    }
}

impl Multiply {
    /// The product.
    pub fn new() -> Self {
        Self {}
    }
}

impl Layer for Add {
    const KIND: &'static str = "Add";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        build(scope, Self::KIND, inputs, |a, b| a + b)
    }
}

impl Layer for Multiply {
    const KIND: &'static str = "Multiply";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        build(scope, Self::KIND, inputs, |a, b| a * b)
    }
}

fn build<F: Float>(
    scope: &Scope<F>,
    kind: &str,
    inputs: &[Spec],
    fold: fn(&Var<F>, &Var<F>) -> Var<F>,
) -> Result<Built<F>> {
    let shapes = several_floats(scope, kind, inputs)?;
    if shapes.iter().any(|shape| *shape != shapes[0]) {
        return Err(scope.error(
            kind,
            "inputs of one shape",
            listed(inputs),
            "a Dense before the smaller one gives it as many features; an edge, .forward_edge(from, to), learns the map itself",
        ));
    }
    let count = inputs.len();
    Ok(Built {
        output: inputs[0],
        module: Box::new(Folded { count, fold }),
        sum: None,
        description: format!("{kind} of {count}"),
    })
}

#[derive(Debug)]
struct Folded<F: Float> {
    count: usize,
    fold: fn(&Var<F>, &Var<F>) -> Var<F>,
}

impl<F: Float> Module<F> for Folded<F> {
    fn forward(&self, cx: &mut Context<'_, F>, inputs: &[Value<F>]) -> Result<Vec<Value<F>>> {
        let values = floats(cx, inputs, self.count)?;
        let start = (self.fold)(values[0], values[1]);
        let all = values[2..]
            .iter()
            .fold(start, |sum, value| (self.fold)(&sum, value));
        Ok(vec![Value::Float(all)])
    }
}
