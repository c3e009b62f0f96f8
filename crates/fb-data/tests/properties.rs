//! What holds for any rows.

use fb_data::transform::{
    Fitted, FittedPipeline, FittedScaler, Invertible, MaxScaler, MinMaxScaler, OneHot,
    StandardScaler, Transform,
};
use fb_data::{Batches, Column, Csv, Table, k_fold, split};
use fb_tensor::Tensor;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// The same cases in every run, and no file for failures.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 64,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Rows of up to four columns, each with a magnitude of its own.
fn rows() -> impl Strategy<Value = Tensor> {
    (1_usize..20, 1_usize..5).prop_flat_map(|(rows, columns)| {
        let scales = proptest::collection::vec(-3_i32..4, columns);
        let values = proptest::collection::vec(-1.0_f32..1.0, rows * columns);
        (scales, values).prop_map(move |(scales, mut values)| {
            for (index, value) in values.iter_mut().enumerate() {
                *value *= 10_f32.powi(scales[index % columns]);
            }
            Tensor::from_vec(values, [rows, columns])
        })
    })
}

/// Equal but for the rounding of numbers of the size of their column.
fn assert_close(found: &Tensor, expected: &Tensor) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.dims(), expected.dims());
    let size = |column: usize| {
        let values = expected.index_axis(1, column);
        values
            .iter()
            .fold(f32::MIN_POSITIVE, |size, value| size.max(value.abs()))
    };
    for column in 0..expected.dim(1) {
        let pairs = found.index_axis(1, column);
        for (a, b) in pairs.iter().zip(expected.index_axis(1, column).iter()) {
            prop_assert!((a - b).abs() <= 1e-6 * size(column), "{a} is not {b}");
        }
    }
    Ok(())
}

fn returns<T>(plan: &T, x: &Tensor) -> Result<(), TestCaseError>
where
    T: Transform<Fitted: Invertible<Input = Tensor, Output = Tensor>>,
{
    let (fitted, y) = plan.fit_transform(x).unwrap();
    prop_assert!(y.iter().all(f32::is_finite));
    assert_close(&fitted.inverse(&y).unwrap(), x)
}

