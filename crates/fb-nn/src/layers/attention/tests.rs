use super::*;
use crate::error::Result;
use crate::module::{Context, Layer, Memory, Module, Scope, Spec, Streaming, Value};
use crate::param::Params;
use fb_autograd::Var;
use fb_tensor::random::Key;
use fb_tensor::{KvCache, Tensor};

fn build(
    layer: MultiHeadAttention,
    inputs: &[Spec],
) -> Result<(Box<dyn Module<f64>>, Params<f64>)> {
    let mut scope = Scope::new(Key::new(0));
    scope.enter("attention");
    let module = layer.build(&mut scope, inputs)?.module;
    Ok((module, scope.into_params()))
}

#[test]
fn bad_configurations_are_errors() {
    let (x, context) = (Spec::float([4, 6]), Spec::float([3, 5]));
    let error = |layer, inputs: &[Spec]| build(layer, inputs).unwrap_err().to_string();
    assert_eq!(
        error(MultiHeadAttention::new(4), &[x]),
        "layer \"attention\" (MultiHeadAttention): expected a width that 4 heads divide, found 6\n  \
         help: change the number of heads or the width before it, or give .head_width(features)"
    );
    assert_eq!(
        error(MultiHeadAttention::new(6).key_value_heads(4), &[x]),
        "layer \"attention\" (MultiHeadAttention): expected at least 1 head, in equal groups for each head of keys and \
         values, found 6 heads for 4\n  help: the number of key-value heads divides the number of heads"
    );
    for heads in [0, 3] {
        let layer = MultiHeadAttention::new(heads).key_value_heads(0);
        assert!(error(layer, &[x]).contains(&format!("found {heads} heads for 0")));
    }
    assert_eq!(
        error(MultiHeadAttention::new(2).head_width(0), &[x]),
        "layer \"attention\" (MultiHeadAttention): expected at least 1 feature a head, found .head_width(0)\n  \
         help: without .head_width(features), each head has an equal part of the width"
    );
    assert!(
        error(MultiHeadAttention::new(2).dropout(1.0), &[x])
            .contains("expected a dropout rate of attention weights from 0 to below 1, found 1")
    );
    let rotary = MultiHeadAttention::new(2).rotary(100.0);
    assert!(error(rotary, &[x]).contains("found base 100, width 3 and 1 inputs"));
    assert!(error(rotary.head_width(4), &[x, context]).contains("and 2 inputs"));
    assert!(error(MultiHeadAttention::new(2).causal(), &[x, context]).contains("found a context"));
    assert!(
        error(MultiHeadAttention::new(2), &[Spec::float([6])])
            .contains("expected an input [batch, time, width], found [batch, 6]")
    );
    assert!(error(MultiHeadAttention::new(2), &[x, x, x]).contains("one input of numbers"));
}

#[test]
fn inputs_that_do_not_fit_are_errors() {
    let x = |shape: [usize; 3]| Value::Float(Var::constant(Tensor::ones_of(shape)));
    let mask = |shape: &[usize]| Value::Mask(Tensor::full_of(shape, true));
    let specs = [Spec::float([4, 6]), Spec::float([3, 5])];
    let (alone, params) = build(MultiHeadAttention::new(2), &specs[..1]).unwrap();
    let error = |module: &dyn Module<f64>, params: &Params<f64>, inputs: &[Value<f64>]| {
        let mut cx = Context::eval(params);
        cx.enter_layer("attention");
        module.forward(&mut cx, inputs).unwrap_err().to_string()
    };
    assert_eq!(
        error(&*alone, &params, &[x([2, 4, 6]), mask(&[2, 3])]),
        "layer \"attention\": expected a mask [2, 4], [2, 4, 4] or [2, 2, 4, 4], found [2, 3]\n  \
         help: a mask says for each key whether it counts: [batch, keys] for padded sequences"
    );
    for shape in [&[4][..], &[3, 4], &[2, 3, 4], &[2, 5, 4, 4], &[2, 2, 4, 1]] {
        let text = error(&*alone, &params, &[x([2, 4, 6]), mask(shape)]);
        assert!(text.contains("expected a mask"), "{text}");
    }
    let text = error(&*alone, &params, &[x([2, 4, 5])]);
    assert!(
        text.contains("expected numbers [batch, 4, 6], found [2, 4, 5]"),
        "{text}"
    );
    let text = error(&*alone, &params, &[x([2, 4, 6]), x([2, 3, 5])]);
    assert!(
        text.contains("expected x alone, found x and a context"),
        "{text}"
    );
    let (cross, params) = build(MultiHeadAttention::new(2), &specs).unwrap();
    let text = error(&*cross, &params, &[x([2, 4, 6])]);
    assert!(
        text.contains("expected x and a context, found x alone"),
        "{text}"
    );
    let text = error(&*cross, &params, &[x([2, 4, 6]), x([1, 3, 5])]);
    assert!(
        text.contains("expected numbers [batch, 3, 5], found [1, 3, 5]"),
        "{text}"
    );
}

#[test]
fn rotary_positions_end_where_the_network_was_built_to() {
    let layer = MultiHeadAttention::new(1).rotary(100.0);
    let (module, params) = build(layer, &[Spec::float([3, 4])]).unwrap();
    let mut cx = Context::eval(&params);
    cx.enter_layer("attention");
    let x = Value::Float(Var::constant(Tensor::ones_of([1, 5, 4])));
    let error = module.forward(&mut cx, &[x]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "layer \"attention\": expected at most 3 positions, found 5 positions\n  \
         help: a longer sequence needs a network that was built for it"
    );
    // Tables reach as far as inputs do, whatever was declared.
    let (module, params) = build(layer, &[Spec::float([1 << 40, 4])]).unwrap();
    let x = Value::Float(Var::constant(Tensor::ones_of([1, 3, 4])));
    let y = module.forward(&mut Context::eval(&params), &[x]).unwrap();
    assert_eq!(*y[0].shape(), [1, 3, 4]);
}

#[test]
fn a_memory_of_other_heads_is_told() {
    let layer = MultiHeadAttention::new(2).causal();
    let (module, params) = build(layer, &[Spec::float([4, 6])]).unwrap();
    let Streaming::Stateful(module) = module.streaming() else {
        panic!("causal attention runs on pieces")
    };
    let mut cx = Context::eval(&params);
    cx.enter_layer("attention");
    let x = Value::Float(Var::constant(Tensor::ones_of([1, 1, 6])));
    let memory = Memory::KeysValues(Box::new(KvCache::new(1, 3, 2, 2)));
    let error = module.forward_from(&mut cx, &[x], memory).unwrap_err();
    assert!(
        error.to_string().starts_with(
            "layer \"attention\": expected keys and values [1, 2, …, 3] as memory, found keys and values [1, 3, 0, 2]"
        ),
        "{error}"
    );
}

#[test]
fn who_may_attend_to_nothing_gets_the_output_bias() {
    let (module, mut params) = build(MultiHeadAttention::new(2), &[Spec::float([3, 4])]).unwrap();
    let bias = params.id("attention/output/bias").unwrap();
    params.get_mut(bias).value = Tensor::from([1.0, 2.0, 3.0, 4.0]).cast();
    let x = Value::Float(Var::constant(Tensor::ones_of([1, 3, 4])));
    let none = Value::Mask(Tensor::full_of([1, 3], false));
    let mut cx = Context::eval(&params);
    let y = module.forward(&mut cx, &[x, none]).unwrap().remove(0);
    let y = y.as_float().unwrap().tensor();
    assert_eq!(y.index_axis(1, 2).to_vec(), [1.0, 2.0, 3.0, 4.0]);
}
