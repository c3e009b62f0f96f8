//! A small convolutional network on pictures of clothes, with and without a way back from later maps to earlier ones.
//!
//! You will see the network with its feedback edge (the maps of the second convolution, half as large, are brought back
//! into the sum of the first), then, for five random starts each, the accuracy on 200 pictures that took no part in
//! training, beside a feed-forward network of as many parameters; for the feedback network also the accuracy after its first
//! iteration. The 3×3 filters that the first convolution learned are drawn to `out/fashion_filters.svg`, and the history of
//! the last training to `out/fashion_history.svg`. The last line is `mean test accuracy 0.NNNN over 5 seeds`.
//!
//! The pictures are a small part of Fashion-MNIST: 1000 to train on, so do not compare with results on all 60,000.
//!
//! ```text
//! cargo run --release --example fashion_cnn
//! ```

use clap::Parser;
use fb::data::embedded;
use fb::nn::layers::{Conv2d, MaxPool2d};
use fb::prelude::*;
use fb::train::plot::{ColorMap, ImageGrid};
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(Parser)]
#[command(about = "Pictures of clothes with a convolutional feedback network")]
struct Args {
    /// How many random starts.
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// Passes over the training pictures.
    #[arg(long, default_value_t = 15)]
    epochs: u64,
    /// The folder for the plots.
    #[arg(long, default_value = "out")]
    out: PathBuf,
    /// One start and one pass only, to see that everything works.
    #[arg(long)]
    quick: bool,
}

const ITERATIONS: usize = 3;
const FILTERS: usize = 16;
/// Maps of the second convolution.
const MAPS: usize = 32;
/// Units before the output, in the network with feedback and in the feed-forward control: one more gives it as many
/// parameters, to within 1 %.
const UNITS: usize = 32;
const CONTROL_UNITS: usize = 33;

/// Pictures `[picture, 28, 28, 1]` with values from 0 to 1, and their kinds.
struct Pictures {
    x: Tensor,
    y: Tensor<i64>,
}

fn main() -> fb::Result<()> {
    let mut args = Args::parse();
    if args.quick {
        (args.seeds, args.epochs) = (1, 1);
    }
    let train = pictures(embedded::fashion())?;
    let test = pictures(embedded::fashion_test())?;
    println!("{}", embedded::fashion());
    println!(
        "{} pictures to train on, {} held out\n",
        train.y.len(),
        test.y.len()
    );
    let (looped, control) = (feedback().build()?, feed_forward(CONTROL_UNITS).build()?);
    println!("{}\n", looped.summary());
    println!(
        "parameters: {} with feedback, {} without\n",
        looped.params().elements(),
        control.params().elements()
    );

    let start = Instant::now();
    let mut sums = [0.0; 3];
    for seed in 0..args.seeds {
        let (model, history) = trained(feedback(), seed, &train, args.epochs)?;
        let iterations = model.evaluate_iterations((&test.x, &test.y))?;
        let [first, last] = [&iterations[0], &iterations[ITERATIONS - 1]].map(accuracy);
        let (control, _) = trained(feed_forward(CONTROL_UNITS), seed, &train, args.epochs)?;
        let without = accuracy(&control.evaluate((&test.x, &test.y))?);
        println!(
            "seed {seed}: feedback {last:.4} (first iteration {first:.4}), feed-forward {without:.4}"
        );
        for (sum, value) in sums.iter_mut().zip([last, first, without]) {
            *sum += value / args.seeds as f64;
        }
        if seed + 1 == args.seeds {
            draw(&model, &history, &args.out)?;
        }
    }
    println!(
        "\n{} trainings in {:.1} s; plots are in {}",
        2 * args.seeds,
        start.elapsed().as_secs_f64(),
        args.out.display()
    );
    let [last, first, without] = sums;
    println!("mean test accuracy {first:.4} after the first iteration");
    println!("mean test accuracy {without:.4} of the feed-forward control");
    println!("mean test accuracy {last:.4} over {} seeds", args.seeds);
    Ok(())
}

fn pictures(set: &fb::data::Labelled) -> fb::Result<Pictures> {
    Ok(Pictures {
        x: set.images()? * (1.0 / 255.0),
        y: set.y().clone(),
    })
}

/// Two convolutions with pooling, a hidden layer, and a score for each kind.
fn feed_forward(units: usize) -> Sequential {
    Sequential::input([28, 28, 1])
        .layer(
            "conv1",
            Conv2d::new(FILTERS, [3, 3]).same().activation(Relu),
        )
        .layer("pool1", MaxPool2d::new([2, 2]))
        .layer("conv2", Conv2d::new(MAPS, [3, 3]).same().activation(Relu))
        .layer("pool2", MaxPool2d::new([2, 2]))
        .layer("flat", Flatten)
        .layer("drop", Dropout::new(0.3))
        .layer("hidden", Dense::new(units).activation(Relu))
        .layer("output", Dense::new(10))
}

/// The same, and what the second convolution found goes back into the first: its 14×14 maps are brought to 28×28.
fn feedback() -> Sequential {
    feed_forward(UNITS)
        .feedback("conv2", "conv1")
        .schedule(Unroll::iterations(ITERATIONS))
}

fn trained(
    network: Sequential,
    seed: u64,
    train: &Pictures,
    epochs: u64,
) -> fb::Result<(Model, History)> {
    let network = network.seed(seed).build()?;
    // Every iteration is taught to be right, so that the later ones refine.
    let mut model = network
        .compile(Adam::new(1e-3), CrossEntropy, (Accuracy,))?
        .loss_on(LossOn::Every);
    let history = model.fit((&train.x, &train.y), Fit::epochs(epochs).silent())?;
    Ok((model, history))
}

fn accuracy(evaluation: &Evaluation) -> f64 {
    evaluation.get("accuracy").unwrap_or(f64::NAN)
}

/// The filters of the first convolution, and how training went.
fn draw(model: &Model, history: &History, out: &Path) -> fb::Result<()> {
    fb_examples::folder(out)?;
    let params = model.params();
    let weight = params.id("conv1/weight").expect("conv1 has a weight");
    // [row, column, channel, filter] to [filter, row, column]
    let filters = params
        .get(weight)
        .value
        .index_axis(2, 0)
        .permute(&[2, 0, 1]);
    ImageGrid::new("filters of conv1", &filters)?
        .colors(ColorMap::Diverging)
        .columns(8)
        .save(out.join("fashion_filters.svg"))?;
    history.plot(out.join("fashion_history.svg"))?;
    Ok(())
}
