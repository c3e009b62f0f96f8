//! Operations on each element by itself: one list for those of one argument, one for those of two.
//!
//! An entry of the list [`for_each_unary_op`](crate::for_each_unary_op) is all there is to an elementwise operation:
//! its documentation, its formula, the formula of its derivative, what the derivative needs, and points to check it
//! at. `Tensor`'s and `Var`'s methods and the gradient check are made from it.

mod arithmetic;
pub mod binary;
mod compare;
mod loops;
pub mod unary;

pub use loops::{ArithmeticLoops, AssignLoops, BinaryLoops, PairLoops, UnaryLoops};

use crate::element::{Element, Float};

/// What the derivative formula of a [`UnaryOp`] is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saves {
    /// The argument of the operation.
    Input,
    /// Its result.
    Output,
    /// Nothing: the derivative is the same everywhere.
    Nothing,
}

/// An elementwise function of one number and its derivative.
pub trait UnaryOp: Copy + Send + Sync + 'static {
    /// The method's name.
    const NAME: &'static str;
    /// What [`UnaryOp::derivative`] wants.
    const SAVES: Saves;
    /// Rough cost per element on one core, which decides when work is split over threads.
    const PICOSECONDS: usize;
    /// The function.
    fn value<F: Float>(&self, x: F) -> F;
    /// The derivative, from the input or the output as [`UnaryOp::SAVES`] says.
    fn derivative<F: Float>(&self, saved: F) -> F;

    #[doc(hidden)]
    fn loops<F: Float>() -> &'static UnaryLoops<Self, F> {
        const { &UnaryLoops::new() }
    }
}

/// An elementwise function of two numbers.
pub trait BinaryOp<A: Element, B: Element>: Copy + Send + Sync + 'static {
    /// The method's name.
    const NAME: &'static str;
    /// Rough cost per element on one core.
    const PICOSECONDS: usize = 400;
    /// The function.
    fn value(&self, left: A, right: A) -> B;

    #[doc(hidden)]
    fn loops() -> &'static BinaryLoops<Self, A, B> {
        const { &BinaryLoops::new() }
    }

    #[doc(hidden)]
    fn pair_loops() -> &'static PairLoops<Self, A>
    where
        A: Float,
        Self: BinaryOp<A, A>,
    {
        const { &PairLoops::new() }
    }

    #[doc(hidden)]
    fn assign_loops() -> &'static AssignLoops<Self, A>
    where
        Self: BinaryOp<A, A>,
    {
        const { &AssignLoops::new() }
    }
}
