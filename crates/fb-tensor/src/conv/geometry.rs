//! The sizes of a convolution.

use super::axis::Axis;
use super::window::Window;
use crate::element::Float;
use crate::kernels::convolution::{self as kernel, Field};
use std::ops::Range;

/// The sizes of a convolution and the way its outputs see its inputs.
pub(crate) struct Geometry {
    pub(super) batch: usize,
    pub(super) axes: [Axis; 2],
    pub(super) kernel: [usize; 2],
    /// Channels of input and output.
    pub(super) channels: [usize; 2],
    pub(super) groups: usize,
}

impl Geometry {
    /// From the input of a convolution to its output.
    pub(super) fn forward(
        batch: usize,
        windows: &[Window; 2],
        channels: [usize; 2],
        groups: usize,
    ) -> Self {
        Self {
            batch,
            axes: windows.each_ref().map(Axis::forward),
            kernel: windows.each_ref().map(|window| window.kernel),
            channels,
            groups,
        }
    }

    /// From the output of a convolution back to its input; `channels` are those of the convolution.
    pub(super) fn backward(
        batch: usize,
        windows: &[Window; 2],
        [inputs, outputs]: [usize; 2],
        groups: usize,
    ) -> Self {
        Self {
            axes: windows.each_ref().map(Axis::backward),
            ..Self::forward(batch, windows, [outputs, inputs], groups)
        }
    }

    /// Every channel by itself.
    pub(super) fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.channels == [self.groups; 2]
    }

    /// Elements of an image of the input.
    pub(super) fn image(&self) -> usize {
        self.axes[0].input * self.axes[1].input * self.channels[0]
    }

    /// Elements of a row of the output.
    pub(super) fn line(&self) -> usize {
        self.axes[1].output * self.channels[1]
    }

    /// Channels of a group of input and output.
    pub(super) fn group(&self) -> [usize; 2] {
        self.channels.map(|channels| channels / self.groups)
    }

    /// The rows and columns of an image that some output rows are made from, border included.
    fn reach(&self, outputs: &Range<usize>) -> [Range<isize>; 2] {
        let [rows, columns] = &self.axes;
        [rows.reach(outputs), columns.reach(&(0..columns.output))]
    }

    /// Elements of a buffer for what some output rows are made from; 0 if it lies inside the image.
    pub(super) fn border(&self, outputs: &Range<usize>) -> usize {
        let reach = self.reach(outputs);
        let mut axes = reach.iter().zip(&self.axes);
        if axes.all(|(reach, axis)| reach.start >= 0 && reach.end <= axis.input as isize) {
            return 0;
        }
        reach.map(|range| range.len()).iter().product::<usize>() * self.channels[0]
    }

    /// What some output rows are made from: where it lies, or copied with its border to a buffer that is as long as
    /// [`Geometry::border`] says or longer.
    pub(super) fn field<'a, F: Float>(
        &self,
        image: &'a [F],
        outputs: &Range<usize>,
        buffer: &'a mut [F],
    ) -> Field<'a, F> {
        let (border, [rows, columns]) = (self.border(outputs), self.reach(outputs));
        let channels = self.channels[0];
        if border == 0 {
            return Field {
                data: image,
                top: 0,
                left: 0,
                width: self.axes[1].input,
                channels,
            };
        }
        let data = &mut buffer[..border];
        let extents = [self.axes[0].input, self.axes[1].input, channels];
        kernel::copy_with_border(image, extents, rows.clone(), columns.clone(), data);
        Field {
            data,
            top: rows.start,
            left: columns.start,
            width: columns.len(),
            channels,
        }
    }
}
