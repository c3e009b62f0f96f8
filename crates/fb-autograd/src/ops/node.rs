//! Nodes of few words: an operation that needs no type of its own says how its gradient goes back in a closure beside
//! its forward computation.

use super::{common_node, index};
use crate::tape::{Backward, Sweep};
use crate::var::Var;
use fb_tensor::{Float, Shape, Tensor};

struct Unary<V> {
    parent: u32,
    vjp: V,
}

impl<F: Float, V: Fn(Tensor<F>) -> Tensor<F> + Send> Backward<F> for Unary<V> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        sweep.add(self.parent, (self.vjp)(gradient));
    }
}

/// The result of an operation on one variable; `vjp` turns the result's gradient into the operand's.
#[track_caller]
#[inline]
pub(super) fn unary<F: Float>(
    operand: &Var<F>,
    output: Tensor<F>,
    vjp: impl Fn(Tensor<F>) -> Tensor<F> + Send + 'static,
) -> Var<F> {
    match operand.node() {
        Some(node) => node.record(
            output,
            Unary {
                parent: node.index,
                vjp,
            },
        ),
        None => Var::constant(output),
    }
}

struct Part<V> {
    parent: u32,
    shape: Shape,
    scatter: V,
}

impl<F: Float, V: Fn(Tensor<F>, &mut [F]) + Send> Backward<F> for Part<V> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        sweep.add_into(self.parent, self.shape, |sum| (self.scatter)(gradient, sum));
    }
}

/// The result of an operation that reads some elements of one variable; `scatter` adds the result's gradient to theirs,
/// among all elements of the operand in row-major order. So its cost is that of the part, however large the whole.
#[track_caller]
#[inline]
pub(super) fn part<F: Float>(
    operand: &Var<F>,
    output: Tensor<F>,
    scatter: impl Fn(Tensor<F>, &mut [F]) + Send + 'static,
) -> Var<F> {
    match operand.node() {
        Some(node) => {
            let shape = *operand.shape();
            node.record(
                output,
                Part {
                    parent: node.index,
                    shape,
                    scatter,
                },
            )
        }
        None => Var::constant(output),
    }
}

struct Binary<L, R> {
    left: (Option<u32>, Shape),
    right: (Option<u32>, Shape),
    by_left: L,
    by_right: R,
}

impl<F, L, R> Backward<F> for Binary<L, R>
where
    F: Float,
    L: Fn(&Tensor<F>) -> Tensor<F> + Send,
    R: Fn(&Tensor<F>) -> Tensor<F> + Send,
{
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        if let (Some(parent), shape) = self.left {
            sweep.add(parent, reduced((self.by_left)(&gradient), shape));
        }
        if let (Some(parent), shape) = self.right {
            sweep.add(parent, reduced((self.by_right)(&gradient), shape));
        }
    }
}

/// The result of an operation on two variables that broadcast; `by_left` and `by_right` turn the result's gradient into
/// the operands', in the broadcast shape.
#[track_caller]
#[inline]
pub(super) fn binary<F: Float>(
    left: &Var<F>,
    right: &Var<F>,
    output: Tensor<F>,
    by_left: impl Fn(&Tensor<F>) -> Tensor<F> + Send + 'static,
    by_right: impl Fn(&Tensor<F>) -> Tensor<F> + Send + 'static,
) -> Var<F> {
    let Some(node) = common_node(left, right) else {
        return Var::constant(output);
    };
    let (left, right) = ((index(left), *left.shape()), (index(right), *right.shape()));
    node.record(
        output,
        Binary {
            left,
            right,
            by_left,
            by_right,
        },
    )
}

/// `gradient` summed over the axes that broadcasting had stretched.
#[inline]
pub(super) fn reduced<F: Float>(gradient: Tensor<F>, shape: Shape) -> Tensor<F> {
    if *gradient.shape() == shape {
        gradient
    } else {
        gradient.sum_to(shape)
    }
}
