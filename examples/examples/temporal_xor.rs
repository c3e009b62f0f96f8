//! Elman's first experiment: a network with a memory finds the structure in a stream of bits.
//!
//! The stream is two random bits, then their exclusive or, and so on; the task is to say the next bit. Two of three cannot be
//! known. You will see the network, a progress line, and for bits of a stream that it never saw the squared error by their
//! place among the three, beside that of a network of the same layers without a memory. Chance is 0.25; where the bit
//! follows from the two before it, the memory brings the error down. The last line is
//! `squared error 0.NNN where the bit is determined, 0.NNN where it is not`.
//!
//! J. Elman, "Finding structure in time", Cognitive Science 14(2), 1990, the first simulation.
//!
//! ```text
//! cargo run --release --example temporal_xor
//! ```

use clap::Parser;
use fb::prelude::*;
use fb::tensor::random::Key;

#[derive(Parser)]
#[command(about = "Exclusive or in time with Elman's network")]
struct Args {
    /// Passes over the training stream.
    #[arg(long, default_value_t = 300)]
    epochs: u64,
    /// Units of the memory.
    #[arg(long, default_value_t = 8)]
    units: usize,
    /// The seed of the streams and of the random start.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A few epochs only, to see that everything works.
    #[arg(long)]
    quick: bool,
}

/// Bits of a stream, and in a window.
const BITS: usize = 3000;
const WINDOW: usize = 30;

fn main() -> fb::Result<()> {
    let mut args = Args::parse();
    if args.quick {
        args.epochs = args.epochs.min(20);
    }
    let key = Key::new(args.seed);
    let (train, test) = (stream(key.fold("train")), stream(key.fold("test")));

    let output = || Dense::new(1).activation(Sigmoid);
    let memory = Sequential::input([WINDOW, 1])
        .layer("memory", Elman::new(args.units))
        .layer("output", output());
    let without = Sequential::input([WINDOW, 1])
        .layer("hidden", Dense::new(args.units).activation(Tanh))
        .layer("output", output());
    println!("place of the bit among the three:      1st    2nd    3rd");
    let mut errors = Vec::new();
    for (name, network) in [("without a memory", without), ("with a memory", memory)] {
        let network = network.seed(args.seed).build()?;
        let mut model = network.compile(Adam::new(0.01), BinaryCrossentropy, ())?;
        let fit = Fit::epochs(args.epochs).batch_size(10).silent();
        model.fit((&train.0, &train.1), fit)?;
        errors = by_place(&model.predict(&test.0)?, &test.1);
        println!(
            "squared error {name:<22} {:.3}  {:.3}  {:.3}",
            errors[0], errors[1], errors[2]
        );
    }
    println!("chance                                0.250  0.250  0.250\n");
    println!(
        "squared error {:.3} where the bit is determined, {:.3} where it is not",
        errors[2],
        (errors[0] + errors[1]) / 2.0
    );
    Ok(())
}

/// Windows of a stream, `[windows, WINDOW, 1]`, and the bit after each.
fn stream(key: Key) -> (Tensor, Tensor) {
    let random = Tensor::<f32>::uniform([BITS + 3], 0.0, 1.0, &mut key.rng());
    let mut bits: Vec<f32> = random.iter().map(f32::round).collect();
    for three in bits.chunks_exact_mut(3) {
        three[2] = (three[0] + three[1]) % 2.0;
    }
    let cut = |from: usize| {
        let bits = bits[from..from + BITS].to_vec();
        Tensor::from_vec(bits, [BITS / WINDOW, WINDOW, 1])
    };
    (cut(0), cut(1))
}

/// The mean squared error of the first, second and third bits.
fn by_place(said: &Tensor, came: &Tensor) -> Vec<f32> {
    let squares = (said - came).square();
    // What is said at step j is bit j + 1.
    let mean = |place: usize| {
        let first = (place + 2) % 3;
        squares.slice_step(1, first, WINDOW, 3).mean()
    };
    (0..3).map(mean).collect()
}
