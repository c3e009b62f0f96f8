use crate::support::{Style, assert_close, at_broadcast, cases, shrunk, styles, view, view_with};
use fb_tensor::random::Key;
use fb_tensor::{Attention, AttentionDropout, AttentionMask, KvCache, Tensor};
use proptest::prelude::*;

/// What is attended with: extents, options, and how everything lies in memory.
#[derive(Clone, Debug)]
struct Case {
    batch: usize,
    kv_heads: usize,
    group: usize,
    queries: usize,
    keys: usize,
    width: usize,
    value_width: usize,
    causal: bool,
    /// 0 for none, 1 for flags, 2 for numbers; the axes it lacks and those it stretches.
    mask: (u8, usize, u8),
    scale: Option<f64>,
    /// None, or the share of silenced weights.
    dropout: Option<f64>,
    styles: [Style; 4],
}

fn lengths() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(0_usize), 2 => Just(1), 6 => 2_usize..20, 3 => 20_usize..70, 1 => 126_usize..135]
}

fn problems() -> impl Strategy<Value = Case> {
    let extents = (0_usize..3, 1_usize..3, 1_usize..3, lengths(), lengths());
    let widths = (0_usize..20, 0_usize..20);
    let scale = prop_oneof![Just(None), Just(Some(0.3)), Just(Some(-2.0))];
    let dropout =
        prop_oneof![2 => Just(None), 1 => Just(Some(0.0)), 2 => (0.01..0.9).prop_map(Some)];
    let options = (
        any::<bool>(),
        (0_u8..3, 0_usize..3, 0_u8..16),
        scale,
        dropout,
    );
    let memory = (styles(), styles(), styles(), styles());
    (extents, widths, options, memory).prop_map(|(extents, widths, options, memory)| {
        let (batch, kv_heads, group, queries, keys) = extents;
        Case {
            batch,
            kv_heads,
            group,
            queries,
            keys,
            width: widths.0,
            value_width: widths.1,
            causal: options.0,
            mask: options.1,
            scale: options.2,
            dropout: options.3,
            styles: [memory.0, memory.1, memory.2, memory.3],
        }
    })
}

impl Case {
    fn heads(&self) -> usize {
        self.kv_heads * self.group
    }

    fn operands(&self) -> [Tensor; 3] {
        let q = [self.batch, self.heads(), self.queries, self.width];
        let k = [self.batch, self.kv_heads, self.keys, self.width];
        let v = [self.batch, self.kv_heads, self.keys, self.value_width];
        [
            view(&q, &self.styles[0]),
            view(&k, &self.styles[1]),
            view(&v, &self.styles[2]),
        ]
    }

    fn options(&self) -> Attention {
        let scores = [self.batch, self.heads(), self.queries, self.keys];
        let (kind, drop, stretched) = self.mask;
        let shape = shrunk(&scores, drop, stretched);
        let mask = match kind {
            0 => None,
            1 => Some(AttentionMask::Allow(view_with(
                &shape,
                &self.styles[3],
                |x| x > -0.4,
            ))),
            _ => Some(AttentionMask::Add(view_with(
                &shape,
                &self.styles[3],
                |x| {
                    if x < -0.6 {
                        f32::NEG_INFINITY
                    } else {
                        2.0 * x as f32
                    }
                },
            ))),
        };
        Attention {
            scale: self.scale,
            causal: self.causal,
            mask,
            dropout: self.dropout.map(|rate| dropout(rate, self.batch)),
        }
    }
}

/// For rows number 3, 4, …
fn dropout(rate: f64, batch: usize) -> AttentionDropout {
    let rows = (0..batch).map(|row| 3 + row as u64);
    AttentionDropout::new(rate, Key::new(5).fold("weights"), 11, rows)
}

