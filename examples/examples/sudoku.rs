//! Small Sudokus, solved by a network that goes over its answer again and again.
//!
//! A latent state `z` is refined from the clues, the answer so far and itself, several cycles long; then the answer `y` is
//! refined from it; that is one sweep. Training takes one loss and one optimizer step for each segment of two sweeps and
//! carries `z` and `y` on, cut off the tape (deep supervision); gradients flow through the last sweep of a segment, `z` starts
//! from noise, and an average of the weights is what is kept. You will see, over three seeds, the share of right cells and of
//! wholly right puzzles: of this network; with gradients of the last cycle alone; with `z` starting from zeros; without noise
//! on the way; and of feed-forward networks: the same blocks once, dense layers of equal parameters, blocks of equal
//! arithmetic. Then how many puzzles are solved after more and fewer segments than in training, from one start and from several
//! of which each puzzle takes the one that came closest to rest. Solutions of the test are no training solutions under other
//! names for the digits. Grids are 4×4, with `--full` 6×6, where test solutions stay apart under every symmetry. The last line
//! is `puzzles solved 0.NNNN recursive, 0.NNNN feed-forward`. (`--quick` ends before anything is solved.)
//!
//! ```text
//! cargo run --release --example sudoku
//! cargo run --release --example sudoku -- --quick
//! cargo run --release --example sudoku -- --full
//! ```
//!
//! After A. Jolicoeur-Martineau, "Less is more: recursive reasoning with tiny networks", 2025.

use clap::Parser;
use fb::data::Dataset;
use fb::data::generated::{Sudoku, SudokuSet};
use fb::nn::feedback::gradient::{DeepSupervision, LastK};
use fb::nn::feedback::network::RunOptions;
use fb::nn::{Context, Graph};
use fb::prelude::*;
use fb::tensor::random::Key;
use fb_examples::{Effort, Spread, Table, dense_multiply_adds, dense_parameters, nearest_width};

#[derive(Parser)]
#[command(about = "Small Sudokus with answer and latent recursion")]
struct Args {
    #[command(flatten)]
    effort: Effort,
}

/// Sizes.
struct Task {
    sudoku: Sudoku,
    train: usize,
    test: usize,
    width: usize,
    epochs: u64,
}

const BATCH: usize = 64;
const RATE: f64 = 2e-3;
/// Refinements of the latent state in a sweep.
const CYCLES: usize = 3;
const SWEEPS: usize = 2;
/// Segments in training, each with an optimizer step.
const SEGMENTS: usize = 4;
/// Blocks of the feed-forward network of equal arithmetic.
const DEEP: usize = 4;
const HEADS: usize = 2;
const DECAY: f64 = 0.99;
const NOISE: f64 = 0.01;

/// What is left out.
#[derive(Clone, Copy, PartialEq)]
enum Ablation {
    Nothing,
    EarlierCycles,
    RandomStart,
    Noise,
}

/// Shares of right cells and right puzzles.
#[derive(Clone, Copy)]
struct Score {
    cells: f64,
    puzzles: f64,
}

/// A row of the table: name, parameters, multiply–adds, and the score from each seed.
struct Entry {
    name: String,
    parameters: usize,
    multiply_adds: usize,
    scores: Vec<Score>,
}

fn main() -> fb::Result<()> {
    let effort = Args::parse().effort;
    let task = Task {
        sudoku: effort.pick(Sudoku::FOUR, Sudoku::FOUR, Sudoku::SIX),
        train: effort.pick(3000, 10_000, 20_000),
        test: effort.pick(200, 500, 1000),
        width: effort.pick(24, 32, 64),
        epochs: effort.pick(3, 5, 20),
    };
    println!(
        "{} puzzles to train on, {} of other solutions to test with, {} epochs\n",
        task.train, task.test, task.epochs
    );
    let mut refined = Vec::new();
    let mut entries = Vec::new();
    for (name, ablation) in [
        ("recursive", Ablation::Nothing),
        ("gradient of the last cycle", Ablation::EarlierCycles),
        ("z starts from zeros", Ablation::RandomStart),
        ("no noise on the way", Ablation::Noise),
    ] {
        let mut sizes = (0, 0);
        let scores = effort.for_seeds(name, |seed| {
            let (train, test) = task.puzzles(seed)?;
            let model = task.recursive(ablation, seed, &train)?;
            sizes = (model.params().elements(), task.recursive_multiply_adds());
            if ablation == Ablation::Nothing {
                refined.push(refinements(&model, &test)?);
            }
            let (x, y) = tensors(&test);
            let answers = model.predict_with(&x, &fb::train::Predict::new().key(Key::new(seed)))?;
            Ok(score(&answers, &y))
        })?;
        entries.push(Entry {
            name: name.to_owned(),
            parameters: sizes.0,
            multiply_adds: sizes.1,
            scores,
        });
    }
    entries.extend(task.controls(&effort)?);
    println!("{}\n", overview(&entries));
    println!(
        "puzzles solved by the recursive network, by segments (trained with {SEGMENTS}) and starts\n"
    );
    println!("{}\n", depth_and_breadth(&refined));
    let solved = |entry: &Entry| Spread::of(entry.scores.iter().map(|score| score.puzzles)).mean;
    println!(
        "puzzles solved {:.4} recursive, {:.4} feed-forward",
        solved(&entries[0]),
        entries[4..].iter().map(solved).fold(0.0, f64::max)
    );
    Ok(())
}

