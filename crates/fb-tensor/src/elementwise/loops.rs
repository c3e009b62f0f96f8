//! One operation over tensors, and its loops as tables of pointers (see [`compiled`](crate::compiled)).

use super::{BinaryOp, UnaryOp};
use crate::compiled::PerFloat;
use crate::element::{Element, Float};
use crate::error::Result;
use crate::kernels::elementwise as kernel;
use crate::layout::{Layout, Walk};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// What is done with an operation of one argument.
pub struct UnaryLoops<Op, F: Float> {
    /// See [`Tensor::map_op`].
    pub(super) map: fn(&Tensor<F>, &Op) -> Tensor<F>,
    /// `values = op(values)`
    pub(crate) map_in_place: fn(&mut [F], &Op),
    /// See [`Tensor::chain_op`].
    pub(super) chain: fn(&Tensor<F>, Tensor<F>, &Op) -> Tensor<F>,
    /// `gradient = gradient · op'(saved)`
    pub(crate) chain_in_place: fn(&[F], &mut [F], &Op),
}

impl<Op: UnaryOp, F: Float> UnaryLoops<Op, F> {
    /// The loops of an operation.
    #[allow(clippy::new_without_default, reason = "made in constants only")]
    pub const fn new() -> Self {
        Self {
            map,
            map_in_place: |values, op| kernel::map_in_place(op, values),
            chain,
            chain_in_place: |saved, gradient, op| kernel::chain(op, saved, gradient),
        }
    }
}

/// See [`Tensor::try_zip_op`].
type Zip<Op, A, B> = fn(&Tensor<A>, &Tensor<A>, &Op) -> Result<Tensor<B>>;

/// What is done with an operation of two arguments.
pub struct BinaryLoops<Op, A: Element, B: Element> {
    pub(super) zip: Zip<Op, A, B>,
}

/// [`BinaryLoops`] from numbers to numbers.
pub type ArithmeticLoops<Op, F> = BinaryLoops<Op, F, F>;

impl<Op: BinaryOp<A, B>, A: Element, B: Element> BinaryLoops<Op, A, B> {
    /// The loops of an operation.
    #[allow(clippy::new_without_default, reason = "made in constants only")]
    pub const fn new() -> Self {
        Self { zip }
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
        Self { zip: zip_same }
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
            assign,
            slices: |left, right, op| match right {
                [_] => kernel::zip_repeated_in_place(op, left, right),
                _ => kernel::zip_in_place(op, left, right),
            },
        }
    }
}

/// The table for one type stands for its family.
impl<Op: UnaryOp> PerFloat for UnaryLoops<Op, f32> {
    type Of<F: Float> = UnaryLoops<Op, F>;
}

impl<Op: 'static> PerFloat for ArithmeticLoops<Op, f32> {
    type Of<F: Float> = ArithmeticLoops<Op, F>;
}

impl<Op: 'static> PerFloat for PairLoops<Op, f32> {
    type Of<F: Float> = PairLoops<Op, F>;
}

impl<Op: 'static> PerFloat for AssignLoops<Op, f32> {
    type Of<F: Float> = AssignLoops<Op, F>;
}

/// The table of the loops of an operation for a type `F`, compiled in the crate where this is written.
#[doc(hidden)]
#[macro_export]
macro_rules! loops_table {
    ($Loops:ident, $Op:ty, $F:ty) => {{
        use $crate::ops::$Loops;
        static SINGLE: $Loops<$Op, f32> = $Loops::new();
        static DOUBLE: $Loops<$Op, f64> = $Loops::new();
        <$F as $crate::Float>::choose::<$Loops<$Op, f32>>(&SINGLE, &DOUBLE)
    }};
}

/// `op(left, right)` with broadcasting.
fn zip<A: Element, B: Element, Op: BinaryOp<A, B>>(
    left: &Tensor<A>,
    right: &Tensor<A>,
    op: &Op,
) -> Result<Tensor<B>> {
    if let (Some(a), Some(b)) = (left.as_slice(), right.as_slice()) {
        if left.shape() == right.shape() {
            return Ok(Tensor::filled_by(*left.shape(), |out| {
                kernel::zip(op, a, b, out)
            }));
        }
        if repeats(right.shape(), left.shape()) {
            return Ok(Tensor::filled_by(*left.shape(), |out| {
                kernel::zip_repeated(op, a, b, out)
            }));
        }
        if repeats(left.shape(), right.shape()) {
            let op = &Flipped { op: *op };
            return Ok(Tensor::filled_by(*right.shape(), |out| {
                kernel::zip_repeated(op, b, a, out)
            }));
        }
    }
    let shape = left.shape().broadcast(right.shape(), Op::NAME)?;
    Ok(zip_broadcast(left, right, shape, op))
}

