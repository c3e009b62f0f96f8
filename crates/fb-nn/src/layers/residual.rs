//! A chain of layers with a way around it.

use super::{Activation, misfit};
use crate::error::Result;
use crate::module::{
    Built, BuiltChain, Chain, Context, Layer, LayerKinds, Memory, Scope, SimpleModule, Spec,
    SplitModule, StreamModule, Streaming, Value, ValueKind, not_one, simple,
};
use fb_autograd::Var;
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// A chain of layers whose result is added to its input.
///
/// `y = activation(shortcut(x) + layers(x))`
///
/// The shortcut is the input as it is, unless layers are given for it. Parameters are named by the path of layers, such as
/// `"block1/conv1/weight"`. Feedback joins the sum before the activation.
///
/// # Shapes
/// - `x`: `[batch, …]`
/// - returns what the chain gives; the shortcut must give the same
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::{Activation::*, Dense, Residual};
/// let block = Residual::new()
///     .layer("wide", Dense::new(32).activation(Relu))
///     .layer("narrow", Dense::new(8))
///     .activation(Relu);
/// let network = Sequential::input([8]).layer("block1", block).build()?;
/// assert!(network.params().id("block1/wide/weight").is_some());
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016, equations 1 and 2.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Residual {
    layers: Chain,
    shortcut: Chain,
    activation: Activation,
}

impl Residual {
    /// A chain without layers yet, with the input as its shortcut and no activation.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a layer to the chain.
    #[must_use]
    pub fn layer(mut self, name: impl Into<String>, layer: impl Layer) -> Self {
        self.layers.push(name, layer);
        self
    }

    /// Appends a layer to the shortcut: where the chain changes the shape, something must change it there too, such as a
    /// 1×1 convolution with the same stride.
    #[must_use]
    pub fn shortcut(mut self, name: impl Into<String>, layer: impl Layer) -> Self {
        self.shortcut.push(name, layer);
        self
    }

    /// The nonlinearity after the sum.
    #[must_use]
    pub fn activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }
}

impl Layer for Residual {
    const KIND: &'static str = "Residual";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        self.activation.validate()?;
        let shape = scope.single_float(Self::KIND, inputs)?;
        if self.layers.is_empty() {
            return Err(scope.error(
                Self::KIND,
                "at least one layer",
                "none",
                "add one with .layer(name, layer)",
            ));
        }
        let input = Spec::float(shape);
        let layers: BuiltChain<F> = self.layers.build(scope, Self::KIND, input)?;
        let shortcut = self.shortcut.build(scope, Self::KIND, input)?;
        let output = layers.output();
        if output != shortcut.output() || output.kind != ValueKind::Float {
            let help = "give the chain a last layer that keeps the shape, or .shortcut(name, layer) one that changes it alike";
            return Err(scope.error(
                Self::KIND,
                format!("{}, as the shortcut gives", shortcut.output()),
                format!("{output} from the layers"),
                help,
            ));
        }
        let mut description = format!("Residual ({})", layers.description());
        if !self.shortcut.is_empty() {
            description += &format!(" beside ({})", shortcut.description());
        }
        if self.activation != Activation::Linear {
            description += &format!(" {}", self.activation);
        }
        Ok(Built {
            module: simple(ResidualModule {
                layers,
                shortcut,
                activation: self.activation,
                input: shape,
            }),
            output,
            sum: Some(output.shape),
            description,
        })
    }

    fn resolve(&mut self, place: &str, kinds: &dyn LayerKinds) -> Result<()> {
        self.layers.resolve(place, kinds)?;
        self.shortcut.resolve(place, kinds)
    }
}

#[derive(Debug)]
struct ResidualModule<F: Float> {
    layers: BuiltChain<F>,
    shortcut: BuiltChain<F>,
    activation: Activation,
    input: Shape,
}

impl<F: Float> SimpleModule<F> for ResidualModule<F> {
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        let sum = self.project(cx, x)?;
        self.finish(cx, sum)
    }

    fn split(&self) -> Option<&dyn SplitModule<F>> {
        Some(self)
    }

    fn streaming(&self) -> Streaming<'_, F> {
        if self.layers.is_streamable() && self.shortcut.is_streamable() {
            Streaming::Stateful(self)
        } else {
            Streaming::Whole
        }
    }

    fn shares_batch_statistics(&self) -> bool {
        self.layers.shares_batch_statistics() || self.shortcut.shares_batch_statistics()
    }
}

impl<F: Float> SplitModule<F> for ResidualModule<F> {
    fn project(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        misfit::whole(cx, x, &self.input)?;
        let x = Value::Float(x.clone());
        let (y, around) = (self.layers.forward(cx, &x)?, self.shortcut.forward(cx, &x)?);
        sum(cx, &around, &y)
    }

    fn finish(&self, _cx: &mut Context<'_, F>, sum: Var<F>) -> Result<Var<F>> {
        Ok(self.activation.apply(sum))
    }
}

