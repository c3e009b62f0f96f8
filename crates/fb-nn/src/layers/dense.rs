//! The fully connected layer.

use super::{Activation, misfit};
use crate::error::Result;
use crate::init::Initializer;
use crate::module::{
    Built, Context, Layer, Scope, SimpleModule, Spec, SplitModule, Streaming, simple,
};
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// A fully connected layer over the last axis.
///
/// `y = activation(x · W + b)`
///
/// The weights start from [`Initializer::glorot_uniform`], the bias from zeros, as in Keras. Feedback joins the sum
/// before the activation.
///
/// # Shapes
/// - `x`: `[batch, …, in]`
/// - `weight`: `[in, units]` (PyTorch keeps `[out, in]`), `bias`: `[units]`
/// - returns `[batch, …, units]`
///
/// # Examples
/// ```
/// use fb_autograd::Var;
/// use fb_nn::layers::{Activation::*, Dense};
/// use fb_nn::{Context, Sequential};
/// use fb_tensor::Tensor;
///
/// let mut network = Sequential::input([2]).layer("output", Dense::new(1).activation(Relu)).build()?;
/// let params = network.params_mut();
/// let weight = params.id("output/weight").unwrap();
/// params.get_mut(weight).value = Tensor::from([[3.0], [-1.0]]);
/// let x = Var::constant(Tensor::from([[1.0, 2.0], [1.0, 4.0]]));
/// let y = network.forward(&mut Context::eval(network.params()), x)?;
/// assert_eq!(y.as_float().unwrap().tensor().to_vec(), [1.0, 0.0]);
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    units: usize,
    activation: Activation,
    bias: bool,
    weight_init: Initializer,
    bias_init: Initializer,
}

impl Dense {
    /// A layer with that many outputs, a bias and no activation.
    pub fn new(units: usize) -> Self {
        Self {
            units,
            activation: Activation::Linear,
            bias: true,
            weight_init: Initializer::glorot_uniform(),
            bias_init: Initializer::Zeros,
        }
    }

    /// The nonlinearity.
    #[must_use]
    pub fn activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    /// Whether there is a bias.
    #[must_use]
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    /// Where the weights start.
    #[must_use]
    pub fn weight_init(self, weight_init: Initializer) -> Self {
        Self {
            weight_init,
            ..self
        }
    }

    /// Where the bias starts.
    #[must_use]
    pub fn bias_init(self, bias_init: Initializer) -> Self {
        Self { bias_init, ..self }
    }
}

impl Layer for Dense {
    const KIND: &'static str = "Dense";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        if self.units == 0 {
            return Err(scope.error(
                Self::KIND,
                "at least 1 unit",
                "0",
                "Dense::new(n) gives n numbers per sample",
            ));
        }
        self.activation.validate()?;
        let shape = scope.single_float(Self::KIND, inputs)?;
        let Some(last) = shape.len().checked_sub(1) else {
            let help = "give each number an axis of its own: the input is [batch, 1] then";
            return Err(scope.error(Self::KIND, "features along a last axis", "[batch]", help));
        };
        let features = shape[last];
        let output = shape.try_with_extent(last, self.units)?;
        let weight = scope.param(
            "weight",
            [features, self.units],
            &self.weight_init,
            Role::Weight,
        )?;
        let bias = match self.bias {
            true => Some(scope.param("bias", [self.units], &self.bias_init, Role::Bias)?),
            false => None,
        };
        let mut description = format!("Dense {features} -> {}", self.units);
        if self.activation != Activation::Linear {
            description += &format!(" {}", self.activation);
        }
        Ok(Built {
            module: simple(DenseModule {
                weight,
                bias,
                activation: self.activation,
                input: shape,
            }),
            output: Spec::float(output),
            sum: Some(output),
            description,
        })
    }
}

#[derive(Debug)]
struct DenseModule {
    weight: ParamId,
    bias: Option<ParamId>,
    activation: Activation,
    input: Shape,
}

impl<F: Float> SimpleModule<F> for DenseModule {
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        let (weight, bias) = self.operands(cx, x)?;
        Ok(self.activation.apply_to_linear(x, weight, bias))
    }

    fn split(&self) -> Option<&dyn SplitModule<F>> {
        Some(self)
    }

    fn streaming(&self) -> Streaming<'_, F> {
        Streaming::Pointwise
    }
}

impl<F: Float> SplitModule<F> for DenseModule {
    fn project(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        let (weight, bias) = self.operands(cx, x)?;
        Ok(x.linear(weight, bias))
    }

    fn finish(&self, _cx: &mut Context<'_, F>, sum: Var<F>) -> Result<Var<F>> {
        Ok(self.activation.apply(sum))
    }
}

