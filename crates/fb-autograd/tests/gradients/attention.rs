//! Attention with each kind of mask, and positions.

use super::{Row, between, normal, row};
use fb_autograd::Var;
use fb_tensor::random::Key;
use fb_tensor::{Attention, AttentionDropout, Tensor};

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = attention();
    rows.extend(positions());
    rows
}

/// Queries `[2, heads, queries, 3]`, keys and values `[2, kv_heads, keys, 3 and 5]`.
fn operands(heads: usize, kv_heads: usize, queries: usize, keys: usize) -> [Tensor<f64>; 3] {
    [
        normal("q", [2, heads, queries, 3]),
        normal("k", [2, kv_heads, keys, 3]),
        normal("v", [2, kv_heads, keys, 5]),
    ]
}

fn attention() -> Vec<Row> {
    let with =
        |options: Attention<f64>| move |v: &[Var<f64>]| v[0].attention(&v[1], &v[2], &options);
    let plain = Attention::<f64>::new;
    // Each query sees something here; one sees nothing with the next mask.
    let allowed = Tensor::from_fn([2, 1, 4, 5], |at| (at[2] + at[3] + at[0]) % 3 > 0);
    let dropout = |batch: usize| {
        let rows = (0..batch).map(|row| row as u64);
        AttentionDropout::new(0.4, Key::new(1).fold("weights"), 2, rows)
    };
    let blind = Tensor::from_fn([4, 1], |at| at[0] != 2);
    let added = Tensor::from_fn([2, 4, 5], |at| match (at[0] + 2 * at[1] + at[2]) % 4 {
        0 => f64::NEG_INFINITY,
        i => 0.4 * i as f64,
    });
    vec![
        row("attention", operands(2, 2, 4, 5), with(plain())),
        row(
            "attention, scaled",
            operands(2, 1, 3, 4),
            with(plain().scale(-0.7)),
        ),
        row(
            "attention, causal",
            operands(2, 2, 4, 4),
            with(plain().causal()),
        ),
        row(
            "attention, causal, fewer queries",
            operands(2, 2, 3, 5),
            with(plain().causal()),
        ),
        row(
            "attention, causal, more queries",
            operands(2, 2, 5, 3),
            with(plain().causal()),
        ),
        row(
            "attention, shared heads",
            operands(6, 2, 4, 5),
            with(plain().causal()),
        ),
        row(
            "attention, allowed",
            operands(2, 2, 4, 5),
            with(plain().allow(allowed.clone())),
        ),
        row(
            "attention, allowed, causal",
            operands(2, 1, 4, 5),
            with(plain().causal().allow(allowed)),
        ),
        row(
            "attention, blind queries",
            operands(2, 2, 4, 5),
            with(plain().allow(blind)),
        ),
        row(
            "attention, added",
            operands(2, 2, 4, 5),
            with(plain().bias(added.clone())),
        ),
        row(
            "attention, added, causal",
            operands(2, 2, 4, 5),
            with(plain().causal().bias(added)),
        ),
        row(
            "attention, dropout",
            operands(2, 1, 4, 5),
            with(plain().causal().dropout(dropout(2))),
        ),
        row(
            "attention, dropout over two tiles",
            operands(1, 1, 2, 131),
            with(plain().dropout(dropout(2))),
        ),
        row(
            "attention over two tiles",
            operands(1, 1, 2, 131),
            with(plain().causal()),
        ),
        row(
            "attention of queries to themselves",
            [normal("x", [2, 2, 4, 3])],
            |v| v[0].attention(&v[0], &v[0], &Attention::new().causal()),
        ),
        row(
            "attention with constant keys",
            [normal("q", [1, 2, 3, 4])],
            |v| {
                let k = Var::constant(normal("k", [1, 1, 5, 4]));
                v[0].attention(&k, &k, &Attention::new())
            },
        ),
        row("try_attention", operands(2, 2, 4, 5), |v| {
            v[0].try_attention(&v[1], &v[2], &Attention::new()).unwrap()
        }),
    ]
}

fn positions() -> Vec<Row> {
    let x = || [normal("x", [2, 3, 4, 6])];
    let tables = || Tensor::<f64>::rotary_tables_of(3..7, 6, 50.0);
    let any = |name| between(name, [3, 4, 2], -1.0, 1.0);
    vec![
        row("rotary", x(), move |v| {
            let (cos, sin) = tables();
            v[0].rotary(&cos, &sin)
        }),
        row("rotary_interleaved", x(), move |v| {
            let (cos, sin) = tables();
            v[0].rotary_interleaved(&cos, &sin)
        }),
        row("try_rotary of a part", x(), move |v| {
            v[0].try_rotary(&any("cos"), &any("sin")).unwrap()
        }),
        row("try_rotary_interleaved of a part", x(), move |v| {
            v[0].try_rotary_interleaved(&any("cos"), &any("sin"))
                .unwrap()
        }),
    ]
}
