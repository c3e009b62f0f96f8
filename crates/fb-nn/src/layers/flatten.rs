//! All features of a sample along one axis.

use crate::error::Result;
use crate::module::{Built, Context, Layer, Scope, SimpleModule, Spec, simple};
use fb_autograd::Var;
use fb_tensor::Float;
use serde::{Deserialize, Serialize};

/// Puts all features of a sample along one axis, in row-major order.
///
/// # Shapes
/// - `x`: `[batch, a, b, …]`
/// - returns `[batch, a · b · …]`
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::Flatten;
/// let network = Sequential::input([8, 8, 1]).layer("flat", Flatten).build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 64]");
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flatten;

impl Layer for Flatten {
    const KIND: &'static str = "Flatten";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let features = scope.single_float(Self::KIND, inputs)?.elements();
        Ok(Built {
            module: simple(FlattenModule),
            output: Spec::float([features]),
            sum: None,
            description: format!("Flatten to {features}"),
        })
    }
}

#[derive(Debug)]
struct FlattenModule;

impl<F: Float> SimpleModule<F> for FlattenModule {
    fn forward(&self, _cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        let (batch, features) = match **x.shape() {
            [] => (1, 1),
            [batch, ref rest @ ..] => (batch, rest.iter().product()),
        };
        Ok(x.reshape([batch, features]))
    }
}
