use crate::support::{cases, indices, shapes, styles, view};
use fb_tensor::{Tensor, bf16, f16};
use ndarray_twin::twin;
use proptest::prelude::*;

/// The same elements as an `ndarray` array, built from single elements.
mod ndarray_twin {
    use fb_tensor::Tensor;
    use fb_tensor::ndarray::{ArrayD, IxDyn};

    pub fn twin(t: &Tensor<f32>) -> ArrayD<f32> {
        ArrayD::from_shape_fn(IxDyn(t.dims()), |index| {
            let index: Vec<usize> = (0..t.rank()).map(|a| index[a]).collect();
            t.at(&index)
        })
    }
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn every_way_to_read_a_view_agrees(shape in shapes(4), style in styles()) {
        let t = view(&shape, &style);
        let elements: Vec<f32> = indices(&shape).iter().map(|index| t.at(index)).collect();
        prop_assert_eq!(&t.to_vec(), &elements);
        prop_assert_eq!(&t.iter().collect::<Vec<_>>(), &elements);
        let copy = t.contiguous();
        prop_assert_eq!(copy.as_slice().unwrap(), &elements[..]);
        prop_assert_eq!(&t, &copy);
        prop_assert_eq!(t.view(), twin(&t));
        prop_assert_eq!(Tensor::from(t.clone().into_ndarray()), t.clone());
        prop_assert_eq!(Tensor::from(t.view().to_owned()), t.clone());
        if let Some(slice) = t.as_slice() {
            prop_assert_eq!(slice, &elements[..]);
        }
        let mut written = t.clone();
        written.make_mut().iter_mut().for_each(|x| *x += 1.0);
        prop_assert_eq!(written.to_vec(), elements.iter().map(|x| x + 1.0).collect::<Vec<_>>());
        prop_assert_eq!(t.to_vec(), elements);
    }

    #[test]
    fn views_are_those_of_ndarray(shape in shapes(4), style in styles(), axis in 0_usize..4, from in 0_usize..4, step in 1_usize..4) {
        prop_assume!(!shape.is_empty());
        let axis = axis % shape.len();
        let from = from.min(shape[axis]);
        let (t, a) = (view(&shape, &style), twin(&view(&shape, &style)));
        let nd = fb_tensor::ndarray::Axis(axis);
        let slice = fb_tensor::ndarray::Slice::from(from..).step_by(step as isize);
        prop_assert_eq!(twin(&t.slice_step(axis, from, shape[axis], step)), a.slice_axis(nd, slice));
        let mut flipped = a.clone();
        flipped.invert_axis(nd);
        prop_assert_eq!(twin(&t.flip(axis)), flipped);
        let mut swapped = a.clone();
        swapped.swap_axes(0, axis);
        prop_assert_eq!(twin(&t.swap_axes(0, axis)), swapped);
        prop_assert_eq!(twin(&t.unsqueeze(axis)), a.clone().insert_axis(nd));
        prop_assert_eq!(t.unsqueeze(axis).squeeze(axis), t.clone());
        if from < shape[axis] {
            prop_assert_eq!(twin(&t.index_axis(axis, from)), a.index_axis(nd, from));
        }
        let wide: Vec<usize> = [&[2], &shape[..]].concat();
        prop_assert_eq!(twin(&t.expand(wide.clone())), a.broadcast(wide).unwrap().to_owned());
    }

    #[test]
    fn a_permutation_and_its_inverse_change_nothing(shape in shapes(5), style in styles(), order in any::<u32>()) {
        let rank = shape.len();
        let mut axes: Vec<usize> = (0..rank).collect();
        for i in (1..rank).rev() {
            axes.swap(i, (order as usize >> i) % (i + 1));
        }
        let mut inverse = vec![0; rank];
        axes.iter().enumerate().for_each(|(to, &from)| inverse[from] = to);
        let t = view(&shape, &style);
        let there = t.permute(&axes);
        for index in indices(there.dims()) {
            let back: Vec<usize> = inverse.iter().map(|&i| index[i]).collect();
            prop_assert_eq!(there.at(&index), t.at(&back));
        }
        prop_assert_eq!(there.permute(&inverse), t.clone());
        prop_assert_eq!(there.contiguous().permute(&inverse), t);
    }

