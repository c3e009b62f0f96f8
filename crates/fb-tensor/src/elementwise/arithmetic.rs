//! Broadcasting application of two-argument functions, and the operators.

use super::binary::{Add, Div, Maximum, Minimum, Mul, Pow, Sub};
use super::{BinaryOp, UnaryOp, unary};
use crate::element::{Element, Float};
use crate::error::{OrPanic, Result};
use crate::kernels::elementwise as kernel;
use crate::kernels::elementwise::Row;
use crate::layout::Walk;
use crate::shape::Shape;
use crate::tensor::Tensor;
use std::ops;

impl<T: Element> Tensor<T> {
    /// `op(self, other)` with broadcasting.
    ///
    /// # Errors
    /// The shapes do not broadcast.
    pub fn try_zip_op<U: Element, Op: BinaryOp<T, U>>(&self, other: &Self, op: &Op) -> Result<Tensor<U>> {
        if self.shape() == other.shape()
            && let (Some(a), Some(b)) = (self.as_slice(), other.as_slice())
        {
            return Ok(Tensor::filled_by(*self.shape(), |out| kernel::zip_row(op, Row::Slice(a), Row::Slice(b), out)));
        }
        let shape = self.shape().broadcast(other.shape(), Op::NAME)?;
        Ok(zip_broadcast(self, other, shape, op))
    }

    /// `op(self, other)` with broadcasting, writing over `self` where it has the result's shape and no other owner.
    #[track_caller]
    pub(crate) fn zip_into<Op: BinaryOp<T, T>>(mut self, other: &Self, op: &Op) -> Self {
        if self.zip_assign_if_possible(other, op) { self } else { self.try_zip_op(other, op).or_panic() }
    }

    /// `self = op(self, other)` in place if `self` is contiguous, unshared and as large as the result.
    fn zip_assign_if_possible<Op: BinaryOp<T, T>>(&mut self, other: &Self, op: &Op) -> bool {
        if !self.is_contiguous() || self.shape().broadcast(other.shape(), Op::NAME).as_ref() != Ok(self.shape()) {
            return false;
        }
        let shape = *self.shape();
        let Some(left) = self.unique_slice() else {
            return false;
        };
        if shape == *other.shape()
            && let Some(right) = other.as_slice()
        {
            kernel::zip_row_in_place(op, left, Row::Slice(right));
            return true;
        }
        let other = other.with_simple_rows();
        let target = crate::layout::Layout::row_major(shape);
        let view = other.layout().broadcast_to(shape);
        let walk = Walk::new([&target, &view]);
        let (length, [_, step]) = walk.inner();
        if !matches!(step, 0 | 1) {
            let other = other.broadcast_to(shape).contiguous();
            let right = other.as_slice().expect("made contiguous");
            kernel::zip_row_in_place(op, left, Row::Slice(right));
            return true;
        }
        let data = other.storage_slice();
        walk.rows(|[at, from]| {
            kernel::zip_row_in_place(op, &mut left[at..at + length], row(data, from, length, step));
        });
        true
    }

    /// A tensor whose innermost steps are 0 or 1, as row kernels want them: itself or a contiguous copy.
    fn with_simple_rows(&self) -> Self {
        let simple = self.strides().last().is_none_or(|&s| s == 1 || s == 0)
            || self.dims().last().is_some_and(|&n| n == 1) && self.is_contiguous();
        if simple { self.clone() } else { self.contiguous() }
    }
}

fn zip_broadcast<T: Element, U: Element, Op: BinaryOp<T, U>>(left: &Tensor<T>, right: &Tensor<T>, shape: Shape, op: &Op) -> Tensor<U> {
    let (left, right) = (left.with_simple_rows(), right.with_simple_rows());
    let (left_view, right_view) = (left.layout().broadcast_to(shape), right.layout().broadcast_to(shape));
    let walk = Walk::new([&left_view, &right_view]);
    let (length, [left_step, right_step]) = walk.inner();
    if ![left_step, right_step].iter().all(|step| matches!(step, 0 | 1)) {
        // Merging can leave an innermost axis that is strided (an outer axis next to ones of extent 1).
        return zip_broadcast(&left.broadcast_to(shape).contiguous(), &right.broadcast_to(shape).contiguous(), shape, op);
    }
    Tensor::filled_by(shape, |out| {
        let mut rows = out.chunks_exact_mut(length.max(1));
        walk.rows(|[a, b]| {
            let out = rows.next().expect("as many rows as the output has");
            kernel::zip_row(op, row(left.storage_slice(), a, length, left_step), row(right.storage_slice(), b, length, right_step), out);
        });
    })
}

