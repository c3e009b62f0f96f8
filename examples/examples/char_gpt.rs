//! A small GPT learns to write like Shakespeare, character by character.
//!
//! You will see the network (0.8 million weights: four pre-norm transformer blocks of width 128), a progress line, the bits
//! that it needs for each character of plays it never saw (8 without any knowledge, about 4.8 knowing how often each
//! character occurs), and text that it writes: at each step the keys and values of the characters before are kept, so a
//! character costs one position. The model goes to `out/char_gpt.safetensors` and is loaded back for writing. The last line
//! is `N.NNN bits per character on held-out text`.
//!
//! ```text
//! cargo run --release --example char_gpt
//! cargo run --release --example char_gpt -- --epochs 8 --prompt "KING HENRY." --temperature 0.6
//! ```

use clap::Parser;
use fb::nn::Context;
use fb::nn::layers::{Embedding, LayerNorm, LearnedPositions, TransformerBlock};
use fb::nn::module::Memory;
use fb::prelude::*;
use fb::tensor::random::Key;
use std::path::PathBuf;
use std::time::Instant;

#[derive(Parser)]
#[command(about = "A character-level GPT on Shakespeare")]
struct Args {
    /// Passes over the training text.
    #[arg(long, default_value_t = 3)]
    epochs: u64,
    /// What the written text goes on from.
    #[arg(long, default_value = "ROMEO.\n")]
    prompt: String,
    /// Characters to write.
    #[arg(long, default_value_t = 400)]
    length: usize,
    /// Below 1 the text is more cautious, above 1 bolder.
    #[arg(long, default_value_t = 0.8)]
    temperature: f32,
    /// The seed of the random start and of what is written.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder for the model.
    #[arg(long, default_value = "out")]
    out: PathBuf,
    /// A fiftieth of the text only, to see that everything works.
    #[arg(long)]
    quick: bool,
}

/// Characters that the network sees at a time.
const CONTEXT: usize = 128;
const WIDTH: usize = 128;
const BLOCKS: usize = 4;
const HEADS: usize = 4;
const BATCH: usize = 16;

fn main() -> fb::Result<()> {
    let mut args = Args::parse();
    let mut text = fb::data::embedded::shakespeare();
    if args.quick {
        (args.epochs, args.length) = (1, 60);
        text = &text[..text.len() / 50];
    }
    let alphabet = Alphabet::of(fb::data::embedded::shakespeare());
    let tokens = alphabet.tokens(text);
    // The last tenth is never trained on.
    let (train, held_out) = tokens.split_at(tokens.len() / 10 * 9);
    let (train, held_out) = (windows(train), windows(held_out));
    println!(
        "{} characters of {} kinds; {} windows of {CONTEXT} to train on, {} held out\n",
        text.len(),
        alphabet.characters.len(),
        train.0.dim(0),
        held_out.0.dim(0)
    );

    let network = gpt(alphabet.characters.len()).seed(args.seed).build()?;
    let mut model = compile(network)?;
    println!("{}\n", model.summary());
    let before = bits(&model, &held_out)?;
    println!("before training: {before:.3} bits per character\n");

    let start = Instant::now();
    let fit = Fit::epochs(args.epochs).batch_size(BATCH);
    model.fit((&train.0, &train.1), fit)?;
    println!("trained in {:.1} s\n", start.elapsed().as_secs_f64());

    fb_examples::folder(&args.out)?;
    let file = args.out.join("char_gpt.safetensors");
    model.save(&file)?;
    let loaded = Network::load(&file)?;
    println!("{}\n", write(&loaded, &alphabet, &args)?);
    println!("the model is in {}", file.display());
    println!(
        "{:.3} bits per character on held-out text",
        bits(&model, &held_out)?
    );
    Ok(())
}

