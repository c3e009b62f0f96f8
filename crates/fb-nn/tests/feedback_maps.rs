//! Feedback between maps, sequences and vectors: each pair of shapes against the loop written out, with gradients.

use fb_autograd::gradcheck::GradCheck;
use fb_autograd::{Tape, Var};
use fb_nn::feedback::network::{RunOptions, Wanted};
use fb_nn::feedback::schedule::Unroll;
use fb_nn::layers::*;
use fb_nn::module::{AnyLayer, Layer, Scope, Spec};
use fb_nn::{Context, Mode, Network, Sequential, Value};
use fb_tensor::random::Key;
use fb_tensor::{ConvOptions, ConvTransposeOptions, Tensor};
use std::sync::Arc;

const ITERATIONS: usize = 4;
const BATCH: usize = 3;

/// Turns what the source gave, with the edge's weight, into the shape of the destination; with operations other than the
/// edge's own.
type Project = fn(&Tensor<f64>, &Tensor<f64>) -> Tensor<f64>;

/// A chain with one feedback edge from its last layer to its first.
struct Loop {
    input: Vec<usize>,
    layers: Vec<Arc<dyn AnyLayer>>,
    weight: &'static [usize],
    map: &'static str,
    project: Project,
    full: bool,
}

fn any(layer: impl Layer) -> Arc<dyn AnyLayer> {
    Arc::new(layer)
}

/// `[c, d]` at each position.
fn each(r: &Tensor<f64>, weight: &Tensor<f64>) -> Tensor<f64> {
    r.matmul(weight)
}

