//! The texts that people meet, word for word.

use fb_tensor::{Attention, KvCache, Shape, Tensor};

/// The message of a panic.
fn panic_text(work: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let payload = std::panic::catch_unwind(work).expect_err("it should panic");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().expect("a panic has a text")).to_string(),
    }
}

#[test]
fn shapes_that_do_not_fit() {
    let a = Tensor::zeros([2, 3]);
    let broadcast = "add: [2, 3] and [2] do not fit\n  help: axes are aligned from the last one; extents must be equal or 1";
    assert_eq!(
        a.try_add(&Tensor::zeros([2])).unwrap_err().to_string(),
        broadcast
    );
    assert_eq!(
        panic_text(|| drop(&Tensor::zeros([2, 3]) + &Tensor::zeros([2]))),
        broadcast
    );
    assert_eq!(
        a.try_matmul(&Tensor::zeros([2, 3]))
            .unwrap_err()
            .to_string()
            .lines()
            .next()
            .unwrap(),
        "matmul: [2, 3] and [2, 3] do not fit"
    );
    assert_eq!(
        a.try_reshape([4]).unwrap_err().to_string(),
        "reshape: shape [4] holds 4 elements, found 6"
    );
    assert_eq!(
        Tensor::try_from_vec(vec![1.0_f32], [2, 2])
            .unwrap_err()
            .to_string(),
        "from_vec: shape [2, 2] holds 4 elements, found 1"
    );
    assert_eq!(
        a.try_broadcast_to([2]).unwrap_err().to_string(),
        "broadcast_to: [2, 3] and [2] do not fit\n  help: axes are aligned from the last one; extents must be equal or 1"
    );
    assert_eq!(
        a.try_broadcast_to([3]).unwrap_err().to_string(),
        "broadcast_to: [2, 3] and [3] do not fit\n  help: broadcasting stretches axes of extent 1; it never shrinks"
    );
    assert_eq!(
        panic_text(|| drop(Tensor::zeros([2, 3]).sum_to(Shape::from([2])))),
        "sum_to: [2, 3] and [2] do not fit\n  help: the second must be a shape that broadcasts to the first"
    );
    assert_eq!(
        panic_text(|| Tensor::zeros([2]).add_assign(&Tensor::zeros([3, 2]))),
        "add: [3, 2] does not broadcast to [2]"
    );
    assert_eq!(
        panic_text(|| drop(Tensor::zeros([2]).copy_from(&Tensor::zeros([3]))))
            .lines()
            .next()
            .unwrap(),
        "assertion `left == right` failed: copy_from: the shapes differ"
    );
}

#[test]
fn axes_and_ranges() {
    let a = Tensor::zeros([2, 3]);
    assert_eq!(
        a.try_slice(1, 1..5).unwrap_err().to_string(),
        "slice: index 5 is out of range for axis 1 of shape [2, 3]"
    );
    assert_eq!(
        a.try_slice(2, 0..1).unwrap_err().to_string(),
        "slice: axis 2 is out of range for shape [2, 3]"
    );
    assert_eq!(
        panic_text(|| drop(Tensor::zeros([2, 3]).sum_axes(&[2], false))),
        "sum_axes: axis 2 is out of range for shape [2, 3]"
    );
    assert_eq!(
        panic_text(|| drop(Tensor::zeros([2, 3]).sum_axes(&[1, 1], false))),
        "sum_axes: axis 1 of shape [2, 3] is named twice"
    );
    assert_eq!(
        panic_text(|| drop(Tensor::zeros([2, 3]).permute(&[0, 0]))),
        "permute: [0, 0] does not name each axis of shape [2, 3] once"
    );
    assert_eq!(
        panic_text(|| drop(Tensor::zeros([2]).transpose())),
        "transpose needs two axes, found shape [2]"
    );
    assert_eq!(
        panic_text(|| _ = Tensor::zeros([2]).at(&[2])),
        "index [2] is out of range for shape [2]"
    );
}

#[test]
fn reductions_of_nothing() {
    assert_eq!(
        panic_text(|| _ = Tensor::zeros([0]).max()),
        "max: shape [0] has no elements"
    );
    assert_eq!(
        panic_text(|| drop(Tensor::zeros([2, 0]).min_axes(&[1], false))),
        "min_axes: no elements along axes [1] of shape [2, 0]"
    );
    assert_eq!(
        panic_text(|| drop(Tensor::zeros([2, 0]).argmax(1))),
        "argmax: axis 1 of shape [2, 0] has no elements"
    );
}

