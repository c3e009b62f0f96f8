//! The features of a sample under another shape.

use crate::error::{Error, Result};
use crate::module::{Built, Context, Layer, Scope, SimpleModule, Spec, simple};
use fb_autograd::Var;
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// Gives the features of a sample another shape; they keep their row-major order.
///
/// # Shapes
/// - `x`: `[batch, …]`
/// - returns `[batch, shape…]`
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::Reshape;
/// let network = Sequential::input([64]).layer("image", Reshape::new([8, 8, 1])).build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 8, 8, 1]");
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reshape {
    shape: Vec<usize>,
}

impl Reshape {
    /// A layer that gives each sample this shape (without the batch axis).
    pub fn new(shape: impl AsRef<[usize]>) -> Self {
        Self {
            shape: shape.as_ref().to_vec(),
        }
    }
}

impl Layer for Reshape {
    const KIND: &'static str = "Reshape";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let from = scope.single_float(Self::KIND, inputs)?;
        let shape = Shape::try_new(&self.shape)?;
        let output = Spec::float(shape);
        with_batch(1, shape)?;
        if shape.elements() != from.elements() {
            let expected = format!("{} numbers per sample for {output}", shape.elements());
            let found = format!("{} in {}", from.elements(), Spec::float(from));
            return Err(scope.error(
                Self::KIND,
                expected,
                found,
                "a reshape keeps the number of elements",
            ));
        }
        Ok(Built {
            module: simple(ReshapeModule { shape }),
            output,
            sum: None,
            description: format!("Reshape to {shape}"),
        })
    }
}

fn with_batch(batch: usize, shape: Shape) -> Result<Shape> {
    let mut extents = vec![batch];
    extents.extend_from_slice(&shape);
    Ok(Shape::try_new(&extents)?)
}

#[derive(Debug)]
struct ReshapeModule {
    shape: Shape,
}

impl<F: Float> SimpleModule<F> for ReshapeModule {
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        let features: usize = x.shape().iter().skip(1).product();
        if x.shape().is_empty() || features != self.shape.elements() {
            return Err(Error::Data {
                place: cx.place(),
                expected: format!(
                    "{} numbers per sample for {}",
                    self.shape.elements(),
                    Spec::float(self.shape)
                ),
                found: x.shape().to_string(),
                help: String::new(),
            });
        }
        Ok(x.reshape(with_batch(x.shape()[0], self.shape)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fb_tensor::random::Key;

    fn error(layer: Reshape, shape: &[usize]) -> String {
        let mut scope = Scope::<f32>::new(Key::new(0));
        scope.enter("image");
        layer
            .build(&mut scope, &[Spec::float(shape)])
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn shapes_that_do_not_fit_are_errors() {
        assert_eq!(
            error(Reshape::new([2, 4]), &[3, 3]),
            "layer \"image\" (Reshape): expected 8 numbers per sample for [batch, 2, 4], found 9 in [batch, 3, 3]\n  \
             help: a reshape keeps the number of elements"
        );
        assert!(error(Reshape::new([1; 6]), &[1]).contains("at most 6"));
        assert!(error(Reshape::new([usize::MAX, 4]), &[1]).contains("more elements than memory"));
    }
}
