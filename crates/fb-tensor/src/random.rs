//! Random numbers: a [`Key`] names a stream, and what it gives depends on the name alone.
//!
//! Nothing is global and nothing depends on the order of calls or on threads: a layer draws from the key that its path
//! gives, at the position that step and row give.

use crate::element::Float;
use crate::error::Error;
use crate::shape::Shape;
use crate::tensor::Tensor;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

/// The generator that keys give: ChaCha with 8 rounds, the same on every platform.
pub type Rng = ChaCha8Rng;

/// The name of a stream of random numbers: a seed and a path.
///
/// ```
/// use fb_tensor::{Tensor, random::Key};
/// let key = Key::new(42).fold("hidden/weight");
/// let a: Tensor = Tensor::normal([3], 0.0, 1.0, &mut key.rng());
/// let b: Tensor = Tensor::normal([3], 0.0, 1.0, &mut key.rng());
/// assert_eq!(a, b);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    seed: u64,
    stream: u64,
}

impl Key {
    /// The root key of a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, stream: 0 }
    }

    /// The seed that the key was made from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The key of a part of what this key stands for, such as a layer of a network.
    #[must_use]
    pub fn fold(&self, path: &str) -> Self {
        // FNV-1a over the bytes, continued from the parent's stream, then mixed.
        let start = mix(self.stream ^ 0xcbf2_9ce4_8422_2325);
        let hash = path.bytes().fold(start, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self {
            stream: mix(hash),
            ..*self
        }
    }

    /// The key of one numbered part, such as an epoch.
    #[must_use]
    pub fn fold_index(&self, index: u64) -> Self {
        Self {
            stream: mix(self.stream.wrapping_add(mix(index ^ 0x9e37_79b9_7f4a_7c15))),
            ..*self
        }
    }

    /// The generator at the start of the stream.
    pub fn rng(&self) -> Rng {
        let mut rng = Rng::seed_from_u64(self.seed);
        rng.set_stream(self.stream);
        rng
    }

    /// The generator for one row of the data at one step: the same whatever else is in the batch.
    pub fn at(&self, step: u64, row: u64) -> Rng {
        let mut rng = self.rng();
        // 64 bits of block position, 16 words a block: rows land so far apart that they never meet.
        rng.set_word_pos(u128::from(mix(mix(step ^ 0x9e37_79b9_7f4a_7c15).wrapping_add(row))) << 4);
        rng
    }
}

/// The finaliser of SplitMix64: a bijection that changes every bit with probability one half.
#[inline(always)]
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The numbers `0..n` in random order (Fisher–Yates).
pub fn permutation(n: usize, rng: &mut Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, rng.random_range(0..=i));
    }
    order
}

/// Tensors of random numbers.
impl<F: Float> Tensor<F> {
    /// Numbers spread evenly over `low ≤ x < high`.
    ///
    /// # Panics
    /// If the range is empty or not finite.
    #[track_caller]
    pub fn uniform(shape: impl Into<Shape>, low: f64, high: f64, rng: &mut Rng) -> Self {
        let valid = low <= high && (high - low).is_finite();
        require(valid, "uniform", || {
            format!("the range {low}..{high} is not a finite interval")
        });
        Self::filled_by(shape, |out| {
            for x in out {
                *x = F::from_f64(low + (high - low) * unit(rng));
            }
        })
    }

    /// Normally distributed numbers.
    ///
    /// # Panics
    /// If the standard deviation is negative or not finite.
    #[track_caller]
    pub fn normal(shape: impl Into<Shape>, mean: f64, std: f64, rng: &mut Rng) -> Self {
        require(std >= 0.0 && std.is_finite(), "normal", || {
            format!("the standard deviation {std} is not a finite size")
        });
        Self::filled_by(shape, |out| {
            for x in out {
                *x = F::from_f64(mean + std * standard_normal(rng));
            }
        })
    }

    /// Normally distributed numbers, drawn again while they lie more than two standard deviations from the mean.
    ///
    /// # Panics
    /// If the standard deviation is negative or not finite.
    #[track_caller]
    pub fn truncated_normal(shape: impl Into<Shape>, mean: f64, std: f64, rng: &mut Rng) -> Self {
        let valid = std >= 0.0 && std.is_finite();
        require(valid, "truncated_normal", || {
            format!("the standard deviation {std} is not a finite size")
        });
        Self::filled_by(shape, |out| {
            for x in out {
                let z = std::iter::repeat_with(|| standard_normal(rng)).find(|z| z.abs() <= 2.0);
                *x = F::from_f64(mean + std * z.expect("an endless sequence"));
            }
        })
    }

    /// Ones with the given probability, zeros otherwise.
    ///
    /// # Panics
    /// If the probability is not between 0 and 1.
    #[track_caller]
    pub fn bernoulli(shape: impl Into<Shape>, probability: f64, rng: &mut Rng) -> Self {
        let valid = (0.0..=1.0).contains(&probability);
        require(valid, "bernoulli", || {
            format!("the probability {probability} is not between 0 and 1")
        });
        Self::filled_by(shape, |out| {
            for x in out {
                *x = if unit(rng) < probability {
                    F::ONE
                } else {
                    F::ZERO
                };
            }
        })
    }
}

