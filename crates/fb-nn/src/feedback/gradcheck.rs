//! The gradient of a whole network, under any schedule and strategy, against differences.
//!
//! Every trainable parameter and every input of numbers is moved along random directions, and what the loss does is compared
//! with what the gradient says ([`fb_autograd::gradcheck`]). [`Bptt`](super::gradient::Bptt),
//! [`Checkpointed`](super::gradient::Checkpointed), [`Rtrl`](super::gradient::Rtrl) and, at a fixed point,
//! [`Implicit`](super::gradient::Implicit) agree to rounding. [`LastK`](super::gradient::LastK),
//! [`Truncated`](super::gradient::Truncated) and [`Phantom`](super::gradient::Phantom) leave something out, and
//! [`GradCheck::measure`] says how much.

use super::Network;
use super::gradient::GradientStrategy;
use super::network::{RunOptions, Trajectory};
use super::schedule::AnySchedule;
use crate::error::{Error, Result};
use crate::module::{Context, Value};
use crate::param::ParamId;
use fb_autograd::gradcheck::{Comparison, GradCheck as Differences};
use fb_autograd::{Tape, Var};
use fb_tensor::Tensor;
use fb_tensor::random::Key;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

/// How far differences reach: [`Differences::step`]'s default.
const STEP: f64 = 1e-5;

/// Slopes below this share of the network's steepest are compared relative to it: they are rounding of the differences.
const FLAT: f64 = 1e-4;

/// Checks the gradient that `strategy` gives on a network against differences of its loss, with the settings of
/// [`GradCheck::of`]. `loss` is given all outputs of the last iteration.
///
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::feedback::gradcheck::gradcheck;
/// use fb_nn::feedback::gradient::{Bptt, LastK};
/// use fb_nn::feedback::schedule::Unroll;
/// use fb_nn::layers::{Activation, Dense};
/// use fb_tensor::Tensor;
///
/// let network = Sequential::input([2])
///     .layer("hidden", Dense::new(3).activation(Activation::Tanh))
///     .feedback("hidden", "hidden")
///     .schedule(Unroll::iterations(5))
///     .build_as::<f64>()?;
/// let x = [Tensor::from([[0.5, -1.0], [2.0, 0.1]]).into()];
/// let report = gradcheck(&network, &x, Bptt, |y| y[0].as_float().unwrap().square().sum())?;
/// assert!(report.worst().deviation < 1e-6);
/// let wrong = gradcheck(&network, &x, LastK(1), |y| y[0].as_float().unwrap().square().sum());
/// assert!(wrong.unwrap_err().to_string().contains("under LastK"));
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # Errors
/// As [`GradCheck::check`].
pub fn gradcheck(
    network: &Network<f64>,
    inputs: &[Value<f64>],
    strategy: impl GradientStrategy<f64> + 'static,
    loss: impl Fn(&[Value<f64>]) -> Var<f64>,
) -> Result<Report> {
    GradCheck::of(strategy).check(network, inputs, |run| {
        loss(&run.all_outputs(run.outputs().len() - 1))
    })
}

/// A comparison of a network's gradient with differences.
///
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::feedback::gradcheck::GradCheck;
/// use fb_nn::feedback::gradient::Phantom;
/// use fb_nn::feedback::schedule::Converge;
/// use fb_nn::layers::{Activation, Dense};
/// use fb_tensor::Tensor;
///
/// let network = Sequential::input([2])
///     .layer("z", Dense::new(4).activation(Activation::Tanh))
///     .feedback("z", "z")
///     .delay(0)
///     .schedule(Converge::to(1e-4))
///     .build_as::<f64>()?;
/// let x = [Tensor::from([[0.5, -1.0], [2.0, 0.1]]).into()];
/// // Differences reach 1e-5, so that the loop must come to rest far more exactly than for training.
/// let report = GradCheck::of(Phantom::one_step())
///     .schedule(&Converge::to(1e-13).max_iterations(200))
///     .measure(&network, &x, |run| run.last().as_float().unwrap().square().sum())?;
/// println!("{report}"); // by how much the cheap gradient is off, parameter by parameter
/// assert!(report.worst().deviation > 1e-3);
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GradCheck<'a> {
    options: RunOptions<'a, f64>,
    tolerance: f64,
    directions: usize,
}

impl<'a> GradCheck<'a> {
    /// Of this strategy under the network's own schedule; tolerance 1e-6, three directions of each parameter.
    pub fn of(strategy: impl GradientStrategy<f64> + 'static) -> Self {
        Self::with(RunOptions {
            gradient: Some(Arc::new(strategy)),
            ..RunOptions::default()
        })
    }

    /// Of runs with these options; without a strategy in them, of the schedule's default.
    pub fn with(options: RunOptions<'a, f64>) -> Self {
        Self {
            options,
            tolerance: 1e-6,
            directions: 3,
        }
    }

