//! Images of another size, without weights.

use super::axes;
use super::misfit;
use crate::error::Result;
use crate::module::{Built, Context, Layer, Scope, SimpleModule, Spec, simple};
use fb_autograd::Var;
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// Brings images to another size: by the nearest pixel, or by bilinear interpolation.
///
/// [`Resize::by`] is what others call up-sampling.
///
/// # Shapes
/// - `x`: `[batch, height, width, channels]`
/// - returns `[batch, size…, channels]`
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::Resize;
/// let network = Sequential::input([7, 7, 8])
///     .layer("up", Resize::by([2, 2]))
///     .layer("fit", Resize::to([10, 12]).bilinear())
///     .build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 10, 12, 8]");
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    size: Size,
    method: Method,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Size {
    /// This height and width.
    To([usize; 2]),
    /// So many times the height and width.
    By([usize; 2]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Method {
    Nearest,
    Bilinear { align_corners: bool },
}

impl Resize {
    /// To this height and width, by the nearest pixel.
    pub fn to(size: [usize; 2]) -> Self {
        Self {
            size: Size::To(size),
            method: Method::Nearest,
        }
    }

    /// To so many times the height and width, by the nearest pixel.
    pub fn by(times: [usize; 2]) -> Self {
        Self {
            size: Size::By(times),
            method: Method::Nearest,
        }
    }

    /// By bilinear interpolation, pixels being areas: the usual choice.
    #[must_use]
    pub fn bilinear(self) -> Self {
        Self {
            method: Method::Bilinear {
                align_corners: false,
            },
            ..self
        }
    }

    /// By bilinear interpolation, pixels being points, so that corners stay where they are (PyTorch's `align_corners`).
    #[must_use]
    pub fn align_corners(self) -> Self {
        Self {
            method: Method::Bilinear {
                align_corners: true,
            },
            ..self
        }
    }
}

impl Layer for Resize {
    const KIND: &'static str = "Resize";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let (input, channels) = axes::input::<F, 2>(scope, Self::KIND, inputs)?;
        let size = match self.size {
            Size::To(size) => size,
            Size::By([h, w]) => [input[0].saturating_mul(h), input[1].saturating_mul(w)],
        };
        if size.contains(&0) {
            return Err(scope.error(
                Self::KIND,
                "a size of at least 1x1",
                axes::extents(&size),
                "Resize::to([height, width]) or Resize::by([times, times])",
            ));
        }
        let method = match self.method {
            Method::Nearest => "nearest",
            Method::Bilinear { .. } => "bilinear",
        };
        Ok(Built {
            module: simple(ResizeModule {
                size,
                method: self.method,
                input,
            }),
            output: Spec::float(Shape::try_new(&[size[0], size[1], channels])?),
            sum: None,
            description: format!("Resize to {} {method}", axes::extents(&size)),
        })
    }
}

#[derive(Debug)]
struct ResizeModule {
    size: [usize; 2],
    method: Method,
    input: Shape,
}

impl<F: Float> SimpleModule<F> for ResizeModule {
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        misfit::whole(cx, x, &self.input)?;
        Ok(match self.method {
            Method::Nearest => x.resize_nearest(self.size),
            Method::Bilinear { align_corners } => x.resize_bilinear(self.size, align_corners),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sequential;

    #[test]
    fn a_size_is_not_nothing() {
        let error = |layer| {
            let network = Sequential::input([3, 8, 2]).layer("up", layer).build();
            network.unwrap_err().to_string()
        };
        assert_eq!(
            error(Resize::to([4, 0])),
            "layer \"up\" (Resize): expected a size of at least 1x1, found 4x0\n  \
             help: Resize::to([height, width]) or Resize::by([times, times])"
        );
        assert!(error(Resize::by([usize::MAX, 1])).contains("sizes that memory can hold"));
    }
}