impl DenseModule {
    /// Weight and bias, for an input that fits them.
    #[inline]
    fn operands<'c, F: Float>(
        &self,
        cx: &'c mut Context<'_, F>,
        x: &Var<F>,
    ) -> Result<(&'c Var<F>, Option<&'c Var<F>>)> {
        misfit::features(cx, x, &self.input)?;
        cx.prepare(self.weight);
        if let Some(bias) = self.bias {
            cx.prepare(bias);
        }
        let cx = &*cx;
        Ok((
            cx.prepared(self.weight),
            self.bias.map(|id| cx.prepared(id)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Params;
    use fb_tensor::Tensor;
    use fb_tensor::random::Key;

    fn build(dense: Dense, shape: &[usize]) -> Result<(Built<f32>, Params<f32>)> {
        let mut scope = Scope::new(Key::new(7));
        scope.enter("hidden");
        let built = dense.build(&mut scope, &[Spec::float(shape)])?;
        Ok((built, scope.into_params()))
    }

    #[test]
    fn parameters_shapes_and_description() {
        let (built, params) =
            build(Dense::new(8).activation(Activation::Sigmoid), &[5, 2]).unwrap();
        assert_eq!(built.output, Spec::float([5, 8]));
        assert_eq!(built.sum, Some([5, 8].into()));
        assert_eq!(built.description, "Dense 2 -> 8 sigmoid");
        let named: Vec<_> = params
            .iter()
            .map(|(_, p)| (p.name(), p.role(), p.value.shape().to_string()))
            .collect();
        assert_eq!(
            named,
            [
                ("hidden/weight", Role::Weight, "[2, 8]".to_owned()),
                ("hidden/bias", Role::Bias, "[8]".to_owned())
            ]
        );
        let (built, params) = build(Dense::new(3).bias(false), &[2]).unwrap();
        assert_eq!(
            (params.len(), built.description.as_str()),
            (1, "Dense 2 -> 3")
        );
    }

    #[test]
    fn start_values_follow_the_configuration_and_the_seed() {
        let dense = Dense::new(4)
            .weight_init(Initializer::identity())
            .bias_init(Initializer::Constant(0.5));
        let (_, params) = build(dense, &[4]).unwrap();
        assert_eq!(
            params.by_name("hidden/weight").unwrap().value,
            Tensor::eye(4)
        );
        assert_eq!(
            params.by_name("hidden/bias").unwrap().value.to_vec(),
            [0.5; 4]
        );
        let (_, a) = build(Dense::new(4), &[4]).unwrap();
        let (_, b) = build(Dense::new(4), &[4]).unwrap();
        assert_eq!(
            a.by_name("hidden/weight").unwrap().value,
            b.by_name("hidden/weight").unwrap().value
        );
    }

    #[test]
    fn a_forward_pass_records_one_node_for_the_sum_and_its_activation() {
        let (built, params) = build(Dense::new(3).activation(Activation::Tanh), &[2]).unwrap();
        let tape = fb_autograd::Tape::new();
        let mut cx = Context::new(&params, tape.clone(), crate::Mode::Train);
        let x = Var::constant(Tensor::ones([4, 2]));
        built
            .module
            .as_simple()
            .unwrap()
            .forward(&mut cx, &x)
            .unwrap();
        assert_eq!(tape.len(), 3, "two leaves and one operation");
    }

    #[test]
    fn what_cannot_be_built_says_why() {
        assert_eq!(
            build(Dense::new(0), &[2]).unwrap_err().to_string(),
            "layer \"hidden\" (Dense): expected at least 1 unit, found 0\n  \
             help: Dense::new(n) gives n numbers per sample"
        );
        assert_eq!(
            build(Dense::new(1), &[]).unwrap_err().to_string(),
            "layer \"hidden\" (Dense): expected features along a last axis, found [batch]\n  \
             help: give each number an axis of its own: the input is [batch, 1] then"
        );
        assert_eq!(
            build(
                Dense::new(1).weight_init(Initializer::HeNormal { gain: -1.0 }),
                &[2]
            )
            .unwrap_err()
            .to_string(),
            "He normal initializer of \"hidden/weight\": expected a finite gain above 0, found -1"
        );
        assert!(
            build(Dense::new(usize::MAX), &[2])
                .unwrap_err()
                .to_string()
                .contains("more elements than memory")
        );
    }

    #[test]
    fn inputs_it_was_not_built_for_are_errors() {
        let (built, params) = build(Dense::new(3), &[2]).unwrap();
        let mut cx = Context::eval(&params);
        cx.enter_layer("hidden");
        let forward = |cx: &mut Context<'_, f32>, x: Tensor| {
            built
                .module
                .as_simple()
                .unwrap()
                .forward(cx, &Var::constant(x))
                .map(|y| y.dims().to_vec())
        };
        assert_eq!(
            forward(&mut cx, Tensor::ones([4, 3]))
                .unwrap_err()
                .to_string(),
            "layer \"hidden\": expected numbers [batch, 2], found [4, 3]\n  \
             help: the last axis holds the features, the first the batch"
        );
        assert!(forward(&mut cx, Tensor::ones([2])).is_err());
        assert_eq!(forward(&mut cx, Tensor::ones([0, 2])).unwrap(), [0, 3]);
        assert_eq!(
            forward(&mut cx, Tensor::ones([4, 7, 2])).unwrap(),
            [4, 7, 3],
            "another length along other axes"
        );
    }
}
