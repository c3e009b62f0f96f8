//! The adding problem: two numbers far apart in a sequence must be remembered and added.
//!
//! Each sequence has 200 random numbers, two of which are marked, one in each half; the target is their sum. Saying 1 whatever
//! comes gives a mean squared error of about 0.167, and a network that learns nothing stays there. You will see the error on
//! sequences that were never trained on, every 200 steps, for the cells that are asked for; a run ends when it falls below
//! 0.001. The last line is `solved N of M`.
//!
//! The forget gate of the LSTM starts from a bias of the logarithm of the length, so that it remembers for about as long
//! (C. Tallec, Y. Ollivier, "Can recurrent neural networks warp time?", ICLR 2018).
//!
//! S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9(8), 1997, experiment 4; with the generator and
//! the lengths of S. Bai, J. Kolter, V. Koltun, "An empirical evaluation of generic convolutional and recurrent networks for
//! sequence modeling", 2018.
//!
//! ```text
//! cargo run --release --example adding_problem
//! cargo run --release --example adding_problem -- --cells gru,lstm,elman --seeds 5 --time 200
//! ```

use clap::{Parser, ValueEnum};
use fb::nn::layers::LstmCell;
use fb::prelude::*;
use fb::tensor::random::Key;
use fb::tensor::threads;
use fb::train::{Inputs, Samples};
use std::time::Instant;

#[derive(Parser)]
#[command(about = "The adding problem with recurrent cells")]
struct Args {
    /// Which cells to train.
    #[arg(long, value_delimiter = ',', default_values = ["gru", "lstm"])]
    cells: Vec<Cell>,
    /// Steps of a sequence.
    #[arg(long, default_value_t = 200)]
    time: usize,
    /// Training steps at most.
    #[arg(long, default_value_t = 5000)]
    steps: usize,
    /// How many random starts of each cell.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// A short problem and few steps, to see that everything works.
    #[arg(long)]
    quick: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Cell {
    Elman,
    Gru,
    Lstm,
}

const BATCH: usize = 64;
const UNITS: usize = 64;
const SOLVED: f64 = 1e-3;
/// Training steps between two looks at the test sequences.
const LOOK: usize = 200;

fn main() -> fb::Result<()> {
    let mut args = Args::parse();
    if args.quick {
        (args.time, args.steps) = (args.time.min(20), args.steps.min(400));
    }
    if args.time < 2 {
        args.time = 2;
    }
    let mut solved = 0;
    let runs = args.cells.len() * args.seeds as usize;
    for &cell in &args.cells {
        for seed in 1..=args.seeds {
            // One entry into the thread pool for the whole run.
            let end = threads::scope(|| train(&args, cell, seed))?;
            solved += usize::from(end < SOLVED);
        }
    }
    println!("solved {solved} of {runs}");
    Ok(())
}

/// Trains from one random start; the error on test sequences in the end.
fn train(args: &Args, cell: Cell, seed: u64) -> fb::Result<f64> {
    let memory = match cell {
        Cell::Elman => Elman::new(UNITS),
        Cell::Gru => Gru::new(UNITS),
        // Without it an LSTM forgets three quarters of what it knows in five steps.
        Cell::Lstm => Recurrent::new(LstmCell::new(UNITS).forget_bias((args.time as f64).ln())),
    };
    let network = Sequential::input([args.time, 2])
        .layer("memory", memory.last())
        .layer("output", Dense::new(1))
        .seed(seed)
        .build()?;
    let mut model = network
        .compile(Adam::new(1e-3), MeanSquaredError, ())?
        .clip(Clip::Norm(1.0));
    let key = Key::new(seed);
    let (x, y) = sequences(1000, args.time, key.fold("test"));
    let constant = y.add_scalar(-1.0).square().mean();
    println!("{cell:?}, seed {seed}: always saying 1 has an error of {constant:.4}");
    let start = Instant::now();
    let mut error = f64::INFINITY;
    for step in 1..=args.steps {
        let (x_train, y_train) =
            sequences(BATCH, args.time, key.fold("train").fold_index(step as u64));
        let samples = Samples {
            inputs: Inputs::Float(x_train),
            targets: y_train.into(),
        };
        model.train_batch(&samples)?;
        if step % LOOK == 0 || step == args.steps {
            error = model.evaluate((&x, &y))?.loss();
            let seconds = start.elapsed().as_secs_f64();
            println!("  step {step:>5}  error {error:.6}  {seconds:.1} s");
            if error < SOLVED {
                break;
            }
        }
    }
    Ok(error)
}

/// `[count, time, 2]`: numbers from 0 to 1 and marks, one in each half; `[count, 1]`: the sums of what is marked.
fn sequences(count: usize, time: usize, key: Key) -> (Tensor, Tensor) {
    let mut rng = key.rng();
    let numbers = Tensor::<f32>::uniform([count, time], 0.0, 1.0, &mut rng);
    let places = Tensor::<f32>::uniform([count, 2], 0.0, 1.0, &mut rng);
    let half = time / 2;
    let marked = |row: usize| {
        let place = |half_of: usize, length: usize| {
            let at = (places.at(&[row, half_of]) * length as f32) as usize;
            at.min(length - 1)
        };
        [place(0, half), half + place(1, time - half)]
    };
    let x = Tensor::from_fn([count, time, 2], |at| match at[2] {
        0 => numbers.at(&[at[0], at[1]]),
        _ => f32::from(marked(at[0]).contains(&at[1])),
    });
    let y = Tensor::from_fn([count, 1], |at| {
        let [first, second] = marked(at[0]);
        numbers.at(&[at[0], first]) + numbers.at(&[at[0], second])
    });
    (x, y)
}