fn row<T: Element>(data: &[T], at: usize, length: usize, step: isize) -> Row<'_, T> {
    if step == 0 { Row::Value(data[at]) } else { Row::Slice(&data[at..at + length]) }
}

impl<F: Float> Tensor<F> {
    /// `op` of each element.
    pub fn map_op<Op: UnaryOp>(&self, op: &Op) -> Self {
        match self.as_slice() {
            Some(input) => Self::filled_by(*self.shape(), |out| kernel::map(op, input, out)),
            None => self.contiguous().map_op_into(op),
        }
    }

    /// `op` of each element, written over the tensor if nothing else shares it.
    pub fn map_op_into<Op: UnaryOp>(mut self, op: &Op) -> Self {
        if self.is_contiguous()
            && let Some(values) = self.unique_slice()
        {
            kernel::map_in_place(op, values);
            return self;
        }
        self.map_op(op)
    }

    /// The gradient through `op`: `gradient · op'(saved)`, where `saved` is what [`UnaryOp::SAVES`] says.
    ///
    /// Written over `gradient` if nothing else shares it.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn chain_op<Op: UnaryOp>(saved: &Self, mut gradient: Self, op: &Op) -> Self {
        assert_eq!(saved.shape(), gradient.shape(), "{}: gradient has the shape of the result", Op::NAME);
        let saved = saved.contiguous();
        let values = saved.as_slice().expect("made contiguous");
        if gradient.is_contiguous()
            && let Some(gradient_values) = gradient.unique_slice()
        {
            kernel::chain_in_place(op, values, gradient_values);
            return gradient;
        }
        let gradient = gradient.contiguous();
        let gradient_values = gradient.as_slice().expect("made contiguous");
        Self::filled_by(*saved.shape(), |out| kernel::chain(op, values, gradient_values, out))
    }

    /// The larger of each pair of elements, with broadcasting; NaN if either is NaN.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    #[must_use]
    pub fn maximum(&self, other: &Self) -> Self {
        self.try_zip_op(other, &Maximum).or_panic()
    }

    /// The smaller of each pair of elements, with broadcasting; NaN if either is NaN.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    #[must_use]
    pub fn minimum(&self, other: &Self) -> Self {
        self.try_zip_op(other, &Minimum).or_panic()
    }

    /// Each element to the power of the other's, with broadcasting.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    #[must_use]
    pub fn pow(&self, other: &Self) -> Self {
        self.try_zip_op(other, &Pow).or_panic()
    }

    /// `self += other` in place (copying first if the elements are shared), with `other` broadcast.
    ///
    /// # Panics
    /// If `other` does not broadcast to this shape.
    #[track_caller]
    pub fn add_assign(&mut self, other: &Self) {
        if !self.zip_assign_if_possible(other, &Add) {
            let sum = self.try_zip_op(other, &Add).or_panic();
            assert_eq!(sum.shape(), self.shape(), "add_assign: {} does not broadcast to {}", other.shape(), self.shape());
            *self = sum;
        }
    }
}

