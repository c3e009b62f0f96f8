//! A Hopfield network: how much it remembers, and a picture that completes itself.
//!
//! You will see how well random patterns are kept as more and more of them are stored: a table of overlaps over random
//! sets, which begins to fall at 0.138 patterns a unit, where endlessly many units would forget everything at once. With
//! fewer the fall is less steep, so it goes through 0.7 at a larger load: try `--units`. Then how many of 10,000 patterns a
//! modern Hopfield network with 64 features retrieves in one step from damaged ones. `out/hopfield_capacity.svg` draws
//! the curve, and `out/hopfield_letters.svg` shows letters as they were stored, damaged, and after each sweep.
//!
//! ```text
//! cargo run --release --example hopfield
//! cargo run --release --example hopfield -- --quick
//! ```

use clap::Parser;
use fb::data::generated::{flip, letters, random_patterns};
use fb::nn::classic::{Hopfield, ModernHopfield, Updates, overlap};
use fb::prelude::*;
use fb::train::plot::{ImageGrid, LineChart};
use fb_examples::{Effort, Spread, Table};
use std::path::{Path, PathBuf};

#[derive(Parser)]
#[command(about = "The capacity of a Hopfield network, and letters that complete themselves")]
struct Args {
    #[command(flatten)]
    effort: Effort,
    /// Units of the network whose capacity is looked at [default: 1000; with --quick 400, with --full 2000].
    #[arg(long)]
    units: Option<usize>,
    /// The folder for plots.
    #[arg(long, default_value = "out")]
    out: PathBuf,
}

/// Patterns a unit, at which theory has the memory break down.
const BREAK: f64 = 0.138;
/// Between what is kept below the break (more than 0.9) and the remnant above it (0.3 to 0.4).
const HALFWAY: f64 = 0.7;
/// The share of pixels of a letter that are turned.
const DAMAGE: f64 = 0.2;

fn main() -> fb::Result<()> {
    let mut args = Args::parse();
    // A set takes seconds: more of them than other examples have.
    let sets = args.effort.pick(3, 20, 50);
    args.effort.seeds.get_or_insert(sets);
    fb_examples::folder(&args.out)?;
    capacity(&args)?;
    modern(args.effort.pick(2_000, 10_000, 10_000))?;
    recall_letters(&args.out)?;
    println!("plots are in {}", args.out.display());
    Ok(())
}

/// Mean overlap, and the share of patterns that are kept without an error, after the network came to rest.
fn kept(load: f64, units: usize, seed: u64) -> fb::Result<[f64; 2]> {
    let count = (load * units as f64).round() as usize;
    let patterns = random_patterns(count, units, seed);
    let memory = Hopfield::store(&patterns)?.updates(Updates::Asynchronous { seed })?;
    let rest = memory.recall(&patterns)?;
    let overlaps = overlap(&rest.states, &patterns)?;
    let perfect = overlaps.iter().filter(|&m| m == 1.0).count();
    Ok([overlaps.mean(), perfect as f64 / count as f64])
}

/// Stores more and more patterns and looks what is left of them.
fn capacity(args: &Args) -> fb::Result<()> {
    let units = args.units.unwrap_or(args.effort.pick(400, 1000, 2000));
    let loads: Vec<f64> = (1..=10)
        .map(|step| f64::from(step) * 0.02)
        .chain([0.13, 0.135, 0.145, 0.15, 0.155])
        .collect();
    let mut loads = loads;
    loads.sort_by(f64::total_cmp);
    let by_set = args.effort.for_seeds("capacity", |seed| {
        loads.iter().map(|&load| kept(load, units, seed)).collect()
    })?;
    let by_set: Vec<Vec<[f64; 2]>> = by_set;
    println!(
        "{units} units, {} random sets, from the patterns themselves to rest\n",
        by_set.len()
    );
    let mut table = Table::new(["patterns a unit", "patterns", "overlap", "without an error"]);
    let mut curve = Vec::new();
    for (at, &load) in loads.iter().enumerate() {
        let overlaps = Spread::of(by_set.iter().map(|set| set[at][0]));
        let perfect = Spread::of(by_set.iter().map(|set| set[at][1]));
        table.row([
            format!("{load:.3}").as_str(),
            &format!("{:.0}", load * units as f64),
            &format!("{overlaps:.3}"),
            &format!("{perfect:.3}"),
        ]);
        curve.push((load, overlaps));
    }
    println!("{table}\n");
    match crossing(&curve) {
        Some(load) => println!(
            "the overlap falls through {HALFWAY} at {load:.3} patterns a unit (theory for endlessly many: {BREAK})"
        ),
        None => println!("the overlap stays on one side of {HALFWAY}"),
    }
    let name = format!("{units} units");
    let band = curve.iter().map(|&(load, overlap)| {
        let deviation = overlap.deviation.unwrap_or(0.0);
        (
            load,
            overlap.mean - deviation,
            (overlap.mean + deviation).min(1.0),
        )
    });
    LineChart::new("what a Hopfield network keeps")
        .x_label("patterns a unit")
        .y_label("overlap at rest")
        .line(
            &name,
            curve.iter().map(|&(load, overlap)| (load, overlap.mean)),
        )
        .band(&name, band)
        .line("theory's break", [(BREAK, 0.0), (BREAK, 1.0)])
        .y_from(0.0)
        .y_to(1.0)
        .save(args.out.join("hopfield_capacity.svg"))?;
    Ok(())
}

