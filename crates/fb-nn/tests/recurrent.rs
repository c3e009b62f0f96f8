//! Recurrent layers: cells of one's own, ragged batches, pieces, states, and what is refused.

use fb_autograd::{Tape, Var};
use fb_nn::cell::{BuiltCell, Cell, CellConfig, CellState, Register, Start, scan};
use fb_nn::init::Initializer;
use fb_nn::layers::*;
use fb_nn::module::{AnyLayer, Memory, Scope, Spec, Streaming, ValueKind};
use fb_nn::param::{ParamId, Params, Role};
use fb_nn::{Context, Layer, Mode, Registry, Result, Sequential, Value};
use fb_tensor::random::Key;
use fb_tensor::recurrent::Steps;
use fb_tensor::{Float, Shape, Tensor};
use serde::{Deserialize, Serialize};

/// The LSTM written by hand, in operations on variables.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct OwnCell {
    units: usize,
}

#[derive(Debug)]
struct OwnModule {
    units: usize,
    parameters: [ParamId; 3],
    registers: [Register; 2],
}

impl CellConfig for OwnCell {
    const KIND: &'static str = "OwnLstm";

    fn build<F: Float>(&self, scope: &mut Scope<F>, input: Shape) -> Result<BuiltCell<F>> {
        let (n, glorot) = (self.units, Initializer::glorot_uniform());
        let weight = |scope: &mut Scope<F>, name, rows| {
            scope.param(name, [rows, 4 * n], &glorot, Role::Weight)
        };
        let parameters = [
            weight(scope, "input_weight", input[0])?,
            weight(scope, "recurrent_weight", n)?,
            scope.param("bias", [4 * n], &Initializer::Zeros, Role::Bias)?,
        ];
        let registers = ["h", "c"].map(|name| Register {
            name,
            shape: [n].into(),
            start: Start::Zeros,
        });
        Ok(BuiltCell {
            cell: Box::new(OwnModule {
                units: n,
                parameters,
                registers,
            }),
            output: [n].into(),
            description: format!("OwnLstm {} -> {n}", input[0]),
        })
    }
}

impl<F: Float> Cell<F> for OwnModule {
    fn registers(&self) -> &[Register] {
        &self.registers
    }

    fn project(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        let [weight, _, bias] = self.parameters.map(|id| cx.param(id));
        Ok(x.linear(&weight, Some(&bias)))
    }

    fn step(
        &self,
        cx: &mut Context<'_, F>,
        projected: Var<F>,
        state: &CellState<F>,
    ) -> Result<(Var<F>, CellState<F>)> {
        let [h, c] = state.registers() else {
            panic!("the state was checked");
        };
        let sums = projected + h.matmul(&cx.param(self.parameters[1]));
        let gates = sums.split(1, &[self.units; 4]);
        let c = gates[1].sigmoid() * c + gates[0].sigmoid() * gates[2].tanh();
        let h = gates[3].sigmoid() * c.tanh();
        Ok((h.clone(), CellState::new(vec![h, c])))
    }
}

fn normal(name: &str, shape: &[usize]) -> Tensor<f64> {
    Tensor::normal(shape, 0.0, 1.0, &mut Key::new(5).fold(name).rng())
}

fn module(layer: &Recurrent, features: usize) -> (RecurrentModule<f64>, Params<f64>) {
    let mut scope = Scope::new(Key::new(1));
    scope.enter("memory");
    let module = layer
        .module(&mut scope, &[Spec::float([7, features])])
        .unwrap();
    (module, scope.into_params())
}

/// Outputs, last states, and the gradients by the input and every parameter.
fn run(
    layer: &Recurrent,
    params: &Params<f64>,
    x: &Tensor<f64>,
    lengths: Option<&[usize]>,
) -> Vec<Tensor<f64>> {
    let (module, _) = module(layer, x.dim(2));
    let tape = Tape::new();
    let mut cx = Context::new(params, tape.clone(), Mode::Train);
    let x = tape.leaf(x.clone());
    let (y, last) = module.run(&mut cx, &x, lengths, None).unwrap();
    let mut found = vec![y.tensor().clone()];
    let mut outputs = vec![(&y, normal("upstream", y.dims()))];
    for register in last.iter().flat_map(CellState::registers) {
        found.push(register.tensor().clone());
        outputs.push((register, normal("upstream of states", register.dims())));
    }
    let gradients = tape.gradients(&outputs);
    found.push(gradients.get(&x).unwrap().clone());
    let leaves: Vec<_> = cx.leaves().collect();
    found.extend(
        leaves
            .iter()
            .map(|(_, leaf)| gradients.get(leaf).unwrap().clone()),
    );
    found
}

