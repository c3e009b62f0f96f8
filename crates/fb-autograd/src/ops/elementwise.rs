//! Functions of each element, made from the list that `fb-tensor` keeps.

use crate::tape::{Backward, Sweep};
use crate::var::Var;
use fb_tensor::ops::{Saves, UnaryOp, unary};
use fb_tensor::{Float, Tensor, for_each_unary_op};

struct Unary<F: Float, Op> {
    op: Op,
    /// What the derivative formula wants; `None` if nothing.
    saved: Option<Tensor<F>>,
    parent: u32,
}

impl<F: Float, Op: UnaryOp> Backward<F> for Unary<F, Op> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        let share = match &self.saved {
            Some(saved) => Tensor::chain_op(saved, gradient, &self.op),
            None => gradient * self.op.derivative(F::ZERO),
        };
        sweep.add(self.parent, share);
    }
}

impl<F: Float> Var<F> {
    /// `op` of each element, recorded.
    pub fn map_op<Op: UnaryOp>(&self, op: Op) -> Self {
        let output = self.tensor().map_op(&op);
        let Some(node) = self.node() else {
            return Self::constant(output);
        };
        let saved = match Op::SAVES {
            Saves::Input => Some(self.tensor().clone()),
            Saves::Output => Some(output.clone()),
            Saves::Nothing => None,
        };
        node.record(
            output,
            Unary {
                op,
                saved,
                parent: node.index,
            },
        )
    }
}

macro_rules! var_methods {
    ($(
        $(#[$doc:meta])*
        $name:ident($($parameter:ident : $type:ty),*) $Op:ident, saves $saves:ident, costs $cost:literal;
        |$x:pat_param| $value:expr; |$s:pat_param| $derivative:expr; check ($($at:expr),*) at [$($point:expr),*];
    )*) => {
        /// Functions of each element.
        impl<F: Float> Var<F> {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name(&self $(, $parameter: $type)*) -> Self {
                    self.map_op(unary::$Op { $($parameter),* })
                }
            )*
        }
    };
}

for_each_unary_op!(var_methods);
