use crate::support::{assert_close, at_broadcast, cases, indices, shrunk, styles, view};
use fb_tensor::{Tensor, sum_of_products};
use proptest::collection::vec;
use proptest::prelude::*;

fn extents() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(0_usize), 2 => Just(1), 6 => 2_usize..9, 1 => 17_usize..40]
}

proptest! {
    #![proptest_config(cases(160))]

    #[test]
    fn batched_products_of_any_views(
        batch in vec(0_usize..4, 0..=3), drop in 0_usize..3, masks in any::<(u8, u8)>(), (m, k, n) in (extents(), extents(), extents()),
        left in styles(), right in styles(), swap in any::<bool>(),
    ) {
        let (full, part) = (shrunk(&batch, 0, masks.0 & masks.1), shrunk(&batch, drop, masks.0 & !masks.1));
        let (a_batch, b_batch) = if swap { (part, full) } else { (full, part) };
        let a = view(&[&a_batch[..], &[m, k]].concat(), &left);
        let b = view(&[&b_batch[..], &[k, n]].concat(), &right);
        let c = a.matmul(&b);
        let lead = c.rank() - 2;
        prop_assert_eq!(&c.dims()[lead..], &[m, n]);
        for index in indices(c.dims()) {
            let (i, j) = (index[lead], index[lead + 1]);
            let at = |t: &Tensor, row, column| f64::from(at_broadcast(t, &[&index[..lead], &[row, column]].concat()));
            let want: f64 = (0..k).map(|p| {
                // The batch axes broadcast, the matrix axes are as they are.
                at(&a, i, p) * at(&b, p, j)
            }).sum();
            assert_close(f64::from(c.at(&index)), want, 1e-5);
        }
    }

    #[test]
    fn vectors_are_rows_and_columns((m, k, n) in (extents(), extents(), extents()), s in (styles(), styles(), styles())) {
        let (row, matrix, column) = (view(&[k], &s.0), view(&[k, n], &s.1), view(&[n], &s.2));
        prop_assert_eq!(row.matmul(&matrix), row.unsqueeze(0).matmul(&matrix).squeeze(0));
        prop_assert_eq!(matrix.matmul(&column), matrix.matmul(&column.unsqueeze(1)).squeeze(1));
        prop_assert_eq!(row.matmul(&row.clone()).item(), row.dot(&row.clone()));
        let outer = column.outer(&row);
        for index in indices(&[n, k]) {
            prop_assert_eq!(outer.at(&index), column.at(&index[..1]) * row.at(&index[1..]));
        }
        let stack = view(&[2, m, k], &s.0);
        prop_assert_eq!(stack.matmul(&row), stack.matmul(&row.unsqueeze(1)).squeeze(2));
    }

    #[test]
    fn a_sum_of_products_is_the_sum_of_the_products(rows in vec(0_usize..20, 1..4), (m, n) in (1_usize..9, 1_usize..9), s in (styles(), styles())) {
        let pairs: Vec<(Tensor, Tensor)> = rows.iter().map(|&r| (view(&[r, m], &s.0), view(&[r, n], &s.1))).collect();
        let got = sum_of_products(&pairs);
        let mut want = Tensor::<f64>::zeros_of([m, n]);
        for (a, b) in &pairs {
            want.add_assign(&a.to_f64().transpose().matmul(&b.to_f64()));
        }
        for (got, want) in got.iter().zip(want.iter()) {
            assert_close(f64::from(got), want, 1e-5);
        }
    }

    #[test]
    fn neighbours_do_not_change_a_row((m, k, n) in (1_usize..70, 1_usize..900, 1_usize..40), pick in any::<prop::sample::Index>(), s in (styles(), styles())) {
        let (a, b) = (view(&[m, k], &s.0), view(&[k, n], &s.1));
        let row = pick.index(m);
        prop_assert_eq!(a.matmul(&b).slice(0, row..row + 1), a.slice(0, row..row + 1).matmul(&b));
    }
}
