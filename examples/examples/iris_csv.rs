//! From a CSV file with gaps to predictions with names: the whole way of a row.
//!
//! You will see the file as it was read (150 irises, some of their lengths missing, as `NA` or as empty cells), what is
//! learned from the training rows alone (the values that fill the gaps, the scales), the training of a small feedback
//! network, its accuracy on the rows that were held out, a confusion matrix, and predictions for three flowers by name.
//! The file is made from the embedded set: `out/iris_with_gaps.csv`.
//!
//! ```text
//! cargo run --release --example iris_csv
//! ```

use clap::Parser;
use fb::data::Csv;
use fb::data::transform::{Fill, FillMissing, Fitted, StandardScaler, Transform};
use fb::prelude::*;
use fb::train::file::write_atomic;
use fb::train::metrics::ConfusionMatrix;
use std::fmt::Write;
use std::path::{Path, PathBuf};

#[derive(Parser)]
#[command(about = "A CSV file with gaps: read, cleaned, learned, predicted")]
struct Args {
    /// The folder for the CSV file and the plot.
    #[arg(long, default_value = "out")]
    out: PathBuf,
    /// Train for a few epochs only.
    #[arg(long)]
    quick: bool,
}

const FEATURES: [&str; 4] = ["sepal_length", "sepal_width", "petal_length", "petal_width"];

fn main() -> fb::Result<()> {
    let args = Args::parse();
    fb_examples::folder(&args.out)?;
    let path = args.out.join("iris_with_gaps.csv");
    write_file_with_gaps(&path)?;

    println!("== {}", path.display());
    let table = Csv::open(&path).read()?;
    println!("{}", table.describe());

    // Divide first: what is learned below must not have seen the test rows.
    let (species, classes) = table.labels("species")?;
    let (train, test) = table.split(0.2).stratified_by(&species).seed(42)?;
    println!(
        "\n== {} rows to train on, {} to test on",
        train.len(),
        test.len()
    );
    let filler = FillMissing::new()
        .columns(FEATURES, Fill::Median)
        .fit(&train)?;
    let (train, test) = (filler.transform(&train)?, filler.transform(&test)?);
    let (y_train, y_test) = (
        train.labels_with("species", &classes)?,
        test.labels_with("species", &classes)?,
    );
    let scaler = StandardScaler::new().fit(&train.features(&FEATURES)?)?;
    for (name, column) in FEATURES.iter().zip(scaler.columns()) {
        println!(
            "{name:<12}  mean {:.2}, deviation {:.2}",
            column.offset, column.scale
        );
    }
    let x_train = scaler.transform(&train.features(&FEATURES)?)?;
    let x_test = scaler.transform(&test.features(&FEATURES)?)?;

    println!("\n== the network");
    let mut model = Sequential::input([4])
        .layer("hidden", Dense::new(16).activation(Tanh))
        .layer("output", Dense::new(3))
        .feedback("output", "hidden")
        .schedule(Unroll::iterations(3))
        .seed(42)
        .build()?
        .compile(Adam::new(0.01), CrossEntropy, (Accuracy,))?;
    println!("{}", model.summary());

    println!("\n== training");
    let epochs = if args.quick { 20 } else { 100 };
    let fit = Fit::epochs(epochs).batch_size(16).log_every(20);
    model.fit((&x_train, &y_train), fit)?;

    println!("\n== the rows that were held out");
    println!("{}\n", model.evaluate((&x_test, &y_test))?);
    let mut confusion = ConfusionMatrix::new(classes.names());
    confusion.add(&model.predict(&x_test)?, &y_test.clone().into())?;
    println!("{confusion}");
    let plot = args.out.join("iris_confusion.svg");
    confusion.plot(&plot)?;

    println!("\n== three flowers");
    let flowers = Tensor::from([
        [5.0, 3.4, 1.5, 0.2],
        [6.1, 2.8, 4.2, 1.3],
        [6.7, 3.1, 5.6, 2.3],
    ]);
    let predicted = model.predict_classes(&scaler.transform(&flowers)?)?;
    for (row, class) in predicted.iter().enumerate() {
        println!(
            "{:.1}  {}",
            flowers.index_axis(0, row),
            classes.names()[class as usize]
        );
    }
    println!("\nwrote {} and {}", path.display(), plot.display());
    Ok(())
}

/// The embedded irises as CSV, every 23rd number left out: half of the gaps are `NA`, half are empty.
fn write_file_with_gaps(path: &Path) -> fb::Result<()> {
    let iris = fb::data::embedded::iris();
    let mut text = format!("{},species\n", FEATURES.join(","));
    for row in 0..iris.len() {
        for column in 0..4 {
            match row * 4 + column {
                cell if cell % 46 == 22 => text.push_str("NA"),
                cell if cell % 46 == 45 => {}
                _ => write!(text, "{}", iris.x().at(&[row, column])).expect("writing to a string"),
            }
            text.push(',');
        }
        let species = iris.y().at(&[row]) as usize;
        text.push_str(&iris.class_names()[species]);
        text.push('\n');
    }
    Ok(write_atomic(path, |file| file.write_all(text.as_bytes()))?)
}