impl Task {
    fn puzzles(&self, seed: u64) -> fb::Result<(SudokuSet, SudokuSet)> {
        Ok(self.sudoku.puzzles(self.train, self.test).seed(seed)?)
    }

    /// What is known of each cell as features: whether it is blank or which digit is given, and where it stands.
    fn clues(&self, width: usize) -> Graph {
        let [cells, kinds] = [self.sudoku.cells(), self.sudoku.side() + 1];
        Graph::new()
            .input("clues", [cells, kinds])
            .layer("seen", Dense::new(width), "clues")
            .layer("x", LearnedPositions::new(), "seen")
    }

    /// `z ← f(x + z + y)` several cycles long, then `y ← g(y + z)`.
    fn recursive(&self, ablation: Ablation, seed: u64, train: &SudokuSet) -> fb::Result<Model> {
        let start = match ablation {
            Ablation::RandomStart => Initial::Zeros,
            _ => Initial::Noise(1.0),
        };
        let noise = if ablation == Ablation::Noise {
            0.0
        } else {
            NOISE
        };
        let graph = self
            .clues(self.width)
            .layer("z", attention(self.width), "x")
            .layer("g", thought(self.width), "z")
            .layer("y", RmsNorm::new(), "g")
            .layer("digits", Dense::new(self.sudoku.side()), "y")
            .feedback("y", "z")
            .identity()
            .feedback("y", "g")
            .identity()
            .feedback("z", "z")
            .identity()
            .initial(start)
            .noise(noise);
        // A gradient that is clipped to nothing does not flow back into earlier cycles.
        let graph = match ablation {
            Ablation::EarlierCycles => graph.clip(1e-30),
            _ => graph,
        };
        let network = graph
            .scope("latent", ["z"], CYCLES)
            .schedule(Unroll::iterations(SWEEPS))
            .seed(seed)
            .build()?;
        let strategy = DeepSupervision::segments(SEGMENTS).within(LastK(1));
        let mut model = compile(network)?.gradient(strategy);
        self.fit(&mut model, self.epochs, train)?;
        Ok(model)
    }

    /// Networks without anything that goes back. Those that are small get as many optimizer steps as the recursive one, the
    /// large one as many passes over the puzzles, which is no less arithmetic.
    fn controls(&self, effort: &Effort) -> fb::Result<Vec<Entry>> {
        let steps = self.epochs * SEGMENTS as u64;
        let wide = HEADS
            * nearest_width(self.recursive_multiply_adds(), |part| {
                self.multiply_adds(HEADS * part, [DEEP, 1], 1)
            });
        let parameters = self.blocks(self.width, 1).build()?.params().elements();
        let dense = nearest_width(parameters, |width| dense_parameters(&self.widths(width)));
        let same = self.multiply_adds(self.width, [1, 1], 1);
        let flat = dense_multiply_adds(&self.widths(dense));
        let controls = [
            (
                "feed-forward, same blocks once",
                self.blocks(self.width, 1),
                steps,
                same,
            ),
            (
                "feed-forward, dense, equal parameters",
                self.dense(dense),
                steps,
                flat,
            ),
            (
                "feed-forward, equal arithmetic",
                self.blocks(wide, DEEP),
                self.epochs,
                self.multiply_adds(wide, [DEEP, 1], 1),
            ),
        ];
        let entry = |(name, graph, epochs, multiply_adds): (&str, Graph, u64, usize)| {
            let mut parameters = 0;
            let scores = effort.for_seeds(name, |seed| {
                let (train, test) = self.puzzles(seed)?;
                let mut model = compile(graph.clone().seed(seed).build()?)?;
                self.fit(&mut model, epochs, &train)?;
                parameters = model.params().elements();
                let (x, y) = tensors(&test);
                Ok(score(&model.predict(&x)?, &y))
            })?;
            Ok(Entry {
                name: name.to_owned(),
                parameters,
                multiply_adds,
                scores,
            })
        };
        controls.into_iter().map(entry).collect()
    }

