//! Methods that apply an operation to tensors, and the operators.

use super::binary::{Add, Div, Maximum, Minimum, Mul, Pow, Sub};
use super::{BinaryOp, UnaryOp, unary};
use crate::element::{Element, Float};
use crate::error::{Error, OrPanic, Result};
use crate::tensor::Tensor;
use std::ops;

impl<T: Element> Tensor<T> {
    /// `op(self, other)` with broadcasting.
    ///
    /// # Errors
    /// The shapes do not broadcast.
    pub fn try_zip_op<U: Element, Op: BinaryOp<T, U>>(
        &self,
        other: &Self,
        op: &Op,
    ) -> Result<Tensor<U>> {
        (Op::loops().zip)(self, other, op)
    }

    /// `op(self, other)` with broadcasting, writing over `self` where it has the result's shape and no other owner.
    #[track_caller]
    pub(crate) fn zip_into<Op: BinaryOp<T, T>>(mut self, other: &Self, op: &Op) -> Self {
        if (Op::assign_loops().assign)(&mut self, other, op) {
            self
        } else {
            self.try_zip_op(other, op).or_panic()
        }
    }

    /// `self = op(self, other)`, in place unless the elements are shared.
    #[track_caller]
    pub(crate) fn zip_assign<Op: BinaryOp<T, T>>(&mut self, other: &Self, op: &Op) {
        if !(Op::assign_loops().assign)(self, other, op) {
            let result = self.try_zip_op(other, op).or_panic();
            let fits = result.shape() == self.shape();
            assert!(
                fits,
                "{}: {} does not broadcast to {}",
                Op::NAME,
                other.shape(),
                self.shape()
            );
            *self = result;
        }
    }
}

impl<F: Float> Tensor<F> {
    /// `op` of each element and the element of `other` at its place, without broadcasting.
    ///
    /// # Errors
    /// The shapes differ.
    pub fn try_zip_same<Op: BinaryOp<F, F>>(&self, other: &Self, op: &Op) -> Result<Self> {
        if self.shape() != other.shape() {
            let (left, right) = (self.shape().to_string(), other.shape().to_string());
            return Err(Error::Shapes {
                op: Op::NAME,
                left,
                right,
                help: "they must have the same shape",
            });
        }
        Ok((Op::pair_loops().zip)(self, other, op))
    }

    /// `op` of each element.
    pub fn map_op<Op: UnaryOp>(&self, op: &Op) -> Self {
        (Op::loops().map)(self, op)
    }

    /// `op` of each element, written over the tensor if nothing else shares it.
    pub fn map_op_into<Op: UnaryOp>(mut self, op: &Op) -> Self {
        if self.is_contiguous()
            && let Some(values) = self.unique_slice()
        {
            (Op::loops().map_in_place)(values, op);
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
    pub fn chain_op<Op: UnaryOp>(saved: &Self, gradient: Self, op: &Op) -> Self {
        assert_eq!(
            saved.shape(),
            gradient.shape(),
            "{}: gradient has the shape of the result",
            Op::NAME
        );
        (Op::loops().chain)(saved, gradient, op)
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
        self.zip_assign(other, &Add);
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
    fn div_scalar(mut self, divisor: F) -> Tensor<F> {
        if self.is_contiguous()
            && let Some(values) = self.unique_slice()
        {
            (<Div as BinaryOp<F, F>>::assign_loops().slices)(values, &[divisor], &Div);
            return self;
        }
        (&self).div_scalar(divisor)
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
