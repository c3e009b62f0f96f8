//! A state that leaks.

use crate::error::Result;
use crate::module::{
    Built, Context, Layer, Scope, SimpleModule, Spec, SplitModule, Streaming, simple,
};
use fb_autograd::Var;
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// A leaky integrator: with an edge from itself to itself its value follows its input slowly.
///
/// `y = leak · x + (1 − leak) · r` with what an edge brings, `r`; without one the last term is missing. With the edge
/// `.feedback("state", "state").identity()` that is `yₜ = leak · xₜ + (1 − leak) · yₜ₋₁`.
///
/// The damping of an edge is the same filter in what the edge carries; here the filtered value is that of the layer, and
/// others can read it.
///
/// # Shapes
/// - `x`: `[batch, …]`
/// - returns the same
///
/// # Examples
/// ```
/// use fb_nn::feedback::schedule::Sequence;
/// use fb_nn::feedback::topology::Clock;
/// use fb_nn::layers::Leaky;
/// use fb_nn::{Context, Sequential};
/// use fb_tensor::Tensor;
///
/// let network = Sequential::input([1])
///     .layer("state", Leaky::new(0.25))
///     .feedback("state", "state")
///     .identity()
///     .clock(Clock::Step)
///     .schedule(Sequence::new())
///     .build()?;
/// let steps = Tensor::ones([1, 3, 1]);
/// let y = network.forward(&mut Context::eval(network.params()), steps)?;
/// let expected = Tensor::from([0.25, 0.4375, 0.578125]);
/// assert!((y.as_float().unwrap().tensor().flatten() - expected).abs().max() < 1e-6);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// H. Jaeger, M. Lukoševičius, D. Popovici, U. Siewert (2007), Optimization and applications of echo state networks with
/// leaky-integrator neurons, Neural Networks 20, 335–352.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaky {
    leak: f64,
}

impl Leaky {
    /// A layer that takes this share of the new in each step, between 0 and 1.
    pub fn new(leak: f64) -> Self {
        Self { leak }
    }
}

impl Layer for Leaky {
    const KIND: &'static str = "Leaky";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        if !(self.leak > 0.0 && self.leak < 1.0) {
            return Err(scope.error(
                Self::KIND,
                "a leak between 0 and 1",
                self.leak.to_string(),
                "a state that keeps nothing needs no such layer",
            ));
        }
        let shape: Shape = scope.single_float(Self::KIND, inputs)?;
        Ok(Built {
            module: simple(LeakyModule { leak: self.leak }),
            output: Spec::float(shape),
            sum: Some(shape),
            description: format!("Leaky {}", self.leak),
        })
    }
}

#[derive(Debug)]
struct LeakyModule {
    leak: f64,
}

impl<F: Float> SimpleModule<F> for LeakyModule {
    fn forward(&self, _cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        Ok(x * F::from_f64(self.leak))
    }

    fn split(&self) -> Option<&dyn SplitModule<F>> {
        Some(self)
    }

    fn streaming(&self) -> Streaming<'_, F> {
        Streaming::Pointwise
    }
}

/// `(1 − a)·(a/(1 − a)·x + r)`: feedback joins the sum, so the sum is scaled as a whole.
impl<F: Float> SplitModule<F> for LeakyModule {
    fn project(&self, _cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        Ok(x * F::from_f64(self.leak / (1.0 - self.leak)))
    }

    fn finish(&self, _cx: &mut Context<'_, F>, sum: Var<F>) -> Result<Var<F>> {
        Ok(sum * F::from_f64(1.0 - self.leak))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fb_tensor::random::Key;

    #[test]
    fn a_leak_of_all_or_nothing_is_refused() {
        for leak in [0.0, 1.0, -0.5, f64::NAN] {
            let mut scope = Scope::<f32>::new(Key::new(0));
            scope.enter("state");
            let error = Leaky::new(leak).build(&mut scope, &[Spec::float([2])]);
            assert_eq!(
                error.unwrap_err().to_string(),
                format!(
                    "layer \"state\" (Leaky): expected a leak between 0 and 1, found {leak}\n  \
                     help: a state that keeps nothing needs no such layer"
                )
            );
        }
    }
}
