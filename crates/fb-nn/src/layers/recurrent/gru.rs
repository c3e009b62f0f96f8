//! The gated recurrent unit.

use super::fused::Parts;
use crate::cell::{BuiltCell, CellConfig};
use crate::error::Result;
use crate::init::Initializer;
use crate::module::Scope;
use fb_tensor::recurrent::Recurrence;
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// The gated recurrent unit: a mixture of the state and a candidate, for which a part of the state is reset.
///
/// `r = σ(x W_r + h U_r + b_r)`, `z = σ(x W_z + h U_z + b_z)`, `h' = (1 − z) ⊙ n + z ⊙ h`, and
///
/// `n = tanh(x W_n + b_n + r ⊙ (h U_n + b_h))`, or with [`GruCell::reset_before`] `n = tanh(x W_n + b_n + (r ⊙ h) U_n)`
///
/// There are two conventions: the reset after the product is PyTorch's and Keras's default, the one before it that of the
/// paper's first version. Gates stand in PyTorch's order `r, z, n`; Keras has `z, r, n`. PyTorch's `weight_ih_l0` and
/// `weight_hh_l0` are `input_weight` and `recurrent_weight` transposed; its two biases of `r` and `z` are added up in `bias`,
/// that of `n` in `bias_hh_l0` is `recurrent_bias`.
///
/// # Shapes
/// - `x`: `[rows, features]`, register `h`: `[batch, units]`
/// - `input_weight`: `[features, 3 · units]`, `recurrent_weight`: `[units, 3 · units]`, `bias`: `[3 · units]`,
///   `recurrent_bias`: `[units]`, if the reset comes after
/// - gives `[rows, units]`
///
/// # References
/// K. Cho et al., "Learning phrase representations using RNN encoder–decoder for statistical machine translation", EMNLP
/// 2014, equations 5 to 8.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GruCell {
    units: usize,
    reset_after: bool,
    bias: bool,
    learned_start: bool,
    input_init: Initializer,
    recurrent_init: Initializer,
}

impl GruCell {
    /// A cell with so many units, which resets after the product. Input weights start from
    /// [`Initializer::glorot_uniform`], recurrent ones from [`Initializer::orthogonal`].
    pub fn new(units: usize) -> Self {
        Self {
            units,
            reset_after: true,
            bias: true,
            learned_start: false,
            input_init: Initializer::glorot_uniform(),
            recurrent_init: Initializer::orthogonal(),
        }
    }

    /// The reset gate acts on the state, before it is multiplied.
    #[must_use]
    pub fn reset_before(self) -> Self {
        Self {
            reset_after: false,
            ..self
        }
    }

    /// Whether there are biases.
    #[must_use]
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    /// The state before the first step is learned; it starts from zeros.
    #[must_use]
    pub fn learned_start(self) -> Self {
        Self {
            learned_start: true,
            ..self
        }
    }

    /// Where the weights of the input start.
    #[must_use]
    pub fn input_init(self, input_init: Initializer) -> Self {
        Self { input_init, ..self }
    }

    /// Where the weights of the state start.
    #[must_use]
    pub fn recurrent_init(self, recurrent_init: Initializer) -> Self {
        Self {
            recurrent_init,
            ..self
        }
    }
}

impl CellConfig for GruCell {
    const KIND: &'static str = "Gru";

    fn build<F: Float>(&self, scope: &mut Scope<F>, input: Shape) -> Result<BuiltCell<F>> {
        let parts = Parts {
            kind: Self::KIND,
            recurrence: Recurrence::Gru {
                reset_after: self.reset_after,
            },
            units: self.units,
            bias: self.bias,
            learned_start: self.learned_start,
            input_init: &self.input_init,
            recurrent_init: &self.recurrent_init,
        };
        let module = parts.build(scope, input)?;
        let reset = if self.reset_after {
            ""
        } else {
            ", reset before the product"
        };
        Ok(BuiltCell {
            cell: Box::new(module),
            output: [self.units].into(),
            description: format!("Gru {} -> {}{reset}", input[0], self.units),
        })
    }
}
