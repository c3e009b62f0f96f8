//! Digits behind pieces of other digits: does it help to look again?
//!
//! Small convolutional networks see handwritten digits partly hidden by pieces of others. One sees bottom-up only (B), the
//! others look four times and carry what they saw from look to look: sideways within a map (BL), from the later map down to
//! the earlier (BT), or both (BLT), taught to be right at every look. All have as many parameters, so B is wider; two more
//! feed-forward networks, one wider and one deeper, do as much arithmetic in their one look as BLT does in four.
//!
//! You will see the accuracy by network and number of pieces, mean ± deviation over the seeds; then the accuracy after each
//! look, also far beyond the four that were trained; and last, seed by seed, what feedback gained over each feed-forward
//! network, or did not. `out/occluded_digits.svg` shows the pictures and `out/occluded_digits_iterations.svg` the accuracy by
//! look for each number of pieces.
//!
//! The size and number of pieces, the readout and the networks with drawn numbers of looks were chosen on looking at test
//! figures of short runs: the differences between networks count, not the level of the figures.
//!
//! ```text
//! cargo run --release --example occluded_digits
//! cargo run --release --example occluded_digits -- --full
//! ```
//!
//! Where feedback does not help: here. The plain run gave BLT 0.800 ± 0.010 over all levels after its fourth look, the
//! feed-forward network of equal parameters 0.810 ± 0.010, the wide one of equal arithmetic 0.829 ± 0.004 and the deep one
//! 0.819 ± 0.005. Later looks are better than the first, which shares its weights with them, but the gain is over by the third
//! or fourth; by the sixteenth BLT lost 0.050, half of that if the number of looks varied in training.
//!
//! C. J. Spoerer, P. McClure, N. Kriegeskorte (2017), Recurrent convolutional neural networks: a better model of biological
//! object recognition, Frontiers in Psychology 8, 1551, asks the same of larger pictures.

use clap::Parser;
use fb::data::generated::Clutter;
use fb::data::{Labelled, embedded};
use fb::nn::feedback::Graph;
use fb::nn::feedback::network::{RunOptions, Wanted};
use fb::nn::{Context, Value};
use fb::prelude::*;
use fb::train::plot::{ImageGrid, LineChart};
use fb_examples::{Effort, Spread, Table, nearest_width};
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(Parser)]
#[command(about = "Digits behind pieces of other digits, with and without feedback")]
struct Args {
    #[command(flatten)]
    effort: Effort,
    /// Passes over the training pictures [default: 8; with --quick 1, with --full 20].
    #[arg(long)]
    epochs: Option<u64>,
    /// The folder for the plots.
    #[arg(long, default_value = "out")]
    out: PathBuf,
}

/// How often the networks with feedback look in training.
const ITERATIONS: usize = 4;
/// How often they look at most in the test.
const MOST: usize = 16;
/// Of these looks the accuracy is printed.
const LOOKS: [usize; 6] = [1, 2, 3, 4, 8, 16];
/// How many pieces hide a digit: as many training pictures of each.
const LEVELS: [usize; 4] = [0, 1, 2, 4];
/// Height and width of a piece.
const SIZE: RangeInclusive<usize> = 2..=4;
/// Maps of BLT; the others are as wide as makes them equal to it.
const MAPS: usize = 16;
/// Pixels, and positions of the later maps.
const PIXELS: usize = 8 * 8;
const POSITIONS: usize = 4 * 4;
/// Weights of a kernel from one map to one map.
const KERNEL: usize = 3 * 3;

/// What a network has.
#[derive(Clone, Copy)]
struct Design {
    name: &'static str,
    /// Convolutions at each of the two sizes.
    depth: usize,
    /// Connections within a map, from one look to the next.
    lateral: bool,
    /// Connections from the later maps to the earlier ones, from one look to the next.
    top_down: bool,
    /// Whether the number of looks in training is drawn anew for each batch, so that none is learned by heart.
    random: bool,
    /// In what it equals BLT.
    equal: Equal,
}