#[test]
fn indices_from_data() {
    let a = Tensor::zeros([2, 3]);
    let index = Tensor::from([[0_i64, 2, 1], [1, 1, 3]]);
    assert_eq!(
        a.try_gather(1, &index).unwrap_err().to_string(),
        "gather: index 3 at [1, 2] is out of range for axis 1 of shape [2, 3]"
    );
    assert_eq!(
        a.try_scatter_add(1, &Tensor::from([[0_i64], [-1]]), &Tensor::ones([2, 1]))
            .unwrap_err()
            .to_string(),
        "scatter_add: index -1 at [1, 0] is out of range for axis 1 of shape [2, 3]\n  \
         help: indices count from 0; negative ones do not count from the end"
    );
    assert_eq!(
        a.try_scatter_add(1, &Tensor::from([[0_i64], [1]]), &Tensor::ones([1, 2]))
            .unwrap_err()
            .to_string(),
        "scatter_add: [2, 1] and [1, 2] do not fit\n  help: there must be one index for each element of the source"
    );
    assert_eq!(
        a.try_index_select(0, &Tensor::from([0_i64, 2]))
            .unwrap_err()
            .to_string(),
        "index_select: index 2 at [1] is out of range for axis 0 of shape [2, 3]"
    );
    assert_eq!(
        a.try_index_select(0, &Tensor::from([[0_i64]]))
            .unwrap_err()
            .to_string(),
        "index_select: the indices have shape [1, 1], expected one axis"
    );
    assert_eq!(
        a.try_select_rows(&[1, 9]).unwrap_err().to_string(),
        "select_rows: index 9 at [1] is out of range for axis 0 of shape [2, 3]"
    );
    assert_eq!(
        Tensor::scalar(1.0)
            .try_select_rows(&[0])
            .unwrap_err()
            .to_string(),
        "select_rows: axis 0 is out of range for shape []"
    );
    assert_eq!(
        Tensor::try_one_hot(&Tensor::from([0_i64, 4]), 4)
            .unwrap_err()
            .to_string(),
        "one_hot: index 4 at [1] is out of range for axis 1 of shape [2, 4]"
    );
    assert_eq!(
        a.try_softmax_cross_entropy(&Tensor::from([0_i64, 3]))
            .unwrap_err()
            .to_string(),
        "softmax_cross_entropy: index 3 at [1] is out of range for axis 1 of shape [2, 3]"
    );
    assert_eq!(
        a.try_softmax_cross_entropy(&Tensor::from([0_i64]))
            .unwrap_err()
            .to_string(),
        "softmax_cross_entropy: [2, 3] and [1] do not fit\n  help: scores are [n, classes], labels [n]"
    );
}

#[test]
fn joining() {
    let (a, b) = (Tensor::zeros([2, 3]), Tensor::zeros([2, 4]));
    assert_eq!(
        Tensor::try_concat(&[&a, &b], 0).unwrap_err().to_string(),
        "concat: [2, 3] and [2, 4] do not fit\n  help: all axes but the one along which they are joined must agree"
    );
    assert_eq!(
        Tensor::try_stack(&[&a, &b], 0).unwrap_err().to_string(),
        "stack: [2, 3] and [2, 4] do not fit\n  help: stacked tensors have one shape; concat joins along an axis they have"
    );
    assert_eq!(
        Tensor::<f32>::try_concat(&[], 0).unwrap_err().to_string(),
        "concat: there are no tensors to join"
    );
    assert_eq!(
        a.try_pad(&[(1, 1)], 0.0).unwrap_err().to_string(),
        "pad: 1 pairs of border widths for the 2 axes of shape [2, 3]"
    );
    assert_eq!(
        a.try_linear(&b, None).unwrap_err().to_string(),
        "linear: [2, 3] and [2, 4] do not fit\n  help: the last axis of the first meets the first of the [in, out] weight"
    );
    assert_eq!(
        a.try_linear(&Tensor::zeros([3, 2]), Some(&Tensor::zeros([3])))
            .unwrap_err()
            .to_string(),
        "linear: [3, 2] and [3] do not fit\n  help: the bias has one number for each output"
    );
}