/// The weights by the definition, in double precision: `None` where a key is not seen.
fn scores(q: &Tensor, k: &Tensor, options: &Attention, at: [usize; 3]) -> Vec<Option<f64>> {
    let [batch, head, query] = at;
    let (heads, queries, width) = (q.dim(1), q.dim(2), q.dim(3));
    let (kv_heads, keys) = (k.dim(1), k.dim(2));
    let kv_head = head / (heads / kv_heads);
    let scale = options.scale.unwrap_or(1.0 / (width.max(1) as f64).sqrt());
    let score = |key: usize| {
        let product: f64 = (0..width)
            .map(|i| {
                f64::from(q.at(&[batch, head, query, i]))
                    * f64::from(k.at(&[batch, kv_head, key, i]))
            })
            .sum();
        let pair = [batch, head, query, key];
        let added = match &options.mask {
            None => 0.0,
            Some(AttentionMask::Allow(mask)) if at_broadcast(mask, &pair) => 0.0,
            Some(AttentionMask::Allow(_)) => f64::NEG_INFINITY,
            Some(AttentionMask::Add(mask)) => f64::from(at_broadcast(mask, &pair)),
        };
        let hidden = (options.causal && key + queries > query + keys) || added == f64::NEG_INFINITY;
        (!hidden).then_some(scale * product + added)
    };
    (0..keys).map(score).collect()
}

/// The naive twin: the weighted values, and the gradients by all operands of their inner product with `g`.
fn naive(q: &Tensor, k: &Tensor, v: &Tensor, options: &Attention, g: &Tensor) -> [Tensor<f64>; 4] {
    let mut results = [g, q, k, v].map(|t| Tensor::<f64>::zeros_of(*t.shape()));
    let (group, width) = (q.dim(1) / k.dim(1), q.dim(3));
    let shape = [q.dim(1), q.dim(2), k.dim(2)];
    let factors = options.dropout.as_ref();
    let factors = factors.map(|dropout| dropout.factors::<f64>(shape));
    let scale = options.scale.unwrap_or(1.0 / (width.max(1) as f64).sqrt());
    let place = |t: &Tensor, at: [usize; 4]| {
        at.iter()
            .zip(t.dims())
            .fold(0, |place, (&i, &n)| place * n + i)
    };
    for (batch, head) in (0..q.dim(0)).flat_map(|b| (0..q.dim(1)).map(move |h| (b, h))) {
        let kv_head = head / group;
        for query in 0..q.dim(2) {
            let scores = scores(q, k, options, [batch, head, query]);
            let largest = scores
                .iter()
                .flatten()
                .copied()
                .fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = scores
                .iter()
                .map(|s| s.map_or(0.0, |s| (s - largest).exp()))
                .collect();
            let sum: f64 = weights.iter().sum();
            if sum == 0.0 {
                continue;
            }
            let weights: Vec<f64> = weights.iter().map(|w| w / sum).collect();
            let values = |key: usize, i: usize| f64::from(v.at(&[batch, kv_head, key, i]));
            let back = |i: usize| f64::from(g.at(&[batch, head, query, i]));
            let mut by_weights = vec![0.0; weights.len()];
            for (key, &weight) in weights.iter().enumerate() {
                let factor = factors
                    .as_ref()
                    .map_or(1.0, |factors| factors.at(&[batch, head, query, key]));
                for i in 0..v.dim(3) {
                    results[0].make_mut()[place(g, [batch, head, query, i])] +=
                        weight * factor * values(key, i);
                    results[3].make_mut()[place(v, [batch, kv_head, key, i])] +=
                        weight * factor * back(i);
                    by_weights[key] += factor * values(key, i) * back(i);
                }
            }
            let mean: f64 = weights.iter().zip(&by_weights).map(|(w, g)| w * g).sum();
            for (key, &weight) in weights.iter().enumerate() {
                let by_score = scale * weight * (by_weights[key] - mean);
                for i in 0..width {
                    let (a, b) = ([batch, head, query, i], [batch, kv_head, key, i]);
                    results[1].make_mut()[place(q, a)] += by_score * f64::from(k.at(&b));
                    results[2].make_mut()[place(k, b)] += by_score * f64::from(q.at(&a));
                }
            }
        }
    }
    results
}

#[track_caller]
fn assert_all_close(got: &Tensor, want: &Tensor<f64>) {
    assert_eq!(got.shape(), want.shape());
    for (got, want) in got.iter().zip(want.iter()) {
        assert_close(f64::from(got), want, 3e-5);
    }
}

/// Normally distributed heads that lie in memory as a projection leaves them.
fn heads([batch, heads, time, width]: [usize; 4], name: &str) -> Tensor {
    let key = Key::new(3).fold(name);
    Tensor::normal([batch, time, heads, width], 0.0, 1.0, &mut key.rng()).permute(&[0, 2, 1, 3])
}

