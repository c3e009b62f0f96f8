//! The elementwise functions of two arguments.

use super::{AssignLoops, BinaryLoops, BinaryOp};
use crate::element::{Element, Float};
use crate::loops_table;

macro_rules! arithmetic_ops {
    (@tables $Op:ident, compiled_here) => {
        #[inline]
        fn loops() -> &'static BinaryLoops<Self, F, F> {
            loops_table!(ArithmeticLoops, $Op, F)
        }

        #[inline]
        fn assign_loops() -> &'static AssignLoops<Self, F> {
            loops_table!(AssignLoops, $Op, F)
        }
    };
    ($($(#[$doc:meta])* $Op:ident $name:literal |$a:ident, $b:ident| $value:expr $(, $tables:ident)?;)*) => {
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

                $(arithmetic_ops!(@tables $Op, $tables);)?
            }
        )*
    };
}

arithmetic_ops! {
    /// `a + b`
    Add "add" |a, b| a + b, compiled_here;
    /// `a − b`
    Sub "sub" |a, b| a - b, compiled_here;
    /// `a · b`
    Mul "mul" |a, b| a * b, compiled_here;
    /// `a / b`
    Div "div" |a, b| a / b, compiled_here;
    /// The larger of `a` and `b`; NaN if either is NaN
    Maximum "maximum" |a, b| a.maximum(b);
    /// The smaller of `a` and `b`; NaN if either is NaN
    Minimum "minimum" |a, b| a.minimum(b);
    /// `aᵇ`
    Pow "pow" |a, b| a.powf(b);
}

/// `a + factor · b`
#[derive(Clone, Copy, Debug)]
pub struct AddScaled {
    /// What `b` is multiplied by.
    pub factor: f64,
}

impl<F: Float> BinaryOp<F, F> for AddScaled {
    const NAME: &'static str = "add_scaled";

    #[inline(always)]
    fn value(&self, a: F, b: F) -> F {
        a + F::from_f64(self.factor) * b
    }

    #[inline]
    fn assign_loops() -> &'static AssignLoops<Self, F> {
        loops_table!(AssignLoops, AddScaled, F)
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
