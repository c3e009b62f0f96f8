//! A learned vector for each position.

use super::{add, add_from};
use crate::error::Result;
use crate::init::Initializer;
use crate::module::{
    Built, Context, Layer, Memory, Scope, SimpleModule, Spec, StreamModule, Streaming, Value,
    simple,
};
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// Adds a learned vector to each position: `yₜ = xₜ + tableₜ`.
///
/// The vectors start from `N(0, 0.02²)`, as in GPT-2. There are as many as the input has positions.
///
/// # Shapes
/// - `x`: `[batch, time, width]`
/// - `weight`: `[time, width]`
/// - returns the shape of `x`
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::{Embedding, LearnedPositions};
/// let network = Sequential::indices([6])
///     .layer("tokens", Embedding::new(20, 4))
///     .layer("positions", LearnedPositions::new())
///     .build()?;
/// assert_eq!(network.params().elements(), 20 * 4 + 6 * 4);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// J. Gehring, M. Auli, D. Grangier, D. Yarats, Y. Dauphin, "Convolutional sequence to sequence learning", ICML 2017,
/// section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnedPositions {
    weight_init: Initializer,
}

impl Default for LearnedPositions {
    fn default() -> Self {
        Self::new()
    }
}

impl LearnedPositions {
    /// As many vectors as the input has positions.
    pub fn new() -> Self {
        let weight_init = Initializer::Normal {
            mean: 0.0,
            std: 0.02,
        };
        Self { weight_init }
    }

    /// Where the vectors start.
    #[must_use]
    pub fn weight_init(self, weight_init: Initializer) -> Self {
        Self { weight_init }
    }
}

impl Layer for LearnedPositions {
    const KIND: &'static str = "LearnedPositions";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let wanted = "[batch, time, width]";
        let (shape, width) = scope.features(Self::KIND, inputs, 2..=2, wanted)?;
        let table = scope.param("weight", shape, &self.weight_init, Role::Weight)?;
        Ok(Built {
            module: simple(LearnedModule {
                table,
                input: shape,
            }),
            output: Spec::float(shape),
            sum: None,
            description: format!("LearnedPositions {}x{width}", shape[0]),
        })
    }
}

#[derive(Debug)]
struct LearnedModule {
    table: ParamId,
    input: Shape,
}

impl<F: Float> SimpleModule<F> for LearnedModule {
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        let table = cx.param(self.table);
        add(cx, x, &self.input, |_| table, 0)
    }

    fn streaming(&self) -> Streaming<'_, F> {
        Streaming::Stateful(self)
    }
}

impl<F: Float> StreamModule<F> for LearnedModule {
    fn forward_from(
        &self,
        cx: &mut Context<'_, F>,
        inputs: &[Value<F>],
        memory: Memory<F>,
    ) -> Result<(Value<F>, Memory<F>)> {
        let table = cx.param(self.table);
        add_from(cx, inputs, &self.input, |_| table, &memory)
    }
}
