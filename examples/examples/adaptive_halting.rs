//! A network that decides for itself how long to think: parity, where some rows are harder than others.
//!
//! A row has 8 places (6 with `--quick`, 10 with `--full`), some of them −1 or 1 and the rest 0; asked is whether the number of
//! ones is odd, and the more places are not 0, the harder the row. A hidden layer that feeds back into itself runs until a
//! layer beside the answer says that it is done (adaptive computation time). You will see how many iterations rows of each
//! difficulty take and how many of them are answered rightly, over three seeds, beside networks that cannot choose: one
//! iteration, the same number of iterations for every row, and feed-forward ones of equal parameters and of equal arithmetic;
//! and what becomes of a halting layer whose bias starts at 0. Eight places are few enough for two feed-forward layers of as
//! many parameters to get all of them right: halting spends less on easy rows here, it does not gain accuracy; and `--quick`
//! ends before the cost of iterations has told. Iterations against difficulty are drawn in `out/adaptive_halting.svg`. The last
//! line is `iterations N.NN easiest, N.NN hardest`.
//!
//! ```text
//! cargo run --release --example adaptive_halting
//! cargo run --release --example adaptive_halting -- --quick
//! ```
//!
//! The task is that of A. Graves, "Adaptive computation time for recurrent neural networks", 2016, section 3.1, there with 64
//! places.

use clap::Parser;
use fb::data::generated::parity;
use fb::nn::Graph;
use fb::nn::feedback::network::RunOptions;
use fb::nn::feedback::schedule::Halt;
use fb::prelude::*;
use fb::train::plot::LineChart;
use fb_examples::{Effort, Spread, Table, nearest_width};
use std::path::PathBuf;

#[derive(Parser)]
#[command(about = "Parity with a network that decides how long to think")]
struct Args {
    #[command(flatten)]
    effort: Effort,
    /// The folder for the plot.
    #[arg(long, default_value = "out")]
    out: PathBuf,
}

/// What all networks share.
struct Task {
    /// Places in a row.
    length: usize,
    /// Units of the hidden layer.
    width: usize,
    steps: u64,
    /// Iterations at most.
    most: usize,
}

/// Rows of a training step.
const BATCH: usize = 128;
const TEST_ROWS: usize = 4000;
const RATE: f64 = 2e-3;
/// What an iteration costs in the loss.
const PONDER_COST: f64 = 1e-2;

/// What a network makes of the test rows.
struct Outcome {
    parameters: usize,
    multiply_adds: f64,
    accuracy: f64,
    /// For each number of places that are not 0, from 1: the share of right answers, and the mean number of iterations.
    by_difficulty: Vec<(f64, f64)>,
    iterations: f64,
}

fn main() -> fb::Result<()> {
    let args = Args::parse();
    let effort = &args.effort;
    let task = Task {
        length: effort.pick(6, 8, 10),
        width: effort.pick(48, 64, 128),
        steps: effort.pick(5000, 8000, 30_000),
        most: effort.pick(8, 10, 12),
    };
    println!(
        "{} places, {} hidden units, {} steps of {BATCH} new rows, {TEST_ROWS} test rows, at most {} iterations\n",
        task.length, task.width, task.steps, task.most
    );
    let adaptive = effort.for_seeds("halting", |seed| task.halting(Halt::START_BIAS, seed))?;
    // The controls run as many iterations for every row as halting took on average, and as much arithmetic.
    let mean = Spread::of(adaptive.iter().map(|outcome| outcome.iterations)).mean;
    let fixed = (mean.round() as usize).max(1);
    let parameters = adaptive[0].parameters;
    let narrow = nearest_width(parameters, |width| task.feed_forward_parameters(width, 2));
    let networks = [
        ("halts, bias −3".to_owned(), adaptive),
        (
            "halts, bias 0".to_owned(),
            effort.for_seeds("halting, bias 0", |seed| task.halting(0.0, seed))?,
        ),
        (
            format!("{fixed} iterations"),
            effort.for_seeds("fixed", |seed| task.fixed(fixed, seed))?,
        ),
        (
            "1 iteration".to_owned(),
            effort.for_seeds("one iteration", |seed| task.fixed(1, seed))?,
        ),
        (
            format!("feed-forward, 2 × {narrow}"),
            effort.for_seeds("equal parameters", |seed| {
                task.feed_forward(narrow, 2, seed)
            })?,
        ),
        (
            format!("feed-forward, {fixed} × {}", task.width),
            effort.for_seeds("equal arithmetic", |seed| {
                task.feed_forward(task.width, fixed, seed)
            })?,
        ),
    ];
    println!("{}\n", overview(&networks));
    println!("iterations that rows take, by the number of places that are not 0\n");
    println!(
        "{}\n",
        by_difficulty(&networks[..2], |(_, iterations)| iterations)
    );
    println!("accuracy by the number of places that are not 0\n");
    println!("{}\n", by_difficulty(&networks, |(accuracy, _)| accuracy));
    fb_examples::folder(&args.out)?;
    let file = args.out.join("adaptive_halting.svg");
    chart(&networks[..2]).save(&file)?;
    println!("the plot is {}", file.display());
    let halting = &networks[0].1;
    let mean_of = |at: usize| {
        let numbers = halting.iter().map(|outcome| outcome.by_difficulty[at].1);
        Spread::of(numbers).mean
    };
    println!(
        "iterations {:.2} easiest, {:.2} hardest",
        mean_of(0),
        mean_of(task.length - 1)
    );
    Ok(())
}

