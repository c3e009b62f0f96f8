//! A kernel moving along one axis: how many places it has.

use super::Padding;

/// A checked combination of sizes along one axis. No product or sum of them overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) input: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    /// Positions of padding before the first.
    pub(crate) before: usize,
    pub(crate) after: usize,
    pub(crate) output: usize,
}

/// No position along an axis is larger, so that positions can be counted with a sign.
const FARTHEST: usize = isize::MAX as usize / 16;

impl Window {
    /// The window along one axis, or what is wrong with it.
    pub(crate) fn new<const D: usize>(
        axis: usize,
        input: usize,
        kernel: usize,
        stride: [usize; D],
        dilation: [usize; D],
        padding: &Padding<D>,
    ) -> Result<Self, String> {
        let (stride, dilation) = (stride[axis], dilation[axis]);
        let span = Self::span(input, kernel, stride, dilation)?;
        let (before, after) = match padding {
            Padding::Valid => (0, 0),
            Padding::Explicit(pairs) => pairs[axis],
            Padding::Same => {
                let last = (input - 1) / stride * stride;
                let missing = (last + span).saturating_sub(input);
                (missing / 2, missing - missing / 2)
            }
        };
        let padded = input.saturating_add(before).saturating_add(after);
        if padded > FARTHEST {
            return Err(format!("a padding of ({before}, {after}) is too large"));
        }
        if span > padded {
            return Err(format!(
                "a kernel that spans {span} positions does not fit into {padded}, padding included"
            ));
        }
        Ok(Self {
            input,
            kernel,
            stride,
            dilation,
            before,
            after,
            output: (padded - span) / stride + 1,
        })
    }

    /// The window of the convolution from an output of a transposed one back to its input.
    pub(crate) fn transposed<const D: usize>(
        axis: usize,
        input: usize,
        kernel: usize,
        options: &super::ConvTransposeOptions<D>,
    ) -> Result<Self, String> {
        let (stride, dilation) = (options.stride[axis], options.dilation[axis]);
        let extra = options.output_padding[axis];
        let span = Self::span(input, kernel, stride, dilation)?;
        if extra > 0 && extra >= stride {
            return Err(format!(
                "an output padding of {extra} with a stride of {stride}, which must be larger"
            ));
        }
        let reach = (input - 1).saturating_mul(stride).saturating_add(span);
        let cut = match options.padding {
            Padding::Valid => 0,
            Padding::Explicit(pairs) => pairs[axis].0.saturating_add(pairs[axis].1),
            Padding::Same if extra > 0 => {
                return Err(
                    "padding that keeps the size (times the stride) leaves no output padding"
                        .to_string(),
                );
            }
            Padding::Same => reach.saturating_sub(input.saturating_mul(stride)),
        };
        let grown = match options.padding {
            Padding::Same => input.saturating_mul(stride),
            _ => reach.saturating_add(extra).saturating_sub(cut),
        };
        if grown == 0 {
            return Err(format!(
                "a padding of {cut} in all leaves nothing of {reach} positions"
            ));
        }
        if reach.max(grown) > FARTHEST {
            return Err(format!("an output of {grown} positions is too large"));
        }
        let (stride, dilation) = (options.stride, options.dilation);
        let window = Self::new(axis, grown, kernel, stride, dilation, &options.padding)?;
        debug_assert_eq!(window.output, input);
        Ok(window)
    }

    /// How many positions a kernel covers.
    fn span(input: usize, kernel: usize, stride: usize, dilation: usize) -> Result<usize, String> {
        if input == 0 {
            return Err("an axis of the input has no positions".to_string());
        }
        for (what, value) in [
            ("kernel", kernel),
            ("stride", stride),
            ("dilation", dilation),
        ] {
            if value == 0 {
                return Err(format!("a {what} of 0"));
            }
        }
        match (kernel - 1).checked_mul(dilation) {
            Some(reach) if reach < FARTHEST && stride <= FARTHEST => Ok(reach + 1),
            _ => Err(format!(
                "a kernel of {kernel} with dilation {dilation} and stride {stride} is too large"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_gives_as_many_outputs_as_strides() {
        for input in 1..20 {
            for kernel in 1..6 {
                for stride in 1..4 {
                    for dilation in 1..3 {
                        let window =
                            Window::new(0, input, kernel, [stride], [dilation], &Padding::Same)
                                .unwrap();
                        assert_eq!(window.output, input.div_ceil(stride));
                        assert!(window.after == window.before || window.after == window.before + 1);
                    }
                }
            }
        }
    }

    #[test]
    fn a_transposed_window_leads_back() {
        let options = super::super::ConvTransposeOptions::new();
        for input in 1..6 {
            for kernel in 1..5 {
                for stride in 1..4 {
                    for extra in 0..stride {
                        let options = options.stride([stride]).output_padding([extra]);
                        let window = Window::transposed(0, input, kernel, &options).unwrap();
                        assert_eq!(window.input, (input - 1) * stride + kernel + extra);
                        assert_eq!(window.output, input);
                        if extra == 0 {
                            let options = options.padding(Padding::Same);
                            let window = Window::transposed(0, input, kernel, &options).unwrap();
                            assert_eq!((window.input, window.output), (input * stride, input));
                        }
                    }
                }
            }
        }
    }
}
