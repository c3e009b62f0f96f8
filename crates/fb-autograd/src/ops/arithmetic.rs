//! Arithmetic of two operands with broadcasting, and the operators.

use super::node::reduced;
use super::{common_node, index};
use crate::tape::{Backward, Sweep};
use crate::var::Var;
use fb_tensor::{Float, Shape, Tensor};
use std::ops;

/// An operand: its node, if it is on the tape, and its shape before broadcasting.
type Operand = (Option<u32>, Shape);

fn operand<F: Float>(var: &Var<F>) -> Operand {
    (index(var), *var.shape())
}

/// The operand's value, kept only if the gradient of the other operand needs it.
fn kept_for<F: Float>(var: &Var<F>, other: &Var<F>) -> Option<Tensor<F>> {
    other.requires_grad().then(|| var.tensor().clone())
}

struct Sum {
    left: Operand,
    right: Operand,
    /// Whether the right operand is subtracted.
    negative: bool,
}

impl<F: Float> Backward<F> for Sum {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        let (Some(right), shape) = self.right else {
            if let (Some(left), shape) = self.left {
                sweep.add(left, reduced(gradient, shape));
            }
            return;
        };
        if let (Some(left), shape) = self.left {
            sweep.add(left, reduced(gradient.clone(), shape));
        }
        let share = reduced(gradient, shape);
        sweep.add(right, if self.negative { -share } else { share });
    }
}

struct Product<F: Float> {
    left: Operand,
    right: Operand,
    left_value: Option<Tensor<F>>,
    right_value: Option<Tensor<F>>,
}

impl<F: Float> Backward<F> for Product<F> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        if let ((Some(parent), shape), Some(other)) = (self.left, &self.right_value) {
            sweep.add(parent, reduced(&gradient * other, shape));
        }
        if let ((Some(parent), shape), Some(other)) = (self.right, &self.left_value) {
            sweep.add(parent, reduced(gradient * other, shape));
        }
    }
}

struct Quotient<F: Float> {
    left: Operand,
    right: Operand,
    divisor: Tensor<F>,
    /// The result, if the gradient of the divisor needs it.
    output: Option<Tensor<F>>,
}

impl<F: Float> Backward<F> for Quotient<F> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        let by_left = gradient / &self.divisor;
        if let ((Some(parent), shape), Some(output)) = (self.right, &self.output) {
            sweep.add(parent, -reduced(&by_left * output, shape));
        }
        if let (Some(parent), shape) = self.left {
            sweep.add(parent, reduced(by_left, shape));
        }
    }
}

#[track_caller]
fn add<F: Float>(a: &Var<F>, b: &Var<F>, output: Tensor<F>) -> Var<F> {
    let Some(node) = common_node(a, b) else {
        return Var::constant(output);
    };
    node.record(
        output,
        Sum {
            left: operand(a),
            right: operand(b),
            negative: false,
        },
    )
}

#[track_caller]
fn sub<F: Float>(a: &Var<F>, b: &Var<F>, output: Tensor<F>) -> Var<F> {
    let Some(node) = common_node(a, b) else {
        return Var::constant(output);
    };
    node.record(
        output,
        Sum {
            left: operand(a),
            right: operand(b),
            negative: true,
        },
    )
}

#[track_caller]
fn mul<F: Float>(a: &Var<F>, b: &Var<F>, output: Tensor<F>) -> Var<F> {
    let Some(node) = common_node(a, b) else {
        return Var::constant(output);
    };
    let (left_value, right_value) = (kept_for(a, b), kept_for(b, a));
    node.record(
        output,
        Product {
            left: operand(a),
            right: operand(b),
            left_value,
            right_value,
        },
    )
}

#[track_caller]
fn div<F: Float>(a: &Var<F>, b: &Var<F>, output: Tensor<F>) -> Var<F> {
    let Some(node) = common_node(a, b) else {
        return Var::constant(output);
    };
    let kept = b.requires_grad().then(|| output.clone());
    let op = Quotient {
        left: operand(a),
        right: operand(b),
        divisor: b.tensor().clone(),
        output: kept,
    };
    node.record(output, op)
}

macro_rules! operators {
    ($($Op:ident $method:ident $symbol:tt $name:literal, |$x:ident, $s:ident| $scalar:expr;)*) => {
        $(
            #[doc = concat!("`a ", $name, " b` with broadcasting.")]
            ///
            /// # Panics
            /// If the shapes do not broadcast or the operands are on different tapes.
            impl<F: Float> ops::$Op<&Var<F>> for &Var<F> {
                type Output = Var<F>;
                #[track_caller]
                fn $method(self, other: &Var<F>) -> Var<F> {
                    $method(self, other, self.tensor() $symbol other.tensor())
                }
            }

            impl<F: Float> ops::$Op<Var<F>> for &Var<F> {
                type Output = Var<F>;
                #[track_caller]
                fn $method(self, other: Var<F>) -> Var<F> {
                    self $symbol &other
                }
            }

            impl<F: Float> ops::$Op<&Var<F>> for Var<F> {
                type Output = Var<F>;
                #[track_caller]
                fn $method(self, other: &Var<F>) -> Var<F> {
                    &self $symbol other
                }
            }

            impl<F: Float> ops::$Op<Var<F>> for Var<F> {
                type Output = Var<F>;
                #[track_caller]
                fn $method(self, other: Var<F>) -> Var<F> {
                    &self $symbol &other
                }
            }

            #[doc = concat!("`a ", $name, " number` for each element.")]
            impl<F: Float> ops::$Op<F> for &Var<F> {
                type Output = Var<F>;
                fn $method(self, $s: F) -> Var<F> {
                    let $x = self;
                    $scalar
                }
            }

            impl<F: Float> ops::$Op<F> for Var<F> {
                type Output = Var<F>;
                fn $method(self, number: F) -> Var<F> {
                    &self $symbol number
                }
            }
        )*
    };
}

operators! {
    Add add + "+", |x, s| x.add_scalar(s.to_f64());
    Sub sub - "-", |x, s| x.add_scalar(-s.to_f64());
    Mul mul * "*", |x, s| x.mul_scalar(s.to_f64());
    Div div / "/", |x, s| x / &Var::constant(Tensor::from_scalar(s));
}

/// `−a`
impl<F: Float> ops::Neg for &Var<F> {
    type Output = Var<F>;
    fn neg(self) -> Var<F> {
        self.negate()
    }
}

/// `−a`
impl<F: Float> ops::Neg for Var<F> {
    type Output = Var<F>;
    fn neg(self) -> Var<F> {
        self.negate()
    }
}
