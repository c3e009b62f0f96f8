//! Edges over the steps of a sequence, sessions, and state as a value.

use crate::{affine, agree, lively, numbers, param, random};
use fb_nn::feedback::State;
use fb_nn::feedback::network::RunOptions;
use fb_nn::feedback::schedule::{Sequence, Unroll};
use fb_nn::feedback::topology::{Clock, Initial};
use fb_nn::layers::{Activation, Dense};
use fb_nn::{Context, Network, Sequential, Value};
use fb_tensor::random::Key;
use fb_tensor::{Float, Tensor};

fn tanh(units: usize) -> Dense {
    Dense::new(units).activation(Activation::Tanh)
}

/// Loops of both clocks with layers before, in and after them.
fn everything() -> Sequential {
    Sequential::input([2])
        .layer("before", tanh(3))
        .layer("hidden", tanh(4))
        .layer("second", tanh(3))
        .layer("output", Dense::new(2))
        .layer("after", tanh(2))
        .feedback("hidden", "hidden")
        .clock(Clock::Step)
        .initial(Initial::Learned)
        .feedback("output", "before")
        .clock(Clock::Step)
        .delay(2)
        .feedback("input", "second")
        .clock(Clock::Step)
        .delay(3)
        .feedback("second", "hidden")
        .gate()
        .initial(Initial::Constant(0.3))
        .feedback("output", "second")
        .carry()
        .damping(0.7)
        .schedule(Sequence::with(Unroll::iterations(3)))
}

fn build<F: Float>(declaration: Sequential) -> Network<F> {
    lively(declaration.build_as().unwrap())
}

fn forward<F: Float>(network: &Network<F>, x: &Tensor<F>) -> Tensor<F>
where
    Value<F>: From<Tensor<F>>,
{
    let mut cx = Context::eval(network.params());
    numbers(&network.forward(&mut cx, x.clone()).unwrap()).clone()
}

/// `hidden ← tanh(x W + b + r U)`, where `r` is the hidden or the output value of the step before.
#[test]
fn elman_and_jordan_networks_written_out() {
    for source in ["hidden", "output"] {
        let network: Network<f64> = build(
            Sequential::input([2])
                .layer("hidden", tanh(4))
                .layer("output", Dense::new(3))
                .feedback(source, "hidden")
                .clock(Clock::Step)
                .schedule(Sequence::new()),
        );
        let x: Tensor<f64> = random([5, 6, 2], 1);
        let u = param(&network, &format!("feedback/{source}->hidden/weight"));
        let mut r = Tensor::<f64>::zeros_of([5, u.dim(0)]);
        let mut steps = Vec::new();
        for time in 0..6 {
            let now = x.index_axis(1, time);
            let hidden = (affine(&network, "hidden", &now) + &r.matmul(&u)).tanh();
            let output = affine(&network, "output", &hidden);
            r = if source == "hidden" {
                hidden
            } else {
                output.clone()
            };
            steps.push(output);
        }
        let want = Tensor::stack(&steps.iter().collect::<Vec<_>>(), 1);
        agree(&[forward(&network, &x).into()], &[want], source);
    }
}

/// A filter: `y(t) ← tanh(x(t) A + b + x(t−2) B + y(t−1) C)`, with the last value also added to the input.
#[test]
fn delayed_inputs_and_outputs_written_out() {
    let network: Network<f64> = build(
        Sequential::input([2])
            .layer("y", tanh(3))
            .feedback("input", "y")
            .clock(Clock::Step)
            .delay(2)
            .feedback("y", "y")
            .clock(Clock::Step)
            .feedback("y", "input")
            .clock(Clock::Step)
            .delay(3)
            .schedule(Sequence::new()),
    );
    let x: Tensor<f64> = random([4, 7, 2], 1);
    let mut ys: Vec<Tensor<f64>> = Vec::new();
    let mut inputs: Vec<Tensor<f64>> = Vec::new();
    let weight = |edge: &str| param(&network, &format!("feedback/{edge}/weight"));
    for time in 0..7 {
        let mut joined = x.index_axis(1, time);
        if time >= 3 {
            joined = joined + &ys[time - 3].matmul(&weight("y->input"));
        }
        let mut sum = affine(&network, "y", &joined);
        if time >= 2 {
            sum = sum + &inputs[time - 2].matmul(&weight("input->y"));
        }
        if time >= 1 {
            sum = sum + &ys[time - 1].matmul(&weight("y->y"));
        }
        ys.push(sum.tanh());
        inputs.push(joined);
    }
    let want = Tensor::stack(&ys.iter().collect::<Vec<_>>(), 1);
    agree(&[forward(&network, &x).into()], &[want], "filter");
}