impl<F: Float> StreamModule<F> for ResidualModule<F> {
    fn forward_from(
        &self,
        cx: &mut Context<'_, F>,
        inputs: &[Value<F>],
        memory: Memory<F>,
    ) -> Result<(Value<F>, Memory<F>)> {
        let [x] = inputs else {
            return Err(not_one(cx, inputs, "one tensor of numbers"));
        };
        let mut parts = memory.parts(cx, 2)?;
        let (around, second) =
            self.shortcut
                .forward_from(cx, x, parts.pop().unwrap_or_default())?;
        let (y, first) = self
            .layers
            .forward_from(cx, x, parts.pop().unwrap_or_default())?;
        let y = self.activation.apply(sum(cx, &around, &y)?);
        Ok((Value::Float(y), Memory::Parts(vec![first, second])))
    }
}

fn sum<F: Float>(cx: &Context<'_, F>, around: &Value<F>, y: &Value<F>) -> Result<Var<F>> {
    match (around, y) {
        (Value::Float(around), Value::Float(y)) => Ok(around + y),
        _ => Err(not_one(cx, &[around.clone(), y.clone()], "numbers")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Dense, Dropout, Flatten};
    use crate::{Registry, Sequential};
    use fb_tensor::Tensor;

    #[test]
    fn the_input_is_added_to_what_the_layers_give() {
        let block = Residual::new()
            .layer("wide", Dense::new(5).activation(Activation::Tanh))
            .layer("narrow", Dense::new(3))
            .activation(Activation::Relu);
        let network = Sequential::input([3])
            .layer("block", block)
            .build_as::<f64>()
            .unwrap();
        let p = |name: &str| network.params().by_name(name).unwrap().value.clone();
        let x = Tensor::from([[0.5, -1.0, 2.0], [0.1, 0.2, 0.3]]).cast::<f64>();
        let hidden = (x.matmul(&p("block/wide/weight")) + &p("block/wide/bias")).tanh();
        let want = (hidden.matmul(&p("block/narrow/weight")) + &p("block/narrow/bias") + &x).relu();
        let mut cx = Context::eval(network.params());
        let got = network.forward(&mut cx, Var::constant(x)).unwrap();
        assert!((got.as_float().unwrap().tensor() - &want).abs().max() < 1e-15);
    }

    #[test]
    fn shortcuts_change_the_shape_alike() {
        let block = Residual::new()
            .layer("wide", Dense::new(5))
            .shortcut("wider", Dense::new(5).bias(false));
        let network = Sequential::input([3])
            .layer("block", block)
            .build()
            .unwrap();
        assert_eq!(
            network.describe().nodes[0].description,
            "Residual (Dense 3 -> 5) beside (Dense 3 -> 5)"
        );
    }

    #[test]
    fn what_cannot_be_added_or_named_is_refused() {
        let error = |block| {
            Sequential::input([3])
                .layer("block", block)
                .build()
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            error(Residual::new().layer("wide", Dense::new(5))),
            "layer \"block\" (Residual): expected [batch, 3], as the shortcut gives, found [batch, 5] from the layers\n  \
             help: give the chain a last layer that keeps the shape, or .shortcut(name, layer) one that changes it alike"
        );
        assert!(error(Residual::new()).contains("expected at least one layer, found none"));
        let twice = Residual::new()
            .layer("a", Dropout::new(0.1))
            .layer("a", Dropout::new(0.1));
        assert!(error(twice).contains("found the name \"a\" for layer 2 of 2"));
        let clash = Residual::new()
            .layer("a", Dense::new(3))
            .shortcut("a", Dense::new(3));
        assert!(error(clash).contains("parameter \"block/a/weight\" is declared twice"));
        let inner = Residual::new().layer("inner", Residual::new().layer("bad", Dense::new(0)));
        assert!(
            error(inner).starts_with("layer \"block/inner/bad\" (Dense): expected at least 1 unit")
        );
    }

    #[test]
    fn layers_within_are_looked_up_by_kind() {
        let block = Residual::new()
            .layer("inner", Residual::new().layer("hidden", Dense::new(3)))
            .shortcut("flat", Flatten);
        let registry = Registry::builtin();
        let json = serde_json::to_value(&block).unwrap();
        let read = registry
            .layer("layer \"block\"", "Residual", json.clone())
            .unwrap();
        assert_eq!(format!("{read:?}"), format!("{block:?}"));
        let unread: Residual = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(&unread).unwrap(), json);
        let error = Sequential::input([3])
            .layer("block", unread)
            .build()
            .unwrap_err();
        assert!(
            error.to_string().contains("its kind was not looked up"),
            "{error}"
        );
        let mut unknown = json;
        unknown["layers"][0]["config"]["layers"][0]["kind"] = "Dnese".into();
        let error = registry
            .layer("layer \"block\"", "Residual", unknown)
            .unwrap_err();
        assert!(
            error.to_string().starts_with(
                "layer \"block\"/inner/hidden is of kind \"Dnese\", which is not registered"
            ),
            "{error}"
        );
    }
}
