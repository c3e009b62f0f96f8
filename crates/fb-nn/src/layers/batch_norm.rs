//! Features brought to mean 0 and variance 1 over the batch.

use super::misfit;
use super::norm::{Affine, check_epsilon};
use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::module::{Built, Context, Layer, Mode, Scope, SimpleModule, Spec, Streaming, simple};
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::{Float, Shape, Tensor};
use serde::{Deserialize, Serialize};

/// Brings each feature to mean 0 and variance 1, then scales and shifts it: in training over the batch and all positions,
/// in evaluation by running statistics.
///
/// `y = weight · (x − mean) / √(variance + epsilon) + bias`
///
/// **Running statistics** are buffers: `running = (1 − momentum) · running + momentum · of the batch`, with momentum 0.1
/// and the unbiased variance, as in PyTorch. Keras names the other share: its `momentum=0.99` is 0.01 here. Epsilon is
/// 10⁻⁵ (Keras: 10⁻³).
///
/// **In a loop** each iteration is one use, as if a PyTorch module were called that often: in training it is normalised by
/// its own statistics of the batch, and updates the running ones in its turn, so that `n` iterations move them by
/// `1 − (1 − momentum)ⁿ`. In evaluation all iterations see the same running statistics, which fit none of them where
/// iterations differ much. [`BatchNorm::per_iteration`] keeps statistics for each of the first iterations apart, scale and
/// bias shared; [`LayerNorm`](super::LayerNorm), [`GroupNorm`](super::GroupNorm) and [`RmsNorm`](super::RmsNorm)
/// do without statistics and are the same in both modes.
///
/// **Frozen** ([`Params::freeze`](crate::Params::freeze) with the layer's name) it uses the running statistics in training
/// too, and leaves them as they are, as in Keras.
///
/// # Shapes
/// - `x`: `[batch, …, features]`; in training more than one number for each feature
/// - `weight`, `bias`, `running_mean`, `running_variance`: `[features]`, from 1, 0, 0, 1; the last two
///   `[iterations, features]` with statistics per iteration
/// - returns the shape of `x`
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::{BatchNorm, Dense};
/// let network = Sequential::input([4])
///     .layer("hidden", Dense::new(8).bias(false))
///     .layer("norm", BatchNorm::new())
///     .build()?;
/// assert!(network.params().id("norm/running_mean").is_some());
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// S. Ioffe, C. Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate shift",
/// ICML 2015, algorithms 1 and 2; per iteration: T. Cooijmans, N. Ballas, C. Laurent, Ç. Gülçehre, A. Courville, "Recurrent
/// batch normalization", ICLR 2017, section 3, and J. Kubilius et al., "Brain-like object recognition with high-performing
/// shallow recurrent ANNs" (CORnet-S), NeurIPS 2019.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNorm {
    momentum: f64,
    epsilon: f64,
    scale: bool,
    bias: bool,
    /// How many iterations have statistics of their own; none in files that are older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iterations: Option<usize>,
}

impl Default for BatchNorm {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchNorm {
    /// With momentum 0.1 and a scale and a bias for each feature.
    pub fn new() -> Self {
        Self {
            momentum: 0.1,
            epsilon: 1e-5,
            scale: true,
            bias: true,
            iterations: None,
        }
    }

    /// The share of the running statistics that a batch replaces, PyTorch's convention: above 0, up to 1.
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// What is added to the variance.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    /// Whether each feature has a learned scale.
    #[must_use]
    pub fn scale(self, scale: bool) -> Self {
        Self { scale, ..self }
    }