#[test]
fn later_steps_change_nothing_before_them() {
    let network: Network<f32> = build(everything());
    let x: Tensor = random([3, 6, 2], 1);
    let y = forward(&network, &x);
    for time in 1..6 {
        let other: Tensor = random([3, 6 - time, 2], 9);
        let changed = Tensor::concat(&[&x.slice(1, 0..time), &other], 1);
        let z = forward(&network, &changed);
        assert_eq!(y.slice(1, 0..time), z.slice(1, 0..time), "bit for bit");
        assert_ne!(y.slice(1, time..6), z.slice(1, time..6));
    }
}

#[test]
fn samples_do_not_see_each_other_nor_threads() {
    let network: Network<f32> = build(everything());
    let x: Tensor = random([70, 6, 2], 1);
    let y = forward(&network, &x);
    for row in [0, 13, 69] {
        let alone = forward(&network, &x.slice(0, row..row + 1));
        assert_eq!(alone, y.slice(0, row..row + 1), "bit for bit");
    }
    let order: Vec<usize> = (0..70).map(|row| (row * 33 + 5) % 70).collect();
    assert_eq!(
        forward(&network, &x.select_rows(&order)),
        y.select_rows(&order)
    );
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        assert_eq!(pool.unwrap().install(|| forward(&network, &x)), y);
    }
}

#[test]
fn runs_one_after_another_are_one_run() {
    let network: Network<f32> = build(everything());
    let x: Tensor = random([3, 7, 2], 1);
    let whole = forward(&network, &x);
    let mut cx = Context::eval(network.params());
    let mut state = None;
    let mut parts = Vec::new();
    for piece in [0..1, 1..4, 4..7] {
        let options = RunOptions {
            state,
            ..RunOptions::default()
        };
        let run = network.run(&mut cx, x.slice(1, piece), &options).unwrap();
        parts.push(numbers(run.last()).clone());
        // Stored and read again on the way.
        let stored = run.state().to_tensors();
        state = Some(State::from_tensors(run.state(), &stored).unwrap());
    }
    assert_eq!(Tensor::concat(&parts.iter().collect::<Vec<_>>(), 1), whole);
}

#[test]
fn a_session_draws_what_the_whole_run_draws() {
    let noisy = everything().feedback("after", "after").clock(Clock::Step);
    let noisy = noisy.noise(0.2).feedback("after", "second").noise(0.3);
    let alone = Sequential::input([2])
        .layer("hidden", tanh(3))
        .feedback("hidden", "hidden")
        .noise(0.3)
        .initial(Initial::Noise(1.0))
        .schedule(Sequence::with(Unroll::iterations(3)));
    for declaration in [noisy, alone] {
        let network: Network<f32> = build(declaration);
        let x: Tensor = random([3, 5, 2], 1);
        let mut cx = Context::eval(network.params()).with_key(Key::new(4));
        let whole = network.forward(&mut cx, x.clone()).unwrap();
        assert_ne!(*numbers(&whole), forward(&network, &x), "noise is drawn");
        let mut session = network.session();
        for time in 0..5 {
            let y = session.step(&mut cx, x.index_axis(1, time)).unwrap();
            assert_eq!(
                *numbers(&y),
                numbers(&whole).index_axis(1, time),
                "step {time}"
            );
        }
        assert_eq!(session.steps(), 5);
    }
}

#[test]
fn noise_differs_from_step_to_step() {
    let network: Network<f64> = Sequential::input([1])
        .layer("a", Activation::Linear)
        .feedback("a", "a")
        .identity()
        .noise(1.0)
        .carry()
        .schedule(Sequence::with(Unroll::iterations(2)))
        .build_as()
        .unwrap();
    let mut cx = Context::eval(network.params()).with_key(Key::new(4));
    let y = network
        .forward(&mut cx, Tensor::<f64>::zeros_of([1, 4, 1]))
        .unwrap();
    let y = numbers(&y).to_vec();
    let added: Vec<f64> = y.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!((added[0] - added[1]).abs() > 1e-3 && (added[1] - added[2]).abs() > 1e-3);
}