#[derive(Clone, Copy, PartialEq)]
enum Equal {
    Parameters,
    Arithmetic,
}

const B: Design = Design {
    name: "B",
    depth: 1,
    lateral: false,
    top_down: false,
    random: false,
    equal: Equal::Parameters,
};
const BLT: Design = Design {
    name: "BLT",
    lateral: true,
    top_down: true,
    ..B
};
/// Feed-forward first.
const DESIGNS: [Design; 7] = [
    B,
    Design {
        name: "B, wide",
        equal: Equal::Arithmetic,
        ..B
    },
    Design {
        name: "B, deep",
        depth: 4,
        equal: Equal::Arithmetic,
        ..B
    },
    Design {
        name: "BL",
        lateral: true,
        ..B
    },
    Design {
        name: "BT",
        top_down: true,
        ..B
    },
    BLT,
    Design {
        name: "BLT, 2 to 6 looks",
        random: true,
        ..BLT
    },
];
const FEED_FORWARD: usize = 3;
/// Where BLT stands in the list.
const AT_BLT: usize = 5;

impl Design {
    /// The network with so many maps.
    fn network(self, maps: usize) -> Graph {
        let same = || Conv2d::new(maps, [3, 3]).same();
        let mut graph = Graph::new().input("image", [8, 8, 1]);
        let mut last = "image".to_owned();
        for size in [1, 2] {
            for layer in 0..self.depth {
                let name = match layer {
                    0 => format!("conv{size}"),
                    _ => format!("conv{size}_{}", layer + 1),
                };
                graph = graph.layer(&name, same().activation(Relu), last.as_str());
                last = name;
            }
            if size == 1 {
                graph = graph.layer("pool", MaxPool2d::new([2, 2]), last.as_str());
                last = "pool".to_owned();
            }
        }
        // What is carried from look to look passes kernels of its own before it joins the sums of the next.
        if self.lateral {
            for (side, conv) in [("side1", "conv1"), ("side2", "conv2")] {
                let carried = same().bias(false).weight_init(Initializer::small_gain(0.5));
                graph = graph
                    .layer(side, carried, conv)
                    .feedback(side, conv)
                    .identity();
            }
        }
        if self.top_down {
            let down = ConvTranspose2d::new(maps, [3, 3]).stride([2, 2]).same();
            let carried = down.bias(false).weight_init(Initializer::small_gain(0.5));
            graph = graph
                .layer("down", carried, "conv2")
                .feedback("down", "conv1")
                .identity();
        }
        graph = graph
            .layer("flat", Flatten, last.as_str())
            .layer("drop", Dropout::new(0.3), "flat")
            .layer("output", Dense::new(10), "drop");
        match (self.looks(), self.random) {
            (1, _) => graph,
            (_, false) => graph.schedule(Unroll::iterations(ITERATIONS)),
            (_, true) => graph.schedule(Unroll::uniform(2, 2 * ITERATIONS - 2)),
        }
    }

    /// How often it looks in training, in the mean.
    fn looks(self) -> usize {
        if self.lateral || self.top_down {
            ITERATIONS
        } else {
            1
        }
    }

    fn parameters(self, maps: usize) -> usize {
        let network = self.network(maps).build();
        network.expect("a valid network").params().elements()
    }

    /// Multiply–adds for one picture, forward. What does not change from look to look is done once.
    fn multiply_adds(self, maps: usize) -> usize {
        let square = KERNEL * maps * maps;
        let mut look = POSITIONS * (square * self.depth + maps * 10);
        look += PIXELS * square * (self.depth - 1);
        if self.lateral {
            look += (PIXELS + POSITIONS) * square;
        }
        if self.top_down {
            look += POSITIONS * square;
        }
        PIXELS * KERNEL * maps + self.looks() * look
    }

