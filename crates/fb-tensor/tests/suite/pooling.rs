use crate::support::{Style, assert_close, cases, indices, styles, view, view_with};
use fb_tensor::{Padding, PoolOptions, Tensor, threads};
use proptest::prelude::*;
use std::ops::Range;

/// For each output along an axis the inputs of its window, and how many positions it has with the padding.
type Placed = Vec<(Range<usize>, usize)>;

/// The windows that slide along an axis, or none if some would see nothing.
fn sliding(input: usize, options: &PoolOptions<2>, axis: usize) -> Option<Placed> {
    let (size, stride) = (options.window[axis], options.stride[axis]);
    let (before, after) = match options.padding {
        Padding::Valid => (0, 0),
        Padding::Explicit(pairs) => pairs[axis],
        Padding::Same => {
            let missing = ((input.div_ceil(stride) - 1) * stride + size).saturating_sub(input);
            (missing / 2, missing - missing / 2)
        }
    };
    if before >= size || after >= size || input + before + after < size {
        return None;
    }
    let outputs = (input + before + after - size) / stride + 1;
    let place = |i: usize| {
        let inside = (0..input).filter(|x| (i * stride..i * stride + size).contains(&(x + before)));
        let inside: Vec<usize> = inside.collect();
        (inside[0]..inside[inside.len() - 1] + 1, size)
    };
    Some((0..outputs).map(place).collect())
}

fn adaptive(input: usize, outputs: usize) -> Placed {
    let place = |i: usize| {
        let start = (i as f64 * input as f64 / outputs as f64).floor() as usize;
        let end = ((i + 1) as f64 * input as f64 / outputs as f64).ceil() as usize;
        (start..end, end - start)
    };
    (0..outputs).map(place).collect()
}

/// Maxima with where they are, and averages, by the definition.
fn by_definition(
    x: &Tensor,
    rows: &Placed,
    columns: &Placed,
    count_padding: bool,
) -> (Tensor, Vec<Vec<usize>>, Tensor<f64>) {
    let (batch, channels) = (x.dim(0), x.dim(3));
    let shape = [batch, rows.len(), columns.len(), channels];
    let (mut maxima, mut places, mut averages) = (Vec::new(), Vec::new(), Vec::new());
    for index in indices(&shape) {
        let ((rows, high), (columns, wide)) = (&rows[index[1]], &columns[index[2]]);
        let mut best: Option<(f32, Vec<usize>)> = None;
        let mut sum = 0.0;
        for i in rows.clone() {
            for j in columns.clone() {
                let at = vec![index[0], i, j, index[3]];
                let value = x.at(&at);
                sum += f64::from(value);
                if best
                    .as_ref()
                    .is_none_or(|(best, _)| value > *best || value.is_nan())
                {
                    best = Some((value, at));
                }
            }
        }
        let (best, at) = best.unwrap();
        maxima.push(best);
        places.push(at);
        let count = if count_padding {
            high * wide
        } else {
            rows.len() * columns.len()
        };
        averages.push(sum / count as f64);
    }
    (
        Tensor::from_vec(maxima, shape),
        places,
        Tensor::from_vec(averages, shape),
    )
}

/// The gradient that comes back to the places of the maxima.
fn scattered(shape: &[usize], places: &[Vec<usize>], g: &Tensor) -> Tensor<f64> {
    let mut sums = Tensor::<f64>::zeros_of(shape.to_vec());
    let data = sums.make_mut();
    for (place, g) in places.iter().zip(g.iter()) {
        data[place.iter().zip(shape).fold(0, |at, (i, n)| at * n + i)] += f64::from(g);
    }
    sums
}

/// The gradient that comes back from averages.
fn spread(
    shape: &[usize],
    rows: &Placed,
    columns: &Placed,
    count_padding: bool,
    g: &Tensor,
) -> Tensor<f64> {
    let mut sums = Tensor::<f64>::zeros_of(shape.to_vec());
    let data = sums.make_mut();
    for (index, g) in indices(g.dims()).iter().zip(g.iter()) {
        let ((rows, high), (columns, wide)) = (&rows[index[1]], &columns[index[2]]);
        let count = if count_padding {
            high * wide
        } else {
            rows.len() * columns.len()
        };
        for i in rows.clone() {
            for j in columns.clone() {
                data[((index[0] * shape[1] + i) * shape[2] + j) * shape[3] + index[3]] +=
                    f64::from(g) / count as f64;
            }
        }
    }
    sums
}

