use super::*;
use crate::feedback::spectrum::{Arnoldi, eigenvalues};
use fb_tensor::random::Key;

fn series(time: usize, features: usize, seed: u64) -> Tensor<f64> {
    Tensor::uniform([time, features], -1.0, 1.0, &mut Key::new(seed).rng())
}

fn weight(model: &EchoState, name: &str) -> Tensor<f64> {
    let param = model.network().params().by_name(name);
    param.expect("named so").value.clone()
}

/// The states by the formula, one unit after the other.
fn by_hand(model: &EchoState, leak: f64, inputs: &Tensor<f64>, fed: &Tensor<f64>) -> Tensor<f64> {
    let [into, bias] = ["drive/weight", "drive/bias"].map(|name| weight(model, name));
    let around = weight(model, "feedback/state->drive/weight");
    let back = weight(model, "edge/output->drive/weight");
    let units = around.dim(0);
    let mut x = vec![0.0; units];
    let mut states = Vec::new();
    for t in 0..inputs.dim(0) {
        let next = (0..units).map(|unit| {
            let mut sum = bias.at(&[unit]);
            sum += (0..inputs.dim(1))
                .map(|k| inputs.at(&[t, k]) * into.at(&[k, unit]))
                .sum::<f64>();
            sum += (0..fed.dim(1))
                .map(|k| fed.at(&[t, k]) * back.at(&[k, unit]))
                .sum::<f64>();
            sum += (0..units)
                .map(|k| x[k] * around.at(&[k, unit]))
                .sum::<f64>();
            (1.0 - leak) * x[unit] + leak * sum.tanh()
        });
        x = next.collect();
        states.extend(&x);
    }
    Tensor::from_vec(states, [inputs.dim(0), units])
}

#[test]
fn states_are_the_leaky_ones_of_the_formula() {
    let (inputs, targets) = (series(40, 2, 1), series(40, 3, 2));
    for leak in [0.3, 1.0] {
        let reservoir = Reservoir::new(12)
            .connectivity(0.5)
            .leak(leak)
            .bias_scaling(0.2)
            .output_feedback(0.4)
            .washout(5)
            .ridge(1e-3);
        let model = reservoir.fit(&inputs, &targets).unwrap();
        let fed = before(&targets.unsqueeze(0), None);
        let (states, _) = model.states(&inputs.unsqueeze(0), &fed, None).unwrap();
        let expected = by_hand(&model, leak, &inputs, &fed.squeeze(0));
        assert!((states.squeeze(0) - &expected).abs().max() < 1e-12);
        // The readout is the least squares solution on what the washout leaves.
        let rows = design(&expected.slice(0, 5..40), &inputs.slice(0, 5..40));
        let readout = rows.solve_ridge(&targets.slice(0, 5..40), 1e-3);
        assert!((model.readout() - readout).abs().max() < 1e-9);
    }
}

#[test]
fn recurrent_weights_have_the_spectral_radius_and_the_connectivity() {
    let (inputs, targets) = (series(150, 1, 1), series(150, 1, 2));
    for (units, within) in [(60, 1e-9), (300, 2e-3)] {
        let reservoir = Reservoir::new(units).spectral_radius(1.25).seed(3);
        let model = reservoir.fit(&inputs, &targets).unwrap();
        let w = weight(&model, "feedback/state->drive/weight");
        let settings = Arnoldi {
            steps: 120,
            restarts: 100,
            ..Arnoldi::default()
        };
        let mut product = |v: &Tensor<f64>| Ok(v.matmul(&w));
        let spectra = eigenvalues(&mut product, 1, units, &settings).unwrap();
        assert!((spectra[0].radius - 1.25).abs() < within, "{units}");
        let share = w.iter().filter(|&w| w != 0.0).count() as f64 / w.len() as f64;
        assert!((share - 0.1).abs() < 0.02, "{share}");
    }
}

#[test]
fn step_by_step_is_the_whole_run_bit_for_bit() {
    let (inputs, targets) = (series(160, 2, 4), series(160, 2, 5));
    for feedback in [false, true] {
        let mut reservoir = Reservoir::new(40).leak(0.5);
        if feedback {
            reservoir = reservoir.output_feedback(0.3).ridge(0.1);
        }
        let model = reservoir.fit(&inputs, &targets).unwrap();
        let whole = model.predict(&inputs).unwrap();
        let mut stream = model.stream();
        for t in 0..100 {
            let output = stream.step(&inputs.index_axis(0, t)).unwrap();
            assert_eq!(output, whole.index_axis(0, t));
        }
        let rest = stream.follow(&inputs.slice(0, 100..160)).unwrap();
        assert_eq!(rest, whole.slice(0, 100..160));
        // A batch of sequences is each of them.
        let both = Tensor::stack(&[&inputs, &inputs.flip(0)], 0);
        let outputs = model.predict(&both).unwrap();
        assert_eq!(outputs.index_axis(0, 0), whole);
    }
}

#[test]
fn a_network_that_hears_itself_goes_on_alone() {
    // The input says nothing: the wave lives in the loop through the output.
    let wave = Tensor::<f64>::from_fn([700, 1], |at| (at[0] as f64 * 0.3).sin() * 0.5);
    let silence = Tensor::zeros_of([700, 1]);
    let reservoir = Reservoir::new(60)
        .spectral_radius(0.7)
        .bias_scaling(0.3)
        .output_feedback(1.0)
        .ridge(1e-7)
        .seed(2);
    let (start, rest) = (silence.slice(0, 0..500), silence.slice(0, 500..700));
    let model = reservoir.fit(&start, &wave.slice(0, 0..500)).unwrap();
    let mut stream = model.stream();
    let taught = stream
        .follow_taught(&start, &wave.slice(0, 0..500))
        .unwrap();
    assert!(
        (taught - wave.slice(0, 0..500))
            .slice(0, 100..500)
            .abs()
            .max()
            < 1e-3
    );
    let alone = stream.follow(&rest).unwrap();
    assert!((alone - wave.slice(0, 500..700)).abs().max() < 0.05);
}

#[test]
fn what_cannot_be_fitted_says_why() {
    let text = |reservoir: Reservoir, inputs: &Tensor<f64>, targets: &Tensor<f64>| {
        reservoir.fit(inputs, targets).unwrap_err().to_string()
    };
    let (x, y) = (series(50, 1, 1), series(50, 1, 2));
    assert_eq!(
        text(Reservoir::new(5), &x, &y),
        "the inputs of Reservoir::fit: expected more steps than the washout of 100, found [1, 50, 1]\n  \
         help: a series of single numbers is [time, 1]"
    );
    assert_eq!(
        text(Reservoir::new(5).leak(0.0).washout(0), &x, &y),
        "the leak of Reservoir: expected above 0 and up to 1, found 0"
    );
    assert!(text(Reservoir::new(5).washout(0), &x, &series(49, 1, 1)).contains("[1, 50, outputs]"));
    assert!(text(Reservoir::new(5), &series(50, 1, 1).squeeze(1), &y).contains("[time, features]"));
    let lonely = Reservoir::new(3).connectivity(1e-9).washout(0);
    assert!(text(lonely, &x, &y).contains("form none"));
    let model = Reservoir::new(5)
        .connectivity(1.0)
        .washout(0)
        .fit(&x, &series(50, 2, 3));
    let model = model.unwrap();
    let mut stream = model.stream();
    assert!(
        stream
            .forecast(3)
            .unwrap_err()
            .to_string()
            .contains("1 inputs and 2 outputs")
    );
    assert!(stream.step(&Tensor::zeros_of([2])).is_err());
}
