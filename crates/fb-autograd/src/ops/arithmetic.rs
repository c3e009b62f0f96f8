//! Arithmetic of two operands with broadcasting, and the operators.

use super::{common_node, index};
use crate::tape::{Backward, Sweep};
use crate::var::Var;
use fb_tensor::{Float, Tensor};
use std::ops;

/// Adds `gradient`, summed over the axes that broadcasting had stretched, to an operand's node.
fn add_reduced<F: Float>(sweep: &mut Sweep<F>, parent: Option<u32>, shape: fb_tensor::Shape, gradient: impl FnOnce() -> Tensor<F>) {
    if let Some(parent) = parent {
        let gradient = gradient();
        let share = if *gradient.shape() == shape { gradient } else { gradient.sum_to(shape) };
        sweep.add(parent, share);
    }
}

struct Sum<F: Float> {
    left: (Option<u32>, fb_tensor::Shape),
    right: (Option<u32>, fb_tensor::Shape),
    /// 1 for a sum, −1 for a difference.
    sign: F,
}

impl<F: Float> Backward<F> for Sum<F> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        if self.left.0.is_some() {
            add_reduced(sweep, self.left.0, self.left.1, || gradient.clone());
        }
        let signed = || if self.sign == F::ONE { gradient } else { -gradient };
        add_reduced(sweep, self.right.0, self.right.1, signed);
    }
}

struct Product<F: Float> {
    left: (Option<u32>, Tensor<F>),
    right: (Option<u32>, Tensor<F>),
}

impl<F: Float> Backward<F> for Product<F> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        add_reduced(sweep, self.left.0, *self.left.1.shape(), || &gradient * &self.right.1);
        add_reduced(sweep, self.right.0, *self.right.1.shape(), || gradient * &self.left.1);
    }
}

struct Quotient<F: Float> {
    left: (Option<u32>, fb_tensor::Shape),
    right: (Option<u32>, Tensor<F>),
    output: Tensor<F>,
}

impl<F: Float> Backward<F> for Quotient<F> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        let by_left = gradient / &self.right.1;
        let by_right = self.right.0.map(|_| -(&by_left * &self.output));
        add_reduced(sweep, self.left.0, self.left.1, || by_left);
        if let Some(by_right) = by_right {
            add_reduced(sweep, self.right.0, *self.right.1.shape(), || by_right);
        }
    }
}

fn add<F: Float>(a: &Var<F>, b: &Var<F>, output: Tensor<F>) -> Var<F> {
    let Some(node) = common_node(a, b) else {
        return Var::constant(output);
    };
    let op = Sum { left: (index(a), *a.shape()), right: (index(b), *b.shape()), sign: F::ONE };
    node.record(output, op)
}

fn sub<F: Float>(a: &Var<F>, b: &Var<F>, output: Tensor<F>) -> Var<F> {
    let Some(node) = common_node(a, b) else {
        return Var::constant(output);
    };
    let op = Sum { left: (index(a), *a.shape()), right: (index(b), *b.shape()), sign: -F::ONE };
    node.record(output, op)
}

fn mul<F: Float>(a: &Var<F>, b: &Var<F>, output: Tensor<F>) -> Var<F> {
    let Some(node) = common_node(a, b) else {
        return Var::constant(output);
    };
    let op = Product { left: (index(a), a.tensor().clone()), right: (index(b), b.tensor().clone()) };
    node.record(output, op)
}

fn div<F: Float>(a: &Var<F>, b: &Var<F>, output: Tensor<F>) -> Var<F> {
    let Some(node) = common_node(a, b) else {
        return Var::constant(output);
    };
    let right = (index(b), b.tensor().clone());
    let op = Quotient { left: (index(a), *a.shape()), right, output: output.clone() };
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