/// `left = op(left, other)` in place if `left` is contiguous, unshared and as large as the result.
fn assign<T: Element, Op: BinaryOp<T, T>>(
    left: &mut Tensor<T>,
    other: &Tensor<T>,
    op: &Op,
) -> bool {
    if !left.is_contiguous() {
        return false;
    }
    let shape = *left.shape();
    if shape == *other.shape() {
        let Some(values) = left.unique_slice() else {
            return false;
        };
        match other.as_slice() {
            Some(right) => kernel::zip_in_place(op, values, right),
            None => kernel::zip_in_place(
                op,
                values,
                other.contiguous().as_slice().expect("made contiguous"),
            ),
        }
        return true;
    }
    if shape.broadcast(other.shape(), Op::NAME).as_ref() != Ok(&shape) {
        return false;
    }
    let Some(values) = left.unique_slice() else {
        return false;
    };
    match other.as_slice() {
        Some(right) if repeats(other.shape(), &shape) => {
            kernel::zip_repeated_in_place(op, values, right)
        }
        _ => {
            let target = Layout::row_major(shape);
            let other = with_simple_rows(other, shape);
            let walk = Walk::new([&target, &other.layout().broadcast_to(shape)]);
            kernel::zip_walk_in_place(op, values, other.storage_slice(), &walk);
        }
    }
    true
}

/// Whether stretching `small` to `large` repeats its elements as a whole, one round after the other.
#[inline]
fn repeats(small: &Shape, large: &Shape) -> bool {
    let Some(lead) = large.len().checked_sub(small.len()) else {
        return false;
    };
    // Once an axis is not stretched, none further in may be.
    let mut inside = false;
    small.iter().zip(&large[lead..]).all(|(&own, &wanted)| {
        inside |= own != 1;
        own == wanted || !inside
    })
}

/// An operation with its arguments exchanged.
#[derive(Clone, Copy)]
struct Flipped<Op> {
    op: Op,
}

impl<A: Element, B: Element, Op: BinaryOp<A, B>> BinaryOp<A, B> for Flipped<Op> {
    const NAME: &'static str = Op::NAME;
    const PICOSECONDS: usize = Op::PICOSECONDS;

    #[inline(always)]
    fn value(&self, left: A, right: A) -> B {
        self.op.value(right, left)
    }
}

/// The way of [`zip`] for views of any kind.
fn zip_broadcast<T: Element, U: Element, Op: BinaryOp<T, U>>(
    left: &Tensor<T>,
    right: &Tensor<T>,
    shape: Shape,
    op: &Op,
) -> Tensor<U> {
    let (left, right) = (
        with_simple_rows(left, shape),
        with_simple_rows(right, shape),
    );
    let walk = Walk::new([
        &left.layout().broadcast_to(shape),
        &right.layout().broadcast_to(shape),
    ]);
    Tensor::filled_by(shape, |out| {
        kernel::zip_walk(op, left.storage_slice(), right.storage_slice(), &walk, out)
    })
}

/// `op` of each element.
fn map<F: Float, Op: UnaryOp>(t: &Tensor<F>, op: &Op) -> Tensor<F> {
    match t.as_slice() {
        Some(input) => Tensor::filled_by(*t.shape(), |out| kernel::map(op, input, out)),
        None => t.contiguous().map_op_into(op),
    }
}

/// `gradient · op'(saved)` of tensors of one shape.
fn chain<F: Float, Op: UnaryOp>(saved: &Tensor<F>, mut gradient: Tensor<F>, op: &Op) -> Tensor<F> {
    match saved.as_slice() {
        Some(values) => kernel::chain(op, values, gradient.make_mut()),
        None => return chain(&saved.contiguous(), gradient, op),
    }
    gradient
}

/// `op` of each pair of elements of tensors of one shape.
fn zip_same<F: Float, Op: BinaryOp<F, F>>(
    left: &Tensor<F>,
    right: &Tensor<F>,
    op: &Op,
) -> Tensor<F> {
    match (left.as_slice(), right.as_slice()) {
        (Some(a), Some(b)) => Tensor::filled_by(*left.shape(), |out| kernel::zip(op, a, b, out)),
        _ => zip_same(&left.contiguous(), &right.contiguous(), op),
    }
}

/// A tensor that can be read row by row when it is stretched to `shape`, in innermost steps of 0 or 1: itself or a
/// contiguous copy.
fn with_simple_rows<T: Element>(t: &Tensor<T>, shape: Shape) -> Tensor<T> {
    let stretched = t.layout().broadcast_to(shape);
    // The innermost axis that has more than one position decides.
    let inner = shape
        .iter()
        .zip(stretched.strides())
        .rev()
        .find(|&(&extent, _)| extent > 1);
    if inner.is_none_or(|(_, &step)| matches!(step, 0 | 1)) {
        t.clone()
    } else {
        t.contiguous()
    }
}