/// The result and all gradients.
fn run(q: &Tensor, k: &Tensor, v: &Tensor, options: &Attention, g: &Tensor) -> [Tensor; 4] {
    let (y, sums) = q.try_attention_forward(k, v, options).unwrap();
    let gradients = Tensor::attention_backward([q, k, v], options, (&y, &sums), g, [true; 3]);
    let [by_q, by_k, by_v] = gradients.map(|g| g.expect("all are wanted"));
    [y, by_q, by_k, by_v]
}

proptest! {
    #![proptest_config(cases(192))]

    #[test]
    fn agrees_with_the_definition(case in problems()) {
        let [q, k, v] = case.operands();
        let options = case.options();
        let shape = [case.batch, case.heads(), case.queries, case.value_width];
        let g = view(&shape, &case.styles[3]);
        let got = run(&q, &k, &v, &options, &g);
        let want = naive(&q, &k, &v, &options, &g);
        for (got, want) in got.iter().zip(&want) {
            assert_all_close(got, want);
            // Heads joined, nothing is copied.
            prop_assert!(got.permute(&[0, 2, 1, 3]).is_contiguous());
        }
    }

    #[test]
    fn a_row_depends_on_nothing_else(case in problems(), pick in any::<(prop::sample::Index, prop::sample::Index)>()) {
        prop_assume!(case.batch > 0 && case.queries > 0);
        let [q, k, v] = case.operands();
        let case = Case { mask: (0, 0, 0), causal: false, dropout: None, ..case };
        let options = case.options();
        let whole = q.attention(&k, &v, &options);
        let (batch, query) = (pick.0.index(case.batch), pick.1.index(case.queries));
        let one = |t: &Tensor| t.slice(0, batch..batch + 1);
        let alone = one(&q).slice(2, query..query + 1).attention(&one(&k), &one(&v), &options);
        prop_assert_eq!(one(&whole).slice(2, query..query + 1), alone);
    }

    #[test]
    fn gradients_do_not_depend_on_which_are_wanted(case in problems(), wanted in any::<[bool; 3]>()) {
        let [q, k, v] = case.operands();
        let options = case.options();
        let (y, sums) = q.try_attention_forward(&k, &v, &options).unwrap();
        let all = Tensor::attention_backward([&q, &k, &v], &options, (&y, &sums), &y, [true; 3]);
        let some = Tensor::attention_backward([&q, &k, &v], &options, (&y, &sums), &y, wanted);
        for ((all, some), wanted) in all.into_iter().zip(some).zip(wanted) {
            prop_assert_eq!(some, all.filter(|_| wanted));
        }
    }
}

/// Shapes on both sides of every tile, and the mask of the longest.
const STEPS: usize = 300;

#[test]
fn decoding_step_by_step_gives_the_whole_run() {
    for (kv_heads, width) in [(4, 8), (2, 24), (1, 32)] {
        let q = heads([2, 4, STEPS, width], "q");
        let (k, v) = (
            heads([2, kv_heads, STEPS, width], "k"),
            heads([2, kv_heads, STEPS, 5], "v"),
        );
        let options = Attention::new().causal();
        let whole = q.attention(&k, &v, &options);
        let mut cache = KvCache::new(2, kv_heads, width, 5);
        let mut at = 0;
        // Single steps, and several at once as after a long prompt.
        for steps in [1, 1, 7, 120, 1, 1, 30].into_iter().chain([1; STEPS - 161]) {
            let new = |t: &Tensor| t.slice(2, at..at + steps);
            cache.append(&new(&k), &new(&v));
            let y = new(&q).attention(&cache.keys(), &cache.values(), &options);
            assert_eq!(y, new(&whole), "{steps} steps from {at} on");
            at += steps;
        }
        assert_eq!((at, cache.len()), (STEPS, STEPS));
    }
}

#[test]
fn threads_do_not_change_the_bits() {
    // Enough heads to split by them; a single one, whose queries and keys are split.
    for (shape, kv_heads) in [
        ([3, 4, 150, 16], 4),
        ([1, 1, 600, 64], 1),
        ([1, 4, 400, 32], 2),
    ] {
        let kv = [shape[0], kv_heads, shape[2], shape[3]];
        let (q, k, v, g) = (
            heads(shape, "q"),
            heads(kv, "k"),
            heads(kv, "v"),
            heads(shape, "g"),
        );
        let options = Attention::new().causal().dropout(dropout(0.3, shape[0]));
        let run = || run(&q, &k, &v, &options, &g);
        let alone = with_threads(1, run);
        for count in [2, 4] {
            assert!(
                with_threads(count, run) == alone,
                "{shape:?} with {count} threads"
            );
        }
    }
}

