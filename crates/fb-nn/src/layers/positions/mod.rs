//! Where in a sequence each position is.

mod learned;
mod sinusoidal;

pub use learned::LearnedPositions;
pub use sinusoidal::SinusoidalPositions;

use crate::error::{Error, Result};
use crate::module::{Context, Memory, Value, not_one};
use fb_autograd::Var;
use fb_tensor::{Float, Shape};

/// Adds the rows of a table `[time, width]` that belong to the positions of a piece, the first of which is number `first`;
/// `table` gives it as far as the position that it is told, or further.
fn add<F: Float>(
    cx: &Context<'_, F>,
    x: &Var<F>,
    input: &Shape,
    table: impl FnOnce(usize) -> Var<F>,
    first: usize,
) -> Result<Var<F>> {
    let [time, width] = [input[0], input[1]];
    let &[_, positions, features] = x.dims() else {
        return Err(super::misfit::error(cx, x, input, ""));
    };
    let end = first.saturating_add(positions);
    if features != width || end > time {
        return Err(Error::Data {
            place: cx.place(),
            expected: format!("at most {time} positions of {width} features"),
            found: format!("{end} positions of {features} features"),
            help: "a longer sequence needs a network that was built for it".to_owned(),
        });
    }
    Ok(x + &table(end).narrow(0, first, positions))
}

/// [`add`] for the next piece of a sequence.
fn add_from<F: Float>(
    cx: &Context<'_, F>,
    inputs: &[Value<F>],
    input: &Shape,
    table: impl FnOnce(usize) -> Var<F>,
    memory: &Memory<F>,
) -> Result<(Value<F>, Memory<F>)> {
    let [Value::Float(x)] = inputs else {
        return Err(not_one(cx, inputs, "one tensor of numbers"));
    };
    let first = memory.position(cx)?;
    let y = add(cx, x, input, table, first)?;
    Ok((Value::Float(y), Memory::Position(first + x.dims()[1])))
}
