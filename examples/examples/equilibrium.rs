//! Handwritten digits with an equilibrium layer, `z = tanh(W z + U x + b)`: what its gradients are good for, and what they cost.
//!
//! You will see, over three random starts (five with `--full`), the equilibrium layer under its exact gradient, four damped
//! phantom steps and one step, beside loops with the same weights unrolled 1, 2, 4, 8 and 16 times, a feed-forward network of
//! as many parameters and one of as much arithmetic: accuracy on held-out digits and what twice the iterations change in it,
//! evaluations and products with the Jacobian, the peak bytes of a training step, the spectral radius after training and the
//! share of validation digits that come to rest. Then how near the cheap gradients are to the exact one, how the memory of a
//! step grows with the iterations (it does not, at an equilibrium), and what all that says about this task. Two plots go to
//! `out/`: `equilibrium_iterations.svg` and `equilibrium_eigenvalues.svg`.
//!
//! ```text
//! cargo run --release --example equilibrium -- --quick
//! cargo run --release --example equilibrium
//! ```

use clap::Parser;
use fb::data::transform::{Fitted, MinMaxScaler, Transform};
use fb::nn::feedback::gradient::{GradientStrategy, Implicit, Phantom};
use fb::nn::feedback::network::RunOptions;
use fb::nn::feedback::schedule::{AnySchedule, Converge};
use fb::nn::feedback::solver::{Damped, Outcome};
use fb::nn::feedback::spectrum::{Arnoldi, Complex};
use fb::nn::loss::{Loss, Target};
use fb::nn::{Context, Value};
use fb::pool;
use fb::prelude::*;
use fb::tensor::random::Key;
use fb::train::plot::{EigenvaluePlot, TrajectoryChart};
use fb_examples::{Effort, Spread, Table, dense_multiply_adds, dense_parameters, nearest_width};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Parser)]
#[command(about = "Digits with an equilibrium layer, under several gradients")]
struct Args {
    #[command(flatten)]
    effort: Effort,
    /// The folder for plots.
    #[arg(long, default_value = "out")]
    out: PathBuf,
}

const CLASSES: usize = 10;
const PIXELS: usize = 64;
const BATCH: usize = 64;
/// The relative residual at which a loop is at rest.
const AT_REST: f64 = 1e-3;
const MAX_ITERATIONS: usize = 50;
/// Digits whose Jacobian is looked at.
const LOOKED_AT: usize = 32;

/// A way to train, and the networks that it makes.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Implicit,
    Phantom,
    OneStep,
    Unrolled(usize),
    /// Two hidden layers of this width.
    FeedForward(usize),
}

impl Way {
    fn name(self) -> String {
        match self {
            Self::Implicit => "equilibrium, implicit".to_owned(),
            Self::Phantom => "equilibrium, 4 damped steps".to_owned(),
            Self::OneStep => "equilibrium, one step".to_owned(),
            Self::Unrolled(1) => "unrolled 1, which is no loop".to_owned(),
            Self::Unrolled(times) => format!("unrolled {times}"),
            Self::FeedForward(width) => format!("feed-forward {width} + {width}"),
        }
    }

    fn is_equilibrium(self) -> bool {
        matches!(self, Self::Implicit | Self::Phantom | Self::OneStep)
    }

    fn has_loop(self) -> bool {
        !matches!(self, Self::Unrolled(1) | Self::FeedForward(_))
    }

    /// A single iteration would not reach the weights of the loop: it has a wider layer in their place.
    fn parameters(self, width: usize) -> usize {
        match self {
            Self::FeedForward(n) => dense_parameters(&[PIXELS, n, n, CLASSES]),
            Self::Unrolled(1) => dense_parameters(&[PIXELS, widened(width), CLASSES]),
            _ => dense_parameters(&[PIXELS, width, CLASSES]) + width * width,
        }
    }

    /// One layer with itself as input, and a readout.
    fn network(self, width: usize) -> Sequential {
        let z = |width| Dense::new(width).activation(Tanh);
        let input = Sequential::input([PIXELS]);
        let output = Dense::new(CLASSES);
        match self {
            Self::FeedForward(width) => input
                .layer("hidden1", z(width))
                .layer("hidden2", z(width))
                .layer("output", output),
            Self::Unrolled(1) => input.layer("z", z(widened(width))).layer("output", output),
            Self::Unrolled(times) => input
                .layer("z", z(width))
                .layer("output", output)
                .feedback("z", "z")
                .schedule(Unroll::iterations(times)),
            _ => input
                .layer("z", z(width))
                .layer("output", output)
                .feedback("z", "z")
                .delay(0)
                .schedule(Converge::to(AT_REST).max_iterations(MAX_ITERATIONS)),
        }
    }