    /// Runs with this schedule instead of the topology's.
    #[must_use]
    pub fn schedule(mut self, schedule: &'a dyn AnySchedule) -> Self {
        self.options.schedule = Some(schedule);
        self
    }

    /// The largest [deviation](Deviation::deviation) that [`GradCheck::check`] accepts.
    #[must_use]
    pub fn tolerance(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    /// How many random directions are tried for each parameter and input, at least 1.
    #[must_use]
    pub fn directions(self, directions: usize) -> Self {
        Self { directions, ..self }
    }

    /// Compares, and fails where a deviation is above the tolerance.
    ///
    /// # Errors
    /// As [`GradCheck::measure`]; or [`Error::Gradient`], which names the parameter that is farthest off.
    pub fn check(
        &self,
        network: &Network<f64>,
        inputs: &[Value<f64>],
        loss: impl Fn(&Trajectory<f64>) -> Var<f64>,
    ) -> Result<Report> {
        let report = self.measure(network, inputs, loss)?;
        if report.passed() {
            return Ok(report);
        }
        let worst = report.worst();
        let beyond = |d: &&Deviation| exceeds(d.deviation, report.tolerance);
        let failed = report.deviations.iter().filter(beyond).count();
        let all = report.deviations.len();
        Err(Error::Gradient {
            parameter: worst.name.clone(),
            strategy: report.strategy,
            expected: format!("{:.8e} along a random direction", worst.difference),
            found: format!(
                "{:.8e}: off by {:.2e} of the slope, and {failed} of {all} beyond {:.0e}",
                worst.gradient, worst.deviation, report.tolerance
            ),
            help: if worst.kink {
                "the loss has a kink there, such as a rectifier at 0: check at other inputs or weights"
            } else {
                "LastK, Truncated and Phantom are not exact, and GradCheck::measure shows by how much; otherwise a derivative is \
                 wrong, or a solver stops too early: run Converge::to(1e-13), and Implicit with .tolerance(1e-12)"
            }
            .to_owned(),
        })
    }

    /// Compares, and judges nothing. The network runs as in training, with the same random numbers each time.
    ///
    /// # Errors
    /// A run fails, the loop does not come near enough to rest for differences to mean something, or a value is not finite.
    pub fn measure(
        &self,
        network: &Network<f64>,
        inputs: &[Value<f64>],
        loss: impl Fn(&Trajectory<f64>) -> Var<f64>,
    ) -> Result<Report> {
        let points = Points::of(network, inputs);
        let constants: Vec<Var<f64>> = points.values.iter().cloned().map(Var::constant).collect();
        let first = self.run(network, inputs, &points, &constants)?;
        self.check_rest(&first)?;
        let failed = RefCell::new(None);
        let f = |vars: &[Var<f64>]| match self.run(network, inputs, &points, vars) {
            Ok(run) => loss(&run),
            Err(error) => {
                failed.borrow_mut().get_or_insert(error);
                Var::constant(Tensor::from_scalar(f64::NAN))
            }
        };
        let compared = Differences::new()
            .step(STEP)
            .tolerance(f64::INFINITY)
            .directions(self.directions.max(1))
            .check(f, &points.values);
        if let Some(error) = failed.into_inner() {
            return Err(error);
        }
        let compared = compared.map_err(|error| Error::Data {
            place: format!("the gradient check of {}", first.gradient_used()),
            expected: "a loss that can be compared".to_owned(),
            found: error.to_string(),
            help: String::new(),
        })?;
        Ok(Report::new(
            first.gradient_used(),
            self.tolerance,
            points.names,
            compared.comparisons(),
        ))
    }

    /// The network at these values of its parameters and inputs.
    fn run(
        &self,
        network: &Network<f64>,
        inputs: &[Value<f64>],
        points: &Points,
        vars: &[Var<f64>],
    ) -> Result<Trajectory<f64>> {
        let tape = vars.iter().find_map(Var::tape);
        let tape = tape.unwrap_or_else(Tape::no_grad);
        let mut cx = Context::train(network.params(), tape, Key::new(0), 0);
        let (weights, entered) = vars.split_at(points.params.len());
        for (id, var) in points.params.iter().zip(weights) {
            cx.bind(*id, var.clone());
        }
        let mut entered = entered.iter();
        let inputs: Vec<Value<f64>> = inputs
            .iter()
            .map(|input| match input {
                Value::Float(_) => {
                    Value::Float(entered.next().expect("one for each input").clone())
                }
                other => other.clone(),
            })
            .collect();
        network.run_all(&mut cx, &inputs, &self.options)
    }

    /// What a solver leaves over must not be seen in differences.
    fn check_rest(&self, run: &Trajectory<f64>) -> Result<()> {
        let most = 1e-6 * STEP;
        let reports = run.solver_reports().iter();
        let worst = reports.filter_map(|report| report.worst());
        match worst.map(|(_, residual)| residual).find(|r| exceeds(*r, most)) {
            None => Ok(()),
            Some(residual) => Err(Error::Config {
                what: "the gradient check of a loop that comes to rest".to_owned(),
                expected: format!(
                    "a residual of at most {most:.0e}, since differences reach {STEP:.0e}"
                ),
                found: format!("{residual:.1e}"),
                help: "check with .schedule(&Converge::to(1e-13).max_iterations(500)); if that does not help, the loop does \
                       not settle at these weights"
                    .to_owned(),
            }),
        }
    }
}

/// Whether a number is too large; NaN is.
fn exceeds(number: f64, most: f64) -> bool {
    number.is_nan() || number > most
}

/// What is moved: trainable parameters, then inputs of numbers.
struct Points {
    params: Vec<ParamId>,
    names: Vec<String>,
    values: Vec<Tensor<f64>>,
}

impl Points {
    fn of(network: &Network<f64>, inputs: &[Value<f64>]) -> Self {
        let trained = || network.params().iter().filter(|(_, p)| p.trainable());
        let mut points = Self {
            params: trained().map(|(id, _)| id).collect(),
            names: trained().map(|(_, p)| p.name().to_owned()).collect(),
            values: trained().map(|(_, p)| p.value.clone()).collect(),
        };
        let names = network.input_specs().map(|(name, _)| name);
        for (name, input) in names.zip(inputs) {
            if let Value::Float(var) = input {
                points.names.push(name.to_owned());
                points.values.push(var.tensor().clone());
            }
        }
        points
    }
}

/// How far the gradient by one parameter or input is off.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Deviation {
    /// The parameter's path, or the input's name.
    pub name: String,
    /// The slope of the loss along the direction where the two differ most, as the gradient has it.
    pub gradient: f64,
    /// The same as a central difference.
    pub difference: f64,
    /// How much they differ, relative to the largest slope along a direction of this parameter, or to 1e-4 of the largest
    /// slope of all where that is more.
    pub deviation: f64,
    /// Whether the loss has a kink there, so that neither means much.
    pub kink: bool,
}