#[test]
fn sizes_beyond_reason() {
    assert_eq!(
        Shape::try_new(&[1; 7]).unwrap_err().to_string(),
        "shape: 7 axes, but a tensor has at most 6\n  help: merge neighbouring axes with reshape"
    );
    assert_eq!(
        Shape::try_new(&[1 << 40, 1 << 40]).unwrap_err().to_string(),
        "shape: shape [1099511627776, 1099511627776] has more elements than memory can hold\n  help: check each extent for a slip, or work in smaller batches"
    );
    assert_eq!(
        Tensor::zeros([2])
            .try_repeat(0, usize::MAX)
            .unwrap_err()
            .to_string(),
        "shape: shape [18446744073709551615] has more elements than memory can hold\n  help: check each extent for a slip, or work in smaller batches"
    );
    assert!(
        Tensor::zeros([2])
            .try_pad(&[(usize::MAX, usize::MAX)], 0.0)
            .is_err()
    );
    assert_eq!(
        panic_text(|| drop(Tensor::zeros([1; 6]).unsqueeze(0))),
        "shape: 7 axes, but a tensor has at most 6\n  help: merge neighbouring axes with reshape"
    );
    let deep = Tensor::zeros([1; 6]);
    assert_eq!(
        Tensor::try_stack(&[&deep], 0).unwrap_err().to_string(),
        "stack: 7 axes, but a tensor has at most 6\n  help: merge neighbouring axes with reshape"
    );
}

#[test]
fn attention_of_shapes_that_do_not_fit() {
    let text = |q: &[usize], k: &[usize], v: &[usize], options: Attention| {
        let [q, k, v] = [q, k, v].map(Tensor::zeros);
        q.try_attention(&k, &v, &options).unwrap_err().to_string()
    };
    let (q, k, plain) = ([2, 4, 5, 8], [2, 2, 6, 8], Attention::new);
    assert_eq!(
        text(&[4, 5, 8], &k, &k, plain()),
        "attention: [4, 5, 8] and [2, 2, 6, 8] do not fit\n  help: queries and keys are [batch, heads, time, width]"
    );
    assert_eq!(
        text(&q, &[3, 2, 6, 8], &k, plain()),
        "attention: [2, 4, 5, 8] and [3, 2, 6, 8] do not fit\n  help: queries and keys are of the same batch"
    );
    assert_eq!(
        text(&q, &[2, 2, 6, 7], &k, plain()),
        "attention: [2, 4, 5, 8] and [2, 2, 6, 7] do not fit\n  help: queries and keys have the same width"
    );
    let heads = "\n  help: the heads of the keys divide those of the queries";
    assert_eq!(
        text(&q, &[2, 3, 6, 8], &[2, 3, 6, 8], plain()),
        format!("attention: [2, 4, 5, 8] and [2, 3, 6, 8] do not fit{heads}")
    );
    assert_eq!(
        text(&q, &[2, 0, 6, 8], &[2, 0, 6, 8], plain()),
        format!("attention: [2, 4, 5, 8] and [2, 0, 6, 8] do not fit{heads}")
    );
    assert_eq!(
        text(&q, &k, &[2, 2, 5, 8], plain()),
        "attention: [2, 2, 6, 8] and [2, 2, 5, 8] do not fit\n  help: there is one value for each key"
    );
    assert_eq!(
        text(&q, &k, &[6, 8], plain()),
        "attention: [2, 2, 6, 8] and [6, 8] do not fit\n  help: values are [batch, heads, time, width]"
    );
    let mask = "do not fit\n  help: a mask broadcasts to [batch, heads, queries, keys]";
    assert_eq!(
        text(&q, &k, &k, plain().allow(Tensor::full_of([5, 5], true))),
        format!("attention: mask [5, 5] and scores [2, 4, 5, 6] {mask}")
    );
    assert_eq!(
        text(&q, &k, &k, plain().bias(Tensor::zeros([1, 2, 4, 5, 6]))),
        format!("attention: mask [1, 2, 4, 5, 6] and scores [2, 4, 5, 6] {mask}")
    );
    assert_eq!(
        panic_text(move || {
            let (q, k, v) = (
                Tensor::zeros(q),
                Tensor::zeros(k),
                Tensor::zeros([2, 2, 5, 8]),
            );
            drop(q.attention(&k, &v, &Attention::new()));
        }),
        "attention: [2, 2, 6, 8] and [2, 2, 5, 8] do not fit\n  help: there is one value for each key"
    );
    // A mask of more scores than memory has addresses for.
    let long = Tensor::zeros([1]).expand([1, 1, 1 << 31, 4]);
    let options = plain().allow(Tensor::full_of([1], true));
    let error = long.try_attention(&long, &long, &options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "attention: shape [1, 1, 2147483648, 2147483648] has more elements than memory can hold\n  \
         help: check each extent for a slip, or work in smaller batches"
    );
}

