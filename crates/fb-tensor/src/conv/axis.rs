//! Which inputs each output along an axis is made from.
//!
//! A convolution reads input `stride·o + dilation·p − before` for output `o` and number `p` of the kernel. Backwards the
//! roles are exchanged: what an input position gave to the outputs depends on its remainder by the stride, and positions
//! of one remainder read like a convolution of stride 1 with some of the kernel's numbers. So both are lists of
//! [`Phase`]s, and one routine computes them.

use super::window::Window;
use std::ops::Range;

/// A number of the kernel and the input that it meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tap {
    pub(super) kernel: usize,
    pub(super) offset: isize,
}

/// Outputs `start + step·i`, each made from the inputs `stride·i + offset` of all taps, which rise.
#[derive(Clone, Debug)]
pub(super) struct Phase {
    pub(super) start: usize,
    pub(super) step: usize,
    pub(super) stride: usize,
    pub(super) taps: Vec<Tap>,
}

impl Phase {
    /// Those `i` whose outputs are in the range.
    pub(super) fn within(&self, outputs: &Range<usize>) -> Range<usize> {
        let first = |from: usize| from.saturating_sub(self.start).div_ceil(self.step);
        first(outputs.start)..first(outputs.end)
    }
}

/// All phases along an axis; together they have each output once.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) input: usize,
    pub(super) output: usize,
    pub(super) phases: Vec<Phase>,
}

impl Axis {
    /// From the input of a convolution to its output.
    pub(super) fn forward(window: &Window) -> Self {
        let tap = |kernel: usize| Tap {
            kernel,
            offset: (kernel * window.dilation) as isize - window.before as isize,
        };
        Self {
            input: window.input,
            output: window.output,
            phases: vec![Phase {
                start: 0,
                step: 1,
                stride: window.stride,
                taps: (0..window.kernel).map(tap).collect(),
            }],
        }
    }

    /// From the output of a convolution back to its input.
    pub(super) fn backward(window: &Window) -> Self {
        let stride = window.stride as isize;
        let phase = |start: usize| {
            let from = (start + window.before) as isize;
            let meets = |kernel: usize| {
                let distance = from - (kernel * window.dilation) as isize;
                (distance % stride == 0).then_some(Tap {
                    kernel,
                    offset: distance / stride,
                })
            };
            Phase {
                start,
                step: window.stride,
                stride: 1,
                taps: (0..window.kernel).rev().filter_map(meets).collect(),
            }
        };
        Self {
            input: window.output,
            output: window.input,
            phases: (0..window.stride.min(window.input)).map(phase).collect(),
        }
    }

    /// From the first to the last input that some outputs are made from, positions outside the axis included.
    pub(super) fn reach(&self, outputs: &Range<usize>) -> Range<isize> {
        let mut reach: Option<Range<isize>> = None;
        for phase in &self.phases {
            let within = phase.within(outputs);
            let (Some(first), Some(last)) = (phase.taps.first(), phase.taps.last()) else {
                continue;
            };
            if within.is_empty() {
                continue;
            }
            let low = (phase.stride * within.start) as isize + first.offset;
            let high = (phase.stride * (within.end - 1)) as isize + last.offset + 1;
            reach = Some(match reach {
                Some(reach) => reach.start.min(low)..reach.end.max(high),
                None => low..high,
            });
        }
        reach.unwrap_or(0..0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::Padding;

    #[test]
    fn backward_meets_what_forward_read() {
        for (input, kernel, stride, dilation, padding) in [
            (7, 3, 1, 1, (1, 1)),
            (8, 3, 2, 1, (0, 1)),
            (9, 2, 3, 2, (2, 0)),
            (5, 1, 4, 1, (0, 0)),
            (3, 2, 7, 1, (1, 6)),
        ] {
            let padding = Padding::Explicit([padding]);
            let window = Window::new(0, input, kernel, [stride], [dilation], &padding).unwrap();
            let read = |axis: &Axis| {
                let mut pairs = Vec::new();
                for phase in &axis.phases {
                    for i in phase.within(&(0..axis.output)) {
                        for tap in &phase.taps {
                            let from = (phase.stride * i) as isize + tap.offset;
                            if (0..axis.input as isize).contains(&from) {
                                pairs.push((
                                    phase.start + phase.step * i,
                                    from as usize,
                                    tap.kernel,
                                ));
                            }
                        }
                    }
                }
                pairs
            };
            let mut forward = read(&Axis::forward(&window));
            let mut backward: Vec<_> = read(&Axis::backward(&window))
                .into_iter()
                .map(|(output, input, kernel)| (input, output, kernel))
                .collect();
            forward.sort_unstable();
            backward.sort_unstable();
            assert_eq!(forward, backward);
            assert!(!forward.is_empty());
        }
    }

    #[test]
    fn outputs_of_a_range_are_found() {
        let phase = Phase {
            start: 2,
            step: 3,
            stride: 1,
            taps: Vec::new(),
        };
        assert_eq!(phase.within(&(0..9)), 0..3);
        assert_eq!(phase.within(&(3..5)), 1..1);
        assert_eq!(phase.within(&(3..6)), 1..2);
        assert_eq!(phase.within(&(0..2)), 0..0);
    }
}