impl Task {
    /// A hidden layer that feeds back into itself and sees the row at each iteration.
    fn recurrent(&self) -> Graph {
        Graph::new()
            .input("row", [self.length])
            .layer("hidden", Dense::new(self.width).activation(Tanh), "row")
            .layer("answer", Dense::new(1), "hidden")
            .feedback("hidden", "hidden")
            .output("answer")
    }

    fn halting(&self, bias: f64, seed: u64) -> fb::Result<Outcome> {
        let halt = Dense::new(1).bias_init(Initializer::Constant(bias));
        let network = self
            .recurrent()
            .layer("halt", halt, "hidden")
            .schedule(Halt::adaptive("halt", self.most).ponder_cost(PONDER_COST));
        self.train(network.seed(seed).build()?, seed)
    }

    fn fixed(&self, iterations: usize, seed: u64) -> fb::Result<Outcome> {
        let network = if iterations == 1 {
            self.chain(self.width, 1)
        } else {
            self.recurrent().schedule(Unroll::iterations(iterations))
        };
        self.train(network.seed(seed).build()?, seed)
    }

    fn feed_forward(&self, width: usize, layers: usize, seed: u64) -> fb::Result<Outcome> {
        self.train(self.chain(width, layers).seed(seed).build()?, seed)
    }

    fn chain(&self, width: usize, layers: usize) -> Graph {
        let mut graph = Graph::new().input("row", [self.length]);
        let mut before = "row".to_owned();
        for layer in 1..=layers {
            let name = format!("hidden{layer}");
            graph = graph.layer(name.clone(), Dense::new(width).activation(Tanh), before);
            before = name;
        }
        graph.layer("answer", Dense::new(1), before)
    }

    fn feed_forward_parameters(&self, width: usize, layers: usize) -> usize {
        let mut widths = vec![width; layers + 2];
        widths[0] = self.length;
        widths[layers + 1] = 1;
        fb_examples::dense_parameters(&widths)
    }

    fn train(&self, network: Network, seed: u64) -> fb::Result<Outcome> {
        let loss = BinaryCrossentropy.from_logits();
        let accuracy = Accuracy.threshold(0.0);
        let mut model = network
            .compile(Adam::new(RATE), loss, (accuracy,))?
            .clip(Clip::Norm(1.0));
        let first_row = (seed + 1) << 32;
        for step in 0..self.steps {
            // New rows at each step: nothing can be learned by heart.
            let (x, y) = parity(BATCH, self.length, 1..=self.length, first_row + step)?;
            model.train_batch((&x, &y))?;
        }
        self.outcome(&model, seed)
    }