    /// Whether each feature has a learned bias.
    #[must_use]
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    /// Running statistics of their own for each of the first so many iterations of a loop; later iterations use those of the
    /// last, and outside of loops those of the first stand.
    ///
    /// ```
    /// use fb_nn::Sequential;
    /// use fb_nn::feedback::schedule::Unroll;
    /// use fb_nn::layers::{BatchNorm, Dense};
    /// let network = Sequential::input([4])
    ///     .layer("hidden", Dense::new(8).bias(false))
    ///     .layer("norm", BatchNorm::new().per_iteration(3))
    ///     .feedback("norm", "hidden")
    ///     .schedule(Unroll::iterations(3))
    ///     .build()?;
    /// assert_eq!(network.params().by_name("norm/running_mean").unwrap().value.dims(), [3, 8]);
    /// # Ok::<(), fb_nn::Error>(())
    /// ```
    #[must_use]
    pub fn per_iteration(self, iterations: usize) -> Self {
        Self {
            iterations: Some(iterations),
            ..self
        }
    }
}

impl Layer for BatchNorm {
    const KIND: &'static str = "BatchNorm";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        check_epsilon(scope, Self::KIND, self.epsilon)?;
        if !(self.momentum > 0.0 && self.momentum <= 1.0) {
            return Err(scope.error(
                Self::KIND,
                "a momentum above 0 and up to 1",
                self.momentum.to_string(),
                "it is the share that a batch replaces: Keras's 0.99 is 0.01 here",
            ));
        }
        if self.iterations == Some(0) {
            let help = "leave .per_iteration() out for statistics that all iterations share";
            return Err(scope.error(Self::KIND, "statistics of 1 iteration or more", "0", help));
        }
        let wanted = "[batch, …, features]";
        let (shape, features) = scope.features(Self::KIND, inputs, 1..=5, wanted)?;
        let affine = Affine::build(scope, features, self.scale, self.bias)?;
        let ones = Initializer::Constant(1.0);
        let statistics = match self.iterations {
            Some(iterations) => Shape::try_new(&[iterations, features])?,
            None => [features].into(),
        };
        let mut buffer = |name, init| scope.param(name, statistics, init, Role::Buffer);
        Ok(Built {
            module: simple(BatchNormModule {
                affine,
                running_mean: buffer("running_mean", &Initializer::Zeros)?,
                running_variance: buffer("running_variance", &ones)?,
                momentum: self.momentum,
                epsilon: self.epsilon,
                input: shape,
                iterations: self.iterations,
            }),
            output: Spec::float(shape),
            sum: None,
            description: match self.iterations {
                Some(iterations) => format!("BatchNorm {features}, {iterations} iterations apart"),
                None => format!("BatchNorm {features}"),
            },
        })
    }
}

#[derive(Debug)]
struct BatchNormModule {
    affine: Affine,
    running_mean: ParamId,
    running_variance: ParamId,
    momentum: f64,
    epsilon: f64,
    input: Shape,
    iterations: Option<usize>,
}

impl<F: Float> SimpleModule<F> for BatchNormModule {
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        misfit::features(cx, x, &self.input)?;
        let (weight, bias) = self.affine.values(cx);
        let (weight, bias) = (weight.as_ref(), bias.as_ref());
        if cx.mode() == Mode::Eval || cx.params().get(self.running_mean).is_frozen() {
            let stored = |id| self.of_iteration(cx, &cx.params().get(id).value);
            let (mean, variance) = (stored(self.running_mean), stored(self.running_variance));
            return Ok(x.batch_norm_with(&mean, &variance, weight, bias, self.epsilon));
        }
        let features = self.input[self.input.len() - 1];
        let numbers = x.tensor().len() / features;
        if numbers < 2 {
            return Err(Error::Data {
                place: cx.place(),
                expected: "more than one number for each feature in training".to_owned(),
                found: x.shape().to_string(),
                help: "the statistics of one number say nothing: use a larger batch, or freeze the layer"
                    .to_owned(),
            });
        }
        let (y, mean, variance) = x.batch_norm(weight, bias, self.epsilon);
        self.update(cx, self.running_mean, mean);
        let unbiased = numbers as f64 / (numbers - 1) as f64;
        self.update(cx, self.running_variance, variance * F::from_f64(unbiased));
        Ok(y)
    }

    fn streaming(&self) -> Streaming<'_, F> {
        Streaming::Pointwise
    }

    fn shares_batch_statistics(&self) -> bool {
        self.iterations.is_none()
    }
}