#[track_caller]
fn assert_near(got: &[Tensor<f64>], want: &[Tensor<f64>]) {
    assert_eq!(got.len(), want.len());
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert_eq!(got.shape(), want.shape());
        let worst = (got - want).abs().max();
        assert!(worst < 1e-12, "number {i} is off by {worst}");
    }
}

#[test]
fn a_cell_of_ones_own_gives_what_the_built_in_one_gives() {
    let x = normal("x", &[4, 7, 3]);
    for (lengths, options) in [
        (None, 0),
        (Some([3, 7, 1, 6]), 1),
        (Some([3, 7, 2, 7]), 2),
        (Some([1, 1, 1, 1]), 3),
    ] {
        let with = |layer: Recurrent| match options {
            0 => layer,
            1 => layer.levels(2).residual(),
            2 => layer.bidirectional().levels(2),
            _ => layer.bidirectional().last(),
        };
        let own = with(Recurrent::new(OwnCell { units: 3 }));
        let built_in = with(Lstm::new(3));
        let (_, params) = module(&own, 3);
        let lengths = lengths.as_ref().map(|lengths| &lengths[..]);
        assert_near(
            &run(&built_in, &params, &x, lengths),
            &run(&own, &params, &x, lengths),
        );
    }
}

#[test]
fn a_minimal_gru_is_what_its_formula_says() {
    let (module, params) = module(&Recurrent::new(MinGruCell::new(2)), 3);
    let x = normal("x", &[2, 7, 3]);
    let mut cx = Context::eval(&params);
    let (y, last) = module
        .run(&mut cx, &Var::constant(x.clone()), None, None)
        .unwrap();
    let weight = &params.by_name("memory/input_weight").unwrap().value;
    let mut h = Tensor::zeros_of([2, 2]);
    for time in 0..7 {
        let sums = x.index_axis(1, time).matmul(weight);
        let z = sums.slice(1, 0..2).sigmoid();
        h = &h + &(&z * &(&sums.slice(1, 2..4) - &h));
        let worst = (&y.tensor().index_axis(1, time) - &h).abs().max();
        assert!(worst < 1e-14, "step {time} is off by {worst}");
    }
    assert!((last[0].registers()[0].tensor() - &h).abs().max() < 1e-14);
}

#[test]
fn padding_is_neither_seen_nor_changed() {
    let layers = [
        Lstm::new(3).levels(2),
        Gru::new(3).bidirectional(),
        Elman::new(3),
        Recurrent::new(GruCell::new(3).reset_before()),
        Recurrent::new(MinGruCell::new(3)).bidirectional(),
        Recurrent::new(OwnCell { units: 3 }),
    ];
    let lengths = [3, 7, 1, 5];
    let x = normal("x", &[4, 7, 2]);
    // What stands in the padding must not matter, not even a NaN.
    let spoiled = Tensor::from_fn([4, 7, 2], |at| match at[1] < lengths[at[0]] {
        true => x.at(at),
        false => f64::NAN,
    });
    for layer in layers {
        let (module, params) = module(&layer, 2);
        let all = run(&layer, &params, &spoiled, Some(&lengths));
        let states = all.len() - 2 - params.len();
        let (y, by_x) = (&all[0], &all[1 + states]);
        for (row, &length) in lengths.iter().enumerate() {
            let one = |t: &Tensor<f64>| t.slice(0, row..row + 1);
            for t in [y, by_x] {
                let padding = one(t).slice(1, length..7);
                assert!(padding.iter().all(|v| v == 0.0), "{layer:?}");
            }
            let mut cx = Context::eval(&params);
            let alone = Var::constant(one(&x).slice(1, 0..length));
            let (want, last) = module.run(&mut cx, &alone, None, None).unwrap();
            assert_eq!(
                one(y).slice(1, 0..length).to_vec(),
                want.tensor().to_vec(),
                "bit for bit as alone: {layer:?}"
            );
            let last = last.iter().flat_map(CellState::registers);
            for (found, want) in all[1..=states].iter().zip(last) {
                assert_eq!(one(found).to_vec(), want.tensor().to_vec());
            }
        }
    }
}