fn loops() -> Vec<Loop> {
    let tanh = Activation::Tanh;
    let conv = |filters| Conv2d::new(filters, [3, 3]).same().activation(tanh);
    let conv1 = |filters| Conv1d::new(filters, [3]).same().activation(tanh);
    let dense = |units| Dense::new(units).activation(tanh);
    let plain = |input: &[usize], layers, weight, map, project| Loop {
        input: input.to_vec(),
        layers,
        weight,
        map,
        project,
        full: false,
    };
    vec![
        plain(
            &[3, 2, 2],
            vec![any(conv(3)), any(conv(2))],
            &[2, 3],
            "learned 3x2x2 -> 3x2x3",
            each,
        ),
        plain(
            &[4, 6, 2],
            vec![any(conv(2)), any(MaxPool2d::new([2, 3])), any(conv(3))],
            &[2, 3, 2, 3],
            "learned 2x2x3 -> 4x6x2, up by patches of 2x3",
            |r, w| r.conv_transpose2d(w, None, &ConvTransposeOptions::new().stride([2, 3])),
        ),
        plain(
            &[2, 2, 2],
            vec![any(conv(2)), any(Resize::by([2, 2])), any(conv(3))],
            &[2, 2, 3, 2],
            "learned 4x4x3 -> 2x2x2, down by patches of 2x2",
            |r, w| r.conv2d(w, None, &ConvOptions::new().stride([2, 2])),
        ),
        plain(
            &[6, 2],
            vec![any(conv1(2)), any(AvgPool1d::new([3])), any(conv1(3))],
            &[3, 2, 3],
            "learned 2x3 -> 6x2, up by patches of 3",
            |r, w| r.conv_transpose1d(w, None, &ConvTransposeOptions::new().stride([3])),
        ),
        plain(
            &[2, 2],
            vec![
                any(conv1(2)),
                any(ConvTranspose1d::new(3, [2]).stride([2]).activation(tanh)),
            ],
            &[2, 3, 2],
            "learned 4x3 -> 2x2, down by patches of 2",
            |r, w| r.conv1d(w, None, &ConvOptions::new().stride([2])),
        ),
        plain(
            &[5, 4, 2],
            vec![
                any(conv(2)),
                any(AdaptiveAvgPool2d::new([3, 3])),
                any(conv(3)),
            ],
            &[3, 2],
            "learned 3x3x3 -> 5x4x2, bilinear interpolation",
            |r, w| each(&r.resize_bilinear([5, 4], false), w),
        ),
        plain(
            &[5, 2],
            vec![
                any(conv1(2)),
                any(MaxPool1d::new([3]).stride([1])),
                any(conv1(3)),
            ],
            &[3, 2],
            "learned 3x3 -> 5x2, linear interpolation",
            |r, w| {
                let image = r.reshape([BATCH, 1, 3, 3]).resize_bilinear([1, 5], false);
                each(&image.reshape([BATCH, 5, 3]), w)
            },
        ),
        plain(
            &[3, 2, 2],
            vec![any(conv(2)), any(Resize::to([5, 4])), any(conv(3))],
            &[3, 2],
            "learned 5x4x3 -> 3x2x2, down to averages of cells",
            |r, w| each(r, w).adaptive_avg_pool2d([3, 2]),
        ),
        plain(
            &[3, 2, 2],
            vec![any(conv(2)), any(GlobalAvgPool), any(dense(3))],
            &[3, 2],
            "learned 3 -> 3x2x2, the same at each position",
            |r, w| {
                each(r, w)
                    .reshape([BATCH, 1, 1, 2])
                    .broadcast_to([BATCH, 3, 2, 2])
            },
        ),
        plain(
            &[2],
            vec![any(dense(4)), any(Reshape::new([2, 2, 1])), any(conv(3))],
            &[3, 4],
            "learned 2x2x3 -> 4, from the average over positions",
            |r, w| each(&r.mean_axes(&[1, 2], false), w),
        ),
        plain(
            &[2, 3, 2],
            vec![any(conv(2)), any(Reshape::new([6, 2])), any(conv1(3))],
            &[3, 2],
            "learned 6x3 -> 2x3x2, positions in row-major order",
            |r, w| each(&r.reshape([BATCH, 2, 3, 3]), w),
        ),
        plain(
            &[2, 2, 2],
            vec![any(conv(2)), any(Reshape::new([8, 1])), any(conv1(3))],
            &[3, 2],
            "learned 8x3 -> 2x2x2, from the average over positions, the same at each",
            |r, w| {
                let mean = each(&r.mean_axes(&[1], false), w);
                mean.reshape([BATCH, 1, 1, 2])
                    .broadcast_to([BATCH, 2, 2, 2])
            },
        ),
        Loop {
            full: true,
            ..plain(
                &[2, 2, 1],
                vec![any(conv(2)), any(MaxPool2d::new([2, 1])), any(conv(3))],
                &[6, 8],
                "learned 1x2x3 -> 2x2x2, each feature to each",
                |r, w| each(&r.reshape([BATCH, 6]), w).reshape([BATCH, 2, 2, 2]),
            )
        },
    ]
}

const NAMES: [&str; 3] = ["first", "second", "third"];

/// The network of a case.
fn network(case: &Loop) -> Network<f64> {
    // Layers are declared by type, so a chain of any layers is made from its file.
    let layers: Vec<_> = case
        .layers
        .iter()
        .zip(NAMES)
        .map(|(layer, name)| {
            serde_json::json!({"name": name, "kind": layer.kind(), "config": layer.config().unwrap()})
        })
        .collect();
    let projection = if case.full { "full" } else { "learned" };
    let edge = serde_json::json!({
        "from": NAMES[case.layers.len() - 1], "to": "first", "combine": "add", "projection": projection,
        "delay": 1, "initial": "zeros",
    });
    let json = serde_json::json!({
        "format": 1, "input": case.input, "layers": layers, "feedback": [edge], "seed": 5,
        "schedule": {"kind": "Unroll", "config": {"iterations": ITERATIONS}},
    });
    let registry = fb_nn::Registry::builtin();
    let topology = fb_nn::feedback::topology::Topology::from_json(json, &registry).unwrap();
    lively(Network::build(topology).unwrap())
}

