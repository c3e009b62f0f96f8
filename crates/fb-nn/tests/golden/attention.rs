//! Scaled dot-product attention with each kind of mask.

use crate::file::{assert_close, cases, optional, tensor};
use fb_autograd::{Tape, Var};
use fb_tensor::{Attention, AttentionMask, Tensor};

#[test]
fn outputs_and_gradients_agree_with_pytorch() {
    let cases = cases(include_str!("attention.json"));
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 12);
    for (i, case) in cases.iter().enumerate() {
        let half = Tensor::full_of([1], 0.5);
        let allow = optional(&case["allow"]).map(|t| AttentionMask::Allow(t.gt(&half)));
        let add = optional(&case["add"]).map(AttentionMask::Add);
        let options = Attention {
            scale: case["scale"].as_f64(),
            causal: case["causal"].as_bool().unwrap(),
            mask: allow.or(add),
            dropout: None,
        };
        let tape = Tape::new();
        let [q, k, v] = ["q", "k", "v"].map(|name| tape.leaf(tensor(&case[name])));
        let y = q.attention(&k, &v, &options);
        assert_close(
            y.tensor(),
            &tensor(&case["output"]),
            1e-13,
            &format!("case {i}"),
        );
        let upstream = Var::constant(tensor(&case["upstream"]));
        let gradients = (y * upstream).sum().backward();
        for (name, operand) in [("q", &q), ("k", &k), ("v", &v)] {
            let (got, want) = (
                gradients.get(operand).unwrap(),
                tensor(&case["gradients"][name]),
            );
            assert_close(got, &want, 1e-13, &format!("case {i} by {name}"));
        }
    }
}
