//! A feedback network learns real handwritten digits: the main job, end to end.
//!
//! You will see the data, a summary with the feedback edges drawn beside the layers, a moving progress line, the accuracy
//! on held-out digits after each refinement iteration, a confusion matrix and the digits that it gets wrong most. Plots
//! and the model go to `out/`: `digits_history.svg`, `digits_confusion.svg`, `digits_iterations.svg`,
//! `digits.safetensors`. The saved model is loaded back and must predict the same, bit for bit. The last line is
//! `test accuracy 0.NNNN`.
//!
//! With `--seeds 5` you will see, for five splits and random starts, the feedback network beside a feed-forward one of
//! equal parameter count, and last `mean test accuracy 0.NNNN over 5 seeds`.
//!
//! ```text
//! cargo run --release --example digits
//! cargo run --release --example digits -- --seeds 5
//! ```

use clap::Parser;
use fb::data::transform::{Fitted, MinMaxScaler, Transform};
use fb::prelude::*;
use fb::train::metrics::ConfusionMatrix;
use fb::train::plot::LineChart;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(Parser)]
#[command(about = "Handwritten digits with a feedback network")]
struct Args {
    /// Train from this many seeds, beside a feed-forward network of equal size.
    #[arg(long)]
    seeds: Option<u64>,
    /// The seed of the split and of the random start.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Passes over the training digits.
    #[arg(long, default_value_t = 120)]
    epochs: u64,
    /// The folder for plots and the model.
    #[arg(long, default_value = "out")]
    out: PathBuf,
    /// A few epochs only, to see that everything works.
    #[arg(long)]
    quick: bool,
}

/// Pixels and digits, divided and scaled.
struct Digits {
    x_train: Tensor,
    y_train: Tensor<i64>,
    x_test: Tensor,
    y_test: Tensor<i64>,
}

const ITERATIONS: usize = 4;
/// Units in the hidden layers of the feed-forward control: with them it has as many parameters, to within 1 %.
const CONTROL: usize = 82;

fn main() -> fb::Result<()> {
    let mut args = Args::parse();
    if args.quick {
        args.epochs = args.epochs.min(4);
    }
    match args.seeds {
        Some(seeds) => compare(seeds, args.epochs),
        None => show(&args),
    }
}

fn digits(seed: u64) -> fb::Result<Digits> {
    let (train, test) = fb::data::embedded::digits()
        .split(0.2)
        .stratified()
        .seed(seed)?;
    let scaler = MinMaxScaler::new().fit(train.x())?;
    Ok(Digits {
        x_train: scaler.transform(train.x())?,
        y_train: train.y().clone(),
        x_test: scaler.transform(test.x())?,
        y_test: test.y().clone(),
    })
}

/// Two hidden layers; what the second one found goes back into the first.
fn feedback(width: usize) -> Sequential {
    feed_forward(width)
        .feedback("drop2", "hidden1")
        .schedule(Unroll::iterations(ITERATIONS))
}

fn feed_forward(width: usize) -> Sequential {
    Sequential::input([64])
        .layer("hidden1", Dense::new(width).activation(Relu))
        .layer("drop1", Dropout::new(0.3))
        .layer("hidden2", Dense::new(width).activation(Relu))
        .layer("drop2", Dropout::new(0.3))
        .layer("output", Dense::new(10))
}

/// Edge, dropout, rate and epochs were chosen on a fifth of the training digits, never on the test digits.
fn compile(network: Network) -> fb::Result<Model> {
    let model = network.compile(
        AdamW::new(5e-4).weight_decay(1e-2),
        CrossEntropy,
        (Accuracy,),
    )?;
    // Every iteration is taught to be right, so that the later ones refine.
    Ok(model.loss_on(LossOn::Every))
}