macro_rules! operators {
    ($($Op:ident $method:ident $try_method:ident $symbol:literal, |$x:ident, $s:ident| $scalar:expr;)*) => {
        $(
            impl<F: Float> Tensor<F> {
                #[doc = concat!("`self ", $symbol, " other` with broadcasting.")]
                ///
                /// # Errors
                /// The shapes do not broadcast.
                pub fn $try_method(&self, other: &Self) -> Result<Self> {
                    self.try_zip_op(other, &$Op)
                }
            }

            #[doc = concat!("`a ", $symbol, " b` with broadcasting.")]
            ///
            /// # Panics
            /// If the shapes do not broadcast.
            impl<F: Float> ops::$Op<&Tensor<F>> for &Tensor<F> {
                type Output = Tensor<F>;
                #[track_caller]
                fn $method(self, other: &Tensor<F>) -> Tensor<F> {
                    self.try_zip_op(other, &$Op).or_panic()
                }
            }

            #[doc = concat!("`a ", $symbol, " b` with broadcasting, written over `a` if nothing else shares it.")]
            ///
            /// # Panics
            /// If the shapes do not broadcast.
            impl<F: Float> ops::$Op<&Tensor<F>> for Tensor<F> {
                type Output = Tensor<F>;
                #[track_caller]
                fn $method(self, other: &Tensor<F>) -> Tensor<F> {
                    self.zip_into(other, &$Op)
                }
            }

            #[doc = concat!("`a ", $symbol, " b` with broadcasting, written over `a` if nothing else shares it.")]
            ///
            /// # Panics
            /// If the shapes do not broadcast.
            impl<F: Float> ops::$Op<Tensor<F>> for Tensor<F> {
                type Output = Tensor<F>;
                #[track_caller]
                fn $method(self, other: Tensor<F>) -> Tensor<F> {
                    self.zip_into(&other, &$Op)
                }
            }

            #[doc = concat!("`a ", $symbol, " b` with broadcasting.")]
            ///
            /// # Panics
            /// If the shapes do not broadcast.
            impl<F: Float> ops::$Op<Tensor<F>> for &Tensor<F> {
                type Output = Tensor<F>;
                #[track_caller]
                fn $method(self, other: Tensor<F>) -> Tensor<F> {
                    self.try_zip_op(&other, &$Op).or_panic()
                }
            }

            #[doc = concat!("`a ", $symbol, " number` for each element.")]
            impl<F: Float> ops::$Op<F> for &Tensor<F> {
                type Output = Tensor<F>;
                fn $method(self, $s: F) -> Tensor<F> {
                    let $x = self;
                    $scalar
                }
            }

            #[doc = concat!("`a ", $symbol, " number` for each element.")]
            impl<F: Float> ops::$Op<F> for Tensor<F> {
                type Output = Tensor<F>;
                fn $method(self, $s: F) -> Tensor<F> {
                    let $x = self;
                    $scalar
                }
            }
        )*
    };
}

operators! {
    Add add try_add "+", |x, s| x.map_scalar(unary::AddScalar { addend: s.to_f64() });
    Sub sub try_sub "-", |x, s| x.map_scalar(unary::AddScalar { addend: -s.to_f64() });
    Mul mul try_mul "*", |x, s| x.map_scalar(unary::MulScalar { factor: s.to_f64() });
    Div div try_div "/", |x, s| x.div_scalar(s);
}

/// Scalar operators on borrowed and owned tensors: the first makes a new one, the second may write over it.
trait MapScalar<F: Float> {
    fn map_scalar<Op: UnaryOp>(self, op: Op) -> Tensor<F>;
    fn div_scalar(self, divisor: F) -> Tensor<F>;
}

impl<F: Float> MapScalar<F> for &Tensor<F> {
    fn map_scalar<Op: UnaryOp>(self, op: Op) -> Tensor<F> {
        self.map_op(&op)
    }
    fn div_scalar(self, divisor: F) -> Tensor<F> {
        self / &Tensor::from_scalar(divisor)
    }
}

impl<F: Float> MapScalar<F> for Tensor<F> {
    fn map_scalar<Op: UnaryOp>(self, op: Op) -> Tensor<F> {
        self.map_op_into(&op)
    }
    fn div_scalar(self, divisor: F) -> Tensor<F> {
        self / &Tensor::from_scalar(divisor)
    }
}

/// `−a`
impl<F: Float> ops::Neg for &Tensor<F> {
    type Output = Tensor<F>;
    fn neg(self) -> Tensor<F> {
        self.negate()
    }
}

/// `−a`
impl<F: Float> ops::Neg for Tensor<F> {
    type Output = Tensor<F>;
    fn neg(self) -> Tensor<F> {
        self.map_op_into(&unary::Negate {})
    }
}