/// How far a strategy's gradient is off, parameter by parameter. Its text is a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    strategy: &'static str,
    tolerance: f64,
    deviations: Vec<Deviation>,
}

impl Report {
    fn new(
        strategy: &'static str,
        tolerance: f64,
        names: Vec<String>,
        comparisons: &[Comparison],
    ) -> Self {
        let slope = |c: &Comparison| c.tape.abs().max(c.central.abs());
        let gap = |c: &Comparison| (c.tape - c.central).abs();
        let steepest = comparisons.iter().map(slope).fold(0.0, f64::max);
        let deviations = names.into_iter().enumerate().map(|(input, name)| {
            let own = || comparisons.iter().filter(|c| c.input == input);
            let worst = own()
                .max_by(|a, b| gap(a).total_cmp(&gap(b)))
                .expect("at least one direction");
            let scale = own().map(slope).fold(FLAT * steepest, f64::max);
            Deviation {
                name,
                gradient: worst.tape,
                difference: worst.central,
                deviation: if scale > 0.0 { gap(worst) / scale } else { 0.0 },
                kink: own().any(|c| c.kink),
            }
        });
        Self {
            strategy,
            tolerance,
            deviations: deviations.collect(),
        }
    }

    /// The kind of the gradient strategy that was really used.
    pub fn strategy(&self) -> &'static str {
        self.strategy
    }

    /// One for each trainable parameter, then one for each input of numbers.
    pub fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }

    /// That of a parameter or input.
    pub fn get(&self, name: &str) -> Option<&Deviation> {
        self.deviations.iter().find(|d| d.name == name)
    }

    /// The largest.
    ///
    /// # Panics
    /// If the network has neither trainable parameters nor inputs of numbers.
    #[track_caller]
    pub fn worst(&self) -> &Deviation {
        self.deviations
            .iter()
            .max_by(|a, b| a.deviation.total_cmp(&b.deviation))
            .expect("there is something to take a gradient by")
    }

    /// Whether all are within the tolerance.
    pub fn passed(&self) -> bool {
        !self
            .deviations
            .iter()
            .any(|d| exceeds(d.deviation, self.tolerance))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.deviations.iter().map(|d| d.name.chars().count());
        let width = names.max().unwrap_or(0).max(self.strategy.len());
        write!(
            f,
            "{:<width$}      gradient    difference  deviation",
            self.strategy
        )?;
        for d in &self.deviations {
            let mark = match (d.kink, exceeds(d.deviation, self.tolerance)) {
                (true, _) => "  kink",
                (false, true) => "  *",
                (false, false) => "",
            };
            write!(
                f,
                "\n{:<width$}  {:>12.6}  {:>12.6}  {:>9.1e}{mark}",
                d.name, d.gradient, d.difference, d.deviation
            )?;
        }
        Ok(())
    }
}