/// The first weights with which the loop still moves at its end: near a fixed point there is no gradient through time to
/// be wrong.
fn lively(mut network: Network<f64>) -> Network<f64> {
    for seed in 0..200 {
        let trained = network.params_mut().iter_mut();
        for (_, param) in trained.filter(|(_, param)| param.trainable()) {
            let inputs: usize = param.value.dims().iter().rev().skip(1).product();
            let mut rng = Key::new(seed).fold(param.name()).rng();
            let scale = 1.3 / (inputs as f64).sqrt();
            param.value = Tensor::normal(*param.value.shape(), 0.0, scale, &mut rng);
        }
        if movement(&network) > 0.05 {
            return network;
        }
    }
    panic!("no weights keep the loop moving");
}

/// How far the output moves at the last iteration, relative to its size.
fn movement(network: &Network<f64>) -> f64 {
    let all = outputs(network, &input(network));
    let [.., before, last] = &*all else {
        panic!("at least two iterations")
    };
    (last - before).norm() / last.norm()
}

fn input(network: &Network<f64>) -> Tensor<f64> {
    let shape = network.input_spec().shape.with_inserted(0, BATCH);
    Tensor::normal(shape, 0.0, 1.0, &mut Key::new(8).rng())
}

fn outputs(network: &Network<f64>, x: &Tensor<f64>) -> Vec<Tensor<f64>> {
    let options = RunOptions {
        wanted: Wanted::Every,
        ..RunOptions::default()
    };
    let mut cx = Context::eval(network.params());
    let run = network.run(&mut cx, Var::constant(x.clone()), &options);
    let all = run.unwrap().outputs().to_vec();
    all.iter()
        .map(|v| v.as_float().unwrap().tensor().clone())
        .collect()
}

/// The loop written out, with the layers as they are when alone.
fn by_hand(case: &Loop, network: &Network<f64>, x: &Tensor<f64>) -> Vec<Tensor<f64>> {
    let mut scope = Scope::<f64>::new(Key::new(0));
    let mut spec = Spec::float(&*case.input);
    let modules: Vec<_> = case
        .layers
        .iter()
        .zip(NAMES)
        .map(|(layer, name)| {
            scope.enter(name);
            let built = layer.build(&mut scope, &[spec]).unwrap();
            spec = built.output;
            built.module
        })
        .collect();
    let mut params = scope.into_params();
    let values = network.params().state_dict();
    params.load_partial(&values).unwrap();
    let edge = format!("feedback/{}->first/weight", NAMES[case.layers.len() - 1]);
    let weight = &values[&edge];
    assert_eq!(weight.dims(), case.weight, "{}", case.map);
    let mut cx = Context::eval(&params);
    let mut last: Option<Tensor<f64>> = None;
    let mut all = Vec::new();
    for _ in 0..ITERATIONS {
        let first = modules[0].as_simple().unwrap().split().unwrap();
        let mut sum = first.project(&mut cx, &Var::constant(x.clone())).unwrap();
        if let Some(last) = &last {
            sum = sum + Var::constant((case.project)(last, weight));
        }
        let mut value = Value::Float(first.finish(&mut cx, sum).unwrap());
        for module in &modules[1..] {
            value = module.forward(&mut cx, &[value]).unwrap().remove(0);
        }
        let y = value.as_float().unwrap().tensor().clone();
        all.push(y.clone());
        last = Some(y);
    }
    all
}

#[test]
fn each_pair_of_shapes_is_the_loop_written_out() {
    for case in loops() {
        let network = network(&case);
        let edge = network.describe().edges.remove(0);
        assert_eq!(edge.map, case.map);
        assert_eq!(edge.parameters, case.weight.iter().product::<usize>());
        let x = input(&network);
        let (got, want) = (outputs(&network, &x), by_hand(&case, &network, &x));
        for (iteration, (got, want)) in got.iter().zip(&want).enumerate() {
            let worst = (got - want).abs().max();
            assert!(worst < 1e-12, "{} at {iteration}: off by {worst}", case.map);
        }
    }
}

