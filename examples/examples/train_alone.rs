//! `fb-train` used with the crates below it and without the facade.
//!
//! You will see a feedback network learn to tell three vineyards' wines apart: its summary, one line for every tenth
//! epoch until the validation loss stops falling, and what it reaches on wines that it has not seen.
//!
//! ```text
//! cargo run --release --example train_alone
//! ```

use fb_data::embedded;
use fb_data::transform::{Fitted, StandardScaler, Transform};
use fb_nn::Sequential;
use fb_nn::feedback::schedule::Unroll;
use fb_nn::layers::{Activation, Dense};
use fb_nn::loss::CrossEntropy;
use fb_nn::optim::Adam;
use fb_train::metrics::{Accuracy, F1};
use fb_train::{Compile, EarlyStopping, Fit};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let (train, validation, test) = embedded::wine()
        .split(0.2)
        .validation(0.2)
        .stratified()
        .seed(1)?;
    let scaler = StandardScaler::new().fit(train.x())?;
    let (x_train, x_validation) = (
        scaler.transform(train.x())?,
        scaler.transform(validation.x())?,
    );
    let x_test = scaler.transform(test.x())?;

    let mut model = Sequential::input([13])
        .layer("hidden", Dense::new(16).activation(Activation::Tanh))
        .layer("output", Dense::new(3))
        .feedback("output", "hidden")
        .schedule(Unroll::iterations(3))
        .seed(1)
        .build()?
        .compile(
            Adam::new(0.01),
            CrossEntropy,
            (Accuracy, F1::macro_average()),
        )?;
    println!("{}\n", model.summary());

    let fit = Fit::epochs(200)
        .batch_size(16)
        .validation((&x_validation, validation.y()))
        .callback(
            EarlyStopping::monitor("val_loss")
                .patience(10)
                .restore_best(),
        )
        .log_every(10);
    let history = model.fit((&x_train, train.y()), fit)?;
    if let Some(best) = history.best("val_loss") {
        println!(
            "\nbest epoch {} of {}: validation loss {:.4}",
            best.epoch,
            history.len(),
            best.value
        );
    }
    println!("test: {}", model.evaluate((&x_test, test.y()))?);
    Ok(())
}