/// Where the curve falls through halfway, between the two loads around it.
fn crossing(curve: &[(f64, Spread)]) -> Option<f64> {
    curve.windows(2).find_map(|pair| {
        let [(from, high), (to, low)] = [pair[0], pair[1]];
        let falls = high.mean >= HALFWAY && low.mean < HALFWAY;
        falls.then(|| from + (to - from) * (high.mean - HALFWAY) / (high.mean - low.mean))
    })
}

/// One step of a modern Hopfield network on damaged patterns.
fn modern(count: usize) -> fb::Result<()> {
    let patterns = random_patterns(count, 64, 1);
    let memory = ModernHopfield::store(&patterns, 1.0)?;
    println!(
        "\na modern Hopfield network of 64 features keeps {count} patterns; after one step:\n"
    );
    let mut table = Table::new(["signs turned", "retrieved"]);
    for share in [0.0, 0.05, 0.1, 0.15, 0.2] {
        let damaged = flip(&patterns, share, 2)?;
        let answers = memory.retrieve(&damaged)?;
        let overlaps = overlap(&answers, &patterns)?;
        let retrieved = overlaps.iter().filter(|&m| m > 0.99).count();
        let retrieved = retrieved as f64 / count as f64;
        table.row([
            format!("{:.0} %", share * 100.0).as_str(),
            &format!("{retrieved:.4}"),
        ]);
    }
    println!("{table}\n");
    Ok(())
}

/// Damages stored letters, and draws how they come back.
fn recall_letters(out: &Path) -> fb::Result<()> {
    let stored = letters().reshape([5, 100]);
    // All units at once: what changes from picture to picture is one product with the weights.
    let memory = Hopfield::store(&stored)?;
    let damaged = flip(&stored, DAMAGE, 3)?;
    let sweeps = memory
        .recall(&damaged)?
        .sweeps
        .into_iter()
        .max()
        .unwrap_or(1);
    let mut stages = vec![stored.clone(), damaged.clone()];
    stages.extend(memory.sweeps(&damaged, sweeps)?);
    let mut captions = vec!["stored".to_owned(), "damaged".to_owned()];
    captions.extend((1..=sweeps).map(|sweep| format!("sweep {sweep}")));
    let columns = stages.len();
    // A row of pictures for each letter.
    let pictures = Tensor::stack(&stages.iter().collect::<Vec<_>>(), 1);
    let pictures = pictures.reshape([5 * columns, 10, 10]);
    ImageGrid::new("letters that complete themselves", &(pictures * -1.0))?
        .columns(columns)
        .captions((0..5).flat_map(|_| captions.iter()))
        .save(out.join("hopfield_letters.svg"))?;
    let last = &stages[columns - 1];
    let right = overlap(last, &stored)?.iter().filter(|&m| m == 1.0).count();
    let [before, after] = [&damaged, last].map(|states| overlap(states, &stored).map(|m| m.mean()));
    println!(
        "letters with {:.0} % of their pixels turned: overlap {:.3}, after {sweeps} sweeps {:.3}; {right} of 5 without an error",
        DAMAGE * 100.0,
        before?,
        after?
    );
    Ok(())
}