fn assert_all_close(got: &Tensor, want: &Tensor<f64>) {
    assert_eq!(got.dims(), want.dims());
    for (got, want) in got.iter().zip(want.iter()) {
        assert_close(f64::from(got), want, 1e-5);
    }
}

fn images() -> impl Strategy<Value = Vec<usize>> {
    let channels = prop_oneof![4 => 0_usize..5, 1 => Just(16), 1 => Just(37), 1 => Just(115)];
    (0_usize..3, 1_usize..10, 1_usize..10, channels).prop_map(|(n, h, w, c)| vec![n, h, w, c])
}

fn options() -> impl Strategy<Value = PoolOptions<2>> {
    let two = |extents: Range<usize>| [extents.clone(), extents];
    let pair = || (0_usize..3, 0_usize..3);
    let padding = prop_oneof![
        2 => Just(Padding::Valid),
        1 => Just(Padding::Same),
        2 => (pair(), pair()).prop_map(|(a, b)| Padding::Explicit([a, b])),
    ];
    (two(1..6), two(1..4), any::<bool>(), padding, any::<bool>()).prop_map(
        |(window, stride, side_by_side, padding, count)| PoolOptions {
            window,
            stride: if side_by_side { window } else { stride },
            padding,
            count_include_pad: count,
        },
    )
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn windows_that_slide(shape in images(), options in options(), s in (styles(), styles()), few in any::<bool>()) {
        // With few values there are many equal ones.
        let x = view_with(&shape, &s.0, |x| if few { (2.0 * x).round() as f32 } else { x as f32 });
        let placed = (sliding(shape[1], &options, 0), sliding(shape[2], &options, 1));
        let (Some(rows), Some(columns)) = placed else {
            prop_assert!(x.try_max_pool2d(&options).is_err() && x.try_avg_pool2d(&options).is_err());
            return Ok(());
        };
        let (maxima, places, averages) = by_definition(&x, &rows, &columns, options.count_include_pad);
        prop_assert_eq!(x.max_pool2d(&options), maxima.clone());
        assert_all_close(&x.avg_pool2d(&options), &averages);
        let (same, offsets) = x.try_max_pool2d_with_offsets(&options).unwrap();
        prop_assert_eq!(&same, &maxima);
        let g = view(same.dims(), &s.1);
        assert_all_close(&offsets.gradient(&g), &scattered(&shape, &places, &g));
        assert_all_close(&g.avg_pool2d_gradient(*x.shape(), &options), &spread(&shape, &rows, &columns, options.count_include_pad, &g));
    }

    #[test]
    fn as_many_windows_as_wanted(shape in images(), outputs in [0_usize..12, 0..12], s in (styles(), styles())) {
        let x = view(&shape, &s.0);
        let (rows, columns) = (adaptive(shape[1], outputs[0]), adaptive(shape[2], outputs[1]));
        let (maxima, places, averages) = by_definition(&x, &rows, &columns, false);
        let (same, offsets) = x.try_adaptive_max_pool2d_with_offsets(outputs).unwrap();
        prop_assert_eq!(&same, &maxima);
        prop_assert_eq!(x.adaptive_max_pool2d(outputs), maxima);
        assert_all_close(&x.adaptive_avg_pool2d(outputs), &averages);
        let g = view(same.dims(), &s.1);
        assert_all_close(&offsets.gradient(&g), &scattered(&shape, &places, &g));
        assert_all_close(&g.adaptive_avg_pool2d_gradient(*x.shape()), &spread(&shape, &rows, &columns, false, &g));
    }

    #[test]
    fn series_are_images_of_one_row(shape in images(), options in options(), outputs in 0_usize..9, s in styles()) {
        let x = view(&[shape[0], 1, shape[2], shape[3]], &s);
        let series = x.squeeze(1);
        let padding = match options.padding {
            Padding::Explicit([_, time]) => Padding::Explicit([time]),
            Padding::Same => Padding::Same,
            Padding::Valid => Padding::Valid,
        };
        let one = PoolOptions { window: [options.window[1]], stride: [options.stride[1]], padding, count_include_pad: options.count_include_pad };
        let two = one.over_two_axes();
        match x.try_max_pool2d(&two) {
            Ok(want) => {
                prop_assert_eq!(series.max_pool1d(&one), want.squeeze(1));
                prop_assert_eq!(series.try_max_pool1d_with_offsets(&one).unwrap().0, want.squeeze(1));
                prop_assert_eq!(series.avg_pool1d(&one), x.avg_pool2d(&two).squeeze(1));
            }
            Err(_) => prop_assert!(series.try_max_pool1d(&one).is_err() && series.try_avg_pool1d(&one).is_err()),
        }
        prop_assert_eq!(series.adaptive_avg_pool1d(outputs), x.adaptive_avg_pool2d([1, outputs]).squeeze(1));
        prop_assert_eq!(series.adaptive_max_pool1d(outputs), x.adaptive_max_pool2d([1, outputs]).squeeze(1));
        prop_assert_eq!(series.try_adaptive_max_pool1d_with_offsets(outputs).unwrap().0, series.adaptive_max_pool1d(outputs));
    }

    #[test]
    fn the_whole_image_is_a_window(shape in images(), s in styles()) {
        let x = view(&shape, &s);
        let (n, c) = (shape[0], shape[3]);
        assert_all_close(&x.global_avg_pool(), &x.to_f64().mean_axes(&[1, 2], false));
        prop_assert_eq!(x.global_max_pool(), x.adaptive_max_pool2d([1, 1]).reshape([n, c]));
        prop_assert_eq!(x.try_global_max_pool_with_offsets().unwrap().0, x.global_max_pool());
        let series = x.reshape([n, shape[1] * shape[2], c]);
        prop_assert_eq!(series.global_avg_pool(), x.global_avg_pool());
    }
}

