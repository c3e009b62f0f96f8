//! How many inputs and outputs a unit has, which decides how large its weights may be.

use fb_tensor::Shape;

/// The number of values that a unit adds up, and of those that it takes part in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fans {
    fan_in: f64,
    fan_out: f64,
}

impl Fans {
    /// Those of dense weights `[in, out]`, of kernels `[…, in, out]` (channels last), or of a vector `[n]`.
    pub(super) fn of(shape: &Shape) -> Self {
        // An extent of 0 leaves nothing to draw; counting it as 1 keeps the formulas finite.
        let extent = |n: usize| n.max(1) as f64;
        match **shape {
            [] => Self {
                fan_in: 1.0,
                fan_out: 1.0,
            },
            [n] => Self {
                fan_in: extent(n),
                fan_out: extent(n),
            },
            [ref positions @ .., inputs, outputs] => {
                let positions: f64 = positions.iter().map(|&n| extent(n)).product();
                Self {
                    fan_in: positions * extent(inputs),
                    fan_out: positions * extent(outputs),
                }
            }
        }
    }

    pub(super) fn glorot_std(self) -> f64 {
        (2.0 / (self.fan_in + self.fan_out)).sqrt()
    }

    pub(super) fn he_std(self) -> f64 {
        (2.0 / self.fan_in).sqrt()
    }

    pub(super) fn lecun_std(self) -> f64 {
        (1.0 / self.fan_in).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::Fans;

    #[test]
    fn dense_weights_kernels_and_vectors() {
        for (shape, fan_in, fan_out) in [
            (vec![3, 5], 3.0, 5.0),
            (vec![4, 4, 3, 5], 48.0, 80.0),
            (vec![7], 7.0, 7.0),
            (vec![], 1.0, 1.0),
            (vec![0, 5], 1.0, 5.0),
        ] {
            assert_eq!(Fans::of(&shape.into()), Fans { fan_in, fan_out });
        }
    }
}
