//! Waves whose values tell positions apart.

use super::{add, add_from};
use crate::error::Result;
use crate::layers::growing::Growing;
use crate::layers::misfit;
use crate::module::{
    Built, Context, Layer, Memory, Scope, SimpleModule, Spec, StreamModule, Streaming, Value,
    simple,
};
use fb_autograd::Var;
use fb_tensor::{Float, Shape, Tensor};
use serde::{Deserialize, Serialize};

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
                table: Growing::default(),
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
    table: Growing<Var<F>>,
}

impl<F: Float> SinusoidalModule<F> {
    /// The waves of the first `end` positions, or of more.
    fn table(&self, end: usize) -> Var<F> {
        let [time, width] = [self.input[0], self.input[1]];
        self.table.up_to(end, time, |rows| {
            Var::constant(Tensor::sinusoidal_positions_of(0..rows, width))
        })
    }
}

impl<F: Float> SimpleModule<F> for SinusoidalModule<F> {
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        misfit::features(cx, x, &self.input)?;
        add(cx, x, &self.input, |end| self.table(end), 0)
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
        add_from(cx, inputs, &self.input, |end| self.table(end), &memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Params;

    #[test]
    fn pieces_of_a_sequence_without_end_take_as_much_as_has_passed() {
        let mut scope = Scope::<f64>::new(fb_tensor::random::Key::new(0));
        scope.enter("positions");
        let spec = Spec::float([1 << 40, 3]);
        let module = SinusoidalPositions
            .build(&mut scope, &[spec])
            .unwrap()
            .module;
        let params = Params::new();
        let mut cx = Context::eval(&params);
        let Streaming::Stateful(module) = module.streaming() else {
            panic!("positions run on pieces")
        };
        let mut memory = Memory::Empty;
        for first in 0..9 {
            let x = Value::Float(Var::constant(Tensor::zeros_of([2, 1, 3])));
            let (y, after) = module.forward_from(&mut cx, &[x], memory).unwrap();
            let want = Tensor::sinusoidal_positions_of(first..first + 1, 3);
            let y = y.as_float().unwrap().tensor().index_axis(0, 1);
            assert_eq!(y, want);
            memory = after;
        }
    }
}
