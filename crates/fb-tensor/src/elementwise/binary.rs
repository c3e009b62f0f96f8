//! The elementwise functions of two arguments.

use super::BinaryOp;
use crate::element::{Element, Float};

macro_rules! arithmetic_ops {
    ($($(#[$doc:meta])* $Op:ident $name:literal |$a:ident, $b:ident| $value:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $Op;

            impl<F: Float> BinaryOp<F, F> for $Op {
                const NAME: &'static str = $name;

                #[inline(always)]
                fn value(&self, $a: F, $b: F) -> F {
                    $value
                }
            }
        )*
    };
}

arithmetic_ops! {
    /// `a + b`
    Add "add" |a, b| a + b;
    /// `a − b`
    Sub "sub" |a, b| a - b;
    /// `a · b`
    Mul "mul" |a, b| a * b;
    /// `a / b`
    Div "div" |a, b| a / b;
    /// The larger of `a` and `b`; NaN if either is NaN
    Maximum "maximum" |a, b| a.maximum(b);
    /// The smaller of `a` and `b`; NaN if either is NaN
    Minimum "minimum" |a, b| a.minimum(b);
    /// `aᵇ`
    Pow "pow" |a, b| a.powf(b);
}

/// `a + factor · b`
#[derive(Clone, Copy, Debug)]
pub struct AddScaled<F> {
    /// What `b` is multiplied by.
    pub factor: F,
}

impl<F: Float> BinaryOp<F, F> for AddScaled<F> {
    const NAME: &'static str = "add_scaled";

    #[inline(always)]
    fn value(&self, a: F, b: F) -> F {
        a + self.factor * b
    }
}

macro_rules! comparison_ops {
    ($($(#[$doc:meta])* $Op:ident $name:literal $operator:tt;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $Op;

            impl<T: Element + PartialOrd> BinaryOp<T, bool> for $Op {
                const NAME: &'static str = $name;

                #[inline(always)]
                fn value(&self, a: T, b: T) -> bool {
                    a $operator b
                }
            }
        )*
    };
}

comparison_ops! {
    /// `a = b`
    Equal "eq" ==;
    /// `a ≠ b`
    NotEqual "ne" !=;
    /// `a < b`
    Less "lt" <;
    /// `a ≤ b`
    LessEqual "le" <=;
    /// `a > b`
    Greater "gt" >;
    /// `a ≥ b`
    GreaterEqual "ge" >=;
}

macro_rules! logical_ops {
    ($($(#[$doc:meta])* $Op:ident $name:literal $operator:tt;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $Op;

            impl BinaryOp<bool, bool> for $Op {
                const NAME: &'static str = $name;

                #[inline(always)]
                fn value(&self, a: bool, b: bool) -> bool {
                    a $operator b
                }
            }
        )*
    };
}

logical_ops! {
    /// `a ∧ b`
    And "and" &;
    /// `a ∨ b`
    Or "or" |;
    /// Exactly one of `a` and `b`
    Xor "xor" ^;
}