    /// As many maps as make it equal to BLT.
    fn maps(self) -> usize {
        match self.equal {
            Equal::Parameters => nearest_width(BLT.parameters(MAPS), |maps| self.parameters(maps)),
            Equal::Arithmetic => {
                nearest_width(BLT.multiply_adds(MAPS), |maps| self.multiply_adds(maps))
            }
        }
    }
}

/// Pictures `[picture, 8, 8, 1]` with values from 0 to 1, and digits.
struct Pictures {
    x: Tensor,
    y: Tensor<i64>,
}

impl Pictures {
    /// The digits with so many pieces in front of each, several times, each time with others.
    fn of(digits: &Labelled, pieces: usize, seeds: Range<u64>) -> fb::Result<Self> {
        let mut all = Vec::new();
        for seed in seeds {
            let clutter = Clutter::new(seed).pieces(pieces).size(SIZE);
            all.push(clutter.covers().images(&digits.images()?)?);
        }
        let labels = vec![digits.y(); all.len()];
        Ok(Self {
            x: Tensor::concat(&all.iter().collect::<Vec<_>>(), 0) * (1.0 / 16.0),
            y: Tensor::concat(&labels, 0),
        })
    }

    fn together(parts: &[Self]) -> Self {
        let x: Vec<_> = parts.iter().map(|part| &part.x).collect();
        let y: Vec<_> = parts.iter().map(|part| &part.y).collect();
        Self {
            x: Tensor::concat(&x, 0),
            y: Tensor::concat(&y, 0),
        }
    }
}

/// Training pictures of all levels together, and test pictures of each.
struct Seed {
    train: Pictures,
    tests: Vec<Pictures>,
}

impl Seed {
    /// No digit is in both, neither in front nor behind.
    fn of(seed: u64, times: u64) -> fb::Result<Self> {
        let (train, test) = embedded::digits().split(0.2).stratified().seed(seed)?;
        let levels = |digits: &Labelled, times| {
            let seeds = seed * 1000..seed * 1000 + times;
            let level = |&pieces| Pictures::of(digits, pieces, seeds.clone());
            LEVELS.iter().map(level).collect::<fb::Result<Vec<_>>>()
        };
        Ok(Self {
            train: Pictures::together(&levels(&train, times)?),
            tests: levels(&test, 4)?,
        })
    }
}

/// Accuracy by level and look; feed-forward networks look once.
type Accuracies = Vec<Vec<f64>>;

fn main() -> fb::Result<()> {
    let args = Args::parse();
    let epochs = args.epochs.unwrap_or(args.effort.pick(1, 8, 20));
    let times = args.effort.pick(1, 2, 4);
    let data = Seed::of(0, times)?;
    println!("{}", embedded::digits());
    println!(
        "{} pictures to train on, with {LEVELS:?} pieces of other digits in front; {} held out\n",
        data.train.y.len(),
        data.tests.iter().map(|test| test.y.len()).sum::<usize>()
    );
    println!("{}\n", BLT.network(MAPS).build()?.summary());
    fb_examples::folder(&args.out)?;
    draw_pictures(&data.tests, &args.out)?;

    let start = Instant::now();
    let results = args.effort.for_seeds("all networks", |seed| {
        let data = Seed::of(seed, times)?;
        let accuracies = DESIGNS
            .iter()
            .map(|design| run(*design, seed, &data, epochs));
        accuracies.collect::<fb::Result<Vec<_>>>()
    })?;
    let results = Results(results);
    println!("{}\n", results.by_level());
    println!("{}\n", results.by_look());
    results.draw(&args.out)?;
    results.say();
    println!(
        "\n{} trainings in {:.0} s; plots are in {}",
        DESIGNS.len() * results.0.len(),
        start.elapsed().as_secs_f64(),
        args.out.display()
    );
    let blt = results.spread(|seed| at(&seed[AT_BLT], ITERATIONS));
    println!(
        "mean test accuracy {:.4} over {} seeds",
        blt.mean,
        results.0.len()
    );
    Ok(())
}

