use crate::support::{assert_close, cases, indices, number, shapes, styles, view, view_with};
use fb_tensor::Tensor;
use proptest::collection::vec;
use proptest::prelude::*;

/// Indices below `extent` in a view of any kind.
fn picks(shape: &[usize], extent: usize, style: &crate::support::Style) -> Tensor<i64> {
    view_with(shape, style, |x| {
        (((x + 1.0) / 2.0 * extent as f64) as i64).min(extent as i64 - 1)
    })
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn gathering_and_its_adjoint(shape in shapes(4), axis in 0_usize..4, count in 0_usize..7, less in 0_usize..2, s in (styles(), styles(), styles())) {
        prop_assume!(!shape.is_empty());
        let axis = axis % shape.len();
        prop_assume!(shape[axis] > 0);
        let x = view(&shape, &s.0);
        let mut wanted: Vec<usize> = shape.iter().map(|&n| n.saturating_sub(less)).collect();
        wanted[axis] = count;
        let index = picks(&wanted, shape[axis], &s.1);
        let got = x.gather(axis, &index);
        prop_assert_eq!(got.dims(), &wanted[..]);
        let mut scattered = x.to_f64();
        let source = view(&wanted, &s.2);
        for place in indices(&wanted) {
            let mut from = place.clone();
            from[axis] = index.at(&place) as usize;
            prop_assert_eq!(got.at(&place), x.at(&from));
            let flat = from.iter().zip(&shape).fold(0, |at, (&i, &n)| at * n + i);
            scattered.make_mut()[flat] += f64::from(source.at(&place));
        }
        for (got, want) in x.scatter_add(axis, &index, &source).iter().zip(scattered.iter()) {
            assert_close(f64::from(got), want, 1e-5);
        }
        // ⟨gather(x), s⟩ = ⟨x, scatter(s)⟩
        let left = (got.to_f64() * &source.to_f64()).sum();
        let right = (x.to_f64().zeros_like().scatter_add(axis, &index, &source.to_f64()) * &x.to_f64()).sum();
        assert_close(left, right, 1e-9);
    }

    #[test]
    fn selecting_and_its_adjoint(shape in shapes(4), axis in 0_usize..4, count in 0_usize..7, s in (styles(), styles(), styles())) {
        prop_assume!(!shape.is_empty());
        let axis = axis % shape.len();
        prop_assume!(shape[axis] > 0);
        let x = view(&shape, &s.0);
        let index = picks(&[count], shape[axis], &s.1);
        let parts: Vec<Tensor> = index.iter().map(|i| x.slice(axis, i as usize..i as usize + 1)).collect();
        let got = x.index_select(axis, &index);
        if count > 0 {
            prop_assert_eq!(&got, &Tensor::concat(&parts.iter().collect::<Vec<_>>(), axis));
        }
        let source = view(got.dims(), &s.2);
        let left = (got.to_f64() * &source.to_f64()).sum();
        let right = (x.to_f64().zeros_like().index_add(axis, &index, &source.to_f64()) * &x.to_f64()).sum();
        assert_close(left, right, 1e-9);
        if axis == 0 {
            let rows: Vec<usize> = index.iter().map(|i| i as usize).collect();
            prop_assert_eq!(x.select_rows(&rows), got);
        }
    }

    #[test]
    fn padding_puts_a_border_around(shape in shapes(3), border in vec((0_usize..3, 0_usize..3), 3), style in styles()) {
        let x = view(&shape, &style);
        let border = &border[..shape.len()];
        let got = x.pad(border, 7.0);
        for index in indices(got.dims()) {
            let inside: Option<Vec<usize>> = index.iter().zip(border).zip(&shape)
                .map(|((&i, &(before, _)), &n)| i.checked_sub(before).filter(|&i| i < n)).collect();
            prop_assert_eq!(got.at(&index), inside.map_or(7.0, |i| x.at(&i)));
        }
        let mut back = got;
        for (axis, &(before, _)) in border.iter().enumerate() {
            back = back.narrow(axis, before, shape[axis]);
        }
        prop_assert_eq!(back, x);
    }

    #[test]
    fn repeating_rolling_and_stacking(shape in shapes(3), axis in 0_usize..3, times in 0_usize..4, shift in -7_i64..8, s in (styles(), styles())) {
        let (x, y) = (view(&shape, &s.0), view(&shape, &s.1));
        let stacked = Tensor::stack(&[&x, &y], axis.min(shape.len()));
        prop_assert_eq!(&stacked.index_axis(axis.min(shape.len()), 0), &x);
        prop_assert_eq!(&stacked.index_axis(axis.min(shape.len()), 1), &y);
        prop_assume!(!shape.is_empty());
        let axis = axis % shape.len();
        if times > 0 {
            prop_assert_eq!(x.repeat(axis, times), Tensor::concat(&vec![&x; times], axis));
        }
        prop_assert_eq!(x.repeat(axis, 0).dim(axis), 0);
        let rolled = x.roll(axis, shift);
        for index in indices(&shape) {
            let mut to = index.clone();
            to[axis] = (index[axis] as i64 + shift).rem_euclid(shape[axis] as i64) as usize;
            prop_assert_eq!(rolled.at(&to), x.at(&index));
        }
        prop_assert_eq!(rolled.roll(axis, -shift), x);
    }

    #[test]
    fn unit_vectors_name_their_class(shape in shapes(3), classes in 1_usize..6, style in styles()) {
        let index = picks(&shape, classes, &style);
        let hot = Tensor::one_hot(&index, classes);
        prop_assert_eq!(hot.sum_axes(&[shape.len()], false), Tensor::ones(&shape[..]));
        prop_assert_eq!(hot.argmax(shape.len()), index);
    }

    #[test]
    fn triangles_split_at_a_diagonal((batch, rows, columns) in (0_usize..3, 0_usize..6, 0_usize..6), diagonal in -7_i64..8, style in styles()) {
        let x = view(&[batch, rows, columns], &style);
        prop_assert_eq!(x.tril(diagonal) + x.triu(diagonal + 1), x.clone() + 0.0);
        for index in indices(&[batch, rows, columns]) {
            let stays = index[2] as i64 - index[1] as i64 <= diagonal;
            prop_assert_eq!(x.tril(diagonal).at(&index), if stays { x.at(&index) } else { 0.0 });
        }
    }
}