    /// `f` so many times with weights of its own each time, then `g`.
    fn blocks(&self, width: usize, count: usize) -> Graph {
        let mut graph = self.clues(width);
        let mut before = "x".to_owned();
        for at in 1..=count {
            let name = format!("z{at}");
            graph = graph.layer(name.clone(), attention(width), before);
            before = name;
        }
        graph
            .layer("g", thought(width), before)
            .layer("y", RmsNorm::new(), "g")
            .layer("digits", Dense::new(self.sudoku.side()), "y")
    }

    /// Two hidden layers that see the whole grid.
    fn dense(&self, width: usize) -> Graph {
        let [cells, side] = [self.sudoku.cells(), self.sudoku.side()];
        Graph::new()
            .input("clues", [cells, side + 1])
            .layer("flat", Flatten, "clues")
            .layer("hidden1", Dense::new(width).activation(Relu), "flat")
            .layer("hidden2", Dense::new(width).activation(Relu), "hidden1")
            .layer("scores", Dense::new(cells * side), "hidden2")
            .layer("digits", Reshape::new([cells, side]), "scores")
    }

    fn widths(&self, width: usize) -> [usize; 4] {
        let [cells, side] = [self.sudoku.cells(), self.sudoku.side()];
        [cells * (side + 1), width, width, cells * side]
    }

    fn fit(&self, model: &mut Model, epochs: u64, train: &SudokuSet) -> fb::Result<()> {
        let (x, y) = tensors(train);
        let fit = Fit::epochs(epochs).batch_size(BATCH).ema(DECAY).silent();
        model.fit((&x, &y), fit)?;
        Ok(())
    }

    /// Multiply–adds of an answer: of what stands at the ends, so many times `f` and so many times `g`.
    fn multiply_adds(&self, width: usize, [f, g]: [usize; 2], answers: usize) -> usize {
        let (cells, side) = (self.sudoku.cells(), self.sudoku.side());
        let ends = (side + 1) * width + answers * side * width;
        let dense = 4 * width * width;
        // Queries, keys, values and outputs, scores and sums, and the position-wise part.
        let attention = 2 * dense + 2 * cells * width;
        cells * (ends + f * attention + g * dense)
    }

    fn recursive_multiply_adds(&self) -> usize {
        let sweeps = SEGMENTS * SWEEPS;
        self.multiply_adds(self.width, [sweeps * CYCLES, sweeps], SEGMENTS)
    }
}

/// `f`: cells look at each other.
fn attention(width: usize) -> TransformerBlock {
    TransformerBlock::encoder(HEADS)
        .hidden(2 * width)
        .post_norm()
        .rms_norm()
}

/// `g`: each cell by itself.
fn thought(width: usize) -> Residual {
    Residual::new().layer("mlp", FeedForward::new(2 * width))
}

fn compile(network: Network) -> fb::Result<Model> {
    let model = network.compile(AdamW::new(RATE).weight_decay(0.1), CrossEntropy, ())?;
    Ok(model.clip(Clip::Norm(1.0)))
}

/// Clues `[puzzles, cells, digits + 1]` and classes `[puzzles, cells]`.
fn tensors(set: &SudokuSet) -> (Tensor, Tensor<i64>) {
    (set.clues_one_hot(), set.classes())
}

/// For each puzzle, how many of its cells are right.
fn right_cells(answers: &Tensor, classes: &Tensor<i64>) -> Vec<usize> {
    let (found, wanted) = (answers.argmax(2).to_vec(), classes.to_vec());
    let cells = classes.dim(1);
    let puzzles = found.chunks_exact(cells).zip(wanted.chunks_exact(cells));
    puzzles
        .map(|(found, wanted)| found.iter().zip(wanted).filter(|(a, b)| a == b).count())
        .collect()
}