    fn compile(self, network: Network) -> fb::Result<Model> {
        // Rate, decay and clipping were chosen for the implicit gradient on validation digits, and are the same for all.
        let optimizer = AdamW::new(1e-3).weight_decay(1e-2);
        let model = network.compile(optimizer, CrossEntropy, (Accuracy,))?;
        let model = model.clip(Clip::Norm(1.0));
        Ok(match self {
            Self::Phantom => model.gradient(damped_steps()),
            Self::OneStep => model.gradient(Phantom::one_step()),
            _ => model,
        })
    }

    /// Twice the iterations, which at an equilibrium are used to come nearer to it.
    fn longer(self) -> Option<Arc<dyn AnySchedule>> {
        match self {
            Self::Unrolled(1) | Self::FeedForward(_) => None,
            Self::Unrolled(times) => Some(Arc::new(Unroll::iterations(2 * times))),
            _ => Some(Arc::new(
                Converge::to(AT_REST / 1000.0).max_iterations(2 * MAX_ITERATIONS),
            )),
        }
    }
}

/// The width of one hidden layer with as many parameters as the loop of this width.
fn widened(width: usize) -> usize {
    let wanted = Way::Implicit.parameters(width);
    nearest_width(wanted, |n| dense_parameters(&[PIXELS, n, CLASSES]))
}

fn damped_steps() -> Phantom {
    Phantom::steps(4).damping(0.6)
}

/// Pixels and digits, divided and scaled.
struct Digits {
    train: (Tensor, Tensor<i64>),
    validation: (Tensor, Tensor<i64>),
    test: (Tensor, Tensor<i64>),
}

impl Digits {
    fn of(seed: u64) -> fb::Result<Self> {
        let (rest, test) = fb::data::embedded::digits()
            .split(0.2)
            .stratified()
            .seed(seed)?;
        let (train, validation) = rest.split(0.2).stratified().seed(seed)?;
        let scaler = MinMaxScaler::new().fit(train.x())?;
        let scaled = |set: &fb::data::Labelled| -> fb::Result<_> {
            Ok((scaler.transform(set.x())?, set.y().clone()))
        };
        Ok(Self {
            train: scaled(&train)?,
            validation: scaled(&validation)?,
            test: scaled(&test)?,
        })
    }

    /// The first training digits.
    fn batch(&self) -> (Tensor, Tensor<i64>) {
        let rows: Vec<usize> = (0..BATCH).collect();
        (
            self.train.0.select_rows(&rows),
            self.train.1.select_rows(&rows),
        )
    }
}

/// What one way gave from one seed.
struct Outcomes {
    accuracy: f64,
    /// What twice the iterations change in it.
    longer: Option<f64>,
    /// Evaluations of the loop for a test digit.
    forward: f64,
    /// Products with the Jacobian for a training digit.
    backward: f64,
    peak: usize,
    radius: Option<f64>,
    at_rest: Option<f64>,
    model: Model,
}

fn main() -> fb::Result<()> {
    let args = Args::parse();
    let width = args.effort.pick(64, 64, 128);
    let epochs = args.effort.pick(12, 90, 180);
    let wanted = Way::Implicit.parameters(width);
    let control = nearest_width(wanted, |n| dense_parameters(&[PIXELS, n, n, CLASSES]));
    println!(
        "{} digits, {PIXELS} pixels; z = tanh(W z + U x + b) of width {width}, {wanted} parameters; {epochs} epochs, batch {BATCH}\n",
        fb::data::embedded::digits().len()
    );

    let data = args.effort.seeds().map(Digits::of);
    let data: Vec<Digits> = data.collect::<fb::Result<_>>()?;
    let mut ways = vec![Way::Implicit, Way::Phantom, Way::OneStep];
    ways.extend([1, 2, 4, 8, 16].map(Way::Unrolled));
    ways.push(Way::FeedForward(control));
    let mut all = Vec::new();
    for way in ways {
        all.push((way, train(way, &args.effort, &data, width, epochs)?));
    }
    // As many multiply-adds as the loop makes for a test digit under its exact gradient.
    let evaluations = mean(all[0].1.iter().map(|found| found.forward));
    let work = dense_multiply_adds(&[PIXELS, width, CLASSES])
        + (evaluations * (width * width) as f64) as usize;
    let equal = nearest_width(work, |n| dense_multiply_adds(&[PIXELS, n, n, CLASSES]));
    let way = Way::FeedForward(equal);
    all.push((way, train(way, &args.effort, &data, width, epochs)?));

    println!("{}\n", table(&all, width));
    cosines(&all[0].1, &data)?;
    memory(width, &data[0])?;
    conclude(&all);
    fb_examples::folder(&args.out)?;
    draw(&all, &data[0], &args.out)
}

