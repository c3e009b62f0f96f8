//! What a network says of its loop's Jacobian, and the penalty on it.

use fb_autograd::gradcheck::gradcheck;
use fb_autograd::{Tape, Var};
use fb_nn::feedback::network::RunOptions;
use fb_nn::feedback::schedule::{Converge, Sequence, Unroll};
use fb_nn::feedback::spectrum::Arnoldi;
use fb_nn::feedback::topology::Clock;
use fb_nn::layers::{Activation, BatchNorm, Dense};
use fb_nn::{Context, Mode, Network, Sequential, Value};
use fb_tensor::Tensor;
use fb_tensor::random::Key;

fn random(shape: &[usize], seed: u64) -> Tensor<f64> {
    Tensor::normal(shape, 0.0, 1.0, &mut Key::new(seed).rng())
}

/// `z = W z + x`, whose Jacobian is `W` everywhere.
fn linear(w: &Tensor<f64>) -> Network<f64> {
    let n = w.dim(0);
    let mut network = Sequential::input([n])
        .layer("z", Dense::new(n).bias(false))
        .feedback("z", "z")
        .schedule(Unroll::iterations(3))
        .build_as::<f64>()
        .unwrap();
    for (name, value) in [
        ("z/weight", Tensor::eye_of(n)),
        ("feedback/z->z/weight", w.transpose()),
    ] {
        let id = network.params().id(name).unwrap();
        network.params_mut().get_mut(id).value = value.contiguous();
    }
    network
}

#[test]
fn rotations_have_their_radius_at_every_angle() {
    for degrees in (0..=180_u32).step_by(15) {
        let angle = f64::from(degrees).to_radians();
        let (sin, cos) = (0.95 * angle.sin(), 0.95 * angle.cos());
        let w = Tensor::from([[cos, -sin], [sin, cos]]);
        let network = linear(&w.cast());
        let x: Value<f64> = random(&[2, 2], 1).into();
        let spectra = network
            .spectrum(&x, &RunOptions::default(), &Arnoldi::default())
            .unwrap();
        for spectrum in &spectra {
            assert!(
                (spectrum.radius - 0.95).abs() < 1e-6,
                "{degrees}: {}",
                spectrum.radius
            );
        }
        let stretch = network
            .largest_singular_value(&x, &RunOptions::default(), &Arnoldi::default())
            .unwrap();
        assert!(
            (stretch[0].value - 0.95).abs() < 1e-6,
            "{degrees}: {}",
            stretch[0].value
        );
    }
}

#[test]
fn shears_stretch_more_than_they_turn() {
    let w: Tensor<f64> = Tensor::from([[0.5, 2.0], [0.0, 0.5]]).cast();
    let network = linear(&w);
    let x: Value<f64> = random(&[1, 2], 1).into();
    let options = RunOptions::default();
    let spectrum = network.spectrum(&x, &options, &Arnoldi::default()).unwrap();
    assert!((spectrum[0].radius - 0.5).abs() < 1e-3);
    let stretch = network
        .largest_singular_value(&x, &options, &Arnoldi::default())
        .unwrap();
    // σ² is the larger root of t² − 4.5 t + 0.0625.
    let want = (2.25 + (2.25_f64 * 2.25 - 0.0625).sqrt()).sqrt();
    assert!(
        (stretch[0].value - want).abs() < 1e-5,
        "{} {want}",
        stretch[0].value
    );
}

#[test]
fn delays_are_part_of_the_loop() {
    // z ← 0.9 z two iterations ago: the eigenvalues are ±√0.9.
    let mut network = Sequential::input([1])
        .layer("z", Dense::new(1).bias(false))
        .feedback("z", "z")
        .delay(2)
        .schedule(Unroll::iterations(4))
        .build_as::<f64>()
        .unwrap();
    let id = network.params().id("feedback/z->z/weight").unwrap();
    network.params_mut().get_mut(id).value = Tensor::full_of([1, 1], 0.9);
    let spectrum = network
        .spectrum(
            &random(&[1, 1], 1).into(),
            &RunOptions::default(),
            &Arnoldi::default(),
        )
        .unwrap();
    assert!((spectrum[0].radius - 0.9_f64.sqrt()).abs() < 1e-9);
    assert_eq!(spectrum[0].eigenvalues.len(), 2);
}