fn score(answers: &Tensor, classes: &Tensor<i64>) -> Score {
    let right = right_cells(answers, classes);
    let cells = classes.dim(1);
    let puzzles = right.iter().filter(|&&count| count == cells).count();
    Score {
        cells: right.iter().sum::<usize>() as f64 / classes.len() as f64,
        puzzles: puzzles as f64 / right.len() as f64,
    }
}

const DEPTHS: [usize; 5] = [1, 2, 4, 8, 16];
const BREADTHS: [usize; 3] = [1, 4, 8];

/// The share of solved puzzles for each depth and breadth.
type Refined = Vec<[f64; BREADTHS.len()]>;

/// Runs many segments from many starts. Of these each puzzle takes the one whose scores moved least in the last segment.
fn refinements(model: &Model, test: &SudokuSet) -> fb::Result<Refined> {
    let (x, y) = tensors(test);
    let starts = BREADTHS[BREADTHS.len() - 1];
    // By depth and start: right cells, and how far the scores moved, of each puzzle.
    let mut seen: Vec<Vec<(Vec<usize>, Vec<f64>)>> = vec![Vec::new(); DEPTHS.len()];
    for start in 0..starts {
        let mut cx = Context::eval(model.params()).with_key(Key::new(1000 + start as u64));
        let (mut state, mut last) = (None, None);
        for segment in 1..=DEPTHS[DEPTHS.len() - 1] {
            let options = RunOptions {
                state: state.take(),
                ..RunOptions::default()
            };
            let run = model.network().run(&mut cx, x.clone(), &options)?;
            let scores = run
                .last()
                .as_float()
                .expect("scores are numbers")
                .tensor()
                .clone();
            if let Some(depth) = DEPTHS.iter().position(|&depth| depth == segment) {
                let moved = match &last {
                    Some(last) => moved(&scores, last),
                    None => vec![0.0; test.len()],
                };
                seen[depth].push((right_cells(&scores, &y), moved));
            }
            last = Some(scores);
            state = Some(run.into_state());
        }
    }
    let cells = y.dim(1);
    let solved = |seen: &[(Vec<usize>, Vec<f64>)]| {
        let best = |puzzle: usize| {
            let closest = |a: &&(Vec<usize>, Vec<f64>), b: &&(Vec<usize>, Vec<f64>)| {
                a.1[puzzle].total_cmp(&b.1[puzzle])
            };
            seen.iter().min_by(closest).map(|(right, _)| right[puzzle])
        };
        let count = (0..test.len()).filter(|&puzzle| best(puzzle) == Some(cells));
        count.count() as f64 / test.len() as f64
    };
    Ok(seen
        .iter()
        .map(|seen| BREADTHS.map(|breadth| solved(&seen[..breadth])))
        .collect())
}

/// How far each puzzle's scores are from those before, as a square.
fn moved(scores: &Tensor, before: &Tensor) -> Vec<f64> {
    let squares = (scores - before).square().sum_axes(&[1, 2], false);
    squares.iter().map(f64::from).collect()
}

fn overview(entries: &[Entry]) -> Table {
    let mut table = Table::new(["network", "parameters", "multiply–adds", "cells", "puzzles"]);
    for entry in entries {
        let spread = |of: fn(&Score) -> f64| Spread::of(entry.scores.iter().map(of)).to_string();
        table.row([
            entry.name.as_str(),
            &entry.parameters.to_string(),
            &entry.multiply_adds.to_string(),
            &spread(|score| score.cells),
            &spread(|score| score.puzzles),
        ]);
    }
    table
}

fn depth_and_breadth(refined: &[Refined]) -> Table {
    let heads = BREADTHS.map(|breadth| match breadth {
        1 => "1 start".to_owned(),
        more => format!("best of {more}"),
    });
    let heads = std::iter::once("segments").chain(heads.iter().map(String::as_str));
    let mut table = Table::new(heads);
    for (row, depth) in DEPTHS.iter().enumerate() {
        let cells = (0..BREADTHS.len()).map(|column| {
            Spread::of(refined.iter().map(|refined| refined[row][column])).to_string()
        });
        let cells: Vec<String> = std::iter::once(depth.to_string()).chain(cells).collect();
        table.row(cells.iter().map(String::as_str));
    }
    table
}