    fn outcome(&self, model: &Model, seed: u64) -> fb::Result<Outcome> {
        let (x, y) = parity(TEST_ROWS, self.length, 1..=self.length, seed)?;
        let mut cx = fb::nn::Context::eval(model.params());
        let run = model
            .network()
            .run(&mut cx, x.clone(), &RunOptions::default())?;
        let mut used = run.iterations_used();
        if used.is_empty() {
            used = vec![run.iterations(); TEST_ROWS];
        }
        let answers = run.last().as_float().expect("an answer is a number");
        let right: Vec<bool> = answers
            .tensor()
            .iter()
            .zip(y.iter())
            .map(|(answer, odd)| (answer > 0.0) == (odd > 0.5))
            .collect();
        let difficulty: Vec<usize> = (0..TEST_ROWS)
            .map(|row| x.index_axis(0, row).iter().filter(|&n| n != 0.0).count())
            .collect();
        let by_difficulty = (1..=self.length)
            .map(|wanted| {
                let rows = || (0..TEST_ROWS).filter(|&row| difficulty[row] == wanted);
                let count = rows().count() as f64;
                let accuracy = rows().filter(|&row| right[row]).count() as f64 / count;
                let iterations = rows().map(|row| used[row]).sum::<usize>() as f64 / count;
                (accuracy, iterations)
            })
            .collect();
        let iterations = used.iter().sum::<usize>() as f64 / TEST_ROWS as f64;
        Ok(Outcome {
            parameters: model.params().elements(),
            multiply_adds: multiply_adds(model, iterations),
            accuracy: right.iter().filter(|&&right| right).count() as f64 / TEST_ROWS as f64,
            by_difficulty,
            iterations,
        })
    }
}

/// Multiply–adds of a row: the loop and the layer that halts at each iteration, what hangs on the row alone once. The answer is
/// a mean over iterations where a layer halts.
fn multiply_adds(model: &Model, iterations: f64) -> f64 {
    let halts = model.params().by_name("halt/weight").is_some();
    let matrices = model.params().iter().map(|(_, param)| param);
    matrices
        .filter(|param| param.value.rank() == 2)
        .map(|param| {
            let loops = param.name().starts_with("feedback/")
                || halts && !param.name().starts_with("hidden/");
            param.value.len() as f64 * if loops { iterations } else { 1.0 }
        })
        .sum()
}

type Networks = [(String, Vec<Outcome>)];

fn overview(networks: &Networks) -> Table {
    let heads = [
        "network",
        "parameters",
        "multiply–adds",
        "iterations",
        "accuracy",
    ];
    let mut table = Table::new(heads);
    for (name, outcomes) in networks {
        let spread = |of: &dyn Fn(&Outcome) -> f64| Spread::of(outcomes.iter().map(of));
        table.row([
            name.as_str(),
            &outcomes[0].parameters.to_string(),
            &format!("{:.0}", spread(&|outcome| outcome.multiply_adds).mean),
            &format!("{:.2}", spread(&|outcome| outcome.iterations)),
            &spread(&|outcome| outcome.accuracy).to_string(),
        ]);
    }
    table
}

fn by_difficulty(networks: &Networks, of: impl Fn((f64, f64)) -> f64) -> Table {
    let names = networks.iter().map(|(name, _)| name.as_str());
    let mut table = Table::new(std::iter::once("not 0").chain(names));
    for at in 0..networks[0].1[0].by_difficulty.len() {
        let mut row = vec![(at + 1).to_string()];
        row.extend(networks.iter().map(|(_, outcomes)| {
            let numbers = outcomes.iter().map(|outcome| of(outcome.by_difficulty[at]));
            format!("{:.3}", Spread::of(numbers))
        }));
        table.row(row.iter().map(String::as_str));
    }
    table
}

fn chart(networks: &Networks) -> LineChart {
    let mut chart = LineChart::new("iterations that rows take")
        .x_label("places that are not 0")
        .y_label("iterations")
        .whole_x();
    for (name, outcomes) in networks {
        let spreads: Vec<(f64, Spread)> = (0..outcomes[0].by_difficulty.len())
            .map(|at| {
                let numbers = outcomes.iter().map(|outcome| outcome.by_difficulty[at].1);
                ((at + 1) as f64, Spread::of(numbers))
            })
            .collect();
        let band = |&(x, spread): &(f64, Spread)| {
            let deviation = spread.deviation.unwrap_or(0.0);
            (x, spread.mean - deviation, spread.mean + deviation)
        };
        chart = chart
            .line(name, spreads.iter().map(|&(x, spread)| (x, spread.mean)))
            .band(name, spreads.iter().map(band));
    }
    chart
}
