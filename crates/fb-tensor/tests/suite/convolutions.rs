use crate::support::{Style, assert_close, cases, styles, view};
use fb_tensor::ops::unary::{Relu, Tanh};
use fb_tensor::{ConvOptions, ConvTransposeOptions, Padding, Tensor, threads};
use proptest::prelude::*;

/// A convolution with its sizes; the input is large enough for the kernel.
#[derive(Clone, Debug)]
struct Case {
    batch: usize,
    input: [usize; 2],
    kernel: [usize; 2],
    /// Channels of a group.
    per_group: [usize; 2],
    options: ConvOptions<2>,
}

impl Case {
    fn channels(&self) -> [usize; 2] {
        self.per_group.map(|c| c * self.options.groups)
    }

    fn input_shape(&self) -> Vec<usize> {
        vec![self.batch, self.input[0], self.input[1], self.channels()[0]]
    }

    fn weight_shape(&self) -> Vec<usize> {
        vec![
            self.kernel[0],
            self.kernel[1],
            self.per_group[0],
            self.channels()[1],
        ]
    }

    fn span(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.options.dilation[axis] + 1
    }

    /// Padding before each axis, and the number of outputs.
    fn placed(&self, axis: usize) -> (usize, usize) {
        let (input, stride, span) = (self.input[axis], self.options.stride[axis], self.span(axis));
        match self.options.padding {
            Padding::Valid => (0, (input - span) / stride + 1),
            Padding::Same => {
                let outputs = input.div_ceil(stride);
                (
                    ((outputs - 1) * stride + span).saturating_sub(input) / 2,
                    outputs,
                )
            }
            Padding::Explicit(pairs) => {
                let (before, after) = pairs[axis];
                (before, (input + before + after - span) / stride + 1)
            }
        }
    }

    fn output_shape(&self) -> Vec<usize> {
        vec![
            self.batch,
            self.placed(0).1,
            self.placed(1).1,
            self.channels()[1],
        ]
    }

    /// Calls `visit` with the indices of every product of an input with a weight, and of the output that it is part of.
    fn terms(&self, mut visit: impl FnMut([usize; 4], [usize; 4], [usize; 4])) {
        let [inputs, outputs] = self.per_group;
        let (h, w) = (self.placed(0), self.placed(1));
        let (stride, dilation) = (self.options.stride, self.options.dilation);
        let position = |o: usize, k: usize, axis: usize, before: usize| {
            let at = (stride[axis] * o + dilation[axis] * k).checked_sub(before)?;
            (at < self.input[axis]).then_some(at)
        };
        for n in 0..self.batch {
            for (i, j) in (0..h.1).flat_map(|i| (0..w.1).map(move |j| (i, j))) {
                for (p, q) in
                    (0..self.kernel[0]).flat_map(|p| (0..self.kernel[1]).map(move |q| (p, q)))
                {
                    let (Some(row), Some(column)) =
                        (position(i, p, 0, h.0), position(j, q, 1, w.0))
                    else {
                        continue;
                    };
                    for o in 0..self.channels()[1] {
                        for c in 0..inputs {
                            let channel = o / outputs * inputs + c;
                            visit([n, row, column, channel], [p, q, c, o], [n, i, j, o]);
                        }
                    }
                }
            }
        }
    }
}

fn paddings() -> impl Strategy<Value = Padding<2>> {
    let pair = || (0_usize..4, 0_usize..4);
    prop_oneof![
        Just(Padding::Valid),
        Just(Padding::Same),
        (pair(), pair()).prop_map(|(a, b)| Padding::Explicit([a, b])),
    ]
}

fn convolutions() -> impl Strategy<Value = Case> {
    let two = |extents: std::ops::Range<usize>| [extents.clone(), extents];
    let channels = || prop_oneof![4 => 1_usize..4, 1 => Just(0), 1 => Just(17), 1 => Just(33)];
    let sizes = (0_usize..3, two(0..9), two(1..4), channels(), channels());
    let options = (
        two(1..4),
        paddings(),
        two(1..3),
        prop_oneof![3 => Just(1_usize), 2 => 2_usize..5, 1 => Just(70)],
    );
    (sizes, options).prop_map(
        |((batch, extra, kernel, inputs, outputs), (stride, padding, dilation, groups))| {
            let options = ConvOptions {
                stride,
                padding,
                dilation,
                groups,
            };
            // Many groups are of single channels.
            let per_group = if groups > 5 {
                [1, 1]
            } else {
                [inputs, outputs]
            };
            let mut case = Case {
                batch,
                input: [1, 1],
                kernel,
                per_group,
                options,
            };
            for axis in 0..2 {
                let padded = match padding {
                    Padding::Valid => 0,
                    Padding::Same => case.span(axis),
                    Padding::Explicit(pairs) => pairs[axis].0 + pairs[axis].1,
                };
                case.input[axis] = case.span(axis).saturating_sub(padded).max(1) + extra[axis];
            }
            case
        },
    )
}

