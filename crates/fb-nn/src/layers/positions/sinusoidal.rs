//! Waves whose values tell positions apart.

use super::{add, add_from};
use crate::error::Result;
use crate::layers::misfit;
use crate::module::{
    Built, Context, Layer, Memory, Scope, SimpleModule, Spec, StreamModule, Streaming, Value,
    simple,
};
use fb_autograd::Var;
use fb_tensor::{Float, Shape, Tensor};
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

/// Adds waves to each position, from which its place in the sequence can be read.
///
/// `y[t, 2i] = x[t, 2i] + sin(t · 10000^(−2i / width))`, `y[t, 2i+1] = x[t, 2i+1] + cos(t · 10000^(−2i / width))`
///
/// # Shapes
/// - `x`: `[batch, time, width]`
/// - returns the same
///
/// # Examples
/// ```
/// use fb_nn::{Context, Sequential};
/// use fb_nn::layers::SinusoidalPositions;
/// use fb_autograd::Var;
/// use fb_tensor::Tensor;
/// let network = Sequential::input([2, 4]).layer("positions", SinusoidalPositions).build()?;
/// let y = network.forward(&mut Context::eval(network.params()), Var::constant(Tensor::zeros([1, 2, 4])))?;
/// let first = y.as_float().unwrap().tensor().index_axis(1, 0);
/// assert_eq!(first.to_vec(), [0.0, 1.0, 0.0, 1.0]);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// A. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinusoidalPositions;

impl Layer for SinusoidalPositions {
    const KIND: &'static str = "SinusoidalPositions";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let wanted = "[batch, time, width]";
        let (shape, _) = scope.features(Self::KIND, inputs, 2..=2, wanted)?;
        Ok(Built {
            module: simple(SinusoidalModule {
                input: shape,
                table: OnceLock::new(),
            }),
            output: Spec::float(shape),
            sum: None,
            description: "SinusoidalPositions".to_owned(),
        })
    }
}

#[derive(Debug)]
struct SinusoidalModule<F: Float> {
    input: Shape,
    /// For all positions that were declared. Made when an input is there: what a file says is not enough to ask for memory.
    table: OnceLock<Var<F>>,
}

impl<F: Float> SinusoidalModule<F> {
    fn table(&self) -> &Var<F> {
        let [time, width] = [self.input[0], self.input[1]];
        self.table
            .get_or_init(|| Var::constant(Tensor::sinusoidal_positions_of(0..time, width)))
    }
}

impl<F: Float> SimpleModule<F> for SinusoidalModule<F> {
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        misfit::features(cx, x, &self.input)?;
        add(cx, x, self.table(), 0)
    }

    fn streaming(&self) -> Streaming<'_, F> {
        Streaming::Stateful(self)
    }
}

impl<F: Float> StreamModule<F> for SinusoidalModule<F> {
    fn forward_from(
        &self,
        cx: &mut Context<'_, F>,
        inputs: &[Value<F>],
        memory: Memory<F>,
    ) -> Result<(Value<F>, Memory<F>)> {
        add_from(cx, inputs, self.table(), &memory)
    }
}
