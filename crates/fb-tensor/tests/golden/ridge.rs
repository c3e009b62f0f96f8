use fb_tensor::Tensor;

fn numbers(line: usize) -> Vec<f64> {
    let line = include_str!("ridge.csv").lines().nth(line).unwrap();
    line.split(',').map(|word| word.parse().unwrap()).collect()
}

fn assert_near(found: &Tensor<f64>, known: &[f64]) {
    assert_eq!(found.len(), known.len());
    for (a, b) in found.iter().zip(known) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }
}

#[test]
fn the_factor_is_that_of_numpy() {
    let entry = |at: &[usize]| {
        let raised = if at[0] == at[1] { 0.01 } else { 0.0 };
        1.0 / (1 + at[0] + at[1]) as f64 + raised
    };
    let matrix = Tensor::<f64>::from_fn([9, 9], entry);
    assert_near(&matrix.cholesky(), &numbers(0));
}

#[test]
fn ridge_weights_are_those_of_numpy() {
    let x = (1..=20 * 7).map(|n| f64::from(n).sin()).collect();
    let y = (0..20 * 2).map(|n| f64::from(n * n % 11).cos()).collect();
    let (x, y) = (Tensor::from_vec(x, [20, 7]), Tensor::from_vec(y, [20, 2]));
    assert_near(&x.solve_ridge(&y, 0.3), &numbers(1));
}
