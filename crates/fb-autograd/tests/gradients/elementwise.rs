//! Functions of each element, made from their list.

use super::{Row, row};
use fb_tensor::{Tensor, for_each_unary_op};

macro_rules! rows_of_list {
    ($(
        $(#[$doc:meta])*
        $name:ident($($parameter:ident : $type:ty),*) $Op:ident, saves $saves:ident, costs $cost:literal;
        |$x:pat_param| $value:expr; |$s:pat_param| $derivative:expr; check ($($at:expr),*) at [$($point:expr),*];
    )*) => {
        pub(crate) fn rows() -> Vec<Row> {
            vec![$(row(stringify!($name), [three_rows(&[$($point),*])], |v| v[0].$name($($at),*))),*]
        }
    };
}

for_each_unary_op!(rows_of_list);

/// The points in three rows, each beginning one further.
fn three_rows(points: &[f64]) -> Tensor<f64> {
    Tensor::from_fn([3, points.len()], |at| {
        points[(at[0] + at[1]) % points.len()]
    })
}
