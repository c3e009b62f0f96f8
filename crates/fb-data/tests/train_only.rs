//! Statistics come from the training rows, whatever the test rows hold.

use fb_data::transform::{
    Fill, FillMissing, Fitted, FittedScaler, MaxScaler, MinMaxScaler, StandardScaler, Transform,
};
use fb_data::{Csv, Labelled, embedded};
use fb_tensor::Tensor;

fn fit(plan: &impl Transform<Fitted = FittedScaler>, part: &Labelled) -> FittedScaler {
    plan.fit(part.x()).unwrap()
}

#[test]
fn test_rows_do_not_move_a_scaler() {
    let (train, test) = embedded::wine().split(0.3).stratified().seed(5).unwrap();
    let mut fitted = Vec::new();
    for plan_fit in [
        fit(&StandardScaler::new(), &train),
        fit(&MinMaxScaler::new(), &train),
        fit(&MaxScaler::new(), &train),
    ] {
        let before = plan_fit.clone();
        plan_fit.transform(test.x()).unwrap();
        plan_fit.transform(&(test.x() * 1000.0)).unwrap();
        assert_eq!(plan_fit, before);
        fitted.push(plan_fit);
    }
    // The whole set has other statistics: fitting on it would have been seen.
    assert_ne!(
        fitted[0],
        StandardScaler::new().fit(embedded::wine().x()).unwrap()
    );
}

#[test]
fn the_training_rows_alone_are_standardised() {
    let (train, test) = embedded::breast_cancer()
        .split(0.3)
        .stratified()
        .seed(5)
        .unwrap();
    let scaler = fit(&StandardScaler::new(), &train);
    let mean = |x: &Tensor| {
        let x = scaler.transform(x).unwrap();
        let column = x.index_axis(1, 0);
        column.iter().map(f64::from).sum::<f64>() / x.dim(0) as f64
    };
    assert!(mean(train.x()).abs() < 1e-6);
    assert!(mean(test.x()).abs() > 1e-3);
}

#[test]
fn gaps_in_test_rows_are_filled_with_what_the_training_rows_suggest() {
    let table = Csv::from_text("age,city\n20,x\n,x\n30,\n40,y\n,\n1000,z\n")
        .read()
        .unwrap();
    let (train, test) = table.split(2).in_order().unwrap();
    let plan = FillMissing::new()
        .column("age", Fill::Median)
        .column("city", Fill::MostFrequent);
    let filler = plan.fit(&train).unwrap();
    assert_eq!(
        filler.transform(&test).unwrap().to_csv(),
        "age,city\n30,x\n1000,z\n"
    );
    assert_eq!(filler.transform(&train).unwrap().missing(), 0);
    let text = serde_json::to_string(&filler).unwrap();
    assert_eq!(
        serde_json::from_str::<fb_data::transform::FittedFill>(&text).unwrap(),
        filler
    );
}

#[test]
fn classes_of_the_training_rows_number_the_test_rows() {
    let train = Csv::from_text("k\nb\nc\n").read().unwrap();
    let test = Csv::from_text("k\nc\n").read().unwrap();
    let (_, classes) = train.labels("k").unwrap();
    assert_eq!(test.labels_with("k", &classes).unwrap().to_vec(), [1]);
    // Numbered on its own, the same word would be another class.
    assert_eq!(test.labels("k").unwrap().0.to_vec(), [0]);
    let text = serde_json::to_string(&classes).unwrap();
    assert_eq!(
        serde_json::from_str::<fb_data::transform::Classes>(&text).unwrap(),
        classes
    );
}

#[test]
fn stratified_parts_of_the_digits_hold_every_digit_in_proportion() {
    let digits = embedded::digits();
    let (train, test) = digits.split(0.2).stratified().seed(42).unwrap();
    assert_eq!((train.len(), test.len()), (1438, 359));
    for (all, here) in digits.class_counts().iter().zip(test.class_counts()) {
        let exact = *all as f64 * 359.0 / 1797.0;
        assert!((here as f64 - exact).abs() < 1.0, "{here} of {exact}");
    }
    assert_eq!(test.images().unwrap().dims(), [359, 8, 8, 1]);
    let sum = |part: &Labelled| part.x().iter().map(f64::from).sum::<f64>();
    assert_eq!(sum(&train) + sum(&test), 561_718.0);
}
