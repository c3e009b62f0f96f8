//! Loops that come to rest: closed forms, solvers and strategies against each other, samples that do not see each other.

use fb_autograd::gradcheck::gradcheck;
use fb_autograd::{Tape, Var};
use fb_nn::feedback::gradient::{GradientStrategy, Implicit, Phantom};
use fb_nn::feedback::network::RunOptions;
use fb_nn::feedback::schedule::{Converge, OnFailure, Schedule, Sequence, Unroll};
use fb_nn::feedback::solver::{Anderson, Broyden, Damped, Freeze, Gmres, Neumann};
use fb_nn::feedback::topology::{Clock, Initial};
use fb_nn::layers::{Activation, Dense};
use fb_nn::{Context, Graph, Mode, Network, Sequential, State};
use fb_tensor::Tensor;
use fb_tensor::random::Key;
use std::sync::Arc;

fn random(shape: &[usize], seed: u64) -> Tensor<f64> {
    Tensor::normal(shape, 0.0, 1.0, &mut Key::new(seed).rng())
}

/// `z = a z + b` with `b` as input.
fn scalar(a: f64, schedule: impl Schedule) -> Network<f64> {
    let mut network = Sequential::input([1])
        .layer("z", Dense::new(1).bias(false))
        .feedback("z", "z")
        .delay(0)
        .schedule(schedule)
        .build_as::<f64>()
        .unwrap();
    for (name, value) in [("z/weight", 1.0), ("edge/z->z/weight", a)] {
        let id = network.params().id(name).unwrap();
        network.params_mut().get_mut(id).value = Tensor::full_of([1, 1], value);
    }
    network
}

/// Output, and the gradients of its sum by `a` and `b`.
fn slopes(
    network: &Network<f64>,
    strategy: Option<Arc<dyn GradientStrategy<f64>>>,
    state: Option<State<f64>>,
) -> (f64, f64, f64) {
    let tape = Tape::new();
    let mut cx = Context::new(network.params(), tape.clone(), Mode::Train);
    let b = tape.leaf(Tensor::full_of([1, 1], 1.0));
    let options = RunOptions {
        gradient: strategy,
        state,
        ..RunOptions::default()
    };
    let run = network.run(&mut cx, b.clone(), &options).unwrap();
    let z = run.last().as_float().unwrap().clone();
    let found = z.sum().backward();
    let a = cx
        .leaves()
        .find(|(id, _)| network.params().get(*id).name() == "edge/z->z/weight")
        .map(|(_, leaf)| found.get(leaf).unwrap().item())
        .unwrap();
    (z.item(), a, found.get(&b).unwrap().item())
}

#[test]
fn a_line_has_the_slopes_of_its_closed_form() {
    let a = 0.9;
    let network = scalar(a, Converge::to(1e-12).max_iterations(500));
    let (z, by_a, by_b) = slopes(&network, None, None);
    assert!((z - 10.0).abs() < 1e-9, "{z}");
    assert!((by_a - 100.0).abs() < 1e-6, "1 / (1 − a)²: {by_a}");
    assert!((by_b - 10.0).abs() < 1e-6, "1 / (1 − a): {by_b}");
    let (_, by_a, by_b) = slopes(&network, Some(Arc::new(Phantom::one_step())), None);
    assert!((by_a - 10.0).abs() < 1e-9, "one step: {by_a}");
    assert!((by_b - 1.0).abs() < 1e-12);
    for steps in 1..5_i32 {
        for damping in [1.0, 0.5] {
            let phantom = Phantom::steps(steps as usize).damping(damping);
            let (z, by_a, by_b) = slopes(&network, Some(Arc::new(phantom)), None);
            let factor = 1.0 - (1.0 - damping * (1.0 - a)).powi(steps);
            assert!((z - 10.0).abs() < 1e-9);
            assert!(
                (by_b - 10.0 * factor).abs() < 1e-9,
                "{steps} steps of {damping}: {by_b}"
            );
            assert!(
                (by_a - 100.0 * factor).abs() < 1e-7,
                "{steps} steps of {damping}: {by_a}"
            );
        }
    }
}