fn zeros(shape: &[usize]) -> Tensor<f64> {
    Tensor::zeros_of(shape)
}

fn assert_all_close(got: &Tensor, want: &Tensor<f64>) {
    assert_eq!(got.dims(), want.dims());
    for (got, want) in got.iter().zip(want.iter()) {
        assert_close(f64::from(got), want, 2e-5);
    }
}

fn position(shape: &[usize], index: [usize; 4]) -> usize {
    index.iter().zip(shape).fold(0, |at, (i, n)| at * n + i)
}

/// Output, gradient of the input and gradient of the weight by the definition.
fn by_definition(case: &Case, x: &Tensor, w: &Tensor, g: &Tensor) -> [Tensor<f64>; 3] {
    let (xs, ws, ys) = (case.input_shape(), case.weight_shape(), case.output_shape());
    let [mut y, mut dx, mut dw] = [zeros(&ys), zeros(&xs), zeros(&ws)];
    let [x, w, g] = [x, w, g].map(|t| t.to_f64().to_vec());
    let (y_data, dx_data, dw_data) = (y.make_mut(), dx.make_mut(), dw.make_mut());
    case.terms(|at_x, at_w, at_y| {
        let (i, j, k) = (
            position(&xs, at_x),
            position(&ws, at_w),
            position(&ys, at_y),
        );
        y_data[k] += x[i] * w[j];
        dx_data[i] += g[k] * w[j];
        dw_data[j] += x[i] * g[k];
    });
    [y, dx, dw]
}

fn operands(case: &Case, s: &(Style, Style, Style)) -> (Tensor, Tensor, Tensor) {
    let x = view(&case.input_shape(), &s.0);
    let w = view(&case.weight_shape(), &s.1);
    (x, w, view(&case.output_shape(), &s.2))
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn convolutions_and_their_gradients(case in convolutions(), s in (styles(), styles(), styles())) {
        let (x, w, g) = operands(&case, &s);
        let [y, dx, dw] = by_definition(&case, &x, &w, &g);
        let bias = view(&[case.channels()[1]], &s.2);
        assert_all_close(&x.conv2d(&w, None, &case.options), &y);
        assert_all_close(&x.conv2d(&w, Some(&bias), &case.options), &(&y + &bias.to_f64()));
        assert_all_close(&g.conv2d_input_gradient(&w, *x.shape(), &case.options), &dx);
        assert_all_close(&x.conv2d_weight_gradient(&g, *w.shape(), &case.options), &dw);
        for bias in [None, Some(&bias)] {
            let then = x.conv2d_then(&w, bias, &case.options, &Relu {});
            prop_assert_eq!(then, x.conv2d(&w, bias, &case.options).relu());
        }
        let output = view(&case.output_shape(), &s.0);
        let [by_weight, by_bias] = x.conv2d_gradients_through(&output, &g, *w.shape(), &case.options, &Tanh {});
        let inner = Tensor::chain_op(&output, g.clone(), &Tanh {});
        prop_assert_eq!(by_weight, x.conv2d_weight_gradient(&inner, *w.shape(), &case.options));
        assert_all_close(&by_bias, &inner.to_f64().sum_to(*bias.shape()));
    }

    #[test]
    fn transposed_convolutions(case in convolutions(), s in (styles(), styles(), styles()), extra in any::<(u8, u8)>()) {
        // Of the inputs that give the output of a convolution, the transposed one makes that which the options name.
        let (_, w, g) = operands(&case, &s);
        let ConvOptions { stride, padding, dilation, groups } = case.options;
        let output_padding = match padding {
            Padding::Same => [0, 0],
            _ => [usize::from(extra.0) % stride[0], usize::from(extra.1) % stride[1]],
        };
        let options = ConvTransposeOptions { stride, padding, dilation, groups, output_padding };
        let mut case = case;
        let mut fits = true;
        for axis in 0..2 {
            let outputs = case.placed(axis).1;
            let (span, cut) = (case.span(axis), match padding {
                Padding::Explicit(pairs) => pairs[axis].0 + pairs[axis].1,
                _ => 0,
            });
            case.input[axis] = match padding {
                Padding::Same => outputs * stride[axis],
                _ => ((outputs - 1) * stride[axis] + span + output_padding[axis]).saturating_sub(cut),
            };
            fits &= case.input[axis] > 0;
        }
        let result = g.try_conv_transpose2d(&w, None, &options);
        prop_assert_eq!(result.is_ok(), fits);
        if let Ok(y) = result {
            let x = Tensor::zeros(case.input_shape());
            let [_, want, _] = by_definition(&case, &x, &w, &g);
            assert_all_close(&y, &want);
            let bias = view(&[case.channels()[0]], &s.0);
            assert_all_close(&g.conv_transpose2d(&w, Some(&bias), &options), &(&want + &bias.to_f64()));
        }
    }

    #[test]
    fn series_are_images_of_one_row(case in convolutions(), s in (styles(), styles(), styles())) {
        let mut case = case;
        case.input[0] = 1;
        case.kernel[0] = 1;
        case.options.stride[0] = 1;
        case.options.dilation[0] = 1;
        let time = match case.options.padding {
            Padding::Explicit([_, time]) => Padding::Explicit([time]),
            Padding::Same => Padding::Same,
            Padding::Valid => Padding::Valid,
        };
        if let Padding::Explicit(pairs) = &mut case.options.padding {
            pairs[0] = (0, 0);
        }
        let options = ConvOptions { stride: [case.options.stride[1]], padding: time, dilation: [case.options.dilation[1]], groups: case.options.groups };
        prop_assert_eq!(options.over_two_axes(), case.options);
        let (x, w, _) = operands(&case, &s);
        prop_assert_eq!(x.squeeze(1).conv1d(&w.squeeze(0), None, &options), x.conv2d(&w, None, &case.options).squeeze(1));
        prop_assert_eq!(
            x.squeeze(1).conv1d_then(&w.squeeze(0), None, &options, &Relu {}),
            x.conv2d_then(&w, None, &case.options, &Relu {}).squeeze(1)
        );
        let back = ConvTransposeOptions { stride: options.stride, padding: time, dilation: options.dilation, groups: options.groups, output_padding: [0] };
        let y = x.conv2d(&w, None, &case.options);
        match y.try_conv_transpose2d(&w, None, &back.over_two_axes()) {
            Ok(z) => prop_assert_eq!(y.squeeze(1).conv_transpose1d(&w.squeeze(0), None, &back), z.squeeze(1)),
            Err(_) => prop_assert!(y.squeeze(1).try_conv_transpose1d(&w.squeeze(0), None, &back).is_err()),
        }
    }
}

