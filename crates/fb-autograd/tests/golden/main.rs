//! Convolutions, pooling and resizing against PyTorch; `generate.py` beside this file makes the values.

use fb_autograd::{Tape, Var};
use fb_tensor::{ConvOptions, ConvTransposeOptions, Padding, PoolOptions, Tensor};
use serde_json::Value as Json;
use std::collections::BTreeSet;

fn tensor(json: &Json) -> Tensor<f64> {
    let shape: Vec<usize> = numbers(&json["shape"]);
    let elements = json["elements"].as_array().unwrap();
    let elements = elements.iter().map(|x| x.as_f64().unwrap()).collect();
    Tensor::from_vec(elements, shape)
}

fn number(json: &Json) -> usize {
    json.as_u64().unwrap() as usize
}

fn numbers<C: FromIterator<usize>>(json: &Json) -> C {
    json.as_array().unwrap().iter().map(number).collect()
}

fn extents<const D: usize>(json: &Json) -> [usize; D] {
    numbers::<Vec<usize>>(json).try_into().unwrap()
}

fn padding<const D: usize>(json: &Json) -> Padding<D> {
    match json {
        Json::Null => Padding::Valid,
        Json::String(same) => {
            assert_eq!(same, "same");
            Padding::Same
        }
        pairs => Padding::Explicit(std::array::from_fn(|axis| {
            let [before, after] = extents(&pairs[axis]);
            (before, after)
        })),
    }
}

fn conv<const D: usize>(case: &Json) -> ConvOptions<D> {
    ConvOptions {
        stride: extents(&case["stride"]),
        padding: padding(&case["padding"]),
        dilation: extents(&case["dilation"]),
        groups: number(&case["groups"]),
    }
}

fn transpose<const D: usize>(case: &Json) -> ConvTransposeOptions<D> {
    let ConvOptions {
        stride,
        padding,
        dilation,
        groups,
    } = conv(case);
    ConvTransposeOptions {
        stride,
        padding,
        dilation,
        groups,
        output_padding: extents(&case["output_padding"]),
    }
}

fn pool<const D: usize>(case: &Json) -> PoolOptions<D> {
    PoolOptions {
        window: extents(&case["window"]),
        stride: extents(&case["stride"]),
        padding: padding(&case["padding"]),
        count_include_pad: case["count_include_pad"].as_bool().unwrap(),
    }
}

fn compute(case: &Json, x: &Var<f64>, operands: &[Var<f64>]) -> Var<f64> {
    let (weight, bias) = (operands.first(), operands.get(1));
    let weight = || weight.unwrap();
    match case["op"].as_str().unwrap() {
        "conv2d" => x.conv2d(weight(), bias, &conv(case)),
        "conv1d" => x.conv1d(weight(), bias, &conv(case)),
        "conv_transpose2d" => x.conv_transpose2d(weight(), bias, &transpose(case)),
        "conv_transpose1d" => x.conv_transpose1d(weight(), bias, &transpose(case)),
        "max_pool2d" => x.max_pool2d(&pool(case)),
        "max_pool1d" => x.max_pool1d(&pool(case)),
        "avg_pool2d" => x.avg_pool2d(&pool(case)),
        "avg_pool1d" => x.avg_pool1d(&pool(case)),
        "adaptive_max_pool2d" => x.adaptive_max_pool2d(extents(&case["outputs"])),
        "adaptive_avg_pool2d" => x.adaptive_avg_pool2d(extents(&case["outputs"])),
        "adaptive_max_pool1d" => x.adaptive_max_pool1d(number(&case["outputs"][0])),
        "adaptive_avg_pool1d" => x.adaptive_avg_pool1d(number(&case["outputs"][0])),
        "resize_nearest" => x.resize_nearest(extents(&case["size"])),
        "resize_bilinear" => {
            let align = case["align_corners"].as_bool().unwrap();
            x.resize_bilinear(extents(&case["size"]), align)
        }
        other => panic!("a case of {other}"),
    }
}

fn assert_close(got: &Tensor<f64>, want: &Tensor<f64>, what: &str) {
    assert_eq!(got.shape(), want.shape(), "{what}");
    for (g, w) in got.iter().zip(want.iter()) {
        assert!(
            (g - w).abs() <= 1e-12 * w.abs().max(1.0),
            "{what}: {g} instead of {w}"
        );
    }
}

#[test]
fn values_and_gradients_agree_with_pytorch() {
    let file: Json = serde_json::from_str(include_str!("images.json")).unwrap();
    let cases = file["cases"].as_array().unwrap();
    let mut seen = BTreeSet::new();
    for (i, case) in cases.iter().enumerate() {
        let tape = Tape::new();
        let x = tape.leaf(tensor(&case["x"]));
        let leaves = ["weight", "bias"]
            .map(|name| (!case[name].is_null()).then(|| tape.leaf(tensor(&case[name]))));
        let operands: Vec<Var<f64>> = leaves.into_iter().flatten().collect();
        let y = compute(case, &x, &operands);
        let what = |of: &str| format!("case {i}, {}, {of}", case["op"]);
        assert_close(y.tensor(), &tensor(&case["y"]), &what("value"));
        let upstream = Var::constant(tensor(&case["upstream"]));
        let gradients = (&y * &upstream).sum().backward();
        assert_close(
            gradients.get(&x).unwrap(),
            &tensor(&case["by_x"]),
            &what("by x"),
        );
        for (name, operand) in ["by_weight", "by_bias"].iter().zip(&operands) {
            assert_close(
                gradients.get(operand).unwrap(),
                &tensor(&case[name]),
                &what(name),
            );
        }
        seen.insert(case["op"].as_str().unwrap());
    }
    assert_eq!((cases.len(), seen.len()), (47, 14));
}
