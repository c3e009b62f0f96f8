//! `fb-data` used alone: from a text with gaps to scaled batches.
//!
//! You will see the table as it was read (twelve made-up penguins, four of their values missing), the sizes of
//! the training and test parts, the means that the gaps are filled with and the scales, learned from the
//! training rows only, and the batches of one shuffled epoch. Last, the error text for a row that is too
//! short.
//!
//! ```text
//! cargo run --release --example data_alone
//! ```

use fb_data::transform::{Fill, FillMissing, Fitted, StandardScaler, Transform};
use fb_data::{Batches, Csv, Dataset, Result, TensorDataset};

const PENGUINS: &str = "\
species,island,bill_mm,flipper_mm,mass_g
Adelie,Torgersen,39.1,181,3750
Adelie,Torgersen,39.5,186,3800
Adelie,Biscoe,NA,180,3400
Adelie,Biscoe,37.8,174,
Chinstrap,Dream,46.5,192,3500
Chinstrap,Dream,50.0,196,3900
Chinstrap,Dream,51.3,?,3650
Chinstrap,Dream,45.4,188,3525
Gentoo,Biscoe,46.1,211,4500
Gentoo,Biscoe,50.0,230,5700
Gentoo,Biscoe,48.7,210,4450
Gentoo,Biscoe,NA,218,5700
";

const FEATURES: [&str; 3] = ["bill_mm", "flipper_mm", "mass_g"];

fn main() -> Result<()> {
    let table = Csv::from_text(PENGUINS).read()?;
    println!("{}", table.describe());

    // Divide first: what is learned below must not have seen the test rows.
    let (species, classes) = table.labels("species")?;
    let (train, test) = table.split(0.25).stratified_by(&species).seed(42)?;
    println!(
        "{} rows to train on, {} to test on",
        train.len(),
        test.len()
    );

    let filler = FillMissing::new()
        .columns(FEATURES, Fill::Mean)
        .fit(&train)?;
    let (train, test) = (filler.transform(&train)?, filler.transform(&test)?);
    let scaler = StandardScaler::new().fit(&train.features(&FEATURES)?)?;
    for (name, column) in FEATURES.iter().zip(scaler.columns()) {
        println!(
            "{name}: mean {:.1}, deviation {:.1}",
            column.offset, column.scale
        );
    }

    let train = TensorDataset::new(
        scaler.transform(&train.features(&FEATURES)?)?,
        train.labels_with("species", &classes)?,
    )?;
    let mut batches = Batches::new(train.len(), 4)?.shuffle(7);
    for (number, rows) in batches.epoch(0).enumerate() {
        let (x, y) = train.batch(rows)?;
        println!(
            "\nbatch {number}: rows {rows:?}, species {:?}\n{x}",
            y.to_vec()
        );
    }
    println!("\nspecies are numbered as in {:?}", classes.names());

    let x = scaler.transform(&test.features(&FEATURES)?)?;
    println!("\nthe test rows, on the scale of the training rows:\n{x}");

    let broken = PENGUINS.replace("46.5,192,3500", "46.5");
    if let Err(error) = Csv::from_text(broken).read() {
        println!("\nerror: {error}");
    }
    Ok(())
}