#[test]
fn normalisations() {
    assert_eq!(
        panic_text(|| drop(Tensor::zeros([2, 3]).layer_norm(
            Some(&Tensor::zeros([2])),
            None,
            1e-5
        ))),
        "layer_norm: [2, 3] and [2] do not fit\n  help: statistics, weight and bias have one number for each position of the last axis"
    );
    assert_eq!(
        panic_text(|| drop(Tensor::scalar(1.0).rms_norm(None, 1e-5))),
        "rms_norm: axis 0 is out of range for shape []"
    );
    assert_eq!(
        panic_text(|| drop(Tensor::zeros([2, 3]).add_layer_norm(
            &Tensor::zeros([3]),
            None,
            None,
            1e-5
        ))),
        "add_layer_norm: [2, 3] and [3] do not fit\n  help: what is added has the same shape"
    );
    assert_eq!(
        panic_text(|| drop(Tensor::zeros([2, 6]).group_norm(0, None, None, 1e-5))),
        "group_norm: the 6 channels of shape [2, 6] do not split into 0 equal groups"
    );
    assert_eq!(
        panic_text(|| drop(Tensor::zeros([6]).group_norm(2, None, None, 1e-5))),
        "group_norm: expected [batch, …, channel], found shape [6]"
    );
    assert_eq!(
        panic_text(|| drop(Tensor::zeros([2, 3]).batch_norm_with(
            &Tensor::zeros([3]),
            &Tensor::zeros([1]),
            None,
            None,
            1e-5
        ))),
        "batch_norm: [2, 3] and [1] do not fit\n  help: statistics, weight and bias have one number for each position of the last axis"
    );
}

#[test]
fn caches_and_rotations_of_shapes_that_do_not_fit() {
    let mut cache = KvCache::new(2, 2, 8, 6);
    let (k, v) = (Tensor::zeros([2, 2, 3, 8]), Tensor::zeros([2, 2, 3, 6]));
    cache.append(&k, &v);
    assert_eq!(
        cache
            .try_append(&k, &Tensor::zeros([2, 2, 2, 6]))
            .unwrap_err()
            .to_string(),
        "kv_cache.append: cache [2, 2, 3, 6] and [2, 2, 2, 6] do not fit\n  help: new keys and values are [batch, heads, steps, width], like those of the cache but for the steps"
    );
    assert!(cache.try_append(&Tensor::zeros([2, 8]), &v).is_err());
    assert_eq!(
        cache.try_reorder(&[0, 2]).unwrap_err().to_string(),
        "kv_cache.reorder: index 2 is out of range for axis 0 of shape [2, 2, 3, 8]"
    );
    assert_eq!((cache.len(), cache.batch()), (3, 2));

    let x = Tensor::zeros([2, 5, 8]);
    let table = |shape: [usize; 2]| Tensor::zeros(shape);
    let help = "do not fit\n  help: the tables are [time, pairs] for […, time, width], two features of the width for each pair";
    assert_eq!(
        x.try_rotary(&table([5, 5]), &table([5, 5]))
            .unwrap_err()
            .to_string(),
        format!("rotary: [2, 5, 8] and [5, 5] {help}")
    );
    assert_eq!(
        x.try_rotary_interleaved(&table([4, 4]), &table([4, 4]))
            .unwrap_err()
            .to_string(),
        format!("rotary_interleaved: [2, 5, 8] and [4, 4] {help}")
    );
    assert_eq!(
        x.try_rotary(&table([5, 4]), &table([5, 3]))
            .unwrap_err()
            .to_string(),
        "rotary: [5, 4] and [5, 3] do not fit\n  help: there is a cosine and a sine for each angle"
    );
    assert_eq!(
        panic_text(|| drop(Tensor::rotary_tables(0..4, 5, 1e4))),
        "rotary_tables: a width of 5 has no whole pairs"
    );
}

#[test]
fn embeddings() {
    let table = Tensor::zeros([4, 3]);
    let index = Tensor::from([[0_i64, 3], [4, 1]]);
    assert_eq!(
        table.try_embedding(&index, None).unwrap_err().to_string(),
        "embedding: index 4 at [1, 0] is out of range for axis 0 of shape [4, 3]"
    );
    assert_eq!(
        table
            .try_embedding(&Tensor::from([0_i64]), Some(4))
            .unwrap_err()
            .to_string(),
        "embedding: index 4 is out of range for axis 0 of shape [4, 3]"
    );
    assert_eq!(
        panic_text(|| drop(Tensor::zeros([4]).embedding(&Tensor::from([0_i64]), None))),
        "embedding: the table has two axes, found shape [4]"
    );
}