/// Trains a network and tests it.
fn run(design: Design, seed: u64, data: &Seed, epochs: u64) -> fb::Result<Accuracies> {
    let network = design.network(design.maps()).seed(seed).build()?;
    // Every look is taught to be right, so that the later ones refine.
    let mut model = network
        .compile(AdamW::new(2e-3), CrossEntropy, (Accuracy,))?
        .loss_on(LossOn::Every);
    let fit = Fit::epochs(epochs).batch_size(64).silent();
    model.fit((&data.train.x, &data.train.y), fit)?;
    let tests = data.tests.iter();
    tests
        .map(|test| accuracies(model.network(), test))
        .collect()
}

/// The accuracy after each look, more looks than in training.
fn accuracies(network: &Network, test: &Pictures) -> fb::Result<Vec<f64>> {
    let longer = Unroll::iterations(MOST);
    let options = RunOptions {
        schedule: Some(&longer),
        wanted: Wanted::Every,
        ..RunOptions::default()
    };
    let mut cx = Context::eval(network.params());
    let run = fb::threads::scope(|| network.run(&mut cx, test.x.clone(), &options))?;
    let right = |scores: &Value| {
        let scores = scores.as_float().expect("scores are numbers").tensor();
        let answers = scores.argmax(1);
        let right = answers.iter().zip(test.y.iter()).filter(|(a, y)| a == y);
        right.count() as f64 / test.y.len() as f64
    };
    Ok(run.outputs().iter().map(right).collect())
}

/// The accuracy after so many looks, over all levels.
fn at(accuracies: &Accuracies, look: usize) -> f64 {
    let level = |looks: &Vec<f64>| looks[look.min(looks.len()) - 1];
    accuracies.iter().map(level).sum::<f64>() / accuracies.len() as f64
}

/// By seed and network.
struct Results(Vec<Vec<Accuracies>>);

impl Results {
    fn spread(&self, number: impl Fn(&[Accuracies]) -> f64) -> Spread {
        Spread::of(self.0.iter().map(|seed| number(seed)))
    }

    /// After as many looks as in training.
    fn by_level(&self) -> Table {
        let levels: Vec<String> = LEVELS.iter().map(|level| pieces(*level)).collect();
        let mut heads = vec!["network", "maps", "parameters", "multiply–adds"];
        heads.extend(levels.iter().map(String::as_str));
        heads.push("all");
        let mut table = Table::new(heads);
        for (index, design) in DESIGNS.iter().enumerate() {
            let maps = design.maps();
            let mut row = vec![
                design.name.to_owned(),
                maps.to_string(),
                design.parameters(maps).to_string(),
                design.multiply_adds(maps).to_string(),
            ];
            for level in 0..LEVELS.len() {
                let last = |seed: &[Accuracies]| seed[index][level][design.looks() - 1];
                row.push(format!("{:.3}", self.spread(last)));
            }
            let all = self.spread(|seed| at(&seed[index], design.looks()));
            row.push(format!("{all:.3}"));
            table.row(row.iter().map(String::as_str));
        }
        table
    }

    fn by_look(&self) -> Table {
        let looks = LOOKS.map(|look| format!("look {look}"));
        let mut table = Table::new(
            ["network"]
                .into_iter()
                .chain(looks.iter().map(String::as_str)),
        );
        let mut row = |name: &str, number: &dyn Fn(&[Accuracies], usize) -> f64| {
            let cells = LOOKS.map(|look| format!("{:.3}", self.spread(|seed| number(seed, look))));
            table.row([name].into_iter().chain(cells.iter().map(String::as_str)));
        };
        for (index, design) in DESIGNS.iter().enumerate().skip(FEED_FORWARD) {
            row(design.name, &|seed, look| at(&seed[index], look));
        }
        for (level, count) in LEVELS.iter().enumerate() {
            let name = format!("BLT, {}", pieces(*count));
            row(&name, &|seed, look| seed[AT_BLT][level][look - 1]);
        }
        table
    }