#[test]
fn pieces_are_the_whole_bit_for_bit() {
    let network = Sequential::input([7, 3])
        .layer("lstm", Lstm::new(5).levels(2).residual())
        .layer("gru", Gru::new(4))
        .layer("own", Recurrent::new(OwnCell { units: 3 }))
        .layer("scores", Dense::new(2))
        .seed(2)
        .build_as::<f32>()
        .unwrap();
    let x = normal("x", &[3, 7, 3]).to_f32();
    let mut cx = Context::eval(network.params());
    let whole = network.forward(&mut cx, Var::constant(x.clone())).unwrap();
    let whole = whole.as_float().unwrap().tensor().clone();
    for cuts in [vec![1; 7], vec![3, 1, 3]] {
        let (mut memory, mut start) = (Memory::Empty, 0);
        for piece in cuts {
            let part = Var::constant(x.slice(1, start..start + piece));
            let y;
            (y, memory) = network.forward_from(&mut cx, part, memory).unwrap();
            let want = whole.slice(1, start..start + piece);
            assert_eq!(y.as_float().unwrap().tensor().to_vec(), want.to_vec());
            start += piece;
        }
    }
}

#[test]
fn what_is_silenced_between_levels_stays_silent_at_all_steps() {
    // Levels that pass on what they are given: what the second gives shows what the first gave it.
    let layer = Recurrent::new(ElmanCell::new(6).relu().bias(false)).levels(2);
    let layer = layer.dropout(0.5);
    let (module, mut params) = module(&layer, 6);
    for level in ["level1", "level2"] {
        for (name, value) in [
            ("input_weight", Tensor::eye_of(6)),
            ("recurrent_weight", Tensor::zeros_of([6, 6])),
        ] {
            let id = params.id(&format!("memory/{level}/{name}")).unwrap();
            params.get_mut(id).value = value;
        }
    }
    let run = |rows: std::ops::Range<usize>, step| {
        let count = rows.len();
        let mut cx = Context::train(&params, Tape::new(), Key::new(4), step)
            .with_first_row(rows.start as u64);
        cx.enter_layer("memory");
        let x = Var::constant(Tensor::ones_of([count, 7, 6]));
        let lengths: Vec<usize> = rows.map(|row| 1 + (row * 3) % 7).collect();
        let (y, _) = module.run(&mut cx, &x, Some(&lengths), None).unwrap();
        (y.into_tensor(), lengths)
    };
    let (y, lengths) = run(0..8, 3);
    let (mut silent, mut kept) = (0, 0);
    for (row, &length) in lengths.iter().enumerate() {
        for feature in 0..6 {
            let first = y.at(&[row, 0, feature]);
            assert!(first == 0.0 || first == 2.0);
            silent += usize::from(first == 0.0);
            kept += usize::from(first == 2.0);
            assert!((1..length).all(|time| y.at(&[row, time, feature]) == first));
        }
    }
    assert!(silent > 10 && kept > 10, "{silent} and {kept}");
    let parts = Tensor::concat(&[&run(0..3, 3).0, &run(3..8, 3).0], 0);
    assert_eq!(y, parts, "however rows are batched");
    assert_ne!(y, run(0..8, 4).0, "anew at each training step");
}

#[test]
fn carried_states_send_gradients_back_until_they_are_detached() {
    let (module, params) = module(&Gru::new(3), 2);
    let tape = Tape::new();
    let mut cx = Context::new(&params, tape.clone(), Mode::Train);
    let x = tape.leaf(normal("x", &[2, 7, 2]));
    let Streaming::Stateful(stream) = fb_nn::Module::streaming(&module) else {
        panic!("it runs one way");
    };
    let mut piece = |memory, from: usize, to: usize| {
        let x = Value::Float(x.slice(1, from..to));
        stream.forward_from(&mut cx, &[x], memory).unwrap()
    };
    let (_, memory) = piece(Memory::Empty, 0, 4);
    let (kept, _) = piece(memory.clone(), 4, 7);
    let (cut, _) = piece(memory.detach(), 4, 7);
    let by_first = |y: &Value<f64>| {
        let gradients = y.as_float().unwrap().sum().backward();
        gradients.get(&x).unwrap().slice(1, 0..4).abs().max()
    };
    assert!(by_first(&kept) > 1e-3);
    assert_eq!(by_first(&cut), 0.0);
    assert_eq!(
        kept.as_float().unwrap().tensor(),
        cut.as_float().unwrap().tensor()
    );
}