/// Tokens and positions, blocks, a last norm and a score for each character.
fn gpt(vocabulary: usize) -> Sequential {
    let mut network = Sequential::indices([CONTEXT])
        .layer("tokens", Embedding::new(vocabulary, WIDTH))
        .layer("positions", LearnedPositions::new());
    for block in 1..=BLOCKS {
        let layer = TransformerBlock::decoder(HEADS)
            .activation(GeluTanh)
            .dropout(0.1);
        network = network.layer(format!("block{block}"), layer);
    }
    network
        .layer("norm", LayerNorm::new())
        .layer("scores", Dense::new(vocabulary))
}

fn compile(network: Network) -> fb::Result<Model> {
    let optimizer = AdamW::new(1e-3).weight_decay(0.01);
    Ok(network
        .compile(optimizer, CrossEntropy, (Accuracy,))?
        .clip(Clip::Norm(1.0)))
}

/// The mean of −log₂ of the probability of each character that came.
fn bits(model: &Model, (x, y): &(Tensor<i64>, Tensor<i64>)) -> fb::Result<f64> {
    Ok(model.evaluate((x, y))?.loss() / std::f64::consts::LN_2)
}

/// Windows side by side, `[window, CONTEXT]`, and for each character the one after it.
fn windows(tokens: &[i64]) -> (Tensor<i64>, Tensor<i64>) {
    let count = (tokens.len() - 1) / CONTEXT;
    let cut = |from: usize| {
        let part = tokens[from..from + count * CONTEXT].to_vec();
        Tensor::from_vec(part, [count, CONTEXT])
    };
    (cut(0), cut(1))
}

/// Goes on from the prompt, a character at a time, each drawn from the probabilities that the network gives.
fn write(network: &Network, alphabet: &Alphabet, args: &Args) -> fb::Result<String> {
    let mut rng = Key::new(args.seed).fold("writing").rng();
    let mut tokens = alphabet.tokens(&args.prompt);
    let mut text = args.prompt.clone();
    if tokens.is_empty() {
        // Something must stand before the first character: a new line begins.
        tokens = alphabet.tokens("\n");
    }
    let mut cx = Context::eval(network.params());
    let mut memory = Memory::Empty;
    let mut passed = 0;
    // What has been read so far fills the positions; when they are full, the last half is read again from the start.
    let mut unread = tokens.len().saturating_sub(CONTEXT / 2)..tokens.len();
    for _ in 0..args.length {
        if passed + unread.len() > CONTEXT {
            (memory, passed) = (Memory::Empty, 0);
            unread = tokens.len() - CONTEXT / 2..tokens.len();
        }
        let piece = tokens[unread.clone()].to_vec();
        let piece = Tensor::from_vec(piece, [1, unread.len()]);
        let (scores, after) = network.forward_from(&mut cx, piece, memory)?;
        memory = after;
        passed += unread.len();
        let scores = scores
            .as_float()
            .expect("scores are numbers")
            .tensor()
            .clone();
        let last = scores.index_axis(1, scores.dim(1) - 1).index_axis(0, 0);
        let probabilities = (last * (1.0 / args.temperature.max(0.01))).softmax(0);
        let token = draw(&probabilities, &mut rng);
        tokens.push(token as i64);
        text.push(alphabet.characters[token]);
        unread = tokens.len() - 1..tokens.len();
    }
    Ok(text)
}

/// An index, drawn with the given probabilities.
fn draw(probabilities: &Tensor, rng: &mut fb::tensor::random::Rng) -> usize {
    let mut left = Tensor::<f32>::uniform([1], 0.0, 1.0, rng).item();
    for (index, p) in probabilities.iter().enumerate() {
        left -= p;
        if left < 0.0 {
            return index;
        }
    }
    probabilities.len() - 1
}

/// The characters of a text, in order; a token is a position among them.
struct Alphabet {
    characters: Vec<char>,
}

impl Alphabet {
    fn of(text: &str) -> Self {
        let characters: std::collections::BTreeSet<char> = text.chars().collect();
        Self {
            characters: characters.into_iter().collect(),
        }
    }

    /// The tokens of a text; characters that are not known are left out.
    fn tokens(&self, text: &str) -> Vec<i64> {
        let known = |c| self.characters.binary_search(&c).ok();
        text.chars().filter_map(known).map(|i| i as i64).collect()
    }
}
