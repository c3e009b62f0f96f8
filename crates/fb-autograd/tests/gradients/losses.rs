//! Losses against fixed targets.

use super::{Row, between, normal, row};
use fb_tensor::Tensor;

pub(crate) fn rows() -> Vec<Row> {
    let scores = || [normal("scores", [4, 3])];
    let labels = || Tensor::from([2_i64, 0, 1, 1]);
    let target = || normal("target", [4, 3]);
    let share = || between("share", [4, 3], 0.0, 1.0);
    let probability = || [between("probability", [4, 3], 0.05, 0.95)];
    vec![
        row("softmax_cross_entropy", scores(), move |v| {
            v[0].softmax_cross_entropy(&labels())
        }),
        row("try_softmax_cross_entropy", scores(), move |v| {
            v[0].try_softmax_cross_entropy(&labels()).unwrap()
        }),
        row("softmax_cross_entropy_with", scores(), move |v| {
            v[0].softmax_cross_entropy_with(&share())
        }),
        row(
            "softmax_cross_entropy_with transposed targets",
            scores(),
            move |v| {
                v[0].softmax_cross_entropy_with(&between("share", [3, 4], 0.0, 1.0).transpose())
            },
        ),
        row("binary_cross_entropy", probability(), move |v| {
            v[0].binary_cross_entropy(&share())
        }),
        row("binary_cross_entropy_with_logits", scores(), move |v| {
            v[0].binary_cross_entropy_with_logits(&share())
        }),
        row("squared_error", scores(), move |v| {
            v[0].squared_error(&target())
        }),
        row("absolute_error", scores(), move |v| {
            v[0].absolute_error(&target())
        }),
        row("huber", scores(), move |v| v[0].huber(&target(), 0.8)),
        row("mean of a loss", scores(), move |v| {
            v[0].squared_error(&target()).mean()
        }),
    ]
}