/// torchdeq with `n_states = 2` and a solver that converges early gives 1.126.
#[test]
fn a_loop_that_settles_at_once_has_its_whole_gradient() {
    let network = scalar(0.25, Converge::to(1e-3));
    let mut want = None;
    for state in [None, Some(4.0 / 3.0)] {
        let state = state.map(|z: f64| {
            let mut cx = Context::eval(network.params());
            let start = network.initial_state(&mut cx, 1);
            start.with_values([Var::constant(Tensor::full_of([1, 1], z))])
        });
        let (z, by_a, _) = slopes(&network, None, state);
        assert!((z - 4.0 / 3.0).abs() < 2e-3);
        assert!((by_a - 1.0 / (0.75 * 0.75)).abs() < 4e-3, "{by_a}");
        let first = *want.get_or_insert(by_a);
        assert!((first - by_a).abs() < 4e-3);
    }
    // The case of the report: a = 1 / 3 and b = 0.8 give 0.8 / (1 − a)² = 1.8.
    let third = scalar(1.0 / 3.0, Converge::to(1e-10));
    let (_, by_a, _) = slopes(&third, None, None);
    assert!((0.8 * by_a - 1.8).abs() < 1e-8, "{by_a}");
}

/// Two layers that feed back, one that is read and does not, one behind the loop.
fn settling(schedule: impl Schedule) -> Network<f64> {
    let tanh = |n| Dense::new(n).activation(Activation::Tanh);
    let mut network = Graph::new()
        .input("x", [3])
        .layer("before", tanh(4), "x")
        .layer("first", tanh(4), "before")
        .layer("second", tanh(3), "first")
        .layer("side", tanh(2), "second")
        .layer("out", Dense::new(2), ["side"])
        .feedback("second", "first")
        .feedback("first", "first")
        .delay(0)
        .feedback("side", "second")
        .delay(2)
        .outputs(["out", "second"])
        .schedule(schedule)
        .build_as::<f64>()
        .unwrap();
    for (_, param) in network.params_mut().iter_mut() {
        let mut rng = Key::new(5).fold(param.name()).rng();
        let scale = 0.5 / (param.value.dims()[0] as f64).sqrt();
        param.value = Tensor::normal(*param.value.shape(), 0.0, scale, &mut rng);
    }
    network
}

fn loss(
    network: &Network<f64>,
    cx: &mut Context<'_, f64>,
    x: Var<f64>,
    options: &RunOptions<'_, f64>,
) -> Var<f64> {
    let run = network.run(cx, x, options).unwrap();
    let mut sum = Var::constant(Tensor::from_scalar(0.0));
    for (k, output) in run.all_outputs(0).iter().enumerate() {
        let y = output.as_float().unwrap();
        let weight = Var::constant(random(y.dims(), 50 + k as u64));
        sum = sum + (y * y * weight).sum();
    }
    sum
}

fn gradients(network: &Network<f64>, options: &RunOptions<'_, f64>) -> Vec<(String, Tensor<f64>)> {
    let tape = Tape::new();
    let mut cx = Context::new(network.params(), tape.clone(), Mode::Train);
    let x = tape.leaf(random(&[4, 3], 1));
    let found = loss(network, &mut cx, x.clone(), options).backward();
    let mut all: Vec<_> = cx
        .leaves()
        .filter_map(|(id, leaf)| {
            Some((
                network.params().get(id).name().to_owned(),
                found.get(leaf)?.clone(),
            ))
        })
        .collect();
    all.push(("x".to_owned(), found.get(&x).unwrap().clone()));
    all
}

fn assert_close(a: &[(String, Tensor<f64>)], b: &[(String, Tensor<f64>)], most: f64, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    for ((name, a), (_, b)) in a.iter().zip(b) {
        let worst = (a - b).abs().max();
        assert!(worst < most, "{what}: {name} off by {worst:e}");
    }
}

