//! A chain of layers whose input goes on beside its result.

use super::misfit;
use crate::error::Result;
use crate::module::{
    Built, BuiltChain, Chain, Context, Layer, LayerKinds, Memory, Scope, SimpleModule, Spec,
    StreamModule, Streaming, Value, ValueKind, not_one, simple,
};
use fb_autograd::Var;
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// A chain of layers whose result is put beside its input, along the last axis.
///
/// `y = [x, layers(x)]`
///
/// # Shapes
/// - `x`: `[batch, …, features]`
/// - returns `[batch, …, features + those of the chain]`; the chain keeps the other axes
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::{Activation::*, Dense, Skip};
/// let network = Sequential::input([8])
///     .layer("first", Skip::new().layer("hidden", Dense::new(4).activation(Relu)))
///     .layer("second", Skip::new().layer("hidden", Dense::new(4).activation(Relu)))
///     .build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 16]");
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// G. Huang, Z. Liu, L. van der Maaten, K. Weinberger, "Densely connected convolutional networks", CVPR 2017, equation 2;
/// O. Ronneberger, P. Fischer, T. Brox, "U-Net", MICCAI 2015.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    layers: Chain,
}

impl Skip {
    /// A chain without layers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a layer to the chain.
    #[must_use]
    pub fn layer(mut self, name: impl Into<String>, layer: impl Layer) -> Self {
        self.layers.push(name, layer);
        self
    }
}

impl Layer for Skip {
    const KIND: &'static str = "Skip";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let wanted = "[batch, …, features]";
        let (shape, features) = scope.features(Self::KIND, inputs, 1..=5, wanted)?;
        if self.layers.is_empty() {
            return Err(scope.error(
                Self::KIND,
                "at least one layer",
                "none",
                "add one with .layer(name, layer)",
            ));
        }
        let layers: BuiltChain<F> = self.layers.build(scope, Self::KIND, Spec::float(shape))?;
        let given = layers.output();
        let last = shape.len() - 1;
        let beside = given.kind == ValueKind::Float
            && given.shape.len() == shape.len()
            && given.shape[..last] == shape[..last];
        if !beside {
            let mut axes = Spec::float(shape.without(last)).to_string();
            axes.truncate(axes.len() - 1);
            return Err(scope.error(
                Self::KIND,
                format!("{axes}, …], beside the input"),
                format!("{given} from the layers"),
                "a chain that samples down must sample up again",
            ));
        }
        let all = features.saturating_add(given.shape[last]);
        let output = shape.try_with_extent(last, all)?;
        let description = format!("Skip beside ({})", layers.description());
        Ok(Built {
            module: simple(SkipModule {
                layers,
                input: shape,
            }),
            output: Spec::float(output),
            sum: None,
            description,
        })
    }

    fn resolve(&mut self, place: &str, kinds: &dyn LayerKinds) -> Result<()> {
        self.layers.resolve(place, kinds)
    }
}

#[derive(Debug)]
struct SkipModule<F: Float> {
    layers: BuiltChain<F>,
    input: Shape,
}

impl<F: Float> SimpleModule<F> for SkipModule<F> {
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        misfit::whole(cx, x, &self.input)?;
        let y = self.layers.forward(cx, &Value::Float(x.clone()))?;
        beside(cx, x, &y)
    }

    fn streaming(&self) -> Streaming<'_, F> {
        if self.layers.is_streamable() {
            Streaming::Stateful(self)
        } else {
            Streaming::Whole
        }
    }

    fn shares_batch_statistics(&self) -> bool {
        self.layers.shares_batch_statistics()
    }
}

impl<F: Float> StreamModule<F> for SkipModule<F> {
    fn forward_from(
        &self,
        cx: &mut Context<'_, F>,
        inputs: &[Value<F>],
        memory: Memory<F>,
    ) -> Result<(Value<F>, Memory<F>)> {
        let [value @ Value::Float(x)] = inputs else {
            return Err(not_one(cx, inputs, "one tensor of numbers"));
        };
        let (y, memory) = self.layers.forward_from(cx, value, memory)?;
        Ok((Value::Float(beside(cx, x, &y)?), memory))
    }
}

fn beside<F: Float>(cx: &Context<'_, F>, x: &Var<F>, y: &Value<F>) -> Result<Var<F>> {
    match y {
        Value::Float(y) => Ok(Var::concat(&[x, y], x.shape().len() - 1)),
        other => Err(not_one(cx, std::slice::from_ref(other), "numbers")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sequential;
    use crate::layers::{Dense, Flatten};
    use fb_tensor::Tensor;

    #[test]
    fn the_input_stands_first() {
        let skip = Skip::new().layer("hidden", Dense::new(2));
        let network = Sequential::input([3]).layer("skip", skip).build().unwrap();
        let x = Tensor::from([[0.5, -1.0, 2.0]]);
        let mut cx = Context::eval(network.params());
        let y = network.forward(&mut cx, Var::constant(x.clone())).unwrap();
        let weight = &network
            .params()
            .by_name("skip/hidden/weight")
            .unwrap()
            .value;
        let want = Tensor::concat(&[&x, &x.matmul(weight)], 1);
        assert_eq!(y.as_float().unwrap().tensor(), &want);
        assert_eq!(
            network.describe().nodes[0].description,
            "Skip beside (Dense 3 -> 2)"
        );
    }

    #[test]
    fn other_axes_must_stay() {
        let error = Sequential::input([2, 3])
            .layer("skip", Skip::new().layer("flat", Flatten))
            .build()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "layer \"skip\" (Skip): expected [batch, 2, …], beside the input, found [batch, 6] from the layers\n  \
             help: a chain that samples down must sample up again"
        );
    }
}
