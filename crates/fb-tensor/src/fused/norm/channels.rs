//! Normalisation of each channel, the last axis, over the other axes.

use super::{NormGradients, PICOSECONDS, added_to, factors, last_extent, rows_per_part};
use crate::element::Float;
use crate::error::{Error, OrPanic, Result};
use crate::kernels::norm::{self as kernel, KEPT};
use crate::tensor::Tensor;
use crate::threads::for_each_part_mut;

/// What a channel's statistics are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// All rows (batch norm).
    Batch,
    /// The rows of one sample, with the other channels of the same group (group norm): so many groups.
    Groups(usize),
}

/// Normalisation of channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChannelNorm {
    /// What the statistics are taken over.
    pub over: Over,
    /// Added to the variance, ε.
    pub epsilon: f64,
}

/// A normalised tensor and what its gradient needs.
#[derive(Clone, Debug)]
pub struct ChannelNormed<F: Float> {
    /// The result.
    pub output: Tensor<F>,
    /// For each sample (one for a whole batch) three vectors of channels: the mean, what it lacks by rounding, and
    /// `1 / √(variance + ε)`.
    pub statistics: Tensor<F>,
    /// The mean of each channel, for each sample.
    pub mean: Tensor<F>,
    /// The variance of each channel, for each sample: of the elements themselves, divided by their number.
    pub variance: Tensor<F>,
}

impl ChannelNorm {
    /// Normalises `input` by its own statistics.
    ///
    /// # Errors
    /// The shapes do not fit, or the channels do not split into the groups.
    pub fn forward<F: Float>(
        &self,
        input: &Tensor<F>,
        weight: Option<&Tensor<F>>,
        bias: Option<&Tensor<F>>,
    ) -> Result<ChannelNormed<F>> {
        (F::kernels().channel_norm)(self, input, None, weight, bias)
    }

    /// Normalises `input` by statistics `(mean, variance)` that are given.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn forward_with<F: Float>(
        &self,
        input: &Tensor<F>,
        moments: (&Tensor<F>, &Tensor<F>),
        weight: Option<&Tensor<F>>,
        bias: Option<&Tensor<F>>,
    ) -> Result<ChannelNormed<F>> {
        (F::kernels().channel_norm)(self, input, Some(moments), weight, bias)
    }

    /// The gradients, given that of the output. That by the input is added to `arrived`, in place if nothing shares it;
    /// `given` says that the statistics were constants.
    ///
    /// # Panics
    /// If `forward` did not make `statistics` with these settings and this weight.
    #[must_use]
    pub fn backward<F: Float>(
        &self,
        input: &Tensor<F>,
        statistics: &Tensor<F>,
        given: bool,
        weight: Option<&Tensor<F>>,
        gradient: &Tensor<F>,
        arrived: Option<Tensor<F>>,
    ) -> NormGradients<F> {
        let backward = F::kernels().channel_norm_backward;
        backward(self, input, statistics, given, weight, gradient, arrived)
    }

    fn op(&self) -> &'static str {
        match self.over {
            Over::Batch => "batch_norm",
            Over::Groups(_) => "group_norm",
        }
    }
}

/// The input as samples of rows of channels, cut into parts of some rows.
#[derive(Clone, Copy)]
struct Parts {
    samples: usize,
    /// Rows of a sample.
    rows: usize,
    channels: usize,
    /// Channels of a group; the group is one channel in a batch.
    together: usize,
    per_part: usize,
    /// Parts of a sample.
    count: usize,
}

impl Parts {
    fn new<F: Float>(norm: &ChannelNorm, input: &Tensor<F>) -> Result<Self> {
        let channels = last_extent(norm.op(), input)?;
        let (samples, together) = match norm.over {
            Over::Batch => (1, 1),
            Over::Groups(groups) => {
                if groups == 0 || channels % groups != 0 {
                    return Err(Error::Argument {
                        op: norm.op(),
                        what: format!(
                            "the {channels} channels of shape {} do not split into {groups} equal groups",
                            input.shape()
                        ),
                    });
                }
                if input.rank() < 2 {
                    return Err(Error::Argument {
                        op: norm.op(),
                        what: format!(
                            "expected [batch, …, channel], found shape {}",
                            input.shape()
                        ),
                    });
                }
                (input.dim(0), (channels / groups).max(1))
            }
        };
        let rows = input.len().checked_div(samples * channels).unwrap_or(0);
        let per_part = rows_per_part(channels);
        Ok(Self {
            samples,
            rows,
            channels,
            together,
            per_part,
            count: rows.div_ceil(per_part),
        })
    }

    fn all(&self) -> usize {
        self.samples * self.count
    }

