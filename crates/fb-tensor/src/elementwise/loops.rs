//! The loops of one operation over tensors, as tables of pointers (see [`compiled`](crate::compiled)).

use super::{BinaryOp, UnaryOp, arithmetic};
use crate::compiled::PerFloat;
use crate::element::{Element, Float};
use crate::error::Result;
use crate::kernels::elementwise as kernel;
use crate::tensor::Tensor;
use std::marker::PhantomData;

/// What is done with an operation of one argument.
pub struct UnaryLoops<Op, F: Float> {
    /// See [`Tensor::map_op`].
    pub(super) map: fn(&Tensor<F>, &Op) -> Tensor<F>,
    /// `values = op(values)`
    pub(crate) map_in_place: fn(&mut [F], &Op),
    /// See [`Tensor::chain_op`].
    pub(super) chain: fn(&Tensor<F>, Tensor<F>, &Op) -> Tensor<F>,
}

impl<Op: UnaryOp, F: Float> UnaryLoops<Op, F> {
    /// The loops of an operation.
    #[allow(clippy::new_without_default, reason = "made in constants only")]
    pub const fn new() -> Self {
        Self {
            map: arithmetic::map,
            map_in_place: |values, op| kernel::map_in_place(op, values),
            chain: arithmetic::chain,
        }
    }
}

/// See [`Tensor::try_zip_op`].
type Zip<Op, A, B> = fn(&Tensor<A>, &Tensor<A>, &Op) -> Result<Tensor<B>>;

/// What is done with an operation of two arguments.
pub struct BinaryLoops<Op, A: Element, B: Element> {
    pub(super) zip: Zip<Op, A, B>,
}

impl<Op: BinaryOp<A, B>, A: Element, B: Element> BinaryLoops<Op, A, B> {
    /// The loops of an operation.
    #[allow(clippy::new_without_default, reason = "made in constants only")]
    pub const fn new() -> Self {
        Self {
            zip: arithmetic::zip,
        }
    }
}

/// What is done with an operation of two arguments of one shape.
pub struct PairLoops<Op, F: Float> {
    /// See [`Tensor::try_zip_same`].
    pub(super) zip: fn(&Tensor<F>, &Tensor<F>, &Op) -> Tensor<F>,
}

impl<Op: BinaryOp<F, F>, F: Float> PairLoops<Op, F> {
    /// The loops of an operation.
    #[allow(clippy::new_without_default, reason = "made in constants only")]
    pub const fn new() -> Self {
        Self {
            zip: arithmetic::zip_same,
        }
    }
}

/// What is done in place with an operation of two arguments.
pub struct AssignLoops<Op, A: Element> {
    /// `a = op(a, b)` if that can be done in place; whether it was.
    pub(super) assign: fn(&mut Tensor<A>, &Tensor<A>, &Op) -> bool,
    /// `a = op(a, b)` for a `b` of one element or as many.
    pub(crate) slices: fn(&mut [A], &[A], &Op),
}

impl<Op: BinaryOp<A, A>, A: Element> AssignLoops<Op, A> {
    /// The loops of an operation.
    #[allow(clippy::new_without_default, reason = "made in constants only")]
    pub const fn new() -> Self {
        Self {
            assign: arithmetic::assign,
            slices: |left, right, op| match right {
                [_] => kernel::zip_repeated_in_place(op, left, right),
                _ => kernel::zip_in_place(op, left, right),
            },
        }
    }
}

/// Chooses among [`UnaryLoops`].
pub struct UnaryTables<Op>(PhantomData<Op>);

impl<Op: UnaryOp> PerFloat for UnaryTables<Op> {
    type Of<F: Float> = UnaryLoops<Op, F>;
}

/// Chooses among [`BinaryLoops`].
pub struct BinaryTables<Op>(PhantomData<Op>);

impl<Op: 'static> PerFloat for BinaryTables<Op> {
    type Of<F: Float> = BinaryLoops<Op, F, F>;
}

/// Chooses among [`PairLoops`].
pub struct PairTables<Op>(PhantomData<Op>);

impl<Op: 'static> PerFloat for PairTables<Op> {
    type Of<F: Float> = PairLoops<Op, F>;
}

/// Chooses among [`AssignLoops`].
pub struct AssignTables<Op>(PhantomData<Op>);

impl<Op: 'static> PerFloat for AssignTables<Op> {
    type Of<F: Float> = AssignLoops<Op, F>;
}

/// The table of the loops of an operation for a type `F`, compiled in the crate where this is written.
#[doc(hidden)]
#[macro_export]
macro_rules! loops_table {
    (unary $Op:ty, $F:ty) => {{
        static SINGLE: $crate::ops::UnaryLoops<$Op, f32> = $crate::ops::UnaryLoops::new();
        static DOUBLE: $crate::ops::UnaryLoops<$Op, f64> = $crate::ops::UnaryLoops::new();
        <$F as $crate::Float>::choose::<$crate::ops::UnaryTables<$Op>>(&SINGLE, &DOUBLE)
    }};
    (binary $Op:ty, $F:ty) => {{
        static SINGLE: $crate::ops::BinaryLoops<$Op, f32, f32> = $crate::ops::BinaryLoops::new();
        static DOUBLE: $crate::ops::BinaryLoops<$Op, f64, f64> = $crate::ops::BinaryLoops::new();
        <$F as $crate::Float>::choose::<$crate::ops::BinaryTables<$Op>>(&SINGLE, &DOUBLE)
    }};
    (pair $Op:ty, $F:ty) => {{
        static SINGLE: $crate::ops::PairLoops<$Op, f32> = $crate::ops::PairLoops::new();
        static DOUBLE: $crate::ops::PairLoops<$Op, f64> = $crate::ops::PairLoops::new();
        <$F as $crate::Float>::choose::<$crate::ops::PairTables<$Op>>(&SINGLE, &DOUBLE)
    }};
    (assign $Op:ty, $F:ty) => {{
        static SINGLE: $crate::ops::AssignLoops<$Op, f32> = $crate::ops::AssignLoops::new();
        static DOUBLE: $crate::ops::AssignLoops<$Op, f64> = $crate::ops::AssignLoops::new();
        <$F as $crate::Float>::choose::<$crate::ops::AssignTables<$Op>>(&SINGLE, &DOUBLE)
    }};
}
