//! Layers in which several values come together.
//!
//! | layer | gives |
//! |---|---|
//! | [`Add`] | the sum |
//! | [`Multiply`] | the product, element by element |
//! | [`Concat`] | the values side by side along an axis |
//! | [`GatedMix`] | between two values, feature by feature where a learned gate says |
//! | [`Film`] | the first value, scaled and shifted by features of the second |

mod concat;
mod elementwise;
mod film;
mod gated_mix;

pub use concat::Concat;
pub use elementwise::{Add, Multiply};
pub use film::Film;
pub use gated_mix::GatedMix;

use crate::error::Result;
use crate::module::{Context, Scope, Spec, Value, ValueKind, not_one};
use fb_autograd::Var;
use fb_tensor::{Float, Shape};

/// The shapes of at least two inputs of numbers.
fn several_floats<F: Float>(scope: &Scope<F>, kind: &str, inputs: &[Spec]) -> Result<Vec<Shape>> {
    let numbers = inputs
        .iter()
        .all(|input| input.kind == ValueKind::Float && input.shape.elements() > 0);
    if inputs.len() >= 2 && numbers {
        return Ok(inputs.iter().map(|input| input.shape).collect());
    }
    let found = match inputs.len() {
        0 => "none".to_owned(),
        _ => listed(inputs),
    };
    Err(scope.error(
        kind,
        "two or more inputs of numbers",
        found,
        "name them in a Graph: .layer(name, layer, [\"a\", \"b\"])",
    ))
}

fn two_floats<F: Float>(scope: &Scope<F>, kind: &str, inputs: &[Spec]) -> Result<[Shape; 2]> {
    match several_floats(scope, kind, inputs)?[..] {
        [first, second] => Ok([first, second]),
        _ => Err(scope.error(
            kind,
            "two inputs",
            listed(inputs),
            "put an Add or Concat before it",
        )),
    }
}

/// `numbers [batch, 2] and numbers [batch, 3]`
fn listed(inputs: &[Spec]) -> String {
    let inputs: Vec<_> = inputs.iter().map(|i| format!("{} {i}", i.kind)).collect();
    inputs.join(" and ")
}

/// The numbers that a module is given.
fn floats<'v, F: Float>(
    cx: &Context<'_, F>,
    inputs: &'v [Value<F>],
    count: usize,
) -> Result<Vec<&'v Var<F>>> {
    let floats: Vec<_> = inputs.iter().filter_map(Value::as_float).collect();
    let one_batch = floats
        .windows(2)
        .all(|pair| pair[0].shape()[0] == pair[1].shape()[0]);
    if floats.len() == inputs.len() && floats.len() == count && one_batch {
        return Ok(floats);
    }
    Err(not_one(
        cx,
        inputs,
        &format!("{count} tensors of numbers of one batch"),
    ))
}
