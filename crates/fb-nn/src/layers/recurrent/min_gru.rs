//! The minimal gated recurrent unit.

use crate::cell::{BuiltCell, Cell, CellConfig, CellState, FusedCell, Register, Start};
use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::module::{Context, Scope};
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::recurrent::Steps;
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// The minimal GRU: gate and candidate come from the input alone, so the state is only decayed and added to.
///
/// `[z, n] = x W + b`, `h' = (1 − σ(z)) ⊙ h + σ(z) ⊙ n`
///
/// All of its arithmetic waits for no state, and is done for all steps at once; what is left takes the time of reading and
/// writing. In exchange the state at one step cannot decide what is remembered at the next: put several
/// [levels](super::Recurrent::levels) one above the other. It cannot count parity.
///
/// # Shapes
/// - `x`: `[rows, features]`, register `h`: `[batch, units]`
/// - `input_weight`: `[features, 2 · units]`, `bias`: `[2 · units]`
/// - gives `[rows, units]`
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::{MinGruCell, Recurrent};
/// let network = Sequential::input([50, 3])
///     .layer("memory", Recurrent::new(MinGruCell::new(16)).levels(2))
///     .build()?;
/// assert_eq!(network.params().elements(), 2 * 16 * (3 + 1) + 2 * 16 * (16 + 1));
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// L. Feng, F. Tung, M. Ahmed, Y. Bengio, H. Hajimirsadeghi, "Were RNNs all we needed?", 2024, section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinGruCell {
    units: usize,
    bias: bool,
    learned_start: bool,
    input_init: Initializer,
}

impl MinGruCell {
    /// A cell with so many units; weights start from [`Initializer::glorot_uniform`].
    pub fn new(units: usize) -> Self {
        Self {
            units,
            bias: true,
            learned_start: false,
            input_init: Initializer::glorot_uniform(),
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

    /// Where the weights start.
    #[must_use]
    pub fn input_init(self, input_init: Initializer) -> Self {
        Self { input_init, ..self }
    }
}

impl CellConfig for MinGruCell {
    const KIND: &'static str = "MinGru";

    fn build<F: Float>(&self, scope: &mut Scope<F>, input: Shape) -> Result<BuiltCell<F>> {
        let units = self.units;
        if units == 0 {
            return Err(scope.error(
                Self::KIND,
                "at least 1 unit",
                "0",
                "a state has a number for each",
            ));
        }
        let &[features] = &*input else {
            return Err(scope.error(
                Self::KIND,
                "one axis of features at each step",
                input.to_string(),
                "the input is [batch, time, features]; a Reshape before it joins axes",
            ));
        };
        let width = Shape::try_new(&[2, units])?.elements();
        let shape = Shape::try_new(&[features, width])?;
        let weight = scope.param("input_weight", shape, &self.input_init, Role::Weight)?;
        let zeros = Initializer::Zeros;
        let bias = match self.bias {
            true => Some(scope.param("bias", [width], &zeros, Role::Bias)?),
            false => None,
        };
        let start = match self.learned_start {
            true => Start::Learned(scope.param("start", [units], &zeros, Role::State)?),
            false => Start::Zeros,
        };
        Ok(BuiltCell {
            cell: Box::new(MinGruModule {
                units,
                features,
                weight,
                bias,
                register: [Register {
                    name: "h",
                    shape: [units].into(),
                    start,
                }],
            }),
            output: [units].into(),
            description: format!("MinGru {features} -> {units}"),
        })
    }
}

#[derive(Debug)]
struct MinGruModule {
    units: usize,
    features: usize,
    weight: ParamId,
    bias: Option<ParamId>,
    register: [Register; 1],
}

impl<F: Float> Cell<F> for MinGruModule {
    fn registers(&self) -> &[Register] {
        &self.register
    }

    fn project(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        if x.shape().len() != 2 || x.shape()[1] != self.features {
            return Err(Error::Data {
                place: cx.place(),
                expected: format!("rows of {} features", self.features),
                found: x.shape().to_string(),
                help: "a cell takes the rows of a step, or those of many".to_owned(),
            });
        }
        let weight = cx.param(self.weight);
        let bias = self.bias.map(|id| cx.param(id));
        Ok(x.linear(&weight, bias.as_ref()))
    }

    fn step(
        &self,
        cx: &mut Context<'_, F>,
        projected: Var<F>,
        state: &CellState<F>,
    ) -> Result<(Var<F>, CellState<F>)> {
        state.check(self, cx, state.batch())?;
        FusedCell::scan(self, cx, projected, state, &Steps::even(state.batch(), 1))
    }

    fn fused(&self) -> Option<&dyn FusedCell<F>> {
        Some(self)
    }
}

impl<F: Float> FusedCell<F> for MinGruModule {
    fn scan(
        &self,
        _cx: &mut Context<'_, F>,
        projected: Var<F>,
        state: &CellState<F>,
        steps: &Steps,
    ) -> Result<(Var<F>, CellState<F>)> {
        let gate = projected.slice(1, 0..self.units).sigmoid();
        let input = &gate * &projected.slice(1, self.units..2 * self.units);
        let decay = (-&gate).add_scalar(1.0);
        let (outputs, last) = input.try_linear_scan(&decay, &state.registers()[0], steps)?;
        Ok((outputs, CellState::new(vec![last])))
    }
}