impl BatchNormModule {
    /// Which statistics the running iteration uses, of those that are kept apart.
    fn row<F: Float>(&self, cx: &Context<'_, F>) -> Option<usize> {
        let iteration = cx.iteration().unwrap_or(1);
        Some(iteration.clamp(1, self.iterations?) - 1)
    }

    /// The part of a buffer that the running iteration uses.
    fn of_iteration<F: Float>(&self, cx: &Context<'_, F>, buffer: &Tensor<F>) -> Tensor<F> {
        match self.row(cx) {
            Some(row) => buffer.index_axis(0, row),
            None => buffer.clone(),
        }
    }

    fn update<F: Float>(&self, cx: &mut Context<'_, F>, id: ParamId, of_batch: Tensor<F>) {
        let kept = self.of_iteration(cx, cx.buffer(id)) * F::from_f64(1.0 - self.momentum);
        let moved = kept + of_batch * F::from_f64(self.momentum);
        let value = match self.row(cx) {
            None => moved,
            Some(row) => {
                let mut all = cx.buffer(id).clone();
                let features = moved.len();
                let own = &mut all.make_mut()[row * features..][..features];
                own.iter_mut().zip(moved.iter()).for_each(|(to, x)| *to = x);
                all
            }
        };
        cx.update_buffer(id, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sequential;
    use fb_autograd::Tape;
    use fb_tensor::random::Key;

    #[test]
    fn bad_configurations_are_errors() {
        let error = |layer: BatchNorm| {
            Sequential::input([3])
                .layer("norm", layer)
                .build()
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            error(BatchNorm::new().momentum(0.0)),
            "layer \"norm\" (BatchNorm): expected a momentum above 0 and up to 1, found 0\n  \
             help: it is the share that a batch replaces: Keras's 0.99 is 0.01 here"
        );
        for (epsilon, found) in [(f64::NAN, "NaN"), (1e-300, "1e-300"), (1e300, "1e300")] {
            let text = error(BatchNorm::new().epsilon(epsilon));
            let expected = format!("expected a finite epsilon above 0 in f32, found {found}\n");
            assert!(text.contains(&expected), "{text}");
        }
    }

    #[test]
    fn frozen_it_uses_and_keeps_the_running_statistics() {
        let mut network = Sequential::input([3])
            .layer("norm", BatchNorm::new())
            .build()
            .unwrap();
        let mean = network.params().id("norm/running_mean").unwrap();
        network.params_mut().get_mut(mean).value = Tensor::from([1.0, 2.0, 3.0]);
        let x = Var::constant(Tensor::normal([4, 3], 0.0, 1.0, &mut Key::new(1).rng()));
        let run = |network: &crate::Network, mode| {
            let mut cx = Context::new(network.params(), Tape::new(), mode);
            let y = network.forward(&mut cx, x.clone()).unwrap();
            (
                y.as_float().unwrap().tensor().clone(),
                cx.take_buffer_updates().len(),
            )
        };
        let (evaluated, none) = run(&network, Mode::Eval);
        let (trained, two) = run(&network, Mode::Train);
        assert!((evaluated.clone() - &trained).norm() > 0.1);
        assert_eq!((none, two), (0, 2));
        network.params_mut().freeze("norm").unwrap();
        assert_eq!(run(&network, Mode::Train), (evaluated, 0));
    }

    #[test]
    fn iterations_have_statistics_of_their_own() {
        use crate::feedback::schedule::Unroll;
        use crate::layers::Dense;
        let build = |norm: BatchNorm, iterations| {
            Sequential::input([3])
                .layer("hidden", Dense::new(4))
                .layer("norm", norm.momentum(1.0))
                .feedback("norm", "hidden")
                .schedule(Unroll::iterations(iterations))
                .seed(5)
                .build_as::<f64>()
                .unwrap()
        };
        let x = Var::constant(Tensor::normal([6, 3], 0.0, 1.0, &mut Key::new(1).rng()));
        let run = |network: &crate::Network<f64>, mode| {
            let mut cx = Context::new(network.params(), Tape::no_grad(), mode);
            let y = network.forward(&mut cx, x.clone()).unwrap();
            let y = y.as_float().unwrap().tensor().clone();
            (y, cx.take_buffer_updates())
        };
        let mut apart = build(BatchNorm::new().per_iteration(3), 3);
        let mut shared = build(BatchNorm::new(), 3);
        for network in [&mut apart, &mut shared] {
            for (id, value) in run(network, Mode::Train).1 {
                network.params_mut().get_mut(id).value = value;
            }
        }
        // With momentum 1 the statistics are those of the batch, but for the unbiased variance: 6/5 of the biased one.
        let id = apart.params().id("norm/running_variance").unwrap();
        let biased = &apart.params().get(id).value * (5.0 / 6.0);
        assert_eq!(biased.dims(), [3, 4]);
        apart.params_mut().get_mut(id).value = biased.clone();
        let (trained, _) = run(&apart, Mode::Train);
        assert!((run(&apart, Mode::Eval).0 - &trained).abs().max() < 1e-12);
        let rows = |i, j| (biased.index_axis(0, i) - biased.index_axis(0, j)).norm();
        assert!(rows(0, 1) > 1e-3 && rows(1, 2) > 1e-3, "iterations differ");
        let id = shared.params().id("norm/running_variance").unwrap();
        shared.params_mut().get_mut(id).value = &shared.params().get(id).value * (5.0 / 6.0);
        assert!((run(&shared, Mode::Eval).0 - trained).abs().max() > 1e-3);

        // Iterations beyond use the last statistics, and leave those of the first alone.
        let longer = build(BatchNorm::new().per_iteration(2), 4);
        let two = build(BatchNorm::new().per_iteration(2), 2);
        let id = two.params().id("norm/running_variance").unwrap();
        let variances = |network| {
            let updates = run(network, Mode::Train).1;
            updates.into_iter().find(|(at, _)| *at == id).unwrap().1
        };
        let (longer, two) = (variances(&longer), variances(&two));
        assert_eq!(longer.index_axis(0, 0), two.index_axis(0, 0));
        assert!((longer.index_axis(0, 1) - two.index_axis(0, 1)).norm() > 1e-3);

        let error = Sequential::input([3])
            .layer("norm", BatchNorm::new().per_iteration(0))
            .build();
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("expected statistics of 1 iteration or more, found 0"),
            "{text}"
        );
        let old = r#"{"momentum": 0.1, "epsilon": 1e-5, "scale": true, "bias": true}"#;
        assert_eq!(
            serde_json::from_str::<BatchNorm>(old).unwrap(),
            BatchNorm::new()
        );
    }

    #[test]
    fn layers_say_whether_they_share_batch_statistics() {
        use crate::layers::{Dense, Residual, Skip};
        use crate::module::{AnyLayer, Scope};
        use std::sync::Arc;
        let shares = |layer: Arc<dyn AnyLayer>| {
            let mut scope = Scope::<f32>::new(Key::new(0));
            let built = layer.build(&mut scope, &[Spec::float([3])]).unwrap();
            built.module.shares_batch_statistics()
        };
        let (shared, apart) = (BatchNorm::new(), BatchNorm::new().per_iteration(2));
        assert!(
            shares(Arc::new(shared))
                && !shares(Arc::new(apart))
                && !shares(Arc::new(Dense::new(3)))
        );
        assert!(shares(Arc::new(Residual::new().layer("norm", shared))));
        assert!(shares(Arc::new(
            Residual::new()
                .layer("norm", apart)
                .shortcut("other", shared)
        )));
        assert!(!shares(Arc::new(Residual::new().layer("norm", apart))));
        let within = Skip::new().layer("inner", Skip::new().layer("norm", shared));
        assert!(shares(Arc::new(within)));
    }

    #[test]
    fn one_number_has_no_variance() {
        let network = Sequential::input([3])
            .layer("norm", BatchNorm::new())
            .build()
            .unwrap();
        let mut cx = Context::new(network.params(), Tape::new(), Mode::Train);
        let error = network
            .forward(&mut cx, Var::constant(Tensor::ones([1, 3])))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "layer \"norm\": expected more than one number for each feature in training, found [1, 3]\n  \
             help: the statistics of one number say nothing: use a larger batch, or freeze the layer"
        );
    }
}
