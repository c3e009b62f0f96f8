//! Long short-term memory.

use super::fused::Parts;
use crate::cell::{BuiltCell, CellConfig};
use crate::error::Result;
use crate::init::Initializer;
use crate::module::Scope;
use fb_tensor::recurrent::Recurrence;
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// The cell of long short-term memory: a cell state that gates add to and forget from, and an output gate.
///
/// `[i, f, g, o] = x W + h U + b`, `c' = σ(f) ⊙ c + σ(i) ⊙ tanh(g)`, `h' = σ(o) ⊙ tanh(c')`
///
/// The forget gate's bias starts from 1, so that a new network remembers; the recurrent weight starts with orthonormal rows.
/// PyTorch's `weight_ih_l0` and `weight_hh_l0` are `input_weight` and `recurrent_weight` transposed, with the gates in this
/// order; its two biases are added up in the one here. Keras has the same order and orientation.
///
/// # Shapes
/// - `x`: `[rows, features]`, registers `h` and `c`: `[batch, units]`
/// - `input_weight`: `[features, 4 · units]`, `recurrent_weight`: `[units, 4 · units]`, `bias`: `[4 · units]`
/// - gives `[rows, units]`
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::{LstmCell, Recurrent};
/// let cell = LstmCell::new(16).learned_start();
/// let network = Sequential::input([20, 3]).layer("memory", Recurrent::new(cell)).build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 20, 16]");
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9(8), 1997; F. Gers, J. Schmidhuber,
/// F. Cummins, "Learning to forget: continual prediction with LSTM", Neural Computation 12(10), 2000; R. Jozefowicz,
/// W. Zaremba, I. Sutskever, "An empirical exploration of recurrent network architectures", ICML 2015 (the bias of 1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LstmCell {
    units: usize,
    bias: bool,
    forget_bias: f64,
    learned_start: bool,
    input_init: Initializer,
    recurrent_init: Initializer,
}

impl LstmCell {
    /// A cell with so many units. Input weights start from [`Initializer::glorot_uniform`], recurrent ones from
    /// [`Initializer::orthogonal`].
    pub fn new(units: usize) -> Self {
        Self {
            units,
            bias: true,
            forget_bias: 1.0,
            learned_start: false,
            input_init: Initializer::glorot_uniform(),
            recurrent_init: Initializer::orthogonal(),
        }
    }

    /// Whether there is a bias.
    #[must_use]
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    /// Where the bias of the forget gate starts.
    #[must_use]
    pub fn forget_bias(self, forget_bias: f64) -> Self {
        Self {
            forget_bias,
            ..self
        }
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

impl CellConfig for LstmCell {
    const KIND: &'static str = "Lstm";

    fn build<F: Float>(&self, scope: &mut Scope<F>, input: Shape) -> Result<BuiltCell<F>> {
        if !self.forget_bias.is_finite() {
            return Err(scope.error(
                Self::KIND,
                "a finite bias of the forget gate",
                self.forget_bias.to_string(),
                "1 is usual; for long lags, the logarithm of their length",
            ));
        }
        let parts = Parts {
            kind: Self::KIND,
            recurrence: Recurrence::Lstm,
            units: self.units,
            bias: self.bias,
            learned_start: self.learned_start,
            input_init: &self.input_init,
            recurrent_init: &self.recurrent_init,
        };
        let module = parts.build(scope, input)?;
        if let Some(bias) = module.bias {
            let bias = scope.value_mut(bias).make_mut();
            bias[self.units..2 * self.units].fill(F::from_f64(self.forget_bias));
        }
        Ok(BuiltCell {
            cell: Box::new(module),
            output: [self.units].into(),
            description: format!("Lstm {} -> {}", input[0], self.units),
        })
    }
}
