//! Images of any size brought to one size.

use super::axes;
use super::misfit;
use crate::error::Result;
use crate::module::{Built, Context, Layer, Scope, SimpleModule, Spec, simple};
use fb_autograd::Var;
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// The average of each channel over the cells of a grid, whatever the size of the image.
///
/// Output `i` of `n` along an axis of `m` positions covers `⌊i · m / n⌋` up to `⌈(i + 1) · m / n⌉`; cells overlap where `n`
/// does not divide `m`.
///
/// # Shapes
/// - `x`: `[batch, height, width, channels]`
/// - returns `[batch, size…, channels]`
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::AdaptiveAvgPool2d;
/// let network = Sequential::input([9, 7, 8]).layer("pool", AdaptiveAvgPool2d::new([2, 2])).build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 2, 2, 8]");
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveAvgPool2d {
    size: [usize; 2],
}

/// The largest number of each channel in each cell of a grid, whatever the size of the image.
///
/// The cells are those of [`AdaptiveAvgPool2d`].
///
/// # Shapes
/// - `x`: `[batch, height, width, channels]`
/// - returns `[batch, size…, channels]`
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::AdaptiveMaxPool2d;
/// let network = Sequential::input([9, 7, 8]).layer("pool", AdaptiveMaxPool2d::new([3, 2])).build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 3, 2, 8]");
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveMaxPool2d {
    size: [usize; 2],
}

macro_rules! adaptive {
    ($layer:ident, $kind:literal, $pool:ident) => {
        impl $layer {
            /// A grid of this height and width.
            pub fn new(size: [usize; 2]) -> Self {
                Self { size }
            }
        }

        impl Layer for $layer {
            const KIND: &'static str = $kind;

            fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
                let (input, channels) = axes::input::<F, 2>(scope, Self::KIND, inputs)?;
                let [height, width] = self.size;
                if height == 0 || width == 0 {
                    return Err(scope.error(
                        Self::KIND,
                        "a grid of at least one cell",
                        axes::extents(&self.size),
                        "GlobalAvgPool and GlobalMaxPool have one cell and drop the axes",
                    ));
                }
                Ok(Built {
                    module: simple(AdaptiveModule {
                        pool: |x, size| x.$pool(size),
                        size: self.size,
                        input,
                    }),
                    output: Spec::float(Shape::try_new(&[height, width, channels])?),
                    sum: None,
                    description: format!("{} {}", Self::KIND, axes::extents(&self.size)),
                })
            }
        }
    };
}

adaptive!(AdaptiveAvgPool2d, "AdaptiveAvgPool2d", adaptive_avg_pool2d);
adaptive!(AdaptiveMaxPool2d, "AdaptiveMaxPool2d", adaptive_max_pool2d);

#[derive(Debug)]
struct AdaptiveModule<F: Float> {
    pool: fn(&Var<F>, [usize; 2]) -> Var<F>,
    size: [usize; 2],
    input: Shape,
}

impl<F: Float> SimpleModule<F> for AdaptiveModule<F> {
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        misfit::whole(cx, x, &self.input)?;
        Ok((self.pool)(x, self.size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sequential;

    #[test]
    fn a_grid_has_cells() {
        let error = Sequential::input([3, 8, 2])
            .layer("pool", AdaptiveMaxPool2d::new([0, 2]))
            .build()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "layer \"pool\" (AdaptiveMaxPool2d): expected a grid of at least one cell, found 0x2\n  \
             help: GlobalAvgPool and GlobalMaxPool have one cell and drop the axes"
        );
    }
}
