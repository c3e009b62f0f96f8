//! Fused update passes of optimizers: one read and one write of each value and moment per step.

mod adam;
mod rms_prop;
mod sgd;

pub use adam::{AdamStep, adam};
pub use rms_prop::{RmsPropStep, rms_prop};
pub use sgd::{SgdStep, sgd};

pub(crate) use adam::adam_loops;
pub(crate) use rms_prop::rms_prop_loops;
pub(crate) use sgd::sgd_loops;

use crate::element::Float;
use crate::threads;

/// Elements handed to a thread at a time.
const CHUNK: usize = 16 * 1024;
/// Rough cost per element on one core.
const PICOSECONDS: usize = 800;

/// A pass over the same range of the value, of each moment and of the gradient.
type Update<'a, F, const N: usize> = dyn Fn([&mut [F]; N], &[F]) + Sync + 'a;

/// Runs `update` over the slices, the same range of each, in halves over the pool while that is worth it.
///
/// # Panics
/// If the slices differ in length.
fn for_each_part<F: Float, const N: usize>(
    name: &str,
    slices: [&mut [F]; N],
    gradient: &[F],
    update: &(impl Fn([&mut [F]; N], &[F]) + Sync),
) {
    let len = gradient.len();
    assert!(
        slices.iter().all(|s| s.len() == len),
        "{name}: value, gradient and moments differ in length"
    );
    split(slices, gradient, update);
}

fn split<F: Float, const N: usize>(
    slices: [&mut [F]; N],
    gradient: &[F],
    update: &Update<'_, F, N>,
) {
    let len = gradient.len();
    if len <= CHUNK || !threads::worth_splitting(len * PICOSECONDS / 1000) {
        return update(slices, gradient);
    }
    let middle = (len / 2).next_multiple_of(CHUNK);
    let mut high: [&mut [F]; N] = std::array::from_fn(|_| Default::default());
    let mut high_slot = high.iter_mut();
    let low = slices.map(|slice| {
        let (low, rest) = slice.split_at_mut(middle);
        *high_slot.next().expect("a slot for each slice") = rest;
        low
    });
    let (low_gradient, high_gradient) = gradient.split_at(middle);
    rayon::join(
        || split(low, low_gradient, update),
        || split(high, high_gradient, update),
    );
}