/// Sizes at which the work is split, and in which rows and images are worked on in several pieces.
fn large() -> Vec<Case> {
    let case = |batch, input, kernel, per_group, options| Case {
        batch,
        input,
        kernel,
        per_group,
        options,
    };
    let same = ConvOptions::new().padding(Padding::Same);
    vec![
        case(9, [28, 28], [3, 3], [1, 32], same),
        case(5, [14, 14], [3, 3], [32, 48], same),
        case(3, [33, 31], [3, 3], [16, 16], same.stride([2, 2])),
        case(3, [9, 70], [3, 3], [24, 72], same.dilation([2, 3])),
        case(2, [3, 330], [2, 4], [90, 17], ConvOptions::new()),
        case(2, [61, 40], [3, 3], [1, 1], same.groups(96)),
        case(3, [30, 20], [5, 3], [8, 8], same.groups(4).dilation([2, 2])),
        case(1, [64, 64], [1, 1], [40, 40], same),
    ]
}

#[test]
fn large_convolutions_have_the_bits_of_single_images() {
    let s = |seed| Style::plain(seed);
    for case in large() {
        let (x, w, g) = operands(&case, &(s(1), s(2), s(3)));
        let bias = view(&[case.channels()[1]], &s(4));
        let options = &case.options;
        let all = || {
            let y = x.conv2d(&w, Some(&bias), options);
            let dx = g.conv2d_input_gradient(&w, *x.shape(), options);
            let dw = x.conv2d_weight_gradient(&g, *w.shape(), options);
            let through = x.conv2d_gradients_through(&y, &g, *w.shape(), options, &Tanh {});
            let [dw_through, db] = through;
            [y, dx, dw, dw_through, db]
        };
        let want = by_definition(&case, &x, &w, &g);
        let outside = all();
        assert_all_close(&outside[0], &(&want[0] + &bias.to_f64()));
        assert_all_close(&outside[1], &want[1]);
        for (got, want) in outside[2].iter().zip(want[2].iter()) {
            assert_close(f64::from(got), want, 1e-4);
        }
        for count in [1, 2, 4] {
            assert_eq!(
                threads::scope_with(count, all),
                outside,
                "{count} threads, {case:?}"
            );
        }
        let last = case.batch - 1;
        let [x, g] = [&x, &g].map(|t| t.slice(0, last..last + 1));
        assert_eq!(
            x.conv2d(&w, Some(&bias), options),
            outside[0].slice(0, last..last + 1)
        );
        let dx = g.conv2d_input_gradient(&w, *x.shape(), options);
        assert_eq!(dx, outside[1].slice(0, last..last + 1));
    }
}
