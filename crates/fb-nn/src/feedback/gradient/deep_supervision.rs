//! Training segment by segment.

use super::{Bptt, GradientStrategy, Loop, Unrolled, Wanted};
use crate::error::{Error, Result};
use crate::feedback::State;
use crate::module::Context;
use fb_tensor::Float;

/// Deep supervision: the loop runs several segments one after another, each a run of the schedule that starts from the state
/// the last one ended with, cut off the tape, and each with a loss and an optimizer step of its own.
///
/// Memory is that of one segment; the loop learns to improve whatever state it is given. In evaluation all segments run.
///
/// ```
/// use fb_nn::feedback::gradient::{DeepSupervision, LastK};
/// let strategy = DeepSupervision::segments(8).within(LastK(1));
/// ```
///
/// # References
/// G. Wang et al., "Hierarchical reasoning model", 2025; A. Jolicoeur-Martineau, "Less is more: recursive reasoning with tiny
/// networks", 2025.
#[derive(Clone, Debug, PartialEq)]
pub struct DeepSupervision<S = Bptt> {
    segments: Segments,
    within: S,
}

/// How training is cut into segments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segments {
    /// How many.
    pub count: usize,
    /// How much the loss of each counts.
    pub weights: SegmentWeights,
    /// Whether samples that have halted leave after a segment and others take their places, with states of their own,
    /// instead of all samples staying for all segments.
    pub refill: bool,
}

/// How much the loss of each segment counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum SegmentWeights {
    /// All the same.
    #[default]
    Uniform,
    /// The last one, and each before it by this factor less.
    Decaying(f64),
    /// The last one alone; the others are not learned from.
    Last,
}

impl SegmentWeights {
    /// The weight of segment `segment` of `count`, from 1.
    pub fn of(self, segment: usize, count: usize) -> f64 {
        match self {
            Self::Uniform => 1.0,
            Self::Decaying(factor) => factor.powi((count - segment) as i32),
            Self::Last => f64::from(u8::from(segment == count)),
        }
    }
}

impl DeepSupervision {
    /// So many segments, each differentiated as a whole.
    pub fn segments(count: usize) -> Self {
        Self {
            segments: Segments {
                count,
                weights: SegmentWeights::Uniform,
                refill: false,
            },
            within: Bptt,
        }
    }
}

impl<S> DeepSupervision<S> {
    /// How each segment is differentiated.
    pub fn within<T>(self, strategy: T) -> DeepSupervision<T> {
        DeepSupervision {
            segments: self.segments,
            within: strategy,
        }
    }

    /// How much the loss of each segment counts.
    #[must_use]
    pub fn weights(mut self, weights: SegmentWeights) -> Self {
        self.segments.weights = weights;
        self
    }

    /// Has samples that halt give their places to others.
    #[must_use]
    pub fn refill(mut self) -> Self {
        self.segments.refill = true;
        self
    }
}

impl<F: Float, S: GradientStrategy<F>> GradientStrategy<F> for DeepSupervision<S> {
    fn kind(&self) -> &'static str {
        "DeepSupervision"
    }

    fn validate(&self) -> Result<()> {
        self.within.validate()?;
        let factor = match self.segments.weights {
            SegmentWeights::Decaying(factor) => factor,
            _ => 1.0,
        };
        if self.segments.count == 0 || !(factor > 0.0 && factor <= 1.0) {
            return Err(Error::Config {
                what: "DeepSupervision".to_owned(),
                expected:
                    "at least 1 segment, and weights that decay by a factor above 0 and at most 1"
                        .to_owned(),
                found: format!("{} segments, factor {factor}", self.segments.count),
                help: "DeepSupervision::segments(8)".to_owned(),
            });
        }
        Ok(())
    }

    fn records(&self, tick: usize, total: usize) -> bool {
        self.within.records(tick, total)
    }

    fn by_tick(&self) -> bool {
        self.within.by_tick()
    }

    fn is_for_equilibria(&self) -> bool {
        self.within.is_for_equilibria()
    }

    fn segments(&self) -> Option<Segments> {
        Some(self.segments)
    }

    fn unroll(
        &self,
        body: &mut dyn Loop<F>,
        cx: &mut Context<'_, F>,
        state: State<F>,
        ticks: usize,
        wanted: Wanted,
    ) -> Result<Unrolled<F>> {
        self.within.unroll(body, cx, state, ticks, wanted)
    }

    fn equilibrium(
        &self,
        body: &mut dyn Loop<F>,
        cx: &mut Context<'_, F>,
        state: State<F>,
    ) -> Result<Unrolled<F>> {
        self.within.equilibrium(body, cx, state)
    }
}