#[test]
fn rows_are_selected_from_views_without_copying_the_rest() {
    let x = Tensor::from_fn([5, 4, 3], |i| number(i[0] * 12 + i[1] * 3 + i[2], 5) as f32);
    let part = x.slice(1, 1..3).flip(2);
    let got = part.select_rows(&[4, 0, 4]);
    for (to, from) in [(0, 4), (1, 0), (2, 4)] {
        assert_eq!(got.index_axis(0, to), part.index_axis(0, from));
    }
    assert_eq!(x.select_rows(&[]).dims(), [0, 4, 3]);
}

#[test]
fn indices_of_every_type_of_element() {
    let labels = Tensor::from([5_i64, 6, 7]);
    assert_eq!(labels.select_rows(&[2, 0]).to_vec(), [7, 5]);
    assert_eq!(Tensor::concat(&[&labels, &labels], 0).len(), 6);
    assert_eq!(
        Tensor::from([true]).pad(&[(1, 0)], false).to_vec(),
        [false, true]
    );
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn an_embedding_is_a_selection_of_rows(lead in vec(0_usize..5, 0..=3), (rows, width) in (1_usize..9, 0_usize..7), s in (styles(), styles())) {
        let table = view(&[rows, width], &s.0);
        let index = view_with(&lead, &s.1, |x| ((x + 1.0) / 2.0 * rows as f64) as i64);
        let got = table.embedding(&index, Some(0));
        prop_assert_eq!(got.dims(), &[&lead[..], &[width]].concat()[..]);
        let flat = table.index_select(0, &index.flatten());
        prop_assert_eq!(got.flatten(), flat.flatten());
        let mut sum = vec![1.0; rows * width];
        fb_tensor::add_rows(&mut sum, &index, &got, None);
        let want = Tensor::ones([rows, width]).index_add(0, &index.flatten(), &flat);
        prop_assert_eq!(sum, want.to_vec());
    }
}