/// A number in [0, 1) with 53 random bits.
fn unit(rng: &mut Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

fn standard_normal(rng: &mut Rng) -> f64 {
    StandardNormal.sample(rng)
}

#[track_caller]
fn require(valid: bool, op: &'static str, what: impl FnOnce() -> String) {
    if !valid {
        crate::error::fail(&Error::Argument { op, what: what() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Initial weights of saved experiments depend on these bits: a dependency that changes them is seen here.
    #[test]
    fn values_are_pinned() {
        let mut rng = Key::new(42).fold("hidden").at(7, 3);
        let drawn: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        assert_eq!(
            drawn,
            [
                16_685_774_573_327_617_582,
                472_615_461_350_130_059,
                17_052_286_890_094_325_147
            ]
        );
        let first = |key: Key| key.rng().next_u64();
        assert_eq!(first(Key::new(0)), 13_080_132_717_333_068_652);
        assert_eq!(
            first(Key::new(42).fold("hidden/weight")),
            17_706_544_087_287_700_665
        );
        assert_eq!(first(Key::new(42).fold_index(5)), 2_491_692_093_056_869_272);
        let normal: Tensor<f64> = Tensor::normal([4], 0.0, 1.0, &mut Key::new(0).rng());
        assert_eq!(
            normal.to_vec(),
            [
                0.6999607946268154,
                -0.14406163542784764,
                0.30288628024558556,
                -1.374513899829971
            ]
        );
        let uniform: Tensor<f64> = Tensor::uniform([2], -1.0, 1.0, &mut Key::new(0).rng());
        assert_eq!(uniform.to_vec(), [0.41815083085312366, -0.0681565554207797]);
        let cut: Tensor<f32> = Tensor::truncated_normal([2], 0.0, 0.5, &mut Key::new(9).rng());
        assert_eq!(cut.to_vec(), [-0.93035716, 0.7490948]);
        assert_eq!(
            permutation(8, &mut Key::new(3).rng()),
            [2, 1, 6, 5, 7, 3, 4, 0]
        );
    }

    #[test]
    fn keys_make_parts_whatever_came_before() {
        let key = Key::new(5).fold("encoder");
        let _ = key.rng().next_u64();
        assert_eq!(
            key.fold("gate").at(2, 9).next_u64(),
            Key::new(5).fold("encoder").fold("gate").at(2, 9).next_u64()
        );
        assert_ne!(key.fold_index(1), key.fold_index(2));
        assert_eq!(key.seed(), 5);
    }

    #[test]
    #[should_panic(expected = "uniform: the range 1..0 is not a finite interval")]
    fn an_empty_range_is_refused() {
        let _: Tensor = Tensor::uniform([1], 1.0, 0.0, &mut Key::new(0).rng());
    }

    #[test]
    #[should_panic(expected = "bernoulli: the probability 1.5 is not between 0 and 1")]
    fn an_impossible_probability_is_refused() {
        let _: Tensor = Tensor::bernoulli([1], 1.5, &mut Key::new(0).rng());
    }

    #[test]
    fn streams_of_different_names_differ() {
        let key = Key::new(1);
        let mut firsts: Vec<u64> = ["a", "b", "ab", "ba"]
            .iter()
            .map(|p| key.fold(p).rng().next_u64())
            .collect();
        firsts.push(key.fold("a").fold("b").rng().next_u64());
        firsts.extend((0..20).map(|row| key.fold("a").at(0, row).next_u64()));
        firsts.extend((1..20).map(|step| key.fold("a").at(step, 0).next_u64()));
        firsts.push(Key::new(2).fold("a").rng().next_u64());
        let distinct: std::collections::HashSet<_> = firsts.iter().collect();
        assert_eq!(distinct.len(), firsts.len());
    }

    #[test]
    fn moments_are_right() {
        let n = 200_000;
        let mut rng = Key::new(3).rng();
        let mean_std = |t: Tensor<f64>| {
            let mean = t.iter().sum::<f64>() / n as f64;
            (
                mean,
                (t.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64).sqrt(),
            )
        };
        let (mean, std) = mean_std(Tensor::normal([n], 1.0, 2.0, &mut rng));
        assert!((mean - 1.0).abs() < 0.02 && (std - 2.0).abs() < 0.02);
        let (mean, std) = mean_std(Tensor::uniform([n], -1.0, 3.0, &mut rng));
        assert!((mean - 1.0).abs() < 0.02 && (std - 4.0 / 12_f64.sqrt()).abs() < 0.02);
        let cut = Tensor::<f64>::truncated_normal([n], 0.0, 1.0, &mut rng);
        assert!(cut.iter().all(|x| x.abs() <= 2.0));
        assert!((mean_std(cut).1 - 0.8796).abs() < 0.01);
        let (mean, _) = mean_std(Tensor::bernoulli([n], 0.3, &mut rng));
        assert!((mean - 0.3).abs() < 0.01);
    }

    #[test]
    fn permutations_hold_every_number_once() {
        let mut order = permutation(100, &mut Key::new(5).rng());
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}