/// Checks the gradients of the sum of squares of all outputs by the input and every parameter.
fn check_gradients(network: &Network<f64>, what: &str) {
    let trained: Vec<_> = network
        .params()
        .iter()
        .filter(|(_, p)| p.trainable())
        .collect();
    let mut values = vec![input(network)];
    values.extend(trained.iter().map(|(_, param)| param.value.clone()));
    let forward = |vars: &[Var<f64>]| {
        let tape = vars[0].tape().unwrap_or_else(Tape::no_grad);
        let mut cx = Context::new(network.params(), tape, Mode::Train);
        trained
            .iter()
            .zip(&vars[1..])
            .for_each(|((id, _), var)| cx.bind(*id, var.clone()));
        let options = RunOptions {
            wanted: Wanted::Every,
            ..RunOptions::default()
        };
        let run = network.run(&mut cx, vars[0].clone(), &options).unwrap();
        let squares = run
            .outputs()
            .iter()
            .map(|v| v.as_float().unwrap().square().sum());
        squares.reduce(|a, b| a + b).unwrap()
    };
    let report = GradCheck::new().tolerance(1e-6).check(forward, &values);
    report.unwrap_or_else(|error| panic!("{what}: {error}"));
}

#[test]
fn gradients_flow_through_every_pair_of_shapes() {
    for case in loops() {
        check_gradients(&network(&case), case.map);
    }
}

/// A small convolutional network with a pool between its maps.
fn pooled() -> Sequential {
    Sequential::input([4, 4, 2])
        .layer(
            "low",
            Conv2d::new(3, [3, 3]).same().activation(Activation::Tanh),
        )
        .layer("pool", AvgPool2d::new([2, 2]))
        .layer(
            "high",
            Conv2d::new(2, [3, 3]).same().activation(Activation::Tanh),
        )
        .schedule(Unroll::iterations(ITERATIONS))
}

#[test]
fn gates_of_maps_look_at_each_position() {
    // Where the positions differ, the gate sees what was brought into shape; where they are the same, what came.
    let network = lively(
        pooled()
            .feedback("high", "low")
            .gate()
            .feedback("low", "low")
            .gate()
            .build_as::<f64>()
            .unwrap(),
    );
    let p = |name: &str| network.params().by_name(name).unwrap().value.clone();
    assert_eq!(p("feedback/high->low/gate_weight").dims(), [6, 3]);
    assert_eq!(p("feedback/low->low/gate_weight").dims(), [6, 3]);
    let x = input(&network);
    let same = ConvOptions::new().padding(fb_tensor::Padding::Same);
    let gate = |u: &Tensor<f64>, seen: &Tensor<f64>, edge: &str| {
        let both = Tensor::concat(&[u, seen], 3);
        (both.matmul(&p(&format!("{edge}/gate_weight"))) + &p(&format!("{edge}/gate_bias")))
            .sigmoid()
    };
    let (mut low, mut high): (Option<Tensor<f64>>, Option<Tensor<f64>>) = (None, None);
    for _ in 0..ITERATIONS {
        let mut u = x.conv2d(&p("low/weight"), Some(&p("low/bias")), &same);
        if let (Some(low), Some(high)) = (&low, &high) {
            let options = ConvTransposeOptions::new().stride([2, 2]);
            let up = high.conv_transpose2d(&p("feedback/high->low/weight"), None, &options);
            u = &u + &(gate(&u, &up, "feedback/high->low") * &up);
            let own = low.matmul(&p("feedback/low->low/weight"));
            u = &u + &(gate(&u, low, "feedback/low->low") * &own);
        }
        let new = u.tanh();
        let pool = new.avg_pool2d(&fb_tensor::PoolOptions::new([2, 2]));
        high = Some(
            pool.conv2d(&p("high/weight"), Some(&p("high/bias")), &same)
                .tanh(),
        );
        low = Some(new);
    }
    let got = outputs(&network, &x).pop().unwrap();
    assert!((got - high.unwrap()).abs().max() < 1e-12);
    check_gradients(&network, "gated maps");
}

