//! Recurrent layers: outputs, last states and all gradients, with PyTorch's weights brought into this library's shape.

use crate::file::{assert_close, cases, tensor};
use fb_autograd::Tape;
use fb_nn::cell::CellState;
use fb_nn::layers::{ElmanCell, GruCell, LstmCell, Recurrent};
use fb_nn::module::{Scope, Spec};
use fb_nn::{Context, Mode};
use fb_tensor::Tensor;
use fb_tensor::random::Key;
use serde_json::Value as Json;

/// The layer of a case, and how many gates its cell has.
fn layer(name: &str, hidden: usize) -> (Recurrent, usize) {
    match name {
        "lstm" => (Recurrent::new(LstmCell::new(hidden)), 4),
        "gru" => (Recurrent::new(GruCell::new(hidden)), 3),
        "gru_before" => (Recurrent::new(GruCell::new(hidden).reset_before()), 3),
        "elman" => (Recurrent::new(ElmanCell::new(hidden)), 1),
        "elman_relu" => (Recurrent::new(ElmanCell::new(hidden).relu()), 1),
        other => panic!("no layer for case {other}"),
    }
}

/// The path of a cell's parameters, and the end of PyTorch's names for them.
fn places(levels: usize, both: bool) -> Vec<(String, String)> {
    let mut places = Vec::new();
    for level in 0..levels {
        let part = if levels > 1 {
            format!("/level{}", level + 1)
        } else {
            String::new()
        };
        if both {
            places.push((format!("layer{part}/forward"), format!("l{level}")));
            places.push((format!("layer{part}/backward"), format!("l{level}_reverse")));
        } else {
            places.push((format!("layer{part}"), format!("l{level}")));
        }
    }
    places
}

/// PyTorch's parameters of one cell as this library's.
fn imported(
    weights: &Json,
    place: &str,
    ending: &str,
    separate: bool,
) -> Vec<(String, Tensor<f64>)> {
    let of = |name: &str| tensor(&weights[format!("{name}_{ending}")]);
    let (mut bias, inner) = (of("bias_ih"), of("bias_hh"));
    let width = bias.len();
    let mut parameters = vec![
        (format!("{place}/input_weight"), of("weight_ih").transpose()),
        (
            format!("{place}/recurrent_weight"),
            of("weight_hh").transpose(),
        ),
    ];
    if separate {
        // The candidate's second bias is added inside its gate.
        let switches = 2 * width / 3;
        bias = Tensor::from_fn([width], |at| {
            let added = if at[0] < switches { inner.at(at) } else { 0.0 };
            bias.at(at) + added
        });
        let own = inner.slice(0, switches..width);
        parameters.push((format!("{place}/recurrent_bias"), own));
    } else {
        bias = bias + &inner;
    }
    parameters.push((format!("{place}/bias"), bias));
    parameters
}

#[test]
fn outputs_states_and_gradients_agree_with_pytorch() {
    let cases = cases(include_str!("recurrent.json"));
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 17);
    for case in cases {
        check(case);
    }
}

fn check(case: &Json) {
    let name = case["name"].as_str().unwrap();
    let levels = case["levels"].as_u64().unwrap() as usize;
    let both = case["bidirectional"].as_bool().unwrap();
    let start: Vec<Tensor<f64>> = case["start"]
        .as_array()
        .unwrap()
        .iter()
        .map(tensor)
        .collect();
    let lengths: Option<Vec<usize>> = case["lengths"].as_array().map(|lengths| {
        let length = |length: &Json| length.as_u64().unwrap() as usize;
        lengths.iter().map(length).collect()
    });
    let (mut layer, gates) = layer(name, start[0].dim(2));
    layer = layer.levels(levels);
    if both {
        layer = layer.bidirectional();
    }
    let x = tensor(&case["x"]);
    let what = format!("{name}, {levels} levels, lengths {lengths:?}");
    let mut scope = Scope::<f64>::new(Key::new(0));
    scope.enter("layer");
    let spec = Spec::float(x.shape().without(0));
    let module = layer.module(&mut scope, &[spec]).unwrap();
    let mut params = scope.into_params();
    let separate = name == "gru";
    let places = places(levels, both);
    let named = places
        .iter()
        .flat_map(|(place, ending)| imported(&case["weights"], place, ending, separate));
    params.load_state_dict(&named.collect()).unwrap();

    let tape = Tape::new();
    let mut cx = Context::new(&params, tape.clone(), Mode::Train);
    cx.enter_layer("layer");
    let x = tape.leaf(x);
    let start: Vec<_> = start.into_iter().map(|state| tape.leaf(state)).collect();
    let states = (0..places.len())
        .map(|cell| CellState::new(start.iter().map(|s| s.index_axis(0, cell)).collect()))
        .collect();
    let (y, last) = module
        .run(&mut cx, &x, lengths.as_deref(), Some(states))
        .unwrap();
    assert_close(y.tensor(), &tensor(&case["y"]), 1e-12, &what);

    let mut outputs = vec![(&y, tensor(&case["upstream"]))];
    for (cell, state) in last.iter().enumerate() {
        for (register, found) in state.registers().iter().enumerate() {
            let of = |field: &str| tensor(&case[field][register]).index_axis(0, cell);
            assert_close(found.tensor(), &of("last"), 1e-12, &what);
            outputs.push((found, of("upstream_last")));
        }
    }
    let gradients = tape.gradients(&outputs);
    let by_x = gradients.get(&x).unwrap();
    assert_close(by_x, &tensor(&case["x_gradient"]), 1e-12, &what);
    for (i, start) in start.iter().enumerate() {
        let wanted = tensor(&case["start_gradients"][i]);
        assert_close(gradients.get(start).unwrap(), &wanted, 1e-12, &what);
    }
    let by_leaf: Vec<_> = cx.leaves().collect();
    assert_eq!(
        by_leaf.len(),
        places.len() * (3 + usize::from(separate)),
        "{what}"
    );
    for (id, leaf) in by_leaf {
        let path = params.get(id).name();
        let (place, kind) = path.rsplit_once('/').unwrap();
        let (_, ending) = places.iter().find(|(own, _)| own == place).unwrap();
        let of = |name: &str| tensor(&case["gradients"][format!("{name}_{ending}")]);
        let wanted = match kind {
            "input_weight" => of("weight_ih").transpose(),
            "recurrent_weight" => of("weight_hh").transpose(),
            "bias" => of("bias_ih"),
            "recurrent_bias" => {
                let both = of("bias_hh");
                both.slice(0, 2 * both.len() / gates..both.len())
            }
            other => panic!("no parameter {other}"),
        };
        let found = gradients.get(leaf).unwrap();
        assert_close(found, &wanted, 1e-12, &format!("{what} by {path}"));
    }
}
