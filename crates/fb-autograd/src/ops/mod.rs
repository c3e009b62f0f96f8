//! The operations: each file holds the forward computation and its vector–Jacobian product side by side.

mod arithmetic;
mod attention;
mod binary_cross_entropy;
mod broadcast;
mod convolution;
mod cross_entropy;
mod custom;
mod elementwise;
mod error;
mod gate;
mod index;
mod join;
mod node;
mod norm;
mod pad;
mod permute;
mod pooling;
mod product;
mod recurrent;
mod reduce;
mod reshape;
mod resize;
mod rotary;
mod select;
mod slice;
mod softmax;

use crate::tape::NodeRef;
use crate::var::Var;
use fb_tensor::Float;

/// The node of either operand, after checking that two are on the same tape; `None` for constants only.
#[track_caller]
#[inline]
fn common_node<'a, F: Float>(left: &'a Var<F>, right: &'a Var<F>) -> Option<&'a NodeRef<F>> {
    match (left.node(), right.node()) {
        (Some(a), Some(b)) => {
            a.same_tape(b);
            Some(a)
        }
        (a, b) => a.or(b),
    }
}

/// The index of a recorded variable.
#[inline]
fn index<F: Float>(var: &Var<F>) -> Option<u32> {
    var.node().map(|node| node.index)
}