#[test]
fn feedback_into_layers_without_a_sum_joins_their_input() {
    let network = lively(
        Sequential::input([4, 6])
            .layer(
                "block1",
                TransformerBlock::decoder(2).hidden(5).epsilon(0.1),
            )
            .layer("norm", LayerNorm::new().epsilon(0.1))
            .layer(
                "block2",
                TransformerBlock::encoder(3)
                    .hidden(5)
                    .post_norm()
                    .epsilon(0.1),
            )
            .layer("scores", Dense::new(3))
            .feedback("block2", "block1")
            .feedback("scores", "norm")
            .feedback("block2", "block2")
            .gate()
            .schedule(Unroll::iterations(3))
            .build_as::<f64>()
            .unwrap(),
    );
    check_gradients(&network, "blocks");
}

#[test]
fn a_residual_takes_feedback_into_its_sum() {
    let block = Residual::new()
        .layer("hidden", Dense::new(4).activation(Activation::Tanh))
        .layer("back", Dense::new(3))
        .activation(Activation::Tanh);
    let network = lively(
        Sequential::input([3])
            .layer("block", block)
            .layer("output", Dense::new(2))
            .feedback("output", "block")
            .schedule(Unroll::iterations(3))
            .build_as::<f64>()
            .unwrap(),
    );
    let p = |name: &str| network.params().by_name(name).unwrap().value.clone();
    let x = input(&network);
    let mut output = Tensor::<f64>::zeros_of([BATCH, 2]);
    for _ in 0..3 {
        let hidden = (x.matmul(&p("block/hidden/weight")) + &p("block/hidden/bias")).tanh();
        let sum = hidden.matmul(&p("block/back/weight")) + &p("block/back/bias") + &x;
        let block = (sum + output.matmul(&p("feedback/output->block/weight"))).tanh();
        output = block.matmul(&p("output/weight")) + &p("output/bias");
    }
    let got = outputs(&network, &x).pop().unwrap();
    assert!((got - output).abs().max() < 1e-13);
    check_gradients(&network, "a residual");
}

/// A loop with batch norm inside.
fn normed() -> Network<f64> {
    lively(
        Sequential::input([3])
            .layer("hidden", Dense::new(4))
            .layer("norm", BatchNorm::new())
            .layer("output", Dense::new(2).activation(Activation::Tanh))
            .feedback("output", "hidden")
            .schedule(Unroll::iterations(3))
            .build_as::<f64>()
            .unwrap(),
    )
}

#[test]
fn batch_norm_counts_each_iteration_of_a_loop() {
    let network = normed();
    let p = |name: &str| network.params().by_name(name).unwrap().value.clone();
    let x = input(&network);
    let (mut mean, mut variance) = (p("norm/running_mean"), p("norm/running_variance"));
    let mut output = Tensor::<f64>::zeros_of([BATCH, 2]);
    for _ in 0..3 {
        let hidden = x.matmul(&p("hidden/weight"))
            + &p("hidden/bias")
            + &output.matmul(&p("feedback/output->hidden/weight"));
        let (m, v) = (
            hidden.mean_axes(&[0], false),
            hidden.var_axes(&[0], 0, false),
        );
        let normed = (&hidden - &m) / &(&v + 1e-5).sqrt() * &p("norm/weight") + &p("norm/bias");
        output = (normed.matmul(&p("output/weight")) + &p("output/bias")).tanh();
        mean = mean * 0.9 + m * 0.1;
        variance = variance * 0.9 + hidden.var_axes(&[0], 1, false) * 0.1;
    }
    let mut cx = Context::new(network.params(), Tape::new(), Mode::Train);
    let got = network.forward(&mut cx, Var::constant(x.clone())).unwrap();
    assert!((got.as_float().unwrap().tensor() - &output).abs().max() < 1e-12);
    let updates = cx.take_buffer_updates();
    assert_eq!(
        updates.len(),
        2,
        "one new value a buffer, however many iterations"
    );
    for (id, value) in updates {
        let want = match network.params().get(id).name() {
            "norm/running_mean" => &mean,
            _ => &variance,
        };
        assert!((value - want).abs().max() < 1e-12);
    }
    let mut cx = Context::eval(network.params());
    network.forward(&mut cx, Var::constant(x)).unwrap();
    assert!(
        cx.take_buffer_updates().is_empty(),
        "evaluation changes nothing"
    );
    check_gradients(&network, "batch norm in a loop");
}