#[test]
fn a_session_goes_on_with_some_of_its_samples_and_starts_others_anew() {
    let network: Network<f32> = build(everything());
    let x: Tensor = random([4, 6, 2], 1);
    let whole = forward(&network, &x);
    let mut cx = Context::eval(network.params());
    let mut session = network.session();
    for time in 0..3 {
        session.step(&mut cx, x.index_axis(1, time)).unwrap();
    }
    let state = session.state().unwrap().clone();
    assert_eq!(state.rows(), Some(4));
    let chosen = [3, 1, 1];
    session.set_state(state.select_rows(&chosen));
    let now = x.index_axis(1, 3).select_rows(&chosen);
    let y = session.step(&mut cx, now).unwrap();
    assert_eq!(*numbers(&y), whole.index_axis(1, 3).select_rows(&chosen));

    let mask = Tensor::from([true, false, false, true]);
    let fresh = network.initial_state(&mut cx, 4);
    let mut session = network.session();
    session.set_state(state.reset_rows(&mask, &fresh).unwrap());
    // Rows 0 and 3 see the sequence from its start, rows 1 and 2 go on.
    let start = x.index_axis(1, 0);
    let now = x.index_axis(1, 3);
    let parts = [
        start.slice(0, 0..1),
        now.slice(0, 1..3),
        start.slice(0, 3..4),
    ];
    let y = session
        .step(&mut cx, Tensor::concat(&parts.each_ref(), 0))
        .unwrap();
    let (begun, gone_on) = (whole.index_axis(1, 0), whole.index_axis(1, 3));
    let want = [
        begun.slice(0, 0..1),
        gone_on.slice(0, 1..3),
        begun.slice(0, 3..4),
    ];
    assert_eq!(*numbers(&y), Tensor::concat(&want.each_ref(), 0));

    let text = state
        .reset_rows(&Tensor::from([true, false]), &fresh)
        .unwrap_err();
    assert!(
        text.to_string()
            .contains("expected 2 samples, found 4 samples"),
        "{text}"
    );
}

#[test]
fn rows_cannot_start_anew_from_a_sweep_that_was_not_made() {
    let network: Network<f32> = build(
        Sequential::input([2])
            .layer("hidden", tanh(3))
            .feedback("hidden", "hidden")
            .clock(Clock::Step)
            .initial(Initial::FirstSweep)
            .schedule(Sequence::new()),
    );
    let x: Tensor = random([2, 3, 2], 1);
    let mut cx = Context::eval(network.params());
    let fresh = network.initial_state(&mut cx, 2);
    let options = RunOptions {
        state: Some(fresh.clone()),
        ..RunOptions::default()
    };
    let run = network.run(&mut cx, x.clone(), &options).unwrap();
    assert_eq!(
        *numbers(run.last()),
        forward(&network, &x),
        "a run from the start sweeps"
    );
    let text = run
        .state()
        .reset_rows(&Tensor::from([true, false]), &fresh)
        .unwrap_err();
    assert!(
        text.to_string().starts_with(
            "State::reset_rows of \"hidden->hidden\": expected a value to start from, found none, as it starts from a first sweep"
        ),
        "{text}"
    );
}

#[test]
fn states_of_other_networks_and_batches_are_refused() {
    let network: Network<f32> = build(everything());
    let other: Network<f32> = build(
        Sequential::input([2])
            .layer("hidden", tanh(5))
            .feedback("hidden", "hidden")
            .clock(Clock::Step)
            .schedule(Sequence::new()),
    );
    let mut cx = Context::eval(network.params());
    let x: Tensor = random([3, 2, 2], 1);
    let mut run = |state: State| {
        let options = RunOptions {
            state: Some(state),
            ..RunOptions::default()
        };
        network
            .run(&mut cx, x.clone(), &options)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let mut elsewhere = Context::eval(other.params());
    let text = run(other.initial_state(&mut elsewhere, 3));
    assert!(
        text.contains("found a state of hidden->hidden [batch, 5]")
            && text.contains(
                "expected a state of hidden->hidden [batch, 4], output->before [batch, 2]"
            ),
        "{text}"
    );
    let mut here = Context::eval(network.params());
    let own = network.initial_state(&mut here, 4);
    assert!(run(own.clone()).contains("expected 3 samples, found 4 samples"));
    let mut tensors = own.to_tensors();
    assert_eq!(tensors[0].0, "hidden->hidden/0");
    tensors[0].0 = "hiden->hidden/0".to_owned();
    let text = State::from_tensors(&own, &tensors).unwrap_err().to_string();
    assert!(
        text.starts_with("the state \"hiden->hidden/0\": expected values of hidden->hidden"),
        "{text}"
    );
}

#[test]
fn sessions_need_sequences_and_keep_their_state_when_a_step_fails() {
    let network: Network<f32> = build(everything());
    let mut cx = Context::eval(network.params());
    let mut session = network.session();
    let x: Tensor = random([2, 2, 2], 1);
    session.step(&mut cx, x.index_axis(1, 0)).unwrap();
    assert!(
        session
            .step(&mut cx, Tensor::<f32>::zeros_of([2, 3]))
            .is_err()
    );
    assert!(
        session
            .step(&mut cx, Tensor::<f32>::zeros_of([5, 2]))
            .is_err()
    );
    let y = session.step(&mut cx, x.index_axis(1, 1)).unwrap();
    assert_eq!(*numbers(&y), forward(&network, &x).index_axis(1, 1));
    let plain: Network<f32> = Sequential::input([2]).layer("y", tanh(1)).build().unwrap();
    let mut cx = Context::eval(plain.params());
    let text = plain
        .session()
        .step(&mut cx, Tensor::<f32>::zeros_of([2, 2]))
        .unwrap_err();
    assert!(
        text.to_string()
            .contains("declare .schedule(Sequence::new())"),
        "{text}"
    );
}