    /// The first row of a part, or the number of rows past the last one.
    fn start(&self, part: usize) -> usize {
        match part.checked_div(self.count) {
            None => 0,
            Some(sample) => sample * self.rows + (part % self.count * self.per_part).min(self.rows),
        }
    }

    /// How many rows a part has.
    fn length(&self, part: usize) -> usize {
        self.start(part + 1) - self.start(part)
    }

    /// Elements that go into one mean.
    fn elements(&self) -> f64 {
        (self.rows * self.together) as f64
    }

    /// Calls `work` with the parts of each sample's rows.
    fn of_sample(&self, sample: usize) -> std::ops::Range<usize> {
        sample * self.count..(sample + 1) * self.count
    }

    /// Which sample a part belongs to.
    fn sample(&self, part: usize) -> usize {
        part / self.count
    }
}

/// The three vectors of one sample.
fn vectors<F: Float>(statistics: &[F], sample: usize, channels: usize) -> [&[F]; KEPT] {
    let own = &statistics[sample * KEPT * channels..][..KEPT * channels];
    std::array::from_fn(|i| &own[i * channels..][..channels])
}

pub(crate) fn forward<F: Float>(
    norm: &ChannelNorm,
    input: &Tensor<F>,
    given: Option<(&Tensor<F>, &Tensor<F>)>,
    weight: Option<&Tensor<F>>,
    bias: Option<&Tensor<F>>,
) -> Result<ChannelNormed<F>> {
    let parts = Parts::new(norm, input)?;
    let channels = parts.channels;
    let weight = factors(norm.op(), input, weight, channels, F::ONE)?;
    let bias = factors(norm.op(), input, bias, channels, F::ZERO)?;
    let shape = *input.shape();
    let input = input.contiguous();
    let x = input.as_slice().expect("made contiguous");
    let (mean, variance) = match given {
        Some((mean, variance)) => (
            factors(norm.op(), &input, Some(mean), channels, F::ZERO)?,
            factors(norm.op(), &input, Some(variance), channels, F::ONE)?,
        ),
        None => (
            Tensor::zeros_of([parts.samples, channels]),
            Tensor::zeros_of([parts.samples, channels]),
        ),
    };
    let (mut mean, mut variance) = (mean, variance);
    let mut statistics = Tensor::filled_by([parts.samples, KEPT, channels], |_| {});
    if given.is_some() {
        let (m, v) = (mean.as_slice(), variance.as_slice());
        let m = m.expect("made contiguous").iter();
        let v = v.expect("made contiguous").iter();
        let kept = statistics.make_mut();
        for (channel, (&mean, variance)) in m.zip(v).enumerate() {
            let scale = kernel::reciprocal_deviation(variance.to_f64(), norm.epsilon);
            kept[channel] = mean;
            kept[channels + channel] = F::ZERO;
            kept[2 * channels + channel] = F::from_f64(scale);
        }
    } else {
        let into = (statistics.make_mut(), mean.make_mut(), variance.make_mut());
        take_statistics(&parts, norm.epsilon, x, into);
    }
    let kept = statistics.as_slice().expect("just computed");
    let (w, b) = (weight.as_slice(), bias.as_slice());
    let (w, b) = (w.expect("made contiguous"), b.expect("made contiguous"));
    let scales = Tensor::filled_by([parts.samples, channels], |out| {
        for (sample, out) in out.chunks_exact_mut(channels.max(1)).enumerate() {
            let [_, _, scale] = vectors(kept, sample, channels);
            for ((out, &scale), &w) in out.iter_mut().zip(scale).zip(w) {
                *out = scale * w;
            }
        }
    });
    let scales = scales.as_slice().expect("just computed");
    let output = Tensor::filled_by(shape, |out| {
        for_each_part_mut(
            [out],
            parts.all(),
            x.len() * PICOSECONDS / 1000,
            |part| [parts.start(part) * channels],
            |part, [out]| {
                let sample = parts.sample(part);
                let [mean, rest, _] = vectors(kept, sample, channels);
                let scale = &scales[sample * channels..][..channels];
                let x = &x[parts.start(part) * channels..][..out.len()];
                kernel::normalise_channels(x, mean, rest, scale, b, out);
            },
        );
    });
    Ok(ChannelNormed {
        output,
        statistics,
        mean,
        variance,
    })
}