#[test]
fn dropout_inside_a_block_stays_while_the_loop_runs() {
    let block = Residual::new()
        .layer("drop", Dropout::new(0.5))
        .layer("map", Dense::new(8));
    let mut network = Sequential::input([8])
        .layer("block", block)
        .layer("output", Dense::new(8))
        .feedback("output", "block")
        .schedule(Unroll::iterations(3))
        .build_as::<f64>()
        .unwrap();
    let edge = network
        .params()
        .id("feedback/output->block/weight")
        .unwrap();
    network.params_mut().get_mut(edge).value = Tensor::zeros_of([8, 8]);
    let x = input(&network);
    let run = |step| {
        let mut cx = Context::train(network.params(), Tape::no_grad(), Key::new(4), step);
        let options = RunOptions {
            wanted: Wanted::Every,
            ..RunOptions::default()
        };
        let run = network
            .run(&mut cx, Var::constant(x.clone()), &options)
            .unwrap();
        let all = run
            .outputs()
            .iter()
            .map(|v| v.as_float().unwrap().tensor().clone());
        all.collect::<Vec<_>>()
    };
    let all = run(0);
    assert_eq!(
        all[0], all[2],
        "without feedback only the mask could differ"
    );
    assert_ne!(all[0], run(1)[0], "which is another at the next step");
}

#[test]
fn what_cannot_be_fed_back_is_refused() {
    let tokens = Sequential::indices([4])
        .layer("tokens", Embedding::new(5, 3))
        .layer("scores", Dense::new(5))
        .schedule(Unroll::iterations(2));
    let error = |declared: Sequential| declared.build().unwrap_err().to_string();
    let text = error(tokens.clone().feedback("scores", "tokens"));
    assert_eq!(
        text,
        "feedback \"scores\" -> \"tokens\" does not carry numbers\n  \
         \"scores\" gives numbers; \"tokens\" takes indices\n  \
         help: feed back into the layer after it: its input is the sum then"
    );
    assert_eq!(
        error(tokens.clone().feedback("scores", "input")),
        text.replace("\"tokens\"", "\"input\"")
    );
    let text = error(tokens.feedback("scores", "tokens").concat());
    assert!(text.contains("does not carry numbers"), "{text}");
    let text = error(pooled().feedback("high", "low").identity());
    assert!(
        text.contains("help: drop .identity() to learn a 2x2x2 -> 4x4x3 map (the default)"),
        "{text}"
    );
    assert!(
        error(pooled().feedback("high", "low").full().concat())
            .contains("is both .full() and .concat()")
    );
    assert!(error(pooled().feedback("high", "low").concat()).contains("cannot be concatenated"));
}

#[test]
fn rows_do_not_see_their_neighbours() {
    let network = pooled().feedback("high", "low").seed(2).build().unwrap();
    let x: Tensor = Tensor::normal([5, 4, 4, 2], 0.0, 1.0, &mut Key::new(3).rng());
    let run = |x: Tensor| {
        let mut cx = Context::eval(network.params());
        let y = network.forward(&mut cx, Var::constant(x)).unwrap();
        y.as_float().unwrap().tensor().clone()
    };
    let all = run(x.clone());
    for row in 0..5 {
        assert_eq!(
            run(x.slice(0, row..row + 1)),
            all.slice(0, row..row + 1),
            "bit for bit"
        );
    }
}
