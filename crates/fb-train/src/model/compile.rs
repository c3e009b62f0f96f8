//! From a network to something that can be trained.

use super::{Clock, LossOn, Model};
use crate::error::{Error, Result};
use crate::metrics::Metric;
use fb_autograd::Tape;
use fb_nn::optim::OptimizerState;
use fb_nn::{Loss, Network, Optimizer};
use fb_tensor::Float;
use std::collections::HashSet;

/// Gives networks the method `compile`.
pub trait Compile<F: Float> {
    /// Joins a network with an optimizer, a loss and metrics.
    ///
    /// ```
    /// use fb_nn::layers::Dense;
    /// use fb_nn::loss::MeanSquaredError;
    /// use fb_nn::optim::Adam;
    /// use fb_nn::Sequential;
    /// use fb_train::Compile;
    ///
    /// let network = Sequential::input([3]).layer("output", Dense::new(1)).build()?;
    /// let model = network.compile(Adam::new(0.01), MeanSquaredError, ())?;
    /// assert_eq!(model.epochs_trained(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A setting of the optimizer is outside its domain, or two metrics have the same name.
    fn compile(
        self,
        optimizer: impl Optimizer<F> + 'static,
        loss: impl Loss<F> + 'static,
        metrics: impl IntoMetrics<F>,
    ) -> Result<Model<F>>;
}

impl<F: Float> Compile<F> for Network<F> {
    fn compile(
        self,
        optimizer: impl Optimizer<F> + 'static,
        loss: impl Loss<F> + 'static,
        metrics: impl IntoMetrics<F>,
    ) -> Result<Model<F>> {
        optimizer.validate()?;
        loss.validate()?;
        let metrics = metrics.into_metrics();
        let mut names = HashSet::from(["loss".to_owned()]);
        for metric in &metrics {
            if !names.insert(metric.name().to_owned()) {
                return Err(Error::DuplicateMetric {
                    name: metric.name().to_owned(),
                });
            }
        }
        Ok(Model {
            optimizer_state: OptimizerState::default(),
            network: self,
            optimizer: Box::new(optimizer),
            loss: Box::new(loss),
            metrics,
            gradient: None,
            loss_on: LossOn::Last,
            clip: None,
            penalties: Vec::new(),
            jacobian_penalty: None,
            average: None,
            tape: Tape::new(),
            lists: Default::default(),
            clock: Clock::default(),
        })
    }
}

/// Metrics as `compile` takes them: `()`, a tuple such as `(Accuracy, Precision)`, or a list of boxes.
pub trait IntoMetrics<F: Float> {
    /// The metrics as a list.
    fn into_metrics(self) -> Vec<Box<dyn Metric<F>>>;
}

impl<F: Float> IntoMetrics<F> for Vec<Box<dyn Metric<F>>> {
    fn into_metrics(self) -> Vec<Box<dyn Metric<F>>> {
        self
    }
}

macro_rules! metrics_of_tuples {
    ($(($($metric:ident),*))*) => {
        $(
            impl<Fl: Float, $($metric: Metric<Fl> + 'static),*> IntoMetrics<Fl> for ($($metric,)*) {
                #[allow(non_snake_case)]
                fn into_metrics(self) -> Vec<Box<dyn Metric<Fl>>> {
                    let ($($metric,)*) = self;
                    vec![$(Box::new($metric)),*]
                }
            }
        )*
    };
}

metrics_of_tuples! { () (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, G) }