#[test]
fn a_state_is_reset_to_what_its_registers_start_from() {
    let layer = Recurrent::new(LstmCell::new(2).learned_start());
    let (module, mut params) = module(&layer, 2);
    for (name, value) in [("start", 0.25), ("cell_start", -0.5)] {
        let id = params.id(&format!("memory/{name}")).unwrap();
        params.get_mut(id).value = Tensor::full_of([2], value);
    }
    let mut cx = Context::eval(&params);
    let cell = module.cells().next().unwrap();
    let held = |value| Var::constant(Tensor::full_of([3, 2], value));
    let state = CellState::new(vec![held(1.0), held(2.0)]);
    let ended = Tensor::from([false, true, false]);
    let reset = state.reset_where(cell, &mut cx, &ended).unwrap();
    let values = |i: usize| reset.registers()[i].tensor().to_vec();
    assert_eq!(values(0), [1.0, 1.0, 0.25, 0.25, 1.0, 1.0]);
    assert_eq!(values(1), [2.0, 2.0, -0.5, -0.5, 2.0, 2.0]);
    let error = state
        .reset_where(cell, &mut cx, &Tensor::from([true]))
        .unwrap_err();
    assert!(
        error.to_string().contains("a flag for each of 3 samples"),
        "{error}"
    );
}

#[test]
fn what_comes_later_does_not_change_what_came_before() {
    let (module, params) = module(&Lstm::new(3).levels(2), 2);
    let x = normal("x", &[1, 7, 2]);
    let mut cx = Context::eval(&params);
    let mut run = |x: Tensor<f64>| {
        module
            .run(&mut cx, &Var::constant(x), None, None)
            .unwrap()
            .0
    };
    let before = run(x.clone());
    for time in 0..7 {
        let changed = run(Tensor::from_fn([1, 7, 2], |at| {
            x.at(at) + f64::from(at[1] == time)
        }));
        let difference = (before.tensor() - changed.tensor())
            .abs()
            .max_axes(&[0, 2], false);
        let first = difference.iter().position(|d| d > 0.0);
        assert_eq!(first, Some(time));
    }
}

#[test]
fn gradients_neither_vanish_nor_explode_through_two_hundred_steps() {
    let norms = |layer: Recurrent| {
        let (module, mut params) = module(&layer, 1);
        let id = params.id("memory/input_weight").unwrap();
        let weight = params.get(id).value.zeros_like();
        params.get_mut(id).value = weight;
        let tape = Tape::new();
        let mut cx = Context::new(&params, tape.clone(), Mode::Train);
        let x = Var::constant(Tensor::zeros_of([1, 200, 1]));
        let start = module.start(&mut cx, 1).remove(0);
        let start: Vec<_> = start
            .into_registers()
            .iter()
            .map(|register| tape.leaf(normal("start", register.dims()).abs() * 0.1))
            .collect();
        let state = vec![CellState::new(start.clone())];
        let (_, last) = module.run(&mut cx, &x, None, Some(state)).unwrap();
        let register = &last[0].registers()[start.len() - 1];
        let upstream = normal("upstream", register.dims());
        let norm = upstream.square().sum().sqrt();
        let gradients = tape.gradients(&[(register, upstream)]);
        let by_start = gradients.get(&start[start.len() - 1]).unwrap();
        by_start.square().sum().sqrt() / norm
    };
    // An orthogonal matrix through a rectifier that stays open would keep the norm; the identity does exactly.
    let identity = norms(Recurrent::new(ElmanCell::new(16).relu()));
    assert!((identity - 1.0).abs() < 1e-12, "{identity}");
    let open = norms(Recurrent::new(LstmCell::new(16).forget_bias(5.0)));
    assert!((1e-3..1e3).contains(&open), "{open}");
    let small = Initializer::Normal {
        mean: 0.0,
        std: 0.1,
    };
    let decays = norms(Recurrent::new(ElmanCell::new(16).recurrent_init(small)));
    assert!(decays < 1e-30, "the control: {decays}");
}