fn with_threads<R: Send>(count: usize, work: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build();
    pool.expect("threads can be started").install(work)
}

#[test]
fn a_query_that_sees_nothing_gives_zeros_and_takes_no_gradient() {
    let (q, k, v, g) = (
        heads([2, 2, 5, 4], "q"),
        heads([2, 2, 3, 4], "k"),
        heads([2, 2, 3, 6], "v"),
        heads([2, 2, 5, 6], "g"),
    );
    // More queries than keys: the first two stand before the first key.
    let nothing = [
        (Attention::new().causal(), 0..2),
        (Attention::new().allow(Tensor::full_of([1], false)), 0..5),
        (
            Attention::new().bias(Tensor::full_of([5, 3], f32::NEG_INFINITY)),
            0..5,
        ),
    ];
    for (options, blind) in nothing {
        let [y, by_q, by_k, by_v] = run(&q, &k, &v, &options, &g);
        for t in [&y, &by_q] {
            assert!(t.slice(2, blind.clone()).iter().all(|x| x == 0.0));
        }
        for t in [&y, &by_q, &by_k, &by_v] {
            assert!(t.iter().all(f32::is_finite));
            assert!(blind.len() < 5 || t.iter().all(|x| x == 0.0));
        }
    }
}

#[test]
fn what_dropout_silences_is_random_in_every_direction() {
    let shape = [4, 4, 64, 200];
    let factors: Tensor<f64> = dropout(0.25, shape[0]).factors([shape[1], shape[2], shape[3]]);
    let kept = 1.0 / 0.75;
    assert!(factors.iter().all(|x| x == 0.0 || x == kept));
    // Centred, so that products of neighbours have the mean 0 if they know nothing of each other.
    let noise = (factors - Tensor::full_of([1], 1.0)) * (1.0 / kept);
    let pairs = |a: Tensor<f64>, b: Tensor<f64>| (a * b).mean().abs();
    let bound = 4.0 * 0.1875 / (shape.iter().product::<usize>() as f64 / 2.0).sqrt();
    assert!(noise.mean().abs() < bound);
    for (axis, end) in shape.into_iter().enumerate() {
        for distance in [1, 2, 3].into_iter().filter(|&distance| distance < end) {
            let found = pairs(
                noise.slice(axis, distance..end),
                noise.slice(axis, 0..end - distance),
            );
            assert!(
                found < bound,
                "axis {axis}, {distance} apart: {found} of {bound}"
            );
        }
    }
    let other = |step, row| {
        let key = Key::new(5).fold("weights");
        AttentionDropout::new(0.25, key, step, [row].into_iter()).factors::<f64>([1, 8, 8])
    };
    let two = dropout(0.25, 2).factors::<f64>([1, 8, 8]);
    assert_eq!(other(11, 3), two.slice(0, 0..1));
    assert_eq!(other(11, 4), two.slice(0, 1..2), "however batches are cut");
    assert_ne!(other(11, 3), other(11, 4));
    assert_ne!(other(12, 3), other(11, 3));
}

#[test]
fn dropout_rates_are_shares() {
    let q = heads([1, 1, 2, 4], "q");
    let with = |rate| q.try_attention(&q, &q, &Attention::new().dropout(dropout(rate, 1)));
    for rate in [1.0, -0.1, f64::NAN] {
        assert_eq!(
            with(rate).unwrap_err().to_string(),
            format!(
                "attention: a dropout rate is from 0 to below 1, found {rate}\n  \
                 help: the rate is the share that is silenced: 0.2 keeps 80 %"
            )
        );
    }
    let of_three = Attention::new().dropout(dropout(0.1, 3));
    assert_eq!(
        q.try_attention(&q, &q, &of_three).unwrap_err().to_string(),
        "attention: dropout was made for 3 rows, but the batch has 1"
    );
    assert_eq!(with(0.0).unwrap(), q.attention(&q, &q, &Attention::new()));
    let nearly = 1.0 - f64::EPSILON;
    assert!(with(nearly).unwrap().iter().all(|x| x == 0.0));
}

