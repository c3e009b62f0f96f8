//! One number a channel, over all positions.

use super::misfit;
use crate::error::Result;
use crate::module::{Built, Context, Layer, Scope, SimpleModule, Spec, simple};
use fb_autograd::Var;
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// The average of each channel over all positions of a sequence or an image.
///
/// # Shapes
/// - `x`: `[batch, …, channels]`
/// - returns `[batch, channels]`
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::GlobalAvgPool;
/// let network = Sequential::input([7, 7, 8]).layer("pool", GlobalAvgPool).build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 8]");
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// M. Lin, Q. Chen, S. Yan, "Network in network", ICLR 2014, section 3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalAvgPool;

/// The largest number of each channel over all positions of a sequence or an image.
///
/// # Shapes
/// - `x`: `[batch, …, channels]`
/// - returns `[batch, channels]`
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::GlobalMaxPool;
/// let network = Sequential::input([20, 8]).layer("pool", GlobalMaxPool).build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 8]");
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalMaxPool;

macro_rules! global {
    ($layer:ident, $kind:literal, $pool:expr) => {
        impl Layer for $layer {
            const KIND: &'static str = $kind;

            fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
                let wanted = "[batch, positions…, channels]";
                let (input, channels) = scope.features(Self::KIND, inputs, 2..=5, wanted)?;
                Ok(Built {
                    module: simple(GlobalModule { pool: $pool, input }),
                    output: Spec::float([channels]),
                    sum: None,
                    description: format!("{} to {channels}", Self::KIND),
                })
            }
        }
    };
}

global!(GlobalAvgPool, "GlobalAvgPool", Var::global_avg_pool);
global!(GlobalMaxPool, "GlobalMaxPool", Var::global_max_pool);

#[derive(Debug)]
struct GlobalModule<F: Float> {
    pool: fn(&Var<F>) -> Var<F>,
    input: Shape,
}

impl<F: Float> SimpleModule<F> for GlobalModule<F> {
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        misfit::whole(cx, x, &self.input)?;
        Ok((self.pool)(x))
    }
}