#[test]
fn contracting_loops_forget_their_start() {
    let network = linear(&(&random(&[4, 4], 2) * 0.2));
    let keys = [Key::new(1), Key::new(2)];
    let x: Value<f64> = random(&[3, 4], 3).into();
    let long = RunOptions {
        schedule: Some(&Unroll::iterations(200)),
        ..RunOptions::default()
    };
    let settled = network.path_independence(&x, &long, keys).unwrap();
    assert!(settled.iter().all(|c| *c > 1.0 - 1e-9), "{settled:?}");
    let short = RunOptions {
        schedule: Some(&Unroll::iterations(1)),
        ..RunOptions::default()
    };
    let not_yet = network.path_independence(&x, &short, keys).unwrap();
    assert!(not_yet.iter().all(|c| *c < 1.0 - 1e-6), "{not_yet:?}");
}

#[test]
fn the_penalty_is_the_mean_square_of_products() {
    // ‖W v‖² for v from a normal distribution is ‖W‖² in the mean.
    let w = &random(&[3, 3], 4) * 0.5;
    let network = linear(&w);
    let want = w.to_vec().iter().map(|x| x * x).sum::<f64>() / 3.0;
    let mut mean = 0.0;
    let steps = 400;
    for step in 0..steps {
        let mut cx = Context::train(network.params(), Tape::new(), Key::new(5), step);
        let options = RunOptions {
            jacobian_penalty: Some(1.0),
            ..RunOptions::default()
        };
        let run = network.run(&mut cx, random(&[8, 3], 6), &options).unwrap();
        mean += run.penalty().unwrap().item() / steps as f64;
    }
    assert!((mean - want).abs() < 0.05 * want, "{mean} {want}");
}

#[test]
fn the_penalty_has_its_gradient() {
    let network = Sequential::input([2])
        .layer("hidden", Dense::new(3).activation(Activation::Tanh))
        .feedback("hidden", "hidden")
        .schedule(Unroll::iterations(2))
        .build_as::<f64>()
        .unwrap();
    // The state that it is taken at counts as a constant. After one iteration from zeros it does not hang on the feedback
    // weight, so that differences by this weight see it so too.
    let options = RunOptions {
        schedule: Some(&Unroll::iterations(1)),
        jacobian_penalty: Some(0.7),
        ..RunOptions::default()
    };
    let id = network
        .params()
        .id("feedback/hidden->hidden/weight")
        .unwrap();
    let forward = |vars: &[Var<f64>]| {
        let tape = vars[0].tape().unwrap_or_else(Tape::no_grad);
        let mut cx = Context::train(network.params(), tape, Key::new(1), 0);
        cx.bind(id, vars[0].clone());
        let run = network.run(&mut cx, random(&[2, 2], 3), &options).unwrap();
        run.penalty().unwrap().clone()
    };
    gradcheck(forward, &[random(&[3, 3], 9)]).unwrap_or_else(|error| panic!("{error}"));
    // None in evaluation.
    let mut cx = Context::new(network.params(), Tape::no_grad(), Mode::Eval);
    let run = network.run(&mut cx, random(&[2, 2], 3), &options).unwrap();
    assert!(run.penalty().is_none());
}

#[test]
fn what_has_no_jacobian_says_so() {
    let plain = Sequential::input([2])
        .layer("out", Dense::new(2))
        .build_as::<f64>()
        .unwrap();
    let error = |network: &Network<f64>, x: Tensor<f64>| {
        let spectrum = network.spectrum(&x.into(), &RunOptions::default(), &Arnoldi::default());
        spectrum.unwrap_err().to_string()
    };
    assert!(error(&plain, random(&[1, 2], 1)).contains("one without a loop"));
    let sequence = Sequential::input([2])
        .layer("out", Dense::new(2))
        .feedback("out", "out")
        .clock(Clock::Step)
        .schedule(Sequence::new())
        .build_as::<f64>()
        .unwrap();
    assert!(error(&sequence, random(&[1, 3, 2], 1)).contains("runs along a sequence"));
}

#[test]
fn statistics_of_the_batch_have_no_equilibrium() {
    let text = Sequential::input([2])
        .layer("hidden", Dense::new(3))
        .layer("norm", BatchNorm::new())
        .feedback("norm", "hidden")
        .schedule(Converge::to(1e-3))
        .build()
        .unwrap_err()
        .to_string();
    assert!(
        text.starts_with("layer \"norm\" (BatchNorm)") && text.contains("use RmsNorm"),
        "{text}"
    );
}