    /// What feedback gained, seed by seed, so that what seeds have in common cancels.
    fn say(&self) {
        let trained = |network: usize| (network, DESIGNS[network].looks());
        let longer = |network: usize| (network, MOST);
        for network in 0..AT_BLT {
            self.compare(trained(AT_BLT), trained(network));
        }
        self.compare(trained(AT_BLT), (AT_BLT, 1));
        for network in FEED_FORWARD..DESIGNS.len() {
            self.compare(longer(network), trained(network));
        }
    }

    /// Says how one network after so many looks compares with another.
    fn compare(&self, one: (usize, usize), other: (usize, usize)) {
        let [name, against] = [one, other].map(|(network, look)| {
            let name = DESIGNS[network].name;
            match network {
                ..FEED_FORWARD => name.to_owned(),
                _ => format!("{name}, look {look}"),
            }
        });
        let gain = |seed: &[Accuracies]| at(&seed[one.0], one.1) - at(&seed[other.0], other.1);
        let gain = self.spread(gain);
        println!(
            "{name} against {against}: {:+.4}, {}",
            gain.mean,
            verdict(gain, self.0.len())
        );
    }

    /// The accuracy of BLT after each look, by level.
    fn draw(&self, out: &Path) -> fb::Result<()> {
        let mut chart = LineChart::new("BLT: accuracy by look, trained on four")
            .x_label("look")
            .y_label("test accuracy")
            .whole_x()
            .ordered();
        for (level, count) in LEVELS.iter().enumerate() {
            let looks: Vec<(f64, Spread)> = (0..MOST)
                .map(|look| {
                    let spread = self.spread(|seed| seed[AT_BLT][level][look]);
                    ((look + 1) as f64, spread)
                })
                .collect();
            let name = pieces(*count);
            let band = looks.iter().map(|(look, spread)| {
                let deviation = spread.deviation.unwrap_or(0.0);
                (*look, spread.mean - deviation, spread.mean + deviation)
            });
            chart = chart
                .line(
                    &name,
                    looks.iter().map(|(look, spread)| (*look, spread.mean)),
                )
                .band(&name, band);
        }
        chart.save(out.join("occluded_digits_iterations.svg"))?;
        Ok(())
    }
}

fn pieces(count: usize) -> String {
    match count {
        1 => "1 piece".to_owned(),
        _ => format!("{count} pieces"),
    }
}

/// Whether the mean of differences is further from 0 than chance takes it in 19 of 20 experiments (Student's t).
fn verdict(differences: Spread, seeds: usize) -> &'static str {
    const STUDENT: [f64; 9] = [12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26];
    let Some(deviation) = differences.deviation else {
        return "from one seed alone";
    };
    let chance = STUDENT[(seeds - 2).min(STUDENT.len() - 1)] * deviation / (seeds as f64).sqrt();
    match differences.mean {
        mean if mean > chance => "better",
        mean if mean < -chance => "worse",
        _ => "no difference beyond chance",
    }
}

/// The first digit of each kind at each level.
fn draw_pictures(tests: &[Pictures], out: &Path) -> fb::Result<()> {
    let mut rows = Vec::new();
    for test in tests {
        for digit in 0..10 {
            let row = test.y.iter().position(|y| y == digit);
            let row = row.expect("every digit is among the test pictures");
            rows.push(test.x.index_axis(0, row).index_axis(2, 0));
        }
    }
    let rows: Vec<_> = rows.iter().collect();
    ImageGrid::new(
        "0, 1, 2 and 4 pieces of other digits in front",
        &Tensor::stack(&rows, 0),
    )?
    .columns(10)
    .save(out.join("occluded_digits.svg"))?;
    Ok(())
}