#[test]
fn extreme_scores_and_nan() {
    let column = |values: &[f32]| Tensor::from_slice(values, [1, 1, values.len(), 1]);
    let q = column(&[3e4, -3e4, f32::NAN, 0.0]);
    let (k, v) = (column(&[1e4, -1e4, 0.0]), column(&[1.0, 2.0, 3.0]));
    let y = q.attention(&k, &v, &Attention::new()).to_vec();
    assert_eq!((y[0], y[1], y[3]), (1.0, 2.0, 2.0));
    assert!(y[2].is_nan(), "a NaN shows, in its own row");
    // A hidden key may be anything.
    let k = column(&[f32::NAN, 1.0, f32::INFINITY]);
    let allow = Tensor::from([false, true, false]);
    let y = Tensor::ones([1, 1, 1, 1]).attention(&k, &v, &Attention::new().allow(allow));
    assert_eq!(y.to_vec(), [2.0]);
}

#[test]
fn masks_of_both_kinds_and_the_causal_one_are_the_same() {
    let (q, k, v) = (
        heads([2, 3, 70, 8], "q"),
        heads([2, 3, 140, 8], "k"),
        heads([2, 3, 140, 8], "v"),
    );
    let allowed = Tensor::from_fn([70, 140], |at| at[1] <= at[0] + 70);
    let added = Tensor::from_fn([70, 140], |at| {
        if at[1] <= at[0] + 70 {
            0.0
        } else {
            f32::NEG_INFINITY
        }
    });
    let causal = q.attention(&k, &v, &Attention::new().causal());
    assert_eq!(
        q.attention(&k, &v, &Attention::new().allow(allowed)),
        causal
    );
    assert_eq!(q.attention(&k, &v, &Attention::new().bias(added)), causal);
}

#[test]
fn a_cache_is_a_value() {
    let (k, v) = (heads([2, 2, 5, 3], "k"), heads([2, 2, 5, 4], "v"));
    let mut cache = KvCache::new(2, 2, 3, 4);
    assert!(cache.is_empty() && cache.capacity() == 0);
    assert_eq!(cache.keys().dims(), [2, 2, 0, 3]);
    cache.append(&k, &v);
    let (snapshot, lent) = (cache.clone(), cache.keys());
    cache.append(&v.slice(3, 0..3), &v);
    assert_eq!((&snapshot.keys(), &snapshot.values()), (&k, &v));
    assert_eq!(lent, k);
    assert_eq!(cache.keys(), Tensor::concat(&[&k, &v.slice(3, 0..3)], 2));
    assert_eq!(cache.values(), Tensor::concat(&[&v, &v], 2));
    cache.truncate(7);
    cache.truncate(9);
    assert_eq!(cache.len(), 7);
    cache.reorder(&[1, 1, 0]);
    assert_eq!((cache.batch(), cache.len()), (3, 7));
    assert_eq!(cache.keys().slice(0, 0..1).slice(2, 0..5), k.slice(0, 1..2));
    assert_eq!(
        cache.values().slice(0, 2..3).slice(2, 0..5),
        v.slice(0, 0..1)
    );
    cache.truncate(0);
    assert!(cache.is_empty() && cache.capacity() >= 10);
}

#[test]
fn a_cache_grows_seldom_and_appends_in_place() {
    let (k, v) = (heads([1, 2, 1, 4], "k"), heads([1, 2, 1, 4], "v"));
    let mut cache = KvCache::new(1, 2, 4, 4);
    let mut moves = 0;
    let mut place = std::ptr::null();
    for _ in 0..1000 {
        cache.append(&k, &v);
        // A view's first element is where the storage starts.
        let now = cache
            .keys()
            .slice(1, 0..1)
            .slice(2, 0..1)
            .as_slice()
            .unwrap()
            .as_ptr();
        moves += usize::from(now != place);
        place = now;
    }
    assert!(moves <= 6, "moved {moves} times");
    let mut roomy = KvCache::<f32>::new(1, 2, 4, 4).with_capacity(1000);
    assert_eq!((roomy.capacity(), roomy.len()), (1000, 0));
    (0..1000).for_each(|_| roomy.append(&k, &v));
    assert_eq!(roomy.capacity(), 1000);
    assert_eq!(
        (roomy.keys(), roomy.values()),
        (cache.keys(), cache.values())
    );
}