fn mean(numbers: impl IntoIterator<Item = f64>) -> f64 {
    Spread::of(numbers).mean
}

fn train(
    way: Way,
    effort: &Effort,
    data: &[Digits],
    width: usize,
    epochs: u64,
) -> fb::Result<Vec<Outcomes>> {
    effort.for_seeds(&way.name(), |seed| {
        let data = &data[seed as usize];
        let mut model = way.compile(way.network(width).seed(seed).build()?)?;
        let fit = Fit::epochs(epochs).batch_size(BATCH).silent();
        model.fit((&data.train.0, &data.train.1), fit)?;
        look(way, model, data)
    })
}

/// What a trained network does.
fn look(way: Way, mut model: Model, data: &Digits) -> fb::Result<Outcomes> {
    let (x, y) = &data.test;
    let (accuracy, forward) = answer(model.network(), x, y, None)?;
    let longer = match way.longer() {
        Some(schedule) => Some(answer(model.network(), x, y, Some(&*schedule))?.0 - accuracy),
        None => None,
    };
    let radius = match way.has_loop() {
        true => {
            let radii = eigenvalues(model.network(), data, 1)?.into_iter();
            Some(radii.map(|values| values[0].modulus()).fold(0.0, f64::max))
        }
        false => None,
    };
    let at_rest = match way.is_equilibrium() {
        true => Some(share_at_rest(model.network(), &data.validation.0)?),
        false => None,
    };
    let backward = match way {
        Way::Implicit => products(model.network(), data)?,
        Way::Phantom => 4.0,
        Way::Unrolled(times) => times as f64,
        Way::OneStep | Way::FeedForward(_) => 1.0,
    };
    Ok(Outcomes {
        accuracy,
        longer,
        forward,
        backward,
        radius,
        at_rest,
        peak: peak_bytes(&mut model, data)?,
        model,
    })
}

/// The accuracy under a schedule, and how many iterations a sample took.
fn answer(
    network: &Network,
    x: &Tensor,
    y: &Tensor<i64>,
    schedule: Option<&dyn AnySchedule>,
) -> fb::Result<(f64, f64)> {
    let options = RunOptions {
        schedule,
        ..RunOptions::default()
    };
    let run = network.run(&mut Context::eval(network.params()), x.clone(), &options)?;
    let classes = numbers(run.last()).tensor().argmax(1);
    let right = classes.iter().zip(y.iter()).filter(|(a, b)| a == b).count();
    let used = run.iterations_used();
    let iterations = match used.is_empty() {
        true => run.iterations() as f64,
        false => mean(used.into_iter().map(|used| used as f64)),
    };
    Ok((right as f64 / y.len() as f64, iterations))
}

fn numbers(value: &Value) -> &Var {
    value.as_float().expect("a readout gives numbers")
}

fn share_at_rest(network: &Network, x: &Tensor) -> fb::Result<f64> {
    let mut cx = Context::eval(network.params());
    let run = network.run(&mut cx, x.clone(), &RunOptions::default())?;
    let report = run.solver_report().expect("an equilibrium has a solver");
    Ok(report.count(Outcome::Converged) as f64 / report.samples.len() as f64)
}

/// The leading eigenvalues of the loop for some validation digits, where their runs end.
fn eigenvalues(network: &Network, data: &Digits, count: usize) -> fb::Result<Vec<Vec<Complex>>> {
    let rows: Vec<usize> = (0..LOOKED_AT).collect();
    let x = data.validation.0.select_rows(&rows).into();
    let arnoldi = Arnoldi {
        count,
        ..Arnoldi::default()
    };
    let found = network.spectrum(&x, &RunOptions::default(), &arnoldi)?;
    Ok(found.into_iter().map(|found| found.eigenvalues).collect())
}