#[test]
fn biases_and_weights_start_as_the_documentation_says() {
    let (_, params) = module(&Lstm::new(4), 3);
    let bias = &params.by_name("memory/bias").unwrap().value;
    let ones = bias.iter().enumerate().map(|(i, b)| (i / 4 == 1, b));
    assert!(ones.into_iter().all(|(forget, b)| b == f64::from(forget)));
    let weight = &params.by_name("memory/recurrent_weight").unwrap().value;
    let product = weight.matmul(&weight.transpose());
    assert!((product - &Tensor::eye_of(4)).abs().max() < 1e-12);
    let (_, params) = module(&Gru::new(4).bidirectional().levels(2), 3);
    assert!(params.id("memory/level2/backward/recurrent_bias").is_some());
    assert_eq!(params.len(), 16);
}

#[test]
fn descriptions_say_which_way_a_layer_takes() {
    let describe = |layer: Recurrent| {
        let mut scope = Scope::<f32>::new(Key::new(1));
        scope.enter("memory");
        layer
            .build(&mut scope, &[Spec::float([7, 3])])
            .unwrap()
            .description
    };
    assert_eq!(
        describe(Lstm::new(4).levels(2).bidirectional().last()),
        "Lstm 3 -> 4, 2 levels, both ways, last step, fused"
    );
    assert_eq!(
        describe(Recurrent::new(OwnCell { units: 2 })),
        "OwnLstm 3 -> 2, step by step"
    );
}

#[test]
fn cells_of_ones_own_are_read_from_files() {
    let layer = Recurrent::new(OwnCell { units: 2 }).levels(2);
    let json = layer.config().unwrap();
    let mut registry = Registry::builtin();
    let error = registry
        .layer("layer \"memory\"", "Recurrent", json.clone())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "layer \"memory\", its cell is of kind \"OwnLstm\", which is not registered\n  \
         help: known kinds: Elman, Gru, Lstm, MinGru; register yours and load with load_with(&registry)"
    );
    registry.register_cell::<OwnCell>();
    assert_eq!(
        registry.cell_kinds().collect::<Vec<_>>(),
        ["Elman", "Gru", "Lstm", "MinGru", "OwnLstm"]
    );
    let read = registry
        .layer("layer \"memory\"", "Recurrent", json.clone())
        .unwrap();
    assert_eq!(format!("{read:?}"), format!("{layer:?}"));
    let unread: Recurrent = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_value(&unread).unwrap(), json);
    let mut scope = Scope::<f32>::new(Key::new(1));
    let error = unread
        .build(&mut scope, &[Spec::float([7, 3])])
        .unwrap_err();
    assert!(
        error.to_string().contains("its kind was not looked up"),
        "{error}"
    );
}

#[test]
fn what_cannot_be_built_says_why() {
    let error = |layer: Recurrent, inputs: &[Spec]| {
        let mut scope = Scope::<f32>::new(Key::new(1));
        scope.enter("memory");
        let error = layer.build(&mut scope, inputs).unwrap_err();
        error.to_string()
    };
    let x = Spec::float([7, 3]);
    assert_eq!(
        error(Lstm::new(0), &[x]),
        "layer \"memory\" (Lstm): expected at least 1 unit, found 0\n  \
         help: a state has a number for each"
    );
    assert!(error(Lstm::new(2), &[]).contains("expected one input of numbers"));
    assert!(error(Lstm::new(2), &[Spec::float([7])]).contains("one axis of features"));
    assert!(error(Lstm::new(2), &[Spec::float([])]).contains("an input [batch, time, …]"));
    assert!(error(Gru::new(2).levels(0), &[x]).contains("at least 1 level"));
    assert!(error(Gru::new(2).dropout(1.0), &[x]).contains("a dropout rate from 0 to below 1"));
    assert!(error(Gru::new(usize::MAX / 2), &[x]).contains("sizes that memory can hold"));
    let cell = LstmCell::new(2).forget_bias(f64::NAN);
    assert!(error(Recurrent::new(cell), &[x]).contains("a finite bias of the forget gate"));
    let states = "after the sequences, lengths [batch] or states [2] and [2], or both, found";
    assert!(error(Lstm::new(2), &[x, Spec::float([2])]).contains(states));
    assert!(error(Lstm::new(2), &[x, Spec::index([3])]).contains(states));
}