/// Each row once, over all parts.
fn assert_partition(parts: &[&[usize]], rows: usize) -> Result<(), TestCaseError> {
    let mut all = parts.concat();
    all.sort_unstable();
    prop_assert_eq!(all, (0..rows).collect::<Vec<_>>());
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn scalers_come_back(x in rows()) {
        returns(&StandardScaler::new(), &x)?;
        returns(&MinMaxScaler::new(), &x)?;
        returns(&MinMaxScaler::new().range(-1.0, 1.0), &x)?;
        returns(&StandardScaler::new().then(MinMaxScaler::new()), &x)?;
        // A maximum far below the other values would magnify the rounding of the way there.
        returns(&MaxScaler::new(), &x.abs())?;
    }

    #[test]
    fn the_least_and_greatest_values_meet_the_ends_of_the_range(x in rows()) {
        let (_, y) = MinMaxScaler::new().fit_transform(&x).unwrap();
        prop_assert!(y.iter().all(|value| (0.0..=1.0).contains(&value)));
    }

    #[test]
    fn fitted_scalers_survive_serialisation(x in rows()) {
        type Chain = FittedPipeline<FittedScaler, FittedScaler>;
        let chain: Chain = StandardScaler::new().then(MaxScaler::new()).fit(&x).unwrap();
        let text = serde_json::to_string(&chain).unwrap();
        let back: Chain = serde_json::from_str(&text).unwrap();
        let [found, expected] = [back, chain].map(|chain| chain.transform(&x).unwrap());
        for (a, b) in found.iter().zip(expected.iter()) {
            // Text formats may lose the last bit of a number.
            prop_assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{a} is not {b}");
        }
    }

    #[test]
    fn one_hot_vectors_come_back(labels in proptest::collection::vec(0_i64..9, 1..30)) {
        let y = Tensor::from(labels.clone());
        let (one_hot, x) = OneHot::new().fit_transform(&y).unwrap();
        prop_assert_eq!(x.iter().sum::<f32>(), labels.len() as f32);
        prop_assert_eq!(one_hot.inverse(&x).unwrap().to_vec(), labels);
    }

    #[test]
    fn splits_partition_the_rows_and_keep_the_classes(
        labels in proptest::collection::vec(-2_i64..3, 10..80),
        seed in any::<u64>(),
        part in 0.1..0.4,
    ) {
        let (rows, y) = (labels.len(), Tensor::from(labels.clone()));
        let (train, test) = split(rows, part).seed(seed).unwrap();
        assert_partition(&[&train, &test], rows)?;
        let (train, test) = split(rows, part).stratified_by(&y).seed(seed).unwrap();
        assert_partition(&[&train, &test], rows)?;
        for class in -2..3 {
            let count = |rows: &[usize]| rows.iter().filter(|&&row| labels[row] == class).count();
            let all = count(&train) + count(&test);
            let exact = all as f64 * test.len() as f64 / rows as f64;
            prop_assert!((count(&test) as f64 - exact).abs() < 1.0);
        }
        let plan = split(rows, part).validation(part).stratified_by(&y);
        let (train, validation, test) = plan.seed(seed).unwrap();
        assert_partition(&[&train, &validation, &test], rows)?;
    }

    #[test]
    fn folds_partition_the_rows(
        labels in proptest::collection::vec(0_i64..4, 6..60),
        folds in 2_usize..6,
        seed in any::<u64>(),
    ) {
        let (rows, y) = (labels.len(), Tensor::from(labels.clone()));
        for plan in [k_fold(rows, folds), k_fold(rows, folds).stratified_by(&y)] {
            let mut tested = Vec::new();
            for (train, test) in plan.seed(seed).unwrap() {
                assert_partition(&[&train, &test], rows)?;
                prop_assert!(test.len().abs_diff(rows / folds) <= 1);
                tested.push(test);
            }
            assert_partition(&tested.iter().map(Vec::as_slice).collect::<Vec<_>>(), rows)?;
        }
        for (_, test) in k_fold(rows, folds).stratified_by(&y).seed(seed).unwrap() {
            for class in 0..4 {
                let all = labels.iter().filter(|&&label| label == class).count();
                let here = test.iter().filter(|&&row| labels[row] == class).count();
                prop_assert!((here as f64 - all as f64 / folds as f64).abs() < 1.0);
            }
        }
    }

    #[test]
    fn an_epoch_visits_every_row_once(
        rows in 1_usize..200,
        size in 1_usize..50,
        seed in any::<u64>(),
        epoch in any::<u64>(),
    ) {
        let mut batches = Batches::new(rows, size).unwrap().shuffle(seed);
        let count = batches.count();
        let parts: Vec<Vec<usize>> = batches.epoch(epoch).map(<[usize]>::to_vec).collect();
        prop_assert_eq!(parts.len(), count);
        assert_partition(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>(), rows)?;
    }

    #[test]
    fn tables_survive_the_way_out_and_in(
        numbers in proptest::collection::vec(proptest::option::of(proptest::num::f64::NORMAL), 12),
        words in proptest::collection::vec(proptest::option::of("[a-z,;\"\n]{0,5}w"), 12),
    ) {
        let table = Table::from_columns([
            ("numbers", Column::Numbers(numbers)),
            ("words", Column::Text(words.into_iter().map(|w| w.map(|w| w.trim().to_string())).collect())),
        ])
        .unwrap();
        let back = Csv::from_text(table.to_csv()).text("words").read().unwrap();
        prop_assert_eq!(
            back.columns().collect::<Vec<_>>(),
            table.columns().collect::<Vec<_>>()
        );
    }
}
