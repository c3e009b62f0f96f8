//! The article's program: XOR with two hidden layers, with and without feedback.
//!
//! The article 反馈神经网络原理的Python实现 (Feedback neural networks in Python) announces a feedback path and then builds a
//! plain feed-forward network. Here the path is there. Without arguments you will see the article's six steps on one
//! network, 2→8→8→1 with its output fed back into its first hidden layer: the data are scaled, the network is built and
//! drawn, compiled, fitted, evaluated, asked for predictions, plotted (`out/xor.svg`) and saved (`out/xor.safetensors`).
//!
//! With `--seeds N` you will see how four wirings of two widths (the article's 2→2→2→1 and 2→8→8→1) do over N random
//! starts: a line each, with the number of runs whose four answers are all right and the median time of a run.
//!
//! All use the article's optimizer, Adam at 0.1. For hidden2→input that is too fast: in a trial with 2→8→8→1, 0 of 5 starts
//! were solved at 0.1 and 5 of 5 at 0.01.
//!
//! ```text
//! cargo run --release --example xor
//! cargo run --release --example xor -- --seeds 100
//! ```

use clap::Parser;
use fb::data::transform::{MaxScaler, Transform};
use fb::prelude::*;
use std::path::PathBuf;
use std::time::Instant;

#[derive(Parser)]
#[command(about = "XOR with and without feedback")]
struct Args {
    /// Train each configuration from this many random starts instead of telling one run.
    #[arg(long)]
    seeds: Option<u64>,
    /// The random start of the run that is told.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// The folder for the plot and the model.
    #[arg(long, default_value = "out")]
    out: PathBuf,
    /// Tell one run, then train each configuration from 3 starts (or from --seeds, at most 10).
    #[arg(long)]
    quick: bool,
}

/// Where feedback goes.
struct Wiring {
    name: &'static str,
    feedback: Option<(&'static str, &'static str)>,
}

const WIRINGS: [Wiring; 4] = [
    Wiring {
        name: "no feedback",
        feedback: None,
    },
    Wiring {
        name: "output→hidden1",
        feedback: Some(("output", "hidden1")),
    },
    Wiring {
        name: "hidden2→input",
        feedback: Some(("hidden2", "input")),
    },
    Wiring {
        name: "output→input",
        feedback: Some(("output", "input")),
    },
];

fn main() -> fb::Result<()> {
    let args = Args::parse();
    if args.seeds.is_none() {
        tell(&args)?;
    }
    let seeds = match (args.seeds, args.quick) {
        (Some(seeds), true) => seeds.min(10),
        (Some(seeds), false) => seeds,
        (None, true) => 3,
        (None, false) => return Ok(()),
    };
    for width in [2, 8] {
        for wiring in &WIRINGS {
            compare(width, wiring, seeds)?;
        }
    }
    Ok(())
}

fn model(width: usize, wiring: &Wiring, seed: u64) -> fb::Result<Model> {
    let mut network = Sequential::input([2])
        .layer("hidden1", Dense::new(width).activation(Sigmoid))
        .layer("hidden2", Dense::new(width).activation(Sigmoid))
        .layer("output", Dense::new(1).activation(Sigmoid));
    if let Some((from, to)) = wiring.feedback {
        network = network.feedback(from, to).schedule(Unroll::iterations(4));
    }
    Ok(network
        .seed(seed)
        .build()?
        .compile(Adam::new(0.1), BinaryCrossentropy, (Accuracy,))?)
}

/// The article's steps, one after the other.
fn tell(args: &Args) -> fb::Result<()> {
    println!("step 1: the data, each column divided by its maximum");
    let (x, y) = fb::data::embedded::xor();
    let (_, x) = MaxScaler::new().fit_transform(&x)?;
    println!("x =\n{x:.0}\ny =\n{y:.0}");

    println!("\nsteps 2 and 3: the network, with how it learns");
    let mut model = model(8, &WIRINGS[1], args.seed)?;
    println!("{}", model.summary());

    println!("\nstep 4: 1000 epochs, one row at a time");
    let start = Instant::now();
    let history = model.fit((&x, &y), Fit::epochs(1000).batch_size(1).log_every(100))?;
    println!(
        "{} steps in {:.1} ms",
        model.steps_trained(),
        milliseconds(start)
    );

    println!("\nstep 5: how good it is");
    println!("{}", model.evaluate((&x, &y))?);
    for (iteration, evaluation) in model.evaluate_iterations((&x, &y))?.iter().enumerate() {
        println!("  iteration {}  {evaluation}", iteration + 1);
    }

    println!("\nstep 6: predictions");
    let answers = model.predict(&x)?;
    for row in 0..4 {
        println!(
            "  {} xor {} = {:.4}",
            x.at(&[row, 0]),
            x.at(&[row, 1]),
            answers.at(&[row, 0])
        );
    }

    fb_examples::folder(&args.out)?;
    let (plot, file) = (args.out.join("xor.svg"), args.out.join("xor.safetensors"));
    history.plot(&plot)?;
    model.save(&file)?;
    println!("\nwrote {} and {}", plot.display(), file.display());
    Ok(())
}

/// Trains a configuration from several starts and prints how many end with all four answers right.
fn compare(width: usize, wiring: &Wiring, seeds: u64) -> fb::Result<()> {
    let (x, y) = fb::data::embedded::xor();
    let right = y.cast::<i64>().flatten();
    let mut solved = 0;
    let mut times = Vec::new();
    for seed in 0..seeds {
        let start = Instant::now();
        let mut model = model(width, wiring, seed)?;
        model.fit((&x, &y), Fit::epochs(1000).batch_size(1).silent())?;
        times.push(milliseconds(start));
        solved += u64::from(model.predict_classes(&x)? == right);
    }
    times.sort_by(f64::total_cmp);
    let median = times.get(times.len() / 2).copied().unwrap_or(f64::NAN);
    println!(
        "2→{width}→{width}→1 {}: solved {solved}/{seeds}, {median:.1} ms a run",
        wiring.name
    );
    Ok(())
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}
