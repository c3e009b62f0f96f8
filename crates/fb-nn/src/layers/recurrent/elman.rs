//! The plain recurrent cell.

use super::fused::Parts;
use crate::cell::{BuiltCell, CellConfig};
use crate::error::Result;
use crate::init::Initializer;
use crate::module::Scope;
use fb_tensor::recurrent::Recurrence;
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// The cell of Elman's network: the hidden layer sees itself one step ago.
///
/// `h' = tanh(x W + h U + b)`, or `max(0, …)` with [`ElmanCell::relu`]
///
/// PyTorch calls it `RNN`, Keras `SimpleRNN`. PyTorch's `weight_ih_l0` and `weight_hh_l0` are `input_weight` and
/// `recurrent_weight` transposed; its two biases are added up in the one here.
///
/// # Shapes
/// - `x`: `[rows, features]`, register `h`: `[batch, units]`
/// - `input_weight`: `[features, units]`, `recurrent_weight`: `[units, units]`, `bias`: `[units]`
/// - gives `[rows, units]`
///
/// # References
/// J. Elman, "Finding structure in time", Cognitive Science 14(2), 1990.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ElmanCell {
    units: usize,
    relu: bool,
    bias: bool,
    learned_start: bool,
    input_init: Initializer,
    recurrent_init: Initializer,
}

impl ElmanCell {
    /// A cell with so many units and tanh. Input weights start from [`Initializer::glorot_uniform`], recurrent ones from
    /// [`Initializer::orthogonal`].
    pub fn new(units: usize) -> Self {
        Self {
            units,
            relu: false,
            bias: true,
            learned_start: false,
            input_init: Initializer::glorot_uniform(),
            recurrent_init: Initializer::orthogonal(),
        }
    }

    /// With a rectifier, whose recurrent weight starts from the identity.
    ///
    /// # References
    /// Q. Le, N. Jaitly, G. Hinton, "A simple way to initialize recurrent networks of rectified linear units", 2015.
    #[must_use]
    pub fn relu(self) -> Self {
        Self {
            relu: true,
            recurrent_init: Initializer::identity(),
            ..self
        }
    }

    /// Whether there is a bias.
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

impl CellConfig for ElmanCell {
    const KIND: &'static str = "Elman";

    fn build<F: Float>(&self, scope: &mut Scope<F>, input: Shape) -> Result<BuiltCell<F>> {
        let (recurrence, name) = match self.relu {
            true => (Recurrence::ElmanRelu, "relu"),
            false => (Recurrence::ElmanTanh, "tanh"),
        };
        let parts = Parts {
            kind: Self::KIND,
            recurrence,
            units: self.units,
            bias: self.bias,
            learned_start: self.learned_start,
            input_init: &self.input_init,
            recurrent_init: &self.recurrent_init,
        };
        let module = parts.build(scope, input)?;
        Ok(BuiltCell {
            cell: Box::new(module),
            output: [self.units].into(),
            description: format!("Elman {} -> {} {name}", input[0], self.units),
        })
    }
}