/// The gradient of the loss of a batch in one row, and the products with the Jacobian for each sample.
fn gradient(
    network: &Network,
    data: &Digits,
    strategy: impl GradientStrategy<f32> + 'static,
) -> fb::Result<(Vec<f64>, f64)> {
    let (x, y) = data.batch();
    let tape = Tape::new();
    let mut cx = Context::train(network.params(), tape, Key::new(0), 0);
    let options = RunOptions {
        gradient: Some(Arc::new(strategy)),
        ..RunOptions::default()
    };
    let run = network.run(&mut cx, x, &options)?;
    let loss = CrossEntropy.forward(numbers(run.last()), &Target::Index(y), None)?;
    let found = loss.backward();
    let all = cx.leaves().filter_map(|(_, leaf)| found.get(leaf));
    let row = all.flat_map(|g| g.iter().map(f64::from).collect::<Vec<_>>());
    let solver = run.backward_report().and_then(|report| report.solver());
    let products = solver.map_or(f64::NAN, |report| {
        report.evaluations() as f64 / report.samples.len() as f64
    });
    Ok((row.collect(), products))
}

fn products(network: &Network, data: &Digits) -> fb::Result<f64> {
    Ok(gradient(network, data, Implicit::default())?.1)
}

/// The most that blocks above 4 KiB hold at a time in a training step, beside parameters and moments: what the pool has when
/// it was empty before the step and everything has come back after it.
fn peak_bytes(model: &mut Model, data: &Digits) -> fb::Result<usize> {
    let (x, y) = data.batch();
    model.train_batch((&x, &y))?;
    pool::release();
    model.train_batch((&x, &y))?;
    Ok(pool::stats().idle_bytes)
}

fn kib(bytes: usize) -> String {
    format!("{:.0}", bytes as f64 / 1024.0)
}

fn table(all: &[(Way, Vec<Outcomes>)], width: usize) -> Table {
    let mut table = Table::new([
        "network",
        "parameters",
        "test accuracy",
        "twice the iterations, points",
        "evaluations",
        "products back",
        "peak KiB of a step",
        "spectral radius",
        "at rest, %",
    ]);
    for (way, found) in all {
        let parameters = way.parameters(width);
        let each = |get: fn(&Outcomes) -> Option<f64>| found.iter().filter_map(get);
        let optional = |get: fn(&Outcomes) -> Option<f64>, digits: usize| match each(get).next() {
            Some(_) => format!("{:.digits$}", Spread::of(each(get))),
            None => "–".to_owned(),
        };
        table.row([
            way.name().as_str(),
            &parameters.to_string(),
            &optional(|o| Some(o.accuracy), 4),
            &optional(|o| o.longer.map(|change| 100.0 * change), 2),
            &optional(|o| Some(o.forward), 1),
            &optional(|o| Some(o.backward), 1),
            &kib(found.iter().map(|o| o.peak).max().unwrap_or(0)),
            &optional(|o| o.radius, 2),
            &optional(|o| o.at_rest.map(|share| 100.0 * share), 1),
        ]);
    }
    table
}

/// How near the cheap gradients are to the exact one, in the networks that the exact one trained.
fn cosines(found: &[Outcomes], data: &[Digits]) -> fb::Result<()> {
    let (mut one, mut four) = (Vec::new(), Vec::new());
    for (outcome, data) in found.iter().zip(data) {
        let network = outcome.model.network();
        let (exact, _) = gradient(network, data, Implicit::default())?;
        one.push(cosine(
            &exact,
            &gradient(network, data, Phantom::one_step())?.0,
        ));
        four.push(cosine(&exact, &gradient(network, data, damped_steps())?.0));
    }
    println!(
        "cosine with the exact gradient after training: one step {:.3}, 4 damped steps {:.3}\n",
        Spread::of(one),
        Spread::of(four)
    );
    Ok(())
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    inner(a, b) / (inner(a, a) * inner(b, b)).sqrt()
}

/// How the memory of a training step grows with the iterations.
fn memory(width: usize, data: &Digits) -> fb::Result<()> {
    let mut table = Table::new(["peak KiB of a step", "5", "20", "80"]);
    let peak = |way: Way, network: Sequential| -> fb::Result<String> {
        let mut model = way.compile(network.seed(0).build()?)?;
        Ok(kib(peak_bytes(&mut model, data)?))
    };
    for way in [Way::Implicit, Way::Phantom, Way::OneStep] {
        let mut row = vec![way.name()];
        for iterations in [5, 20, 80] {
            // Steps that are damped so much are all needed.
            let exhausting = Converge::to(0.0)
                .max_iterations(iterations)
                .solver(Damped::new(0.1));
            row.push(peak(way, way.network(width).schedule(exhausting))?);
        }
        table.row(row.iter().map(String::as_str));
    }
    let mut row = vec!["unrolled".to_owned()];
    for iterations in [5, 20, 80] {
        let way = Way::Unrolled(iterations);
        row.push(peak(way, way.network(width))?);
    }
    table.row(row.iter().map(String::as_str));
    println!("{table}\n");
    Ok(())
}