/// Tells one run.
fn show(args: &Args) -> fb::Result<()> {
    let set = fb::data::embedded::digits();
    let data = digits(args.seed)?;
    println!("{}: {}", set.name(), set.description());
    println!(
        "{} digits to train on, {} held out\n",
        data.y_train.len(),
        data.y_test.len()
    );
    let mut model = compile(feedback(64).seed(args.seed).build()?)?;
    println!("{}\n", model.summary());

    let start = Instant::now();
    // The test digits are kept out of training altogether: nothing is chosen or stopped by them.
    let fit = Fit::epochs(args.epochs);
    let history = model.fit((&data.x_train, &data.y_train), fit)?;
    println!("trained in {:.1} s\n", start.elapsed().as_secs_f64());

    let refined = refinement(&model, &data)?;
    let mut confusion = ConfusionMatrix::numbered(10);
    let answers = model.predict(&data.x_test)?;
    confusion.add(&answers, &data.y_test.clone().into())?;
    println!("{confusion}\n");

    fb_examples::folder(&args.out)?;
    history.plot(args.out.join("digits_history.svg"))?;
    confusion.plot(args.out.join("digits_confusion.svg"))?;
    refined.save(args.out.join("digits_iterations.svg"))?;
    save_and_load(
        &model,
        &data.x_test,
        &answers,
        &args.out.join("digits.safetensors"),
    )?;
    println!("plots and the model are in {}", args.out.display());
    println!("test accuracy {:.4}", confusion.accuracy());
    Ok(())
}

/// Prints how good the answers are after each iteration, and draws it.
fn refinement(model: &Model, data: &Digits) -> fb::Result<LineChart> {
    println!("iteration  test loss  test accuracy");
    let mut points = Vec::new();
    for (index, evaluation) in model
        .evaluate_iterations((&data.x_test, &data.y_test))?
        .iter()
        .enumerate()
    {
        let accuracy = evaluation.get("accuracy").unwrap_or(f64::NAN);
        println!(
            "{:>9}  {:>9.4}  {accuracy:>13.4}",
            index + 1,
            evaluation.loss()
        );
        points.push(((index + 1) as f64, accuracy));
    }
    println!();
    Ok(LineChart::new("accuracy after each iteration")
        .x_label("iteration")
        .whole_x()
        .line("test", points))
}

/// Saves the model, loads it back, and checks that it gives the same answers.
fn save_and_load(model: &Model, x: &Tensor, answers: &Tensor, file: &Path) -> fb::Result<()> {
    model.save(file)?;
    let loaded = compile(Network::load(file)?)?;
    let bits = |answers: &Tensor| answers.iter().map(f32::to_bits).collect::<Vec<_>>();
    assert!(
        bits(&loaded.predict(x)?) == bits(answers),
        "the loaded model must give the same answers"
    );
    println!(
        "saved, loaded back: the {} answers are the same, bit for bit",
        answers.dim(0)
    );
    Ok(())
}

/// Trains from several seeds and compares with a feed-forward network of equal size.
fn compare(seeds: u64, epochs: u64) -> fb::Result<()> {
    let size = |network: Sequential| Ok::<usize, fb::Error>(network.build()?.params().elements());
    println!(
        "feedback 64→64→64→10, {ITERATIONS} iterations: {} parameters",
        size(feedback(64))?
    );
    println!(
        "feed-forward 64→{CONTROL}→{CONTROL}→10: {} parameters",
        size(feed_forward(CONTROL))?
    );
    let (mut sums, mut first_sum) = ([0.0; 2], 0.0);
    for seed in 0..seeds {
        let data = digits(seed)?;
        let mut line = format!("seed {seed}");
        for (network, sum, name) in [
            (feedback(64), 0, "feedback"),
            (feed_forward(CONTROL), 1, "feed-forward"),
        ] {
            let mut model = compile(network.seed(seed).build()?)?;
            model.fit((&data.x_train, &data.y_train), Fit::epochs(epochs).silent())?;
            let evaluations = model.evaluate_iterations((&data.x_test, &data.y_test))?;
            let accuracies: Vec<f64> = evaluations
                .iter()
                .map(|evaluation| evaluation.get("accuracy").unwrap_or(f64::NAN))
                .collect();
            let (first, last) = (accuracies[0], accuracies[accuracies.len() - 1]);
            sums[sum] += last;
            if accuracies.len() > 1 {
                first_sum += first;
                line.push_str(&format!("  {name} {last:.4} (first iteration {first:.4})"));
            } else {
                line.push_str(&format!("  {name} {last:.4}"));
            }
        }
        println!("{line}");
    }
    println!(
        "mean test accuracy {:.4} over {seeds} seeds after the first iteration",
        first_sum / seeds as f64
    );
    println!(
        "mean test accuracy {:.4} over {seeds} seeds of the feed-forward control",
        sums[1] / seeds as f64
    );
    println!(
        "mean test accuracy {:.4} over {seeds} seeds",
        sums[0] / seeds as f64
    );
    Ok(())
}
