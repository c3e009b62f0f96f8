//! Views of every kind for property tests, and the naive ways to read them.

use fb_tensor::{Element, Tensor};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// So many cases, without a file of those that failed: they are drawn from the same seed at each run.
pub fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0),
        ..ProptestConfig::with_cases(count)
    }
}

/// How a view lies in its storage: what was done to each axis, the order of the axes, and where its values start.
#[derive(Clone, Debug)]
pub struct Style {
    axes: Vec<u8>,
    order: u8,
    pub seed: u32,
}

impl Style {
    /// Row-major without gaps.
    pub fn plain(seed: u32) -> Self {
        Self {
            axes: vec![0; 6],
            order: 0,
            seed,
        }
    }
}

pub fn styles() -> impl Strategy<Value = Style> {
    // Small numbers come first when proptest simplifies: 0 is a plain axis, order 0 the plain order.
    (vec(0_u8..6, 6), any::<u8>(), any::<u32>()).prop_map(|(axes, order, seed)| Style {
        axes,
        order,
        seed,
    })
}

/// Shapes with axes of 0 and 1 among them.
pub fn shapes(max_rank: usize) -> impl Strategy<Value = Vec<usize>> {
    vec(
        prop_oneof![1 => Just(0_usize), 3 => Just(1), 12 => 2_usize..6, 1 => Just(35)],
        0..=max_rank,
    )
    .prop_filter("small enough for naive loops", |shape| {
        shape.iter().product::<usize>() < 3000
    })
}

/// Numbers in [−1, 1) that depend on their position and the seed.
pub fn number(position: usize, seed: u32) -> f64 {
    let mut z = (position as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (u64::from(seed) << 17);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z >> 40) as f64 / f64::from(1 << 23)) - 1.0
}

/// A view of exactly this shape in the given style: steps of 2, margins, reversed and broadcast axes, any order of axes.
pub fn view_with<T: Element>(
    shape: &[usize],
    style: &Style,
    value: impl Fn(f64) -> T,
) -> Tensor<T> {
    let rank = shape.len();
    let mut order: Vec<usize> = (0..rank).collect();
    for i in (1..rank).rev() {
        order.swap(i, (style.order as usize / (i * i)) % (i + 1));
    }
    let base: Vec<usize> = order
        .iter()
        .map(|&axis| match style.axes[axis] {
            1 => 2 * shape[axis],
            2 => shape[axis] + 2,
            5 => 1,
            _ => shape[axis],
        })
        .collect();
    let len: usize = base.iter().product();
    let elements = (0..len).map(|i| value(number(i, style.seed))).collect();
    let mut back = vec![0; rank];
    order
        .iter()
        .enumerate()
        .for_each(|(at, &axis)| back[axis] = at);
    let mut view = Tensor::from_vec(elements, base).permute(&back);
    for (axis, &extent) in shape.iter().enumerate() {
        view = match style.axes[axis] {
            1 => view.slice_step(axis, 0, 2 * extent, 2),
            2 => view.narrow(axis, 1, extent),
            3 => view.flip(axis),
            4 => view.flip(axis).flip(axis),
            5 => {
                let mut wanted = view.dims().to_vec();
                wanted[axis] = extent;
                view.expand(wanted)
            }
            _ => view,
        };
    }
    assert_eq!(view.dims(), shape);
    view
}

pub fn view(shape: &[usize], style: &Style) -> Tensor<f32> {
    view_with(shape, style, |x| x as f32)
}

/// All multi-indices of a shape in row-major order.
pub fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for &extent in shape {
        all = all
            .iter()
            .flat_map(|head| (0..extent).map(|i| [&head[..], &[i]].concat()))
            .collect();
    }
    all
}

/// The element that broadcasting puts at the index.
pub fn at_broadcast<T: Element>(t: &Tensor<T>, index: &[usize]) -> T {
    let lead = index.len() - t.rank();
    let own: Vec<usize> = index[lead..]
        .iter()
        .zip(t.dims())
        .map(|(&i, &n)| if n == 1 { 0 } else { i })
        .collect();
    t.at(&own)
}

/// A shape that broadcasts to `shape`: `drop` leading axes fewer, and extent 1 where the mask has a bit.
pub fn shrunk(shape: &[usize], drop: usize, mask: u8) -> Vec<usize> {
    let from = drop.min(shape.len());
    shape
        .iter()
        .enumerate()
        .skip(from)
        .map(|(a, &n)| if mask >> a & 1 == 1 { 1 } else { n })
        .collect()
}

/// Equal within `tolerance` of the wanted value (of 1 if that is smaller), both NaN, or both the same infinity.
#[track_caller]
pub fn assert_close(got: f64, want: f64, tolerance: f64) {
    let near = (got - want).abs() <= tolerance * want.abs().max(1.0);
    assert!(
        near || got == want || (got.is_nan() && want.is_nan()),
        "got {got}, expected {want}"
    );
}