#[test]
fn implicit_gradients_agree_with_differences() {
    let network = settling(Converge::to(1e-13).max_iterations(200));
    let ids: Vec<_> = network.params().iter().map(|(id, _)| id).collect();
    let mut values: Vec<Tensor<f64>> = network
        .params()
        .iter()
        .map(|(_, p)| p.value.clone())
        .collect();
    values.push(random(&[4, 3], 1));
    let exact = RunOptions {
        gradient: Some(Arc::new(Implicit::default().tolerance(1e-12))),
        ..RunOptions::default()
    };
    let forward = |vars: &[Var<f64>]| {
        let tape = vars[0].tape().unwrap_or_else(Tape::no_grad);
        let mut cx = Context::new(network.params(), tape, Mode::Train);
        for (id, var) in ids.iter().zip(vars) {
            cx.bind(*id, var.clone());
        }
        loss(&network, &mut cx, vars[vars.len() - 1].clone(), &exact)
    };
    gradcheck(forward, &values).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_gradient_is_that_of_the_equilibrium_whatever_way_led_there() {
    let exact =
        || Some(Arc::new(Implicit::default().tolerance(1e-13)) as Arc<dyn GradientStrategy<f64>>);
    let options = RunOptions {
        gradient: exact(),
        ..RunOptions::default()
    };
    let stop = || Converge::to(1e-13).max_iterations(400);
    let want = gradients(&settling(stop()), &options);
    assert!(
        want.iter().all(|(_, g)| g.norm() > 1e-6),
        "each can be wrong"
    );
    for (name, schedule) in [
        ("plain", stop().solver(Damped::new(1.0))),
        ("damped", stop().solver(Damped::new(0.6))),
        ("anderson 2", stop().solver(Anderson::default().memory(2))),
        ("broyden", stop().solver(Broyden::default())),
        ("together", stop().freeze(Freeze::Together)),
    ] {
        assert_close(&gradients(&settling(schedule), &options), &want, 1e-8, name);
    }
    // From another start.
    let network = settling(stop());
    let mut cx = Context::eval(network.params());
    let start = network.initial_state(&mut cx, 4);
    let noise = start.with_values(
        start
            .values()
            .map(|v| Var::constant(random(v.dims(), 9)))
            .collect::<Vec<_>>(),
    );
    let from_noise = RunOptions {
        state: Some(noise),
        ..options.clone()
    };
    assert_close(&gradients(&network, &from_noise), &want, 1e-8, "from noise");
    // With other solvers of the backward system.
    for strategy in [
        Implicit::with(Neumann::default())
            .tolerance(1e-13)
            .max_iterations(400),
        Implicit::with(Gmres::default()).tolerance(1e-13),
        // Nothing of the products is used: only the fallback is, and with many steps it is exact.
        Implicit::default()
            .tolerance(1e-13)
            .max_iterations(1)
            .fallback(Phantom::steps(300)),
    ] {
        let text = format!("{strategy:?}");
        let options = RunOptions {
            gradient: Some(Arc::new(strategy)),
            ..RunOptions::default()
        };
        assert_close(&gradients(&network, &options), &want, 1e-8, &text);
    }
    // And unrolled for long.
    let unrolled = settling_unrolled(200);
    assert_close(
        &gradients(&unrolled, &RunOptions::default()),
        &want,
        1e-8,
        "unrolled",
    );
}

/// The same loop with the delays that its algebraic edge has under a number of iterations.
fn settling_unrolled(iterations: usize) -> Network<f64> {
    let network = settling(Converge::to(1e-13));
    let mut topology = network.topology().clone();
    for edge in &mut topology.edges {
        edge.delay = edge.delay.max(1);
    }
    topology.schedule = Arc::new(Unroll::iterations(iterations));
    let mut same = Network::<f64>::build(topology).unwrap();
    let values: Vec<_> = network
        .params()
        .iter()
        .map(|(_, p)| p.value.clone())
        .collect();
    for ((_, param), value) in same.params_mut().iter_mut().zip(values) {
        param.value = value;
    }
    same
}

#[test]
fn memory_does_not_grow_with_iterations() {
    let nodes = |iterations| {
        let schedule = Converge::to(0.0)
            .max_iterations(iterations)
            .solver(Damped::new(0.3));
        let network = settling(schedule);
        let tape = Tape::new();
        let mut cx = Context::new(network.params(), tape.clone(), Mode::Train);
        let x = tape.leaf(random(&[4, 3], 1));
        let _ = loss(&network, &mut cx, x, &RunOptions::default());
        tape.len()
    };
    assert_eq!(nodes(5), nodes(50));
}

#[test]
fn a_hard_sample_changes_no_other() {
    let network = settling(Converge::to(1e-6).max_iterations(100));
    let run = |x: Tensor<f64>| {
        let mut cx = Context::eval(network.params());
        let run = network.run(&mut cx, x, &RunOptions::default()).unwrap();
        let used = run.iterations_used();
        (run.last().as_float().unwrap().tensor().clone(), used)
    };
    let easy = random(&[5, 3], 2);
    let hard = &random(&[1, 3], 3) * 50.0;
    let (alone, used) = run(easy.clone());
    let (beside, with_hard) = run(Tensor::concat(&[&easy, &hard], 0));
    assert_eq!(beside.slice(0, 0..5), alone, "bit for bit");
    assert_eq!(with_hard[..5], used[..]);
    assert_eq!(run(easy.clone()), run(easy.clone()), "twice the same");
    for (row, &evaluations) in used.iter().enumerate() {
        let (single, count) = run(easy.slice(0, row..row + 1));
        assert_eq!(single, alone.slice(0, row..row + 1));
        assert_eq!(count, [evaluations]);
    }
    let order = [3, 0, 4, 2, 1];
    let (mixed, _) = run(easy.select_rows(&order));
    assert_eq!(mixed, alone.select_rows(&order));
}

#[test]
fn reports_tell_what_happened() {
    let short = settling(Converge::to(1e-12).max_iterations(2));
    let mut cx = Context::eval(short.params());
    let run = short
        .run(&mut cx, random(&[4, 3], 1), &RunOptions::default())
        .unwrap();
    let report = run.solver_report().unwrap();
    assert!(!report.converged());
    assert_eq!(run.gradient_used(), "Implicit");
    assert!(run.iterations_used().iter().all(|&n| n <= 3), "{report}");

    let strict = settling(
        Converge::to(1e-12)
            .max_iterations(2)
            .on_failure(OnFailure::Error),
    );
    let mut cx = Context::eval(strict.params());
    let text = strict
        .run(&mut cx, random(&[4, 3], 1), &RunOptions::default())
        .unwrap_err()
        .to_string();
    for part in [
        "feedback \"second\" -> \"first\"",
        "1e-12",
        "in row",
        "max_iterations",
    ] {
        assert!(text.contains(part), "{text}");
    }

    let network = settling(Converge::to(1e-8));
    let tape = Tape::new();
    let mut cx = Context::new(network.params(), tape.clone(), Mode::Train);
    let run = network
        .run(
            &mut cx,
            tape.leaf(random(&[4, 3], 1)),
            &RunOptions::default(),
        )
        .unwrap();
    let backward = run.backward_report().unwrap();
    assert!(backward.solver().is_none(), "nothing went back yet");
    run.last().as_float().unwrap().sum().backward();
    assert!(backward.solver().unwrap().converged());
    assert!(backward.fell_back().is_empty());
}

#[test]
fn equilibria_inside_a_sequence() {
    let tanh = |n| Dense::new(n).activation(Activation::Tanh);
    let mut network = Graph::new()
        .input("x", [2])
        .layer("memory", tanh(3), "x")
        .layer("settle", tanh(3), "memory")
        .layer("out", Dense::new(2), "settle")
        .feedback("settle", "memory")
        .clock(Clock::Step)
        .initial(Initial::Learned)
        .feedback("settle", "settle")
        .delay(0)
        .schedule(Sequence::with(Converge::to(1e-13).max_iterations(200)))
        .build_as::<f64>()
        .unwrap();
    for (_, param) in network.params_mut().iter_mut() {
        let mut rng = Key::new(6).fold(param.name()).rng();
        param.value = Tensor::normal(*param.value.shape(), 0.0, 0.4, &mut rng);
    }
    let ids: Vec<_> = network.params().iter().map(|(id, _)| id).collect();
    let mut values: Vec<Tensor<f64>> = network
        .params()
        .iter()
        .map(|(_, p)| p.value.clone())
        .collect();
    values.push(random(&[2, 4, 2], 1));
    let options = RunOptions {
        gradient: Some(Arc::new(Implicit::default().tolerance(1e-12))),
        ..RunOptions::default()
    };
    let forward = |vars: &[Var<f64>]| {
        let tape = vars[0].tape().unwrap_or_else(Tape::no_grad);
        let mut cx = Context::new(network.params(), tape, Mode::Train);
        for (id, var) in ids.iter().zip(vars) {
            cx.bind(*id, var.clone());
        }
        let run = network
            .run(&mut cx, vars[vars.len() - 1].clone(), &options)
            .unwrap();
        assert_eq!(run.solver_reports().len(), 4);
        let y = run.last().as_float().unwrap();
        (y * y).sum()
    };
    gradcheck(forward, &values).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn schedules_survive_files() {
    let network = settling(
        Converge::to(1e-5)
            .solver(Broyden::default())
            .on_failure(OnFailure::Error),
    );
    let json = network.topology().to_json().unwrap();
    let read =
        fb_nn::feedback::topology::Topology::from_json(json.clone(), &fb_nn::Registry::builtin());
    let read = read.unwrap();
    assert_eq!(read.to_json().unwrap(), json);
    assert_eq!(
        format!("{:?}", read.schedule),
        format!("{:?}", network.topology().schedule)
    );
    Network::<f32>::build(read).unwrap();
}
