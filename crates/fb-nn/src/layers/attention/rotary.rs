//! Queries and keys turned by their positions.

use crate::error::{Error, Result};
use crate::layers::growing::Growing;
use crate::module::Context;
use fb_autograd::Var;
use fb_tensor::{Float, Tensor};

/// The angles of positions.
#[derive(Debug)]
pub(super) struct Rotary<F: Float> {
    /// How many positions the network was built for.
    positions: usize,
    width: usize,
    base: f64,
    /// Cosines and sines.
    tables: Growing<(Tensor<F>, Tensor<F>)>,
}

impl<F: Float> Rotary<F> {
    pub(super) fn new(positions: usize, width: usize, base: f64) -> Self {
        Self {
            positions,
            width,
            base,
            tables: Growing::default(),
        }
    }

    /// `x` `[batch, heads, time, width]` turned by the angles of its positions, the first of which is number `first`.
    pub(super) fn turned(&self, cx: &Context<'_, F>, x: &Var<F>, first: usize) -> Result<Var<F>> {
        let end = first.saturating_add(x.shape()[2]);
        if end > self.positions {
            return Err(Error::Data {
                place: cx.place(),
                expected: format!("at most {} positions", self.positions),
                found: format!("{end} positions"),
                help: "a longer sequence needs a network that was built for it".to_owned(),
            });
        }
        let (cos, sin) = self.tables.up_to(end, self.positions, |made| {
            Tensor::rotary_tables_of(0..made, self.width, self.base)
        });
        Ok(x.rotary(&cos.slice(0, first..end), &sin.slice(0, first..end)))
    }
}