    #[test]
    fn reshaping_keeps_row_major_order(shape in shapes(4), style in styles()) {
        let t = view(&shape, &style);
        prop_assert_eq!(t.flatten().to_vec(), t.to_vec());
        prop_assert_eq!(t.flatten().reshape(&shape[..]), t.clone());
        prop_assert_eq!(*t.reshape([1, t.len()]).shape(), [1, t.len()]);
    }

    #[test]
    fn splitting_and_joining_change_nothing(shape in shapes(4), style in styles(), axis in 0_usize..4, cut in 0_usize..6, width in 1_usize..4) {
        prop_assume!(!shape.is_empty());
        let axis = axis % shape.len();
        let cut = cut.min(shape[axis]);
        let t = view(&shape, &style);
        let parts = t.split(axis, &[cut, shape[axis] - cut]);
        prop_assert_eq!(Tensor::concat(&[&parts[0], &parts[1]], axis), t.clone());
        if shape[axis] > 0 {
            let chunks = t.chunks(axis, width);
            prop_assert_eq!(Tensor::concat(&chunks.iter().collect::<Vec<_>>(), axis), t);
        }
    }
}

#[test]
fn a_large_transpose_is_copied_right() {
    let style_free = Tensor::from_vec((0..3 * 70 * 41).map(|i| i as f32).collect(), [3, 70, 41]);
    let turned = style_free.transpose();
    let copy = turned.contiguous();
    for index in indices(&[3, 41, 70]) {
        assert_eq!(
            copy.at(&index),
            style_free.at(&[index[0], index[2], index[1]])
        );
    }
}

#[test]
fn casts_round_truncate_and_saturate() {
    let x = Tensor::from([-1.5, 0.0, 0.1, 300.7]);
    assert_eq!(x.cast::<i64>().to_vec(), [-1, 0, 0, 300]);
    assert_eq!(x.cast::<u8>().to_vec(), [0, 0, 0, 255]);
    assert_eq!(x.cast::<bool>().to_vec(), [true, false, true, true]);
    assert_eq!(
        x.cast::<f16>().to_f32().to_vec(),
        [
            -1.5,
            0.0,
            f16::from_f32(0.1).to_f32(),
            f16::from_f32(300.7).to_f32()
        ]
    );
    assert_eq!(x.cast::<bf16>().to_f64().to_vec()[0], -1.5);
    assert_eq!(Tensor::from([true, false]).to_f32().to_vec(), [1.0, 0.0]);
}

#[test]
fn creation_gives_the_promised_numbers() {
    assert_eq!(Tensor::eye(2).to_vec(), [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(
        Tensor::linspace(0.0, 1.0, 5).to_vec(),
        [0.0, 0.25, 0.5, 0.75, 1.0]
    );
    assert_eq!(Tensor::linspace(3.0, 9.0, 1).to_vec(), [3.0]);
    assert_eq!(Tensor::arange(0).dims(), [0]);
    assert_eq!(Tensor::<f64>::ones_of([2, 0]).len(), 0);
    assert_eq!(Tensor::scalar(2.5).item(), 2.5);
}

/// Sizes on both sides of the tiles in which transposed views are read, split over threads and not.
#[test]
fn permuted_views_are_gathered_as_they_are_read() {
    let orders = [
        [0, 2, 3, 1],
        [0, 3, 1, 2],
        [3, 2, 1, 0],
        [1, 0, 3, 2],
        [2, 0, 1, 3],
    ];
    for shape in [
        [3, 17, 16, 33],
        [1, 7, 8, 40],
        [2, 64, 31, 50],
        [40, 1, 1, 300],
    ] {
        let t = Tensor::arange(shape.iter().product()).reshape(shape);
        for order in orders {
            let flipped = t.permute(&order).flip(1);
            for view in [t.permute(&order), flipped] {
                let got = fb_tensor::threads::scope_with(3, || view.contiguous());
                let places = indices(view.dims());
                let agree = places
                    .iter()
                    .zip(got.as_slice().unwrap())
                    .all(|(index, &x)| x == view.at(index));
                assert!(agree, "{shape:?} in the order {order:?}");
            }
        }
    }
}
