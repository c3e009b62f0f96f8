//! The windows of a pooling: along each axis a range of inputs for each output.

use super::PoolOptions;
use crate::conv::window::Window;
use crate::error::{Error, Result};
use crate::shape::Shape;
use std::ops::Range;

/// What the operation and its operand are called in errors, and the operand seen as images.
pub(super) struct Operand {
    op: &'static str,
    shape: Shape,
    images: [usize; 4],
}

impl Operand {
    /// Images; for others the check of shapes says what is wrong.
    pub(super) fn images(op: &'static str, shape: &Shape) -> Result<Self> {
        match shape[..] {
            [batch, height, width, channels] => Ok(Self {
                op,
                shape: *shape,
                images: [batch, height, width, channels],
            }),
            _ => Err(rank_error(
                op,
                shape,
                "images are [batch, height, width, channel]",
            )),
        }
    }

    /// Series, as images of one row.
    pub(super) fn series(op: &'static str, shape: &Shape) -> Result<Self> {
        match shape[..] {
            [batch, time, channels] => Ok(Self {
                op,
                shape: *shape,
                images: [batch, 1, time, channels],
            }),
            _ => Err(rank_error(op, shape, "series are [batch, time, channel]")),
        }
    }

    /// All axes between the first and the last as one row.
    pub(super) fn everything(op: &'static str, shape: &Shape) -> Result<Self> {
        match &shape[..] {
            [batch, positions @ .., channels] if !positions.is_empty() => Ok(Self {
                op,
                shape: *shape,
                images: [*batch, 1, positions.iter().product(), *channels],
            }),
            _ => Err(rank_error(
                op,
                shape,
                "there are axes between batch and channel",
            )),
        }
    }

    fn wrong(&self, what: impl std::fmt::Display) -> Error {
        Error::Argument {
            op: self.op,
            what: format!("{what}; the input is {}", self.shape),
        }
    }
}

#[cold]
fn rank_error(op: &'static str, shape: &Shape, wanted: &str) -> Error {
    Error::Argument {
        op,
        what: format!("{wanted}; the input is {shape}"),
    }
}

/// How the windows along an axis follow from their number.
#[derive(Clone, Copy, Debug)]
enum Placing {
    /// A window of fixed size that moves, and may leave the input.
    Sliding {
        window: Window,
        count_include_pad: bool,
    },
    /// As many windows as wanted, as even as they can be: window `i` of `n` has the inputs from `⌊i·input / n⌋` to
    /// `⌈(i + 1)·input / n⌉`.
    Adaptive,
}

/// The windows along one axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    pub(crate) input: usize,
    pub(crate) output: usize,
    placing: Placing,
}

impl Axis {
    fn sliding(axis: usize, input: usize, options: &PoolOptions<2>) -> Result<Self, String> {
        let size = options.window[axis];
        let window = Window::new(axis, input, size, options.stride, [1; 2], &options.padding)?;
        if window.before >= size || window.after >= size {
            return Err(format!(
                "a window of {size} would see nothing but a padding of ({}, {})",
                window.before, window.after
            ));
        }
        Ok(Self {
            input,
            output: window.output,
            placing: Placing::Sliding {
                window,
                count_include_pad: options.count_include_pad,
            },
        })
    }

    fn adaptive(input: usize, output: usize) -> Result<Self, String> {
        if input == 0 {
            return Err("an axis of the input has no positions".to_string());
        }
        if input.checked_mul(output.saturating_add(1)).is_none() {
            return Err(format!("{output} outputs are too many"));
        }
        Ok(Self {
            input,
            output,
            placing: Placing::Adaptive,
        })
    }

    /// The inputs of an output: at least one.
    #[inline(always)]
    pub(crate) fn range(&self, output: usize) -> Range<usize> {
        match &self.placing {
            Placing::Sliding { window, .. } => {
                let start = output * window.stride;
                let end = start + window.kernel;
                start.max(window.before) - window.before..(end - window.before).min(self.input)
            }
            Placing::Adaptive => {
                let (i, n) = (output, self.output);
                i * self.input / n..((i + 1) * self.input).div_ceil(n)
            }
        }
    }

    /// What an average divides by.
    #[inline(always)]
    pub(crate) fn count(&self, output: usize) -> usize {
        match &self.placing {
            Placing::Sliding {
                window,
                count_include_pad: true,
            } => window.kernel,
            _ => self.range(output).len(),
        }
    }

    /// Positions of the largest window.
    fn largest(&self) -> usize {
        match &self.placing {
            Placing::Sliding { window, .. } => window.kernel.min(self.input),
            // Where the input is no multiple of the output, a window may touch a part of one more input at both ends.
            Placing::Adaptive => (self.input / self.output.max(1) + 2).min(self.input),
        }
    }

    /// Whether each input is in exactly one window.
    pub(crate) fn tiles(&self) -> bool {
        let mut end = 0;
        (0..self.output).map(|i| self.range(i)).all(|range| {
            let follows = range.start == end;
            end = range.end;
            follows
        }) && end == self.input
    }
}

/// The windows over both axes of images.
#[derive(Clone, Debug)]
pub(crate) struct Windows {
    pub(crate) batch: usize,
    pub(crate) axes: [Axis; 2],
    pub(crate) channels: usize,
}

impl Windows {
    pub(super) fn sliding(operand: &Operand, options: &PoolOptions<2>) -> Result<Self> {
        let [batch, height, width, channels] = operand.images;
        let axis =
            |axis, input| Axis::sliding(axis, input, options).map_err(|what| operand.wrong(what));
        Self {
            batch,
            axes: [axis(0, height)?, axis(1, width)?],
            channels,
        }
        .checked()
    }

    pub(super) fn adaptive(operand: &Operand, outputs: [usize; 2]) -> Result<Self> {
        let [batch, height, width, channels] = operand.images;
        let axis =
            |input, outputs| Axis::adaptive(input, outputs).map_err(|what| operand.wrong(what));
        Self {
            batch,
            axes: [axis(height, outputs[0])?, axis(width, outputs[1])?],
            channels,
        }
        .checked()
    }

    fn checked(self) -> Result<Self> {
        Shape::try_new(&self.output())?;
        Ok(self)
    }

    pub(crate) fn input(&self) -> [usize; 4] {
        let [rows, columns] = &self.axes;
        [self.batch, rows.input, columns.input, self.channels]
    }

    pub(crate) fn output(&self) -> [usize; 4] {
        let [rows, columns] = &self.axes;
        [self.batch, rows.output, columns.output, self.channels]
    }

    /// Itself, if that is the shape of the output.
    pub(super) fn fits(self, operand: &Operand, gradient: &Shape) -> Result<Self> {
        if *gradient == self.output() {
            return Ok(self);
        }
        Err(operand.wrong(format_args!(
            "a gradient of shape {gradient} for an output of shape {:?}",
            self.output()
        )))
    }

    /// Whether each input is in exactly one window.
    pub(super) fn tiles(&self) -> bool {
        self.axes.iter().all(Axis::tiles)
    }

    /// More than the offset of any input in its window.
    pub(super) fn offsets(&self) -> usize {
        self.axes.iter().map(Axis::largest).product()
    }

    /// Elements of an image of the input.
    pub(super) fn image(&self) -> usize {
        self.axes[0].input * self.axes[1].input * self.channels
    }

    /// Elements of a row of the output.
    pub(super) fn line(&self) -> usize {
        self.axes[1].output * self.channels
    }
}