/// Statistics, means and variances of each sample's channels.
fn take_statistics<F: Float>(
    parts: &Parts,
    epsilon: f64,
    x: &[F],
    (statistics, means, variances): (&mut [F], &mut [F], &mut [F]),
) {
    let channels = parts.channels;
    let moments = Tensor::filled_by([parts.all(), KEPT, channels], |out| {
        for_each_part_mut(
            [out],
            parts.all(),
            x.len() * PICOSECONDS / 1000,
            |part| [part * KEPT * channels],
            |part, [out]| {
                let x = &x[parts.start(part) * channels..parts.start(part + 1) * channels];
                kernel::channel_moments(x, channels, out);
            },
        );
    });
    let moments = moments.as_slice().expect("just computed");
    let n = parts.elements();
    for sample in 0..parts.samples {
        let statistics = &mut statistics[sample * KEPT * channels..][..KEPT * channels];
        for group in (0..channels).step_by(parts.together) {
            let group = group..group + parts.together;
            // Parts are joined in double precision: their distances from the common mean add to their squares
            // (T. Chan, G. Golub, R. LeVeque, "Updating formulae", 1979, equation 2.1).
            let of_parts = || {
                parts.of_sample(sample).flat_map(|part| {
                    let [near, sums, squares] = vectors(moments, part, channels);
                    let count = parts.length(part) as f64;
                    group.clone().map(move |c| {
                        let sum = sums[c].to_f64();
                        let mean = near[c].to_f64() + sum / count;
                        (count, mean, squares[c].to_f64() - sum * sum / count)
                    })
                })
            };
            let mean = of_parts().map(|(count, mean, _)| count * mean).sum::<f64>() / n;
            let squares: f64 = of_parts()
                .map(|(count, own, squares)| squares + count * (own - mean) * (own - mean))
                .sum();
            let variance = squares / n;
            let (near, rest) = kernel::in_two_parts(mean);
            let scale = F::from_f64(kernel::reciprocal_deviation(variance, epsilon));
            for channel in group {
                statistics[channel] = near;
                statistics[channels + channel] = rest;
                statistics[2 * channels + channel] = scale;
                means[sample * channels + channel] = near;
                variances[sample * channels + channel] = F::from_f64(variance);
            }
        }
    }
}

pub(crate) fn backward<F: Float>(
    norm: &ChannelNorm,
    input: &Tensor<F>,
    statistics: &Tensor<F>,
    given: bool,
    weight: Option<&Tensor<F>>,
    gradient: &Tensor<F>,
    arrived: Option<Tensor<F>>,
) -> NormGradients<F> {
    let parts = Parts::new(norm, input).or_panic();
    let channels = parts.channels;
    let weight = factors(norm.op(), input, weight, channels, F::ONE).or_panic();
    assert!(
        gradient.shape() == input.shape() && statistics.len() == parts.samples * KEPT * channels,
        "{}: the gradient has shape {}, the input {}",
        norm.op(),
        gradient.shape(),
        input.shape()
    );
    let (input, statistics) = (input.contiguous(), statistics.contiguous());
    let gradient = gradient.contiguous();
    let x = input.as_slice().expect("made contiguous");
    let kept = statistics.as_slice().expect("made contiguous");
    let w = weight.as_slice().expect("made contiguous");
    let g = gradient.as_slice().expect("made contiguous");
    let cost = 2 * x.len() * PICOSECONDS / 1000;
    let sums = Tensor::filled_by([parts.samples, parts.count, 2, channels], |out| {
        for_each_part_mut(
            [out],
            parts.all(),
            cost,
            |part| [part * 2 * channels],
            |part, [out]| {
                let elements = parts.start(part) * channels..parts.start(part + 1) * channels;
                let kept = vectors(kept, parts.sample(part), channels);
                let (by_weight, by_bias) = out.split_at_mut(channels);
                let (x, g) = (&x[elements.clone()], &g[elements]);
                kernel::channel_gradient_sums(x, g, kept, by_weight, by_bias);
            },
        );
    });
    // [samples, 2, channels]: of each sample Σ g·x̂, then Σ g.
    let sums = sums.sum_axes(&[1], false);
    let of_samples = sums.as_slice().expect("just computed");
    let factors = Tensor::filled_by([parts.samples, KEPT, channels], |out| {
        for (sample, out) in out.chunks_exact_mut((KEPT * channels).max(1)).enumerate() {
            let [_, _, scale] = vectors(kept, sample, channels);
            let (factor, means) = out.split_at_mut(channels);
            factor
                .iter_mut()
                .zip(scale.iter().zip(w))
                .for_each(|(out, (&scale, &w))| *out = scale * w);
            if given {
                means.fill(F::ZERO);
                continue;
            }
            let (plain, along) = means.split_at_mut(channels);
            let (by_weight, by_bias) =
                of_samples[sample * 2 * channels..][..2 * channels].split_at(channels);
            for group in (0..channels).step_by(parts.together) {
                let group = group..group + parts.together;
                let mean = |sums: &[F]| {
                    let of_channel = |c: usize| w[c].to_f64() * sums[c].to_f64();
                    group.clone().map(of_channel).sum::<f64>() / parts.elements()
                };
                let scale = scale[group.start].to_f64();
                plain[group.clone()].fill(F::from_f64(mean(by_bias) * scale));
                along[group.clone()].fill(F::from_f64(mean(by_weight) * scale));
            }
        }
    });
    let factors = factors.as_slice().expect("just computed");
    let by_input = added_to(arrived, &input, |out, fresh| {
        for_each_part_mut(
            [out],
            parts.all(),
            cost,
            |part| [parts.start(part) * channels],
            |part, [out]| {
                let from = parts.start(part) * channels;
                let (x, g) = (&x[from..][..out.len()], &g[from..][..out.len()]);
                let sample = parts.sample(part);
                let kept = vectors(kept, sample, channels);
                let factors = vectors(factors, sample, channels);
                kernel::channels_backward(x, g, kept, factors, fresh, out);
            },
        );
    });
    let sums = sums.sum_axes(&[0], false);
    NormGradients {
        input: by_input,
        weight: sums.index_axis(0, 0),
        bias: sums.index_axis(0, 1),
    }
}