#[test]
fn what_cannot_be_run_says_why() {
    let (module, params) = module(&Lstm::new(2), 3);
    let mut cx = Context::eval(&params);
    cx.enter_layer("memory");
    let x = Value::Float(Var::constant(normal("x", &[2, 7, 3])));
    let state = |shape: &[usize]| Value::Float(Var::constant(normal("state", shape)));
    let mut error = |inputs: &[Value<f64>]| {
        let error = fb_nn::Module::forward(&module, &mut cx, inputs).unwrap_err();
        error.to_string()
    };
    let lengths =
        |lengths: &[i64]| Value::Index(Tensor::from_vec(lengths.to_vec(), [lengths.len()]));
    assert_eq!(
        error(&[x.clone(), lengths(&[3, 8])]),
        "layer \"memory\", sequence 1: expected a length from 1 to 7, found 8\n  \
         help: leave out sequences without a step; the time axis holds the longest"
    );
    assert!(error(&[x.clone(), lengths(&[0, 8])]).contains("sequence 0: expected a length from 1"));
    assert!(error(&[x.clone(), lengths(&[1, -8])]).contains("sequence 1: expected a length of at"));
    assert!(error(&[x.clone(), lengths(&[3])]).contains("a length for each of 2 sequences"));
    assert_eq!(
        error(&[x.clone(), state(&[2, 2]), state(&[3, 2])]),
        "layer \"memory\": expected a state h [2, 2] and c [2, 2], found [2, 2] and [3, 2]\n  \
         help: hand back the state that this cell gave, for the same samples"
    );
    assert!(error(&[x.clone(), state(&[2, 2])]).contains("sequences, and perhaps lengths"));
    assert!(
        error(&[state(&[2, 0, 3])]).contains("expected numbers [batch, 7, 3], found [2, 0, 3]")
    );
    assert!(error(&[state(&[2, 7, 4])]).contains("found [2, 7, 4]"));
    assert!(error(&[]).contains("found nothing"));
    let Streaming::Stateful(stream) = fb_nn::Module::streaming(&module) else {
        panic!("it runs one way");
    };
    let memory = Memory::Position(3);
    let error = stream.forward_from(&mut cx, &[x], memory).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("expected the states of cells as memory"),
        "{error}"
    );
    let whole = self::module(&Lstm::new(2).bidirectional(), 3).0;
    assert!(matches!(fb_nn::Module::streaming(&whole), Streaming::Whole));
}

#[test]
fn an_empty_batch_gives_an_empty_batch() {
    for layer in [Lstm::new(2), Recurrent::new(OwnCell { units: 2 })] {
        for layer in [layer.clone(), layer.bidirectional().last()] {
            let (module, params) = module(&layer, 3);
            let mut cx = Context::eval(&params);
            let x = Var::constant(Tensor::zeros_of([0, 7, 3]));
            let (y, last) = module.run(&mut cx, &x, None, None).unwrap();
            assert_eq!((y.dims()[0], last[0].batch()), (0, 0));
        }
    }
}

#[test]
fn a_scan_without_steps_is_refused() {
    let (module, params) = module(&Lstm::new(2), 3);
    let mut cx = Context::eval(&params);
    let cell = module.cells().next().unwrap();
    let start = CellState::start(cell, &mut cx, 2);
    let x = Var::constant(Tensor::zeros_of([0, 3]));
    let error = scan(&mut cx, cell, &x, start, &Steps::even(2, 0)).unwrap_err();
    assert!(error.to_string().contains("at least one step"), "{error}");
}

#[test]
fn lengths_and_states_come_along_edges() {
    let (module, params) = module(&Lstm::new(2).last(), 3);
    let inputs = [
        Spec::float([7, 3]),
        Spec::index([]),
        Spec::float([2]),
        Spec::float([2]),
    ];
    let mut scope = Scope::<f64>::new(Key::new(1));
    let built = Lstm::new(2).last().build(&mut scope, &inputs).unwrap();
    assert_eq!(built.output.kind, ValueKind::Float);
    assert_eq!(built.output.to_string(), "[batch, 2]");
    let mut cx = Context::eval(&params);
    let x = Var::constant(normal("x", &[2, 7, 3]));
    let state = ["h", "c"].map(|name| Var::constant(normal(name, &[2, 2])));
    let values = [
        Value::Float(x.clone()),
        Value::Index(Tensor::from([2_i64, 5])),
        Value::Float(state[0].clone()),
        Value::Float(state[1].clone()),
    ];
    let along = fb_nn::Module::forward(&module, &mut cx, &values).unwrap();
    let states = vec![CellState::new(state.to_vec())];
    let (want, _) = module
        .run(&mut cx, &x, Some(&[2, 5]), Some(states))
        .unwrap();
    assert_eq!(along[0].as_float().unwrap().tensor(), want.tensor());
}