#[test]
fn nan_is_before_all_and_the_last_one_gets_the_gradient() {
    let x = Tensor::from_vec(
        vec![
            1.0,
            f32::NAN,
            3.0,
            f32::NAN,
            2.0,
            2.0,
            2.0,
            f32::NEG_INFINITY,
        ],
        [1, 2, 4, 1],
    );
    let options = PoolOptions::new([2, 2]);
    let (y, offsets) = x.try_max_pool2d_with_offsets(&options).unwrap();
    assert!(y.iter().all(f32::is_nan));
    let g = offsets.gradient(&Tensor::<f32>::ones([1, 1, 2, 1]));
    assert_eq!(g.to_vec(), [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    let low = Tensor::full([1, 2, 2, 1], f32::NEG_INFINITY);
    let (y, offsets) = low.try_max_pool2d_with_offsets(&options).unwrap();
    assert_eq!(y.item(), f32::NEG_INFINITY);
    assert_eq!(
        offsets.gradient(&y).to_vec(),
        [f32::NEG_INFINITY, 0.0, 0.0, 0.0]
    );
}

#[test]
fn large_images_are_split_and_windows_of_many_positions_looked_up() {
    let x = view(&[3, 70, 67, 40], &Style::plain(1));
    for options in [
        PoolOptions::new([2, 2]),
        PoolOptions::new([3, 3]).stride([2, 2]),
        PoolOptions::new([33, 20]),
    ] {
        let (rows, columns) = (
            sliding(70, &options, 0).unwrap(),
            sliding(67, &options, 1).unwrap(),
        );
        let (maxima, places, averages) = by_definition(&x, &rows, &columns, true);
        let pooled = || {
            let (y, offsets) = x.try_max_pool2d_with_offsets(&options).unwrap();
            let g = offsets.gradient(&y);
            (y, g, x.avg_pool2d(&options))
        };
        let (y, g, average) = threads::scope(pooled);
        assert_eq!(y, maxima);
        assert_all_close(&g, &scattered(x.dims(), &places, &y));
        assert_all_close(&average, &averages);
    }
}