impl<F: Float> Tensor<F> {
    /// Batch normalisation: each channel (position of the last axis) less its mean over all other axes, by the root of
    /// its variance: `(x − mean) / √(variance + ε) · weight + bias`.
    ///
    /// Returned with the mean and the variance, of the elements themselves (divided by their number), for running
    /// statistics. NaN over no rows.
    ///
    /// # Shapes
    /// - `self`: `[…, channel]`
    /// - `weight`, `bias`: `[channel]`; 1 and 0 if left out
    /// - returns `[…, channel]`, `[channel]`, `[channel]`
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let x = Tensor::from([[1.0_f64, 30.0], [3.0, 30.0]]);
    /// let (y, mean, variance) = x.batch_norm(None, None, 1e-9);
    /// assert!((y.at(&[0, 0]) + 1.0).abs() < 1e-8 && y.at(&[1, 1]) == 0.0);
    /// assert_eq!((mean.to_vec(), variance.to_vec()), (vec![2.0, 30.0], vec![1.0, 0.0]));
    /// ```
    ///
    /// # Panics
    /// If there is no axis or the shapes do not fit.
    ///
    /// # References
    /// S. Ioffe, C. Szegedy, "Batch normalization", 2015, algorithm 1.
    #[track_caller]
    #[must_use]
    pub fn batch_norm(
        &self,
        weight: Option<&Self>,
        bias: Option<&Self>,
        epsilon: f64,
    ) -> (Self, Self, Self) {
        let over = Over::Batch;
        let normed = ChannelNorm { over, epsilon }.forward(self, weight, bias);
        let normed = normed.or_panic();
        let of_channels = |t: Self| {
            let channels = t.len();
            t.reshape([channels])
        };
        (
            normed.output,
            of_channels(normed.mean),
            of_channels(normed.variance),
        )
    }

    /// [`Tensor::batch_norm`] by statistics that are given, as in evaluation.
    ///
    /// # Shapes
    /// - `self`: `[…, channel]`
    /// - `mean`, `variance`, `weight`, `bias`: `[channel]`
    /// - returns `[…, channel]`
    ///
    /// # Panics
    /// If there is no axis or the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn batch_norm_with(
        &self,
        mean: &Self,
        variance: &Self,
        weight: Option<&Self>,
        bias: Option<&Self>,
        epsilon: f64,
    ) -> Self {
        let over = Over::Batch;
        let norm = ChannelNorm { over, epsilon };
        let normed = norm.forward_with(self, (mean, variance), weight, bias);
        normed.or_panic().output
    }

    /// Group normalisation: channels are split into groups of neighbours, and each sample's group is normalised by its
    /// own mean and variance: `(x − mean) / √(variance + ε) · weight + bias`.
    ///
    /// As many groups as channels is instance normalisation.
    ///
    /// # Shapes
    /// - `self`: `[batch, …, channel]`
    /// - `weight`, `bias`: `[channel]`; 1 and 0 if left out
    /// - returns `[batch, …, channel]`
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let x = Tensor::from([[1.0_f64, 3.0, -20.0, 20.0]]);
    /// assert_eq!(x.group_norm(2, None, None, 0.0).to_vec(), [-1.0, 1.0, -1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes, the channels do not split into the groups, or the shapes do not fit.
    ///
    /// # References
    /// Y. Wu, K. He, "Group normalization", 2018, equations 1, 2 and 7.
    #[track_caller]
    #[must_use]
    pub fn group_norm(
        &self,
        groups: usize,
        weight: Option<&Self>,
        bias: Option<&Self>,
        epsilon: f64,
    ) -> Self {
        let over = Over::Groups(groups);
        let normed = ChannelNorm { over, epsilon }.forward(self, weight, bias);
        normed.or_panic().output
    }
}