/// What the numbers say.
fn conclude(all: &[(Way, Vec<Outcomes>)]) {
    let accuracy = |found: &[Outcomes]| Spread::of(found.iter().map(|outcome| outcome.accuracy));
    let best = |of: &dyn Fn(Way) -> bool| {
        all.iter()
            .filter(|(way, _)| of(*way))
            .map(|(way, found)| (way.name(), accuracy(found)))
            .max_by(|a, b| a.1.mean.total_cmp(&b.1.mean))
            .expect("there is one of each")
    };
    let exact = accuracy(&all[0].1);
    let points = |a: Spread, b: Spread| 100.0 * (a.mean - b.mean);
    let (name, unrolled) = best(&|way| matches!(way, Way::Unrolled(_)));
    println!(
        "the equilibrium (implicit) against the best unrolled loop ({name}): {:+.2} points",
        points(exact, unrolled)
    );
    let (name, control) = best(&|way| matches!(way, Way::FeedForward(_)));
    let gain = points(exact, control);
    println!("the equilibrium (implicit) against the best control ({name}): {gain:+.2} points");
    let noise = 100.0
        * exact
            .deviation
            .unwrap_or(0.0)
            .max(control.deviation.unwrap_or(0.0));
    if gain <= noise {
        println!(
            "feedback does not help here: digits of 8 × 8 pixels are no harder for a network without a loop"
        );
    }
    let changes = all
        .iter()
        .filter(|(way, _)| way.is_equilibrium())
        .map(|(_, found)| mean(found.iter().filter_map(|outcome| outcome.longer)));
    let worst = 100.0 * changes.map(f64::abs).fold(0.0, f64::max);
    println!(
        "twice the iterations change the accuracy of an equilibrium by {worst:.2} points at most, in the mean over the starts"
    );
}

/// Residual and accuracy by iteration, and eigenvalues.
fn draw(all: &[(Way, Vec<Outcomes>)], data: &Digits, out: &Path) -> fb::Result<()> {
    let of = |way: Way| {
        let found = all.iter().find(|(other, _)| *other == way);
        found.expect("it was trained").1[0].model.network()
    };
    let (x, y) = &data.test;
    let iterations = 1..=20;
    let traced = Converge::to(1e-6).max_iterations(20).trace(true);
    let network = of(Way::Implicit);
    let options = RunOptions {
        schedule: Some(&traced),
        ..RunOptions::default()
    };
    let run = network.run(&mut Context::eval(network.params()), x.clone(), &options)?;
    let samples = &run.solver_report().expect("it has a solver").samples;
    let residuals: Vec<Vec<f64>> = iterations
        .clone()
        .map(|at| {
            samples
                .iter()
                .filter_map(|s| s.trace.get(at - 1).copied())
                .collect()
        })
        .collect();
    let mut chart = TrajectoryChart::new("an equilibrium layer, and loops run for longer")
        .residuals(&residuals)
        .tolerance(AT_REST);
    for way in [
        Way::Implicit,
        Way::OneStep,
        Way::Unrolled(2),
        Way::Unrolled(8),
    ] {
        let mut accuracies = Vec::new();
        for at in iterations.clone() {
            let schedule: Arc<dyn AnySchedule> = match way.is_equilibrium() {
                true => Arc::new(Converge::to(1e-6).max_iterations(at)),
                false => Arc::new(Unroll::iterations(at)),
            };
            accuracies.push(answer(of(way), x, y, Some(&*schedule))?.0);
        }
        chart = chart.accuracy(way.name(), &accuracies);
    }
    chart.save(out.join("equilibrium_iterations.svg"))?;

    let mut plot = EigenvaluePlot::new("eigenvalues of the loop after training, 4 digits");
    for way in [
        Way::Implicit,
        Way::OneStep,
        Way::Unrolled(2),
        Way::Unrolled(8),
    ] {
        let found = eigenvalues(of(way), data, 16)?;
        plot = plot.points(way.name(), &found[..4].concat());
    }
    plot.save(out.join("equilibrium_eigenvalues.svg"))?;
    println!("plots are in {}", out.display());
    Ok(())
}
