//! Gated linear units: a function of one tensor times another.

use crate::compiled::PerFloat;
use crate::element::Float;
use crate::elementwise::{UnaryOp, unary};
use crate::error::{Error, OrPanic, Result};
use crate::kernels::gate as kernel;
use crate::tensor::Tensor;
use crate::threads::{for_each_chunk_mut, for_each_part_mut};

/// Elements handed to a thread at a time.
const CHUNK: usize = 16 * 1024;

/// A function with which one tensor gates another, and its loops.
pub trait Gate: UnaryOp {
    /// The name of the method that gates.
    const METHOD: &'static str;

    #[doc(hidden)]
    fn gate_loops<F: Float>() -> &'static GateLoops<Self, F>;
}

/// See [`Tensor::chain_gate_op`].
type Chain<Op, F> = fn(&Tensor<F>, &Tensor<F>, Tensor<F>, &Op) -> (Tensor<F>, Tensor<F>);

/// What is done with a [`Gate`].
pub struct GateLoops<Op, F: Float> {
    forward: fn(&Tensor<F>, &Tensor<F>, &Op) -> Tensor<F>,
    backward: Chain<Op, F>,
}

impl<Op: UnaryOp, F: Float> GateLoops<Op, F> {
    /// The loops of a gate.
    #[allow(clippy::new_without_default, reason = "made in constants only")]
    pub const fn new() -> Self {
        Self { forward, backward }
    }
}

/// The table for one type stands for its family.
impl<Op: UnaryOp> PerFloat for GateLoops<Op, f32> {
    type Of<F: Float> = GateLoops<Op, F>;
}

fn forward<F: Float, Op: UnaryOp>(gate: &Tensor<F>, values: &Tensor<F>, op: &Op) -> Tensor<F> {
    let (gate, values) = (gate.contiguous(), values.contiguous());
    let a = gate.as_slice().expect("made contiguous");
    let b = values.as_slice().expect("made contiguous");
    Tensor::filled_by(*gate.shape(), |out| {
        let cost = out.len() * Op::PICOSECONDS / 1000;
        for_each_chunk_mut(out, CHUNK, cost, |from, out| {
            let to = from + out.len();
            kernel::gate(op, &a[from..to], &b[from..to], out);
        });
    })
}

fn backward<F: Float, Op: UnaryOp>(
    gate: &Tensor<F>,
    values: &Tensor<F>,
    mut gradient: Tensor<F>,
    op: &Op,
) -> (Tensor<F>, Tensor<F>) {
    let (gate, values) = (gate.contiguous(), values.contiguous());
    let a = gate.as_slice().expect("made contiguous");
    let b = values.as_slice().expect("made contiguous");
    let g = gradient.make_mut();
    let by_gate = Tensor::filled_by(*gate.shape(), |out| {
        let len = out.len();
        for_each_part_mut(
            [g, out],
            len.div_ceil(CHUNK),
            2 * len * Op::PICOSECONDS / 1000,
            |part| [(part * CHUNK).min(len); 2],
            |part, [g, out]| {
                let (from, to) = (part * CHUNK, part * CHUNK + out.len());
                kernel::gate_backward(op, &a[from..to], &b[from..to], g, out);
            },
        );
    });
    (by_gate, gradient)
}

macro_rules! gates {
    ($($(#[$doc:meta])* $method:ident $Op:ident;)*) => {
        $(
            impl Gate for unary::$Op {
                const METHOD: &'static str = stringify!($method);

                fn gate_loops<F: Float>() -> &'static GateLoops<Self, F> {
                    crate::loops_table!(GateLoops, unary::$Op, F)
                }
            }
        )*

        /// Gated linear units.
        impl<F: Float> Tensor<F> {
            $(
                $(#[$doc])*
                ///
                /// # Panics
                /// If the shapes differ.
                ///
                /// # References
                /// N. Shazeer, "GLU variants improve transformer", 2020, equations 5 and 6.
                #[track_caller]
                #[must_use]
                pub fn $method(&self, values: &Self) -> Self {
                    self.try_gate_op(values, &unary::$Op {}).or_panic()
                }
            )*
        }
    };
}

gates! {
    /// `σ(a) · b`, the gated linear unit, in one pass.
    sigmoid_mul Sigmoid;
    /// `silu(a) · b` (SwiGLU), in one pass.
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let (a, b) = (Tensor::from([0.0, 100.0]), Tensor::from([5.0, 0.5]));
    /// assert_eq!(a.silu_mul(&b).to_vec(), [0.0, 50.0]);
    /// ```
    silu_mul Silu;
    /// `gelu(a) · b` (GEGLU), in one pass.
    gelu_mul Gelu;
    /// `gelu_tanh(a) · b` (GEGLU with the approximation of the Gaussian unit), in one pass.
    gelu_tanh_mul GeluTanh;
}

impl<F: Float> Tensor<F> {
    /// `op(self) · values`, in one pass.
    ///
    /// # Errors
    /// The shapes differ.
    pub fn try_gate_op<Op: Gate>(&self, values: &Self, op: &Op) -> Result<Self> {
        if self.shape() != values.shape() {
            return Err(Error::Shapes {
                op: Op::METHOD,
                left: self.shape().to_string(),
                right: values.shape().to_string(),
                help: "what gates has the shape of what is gated",
            });
        }
        Ok((Op::gate_loops().forward)(self, values, op))
    }

    /// The gradients of [`Tensor::try_gate_op`] by what gates and by what is gated, from both and the gradient by the
    /// result. Writes over `gradient` if nothing shares it.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    #[must_use]
    pub fn chain_gate_op<Op: Gate>(
        gate: &Self,
        values: &Self,
        gradient: Self,
        op: &Op,
    ) -> (Self, Self) {
        assert!(
            gate.shape() == values.shape() && gate.shape() == gradient.shape(),
            "{}: {} and {} with a gradient of shape {}",
            Op::METHOD,
            gate.shape(),
            values.shape(),
            gradient.shape()
        );
        (Op::gate_loops().backward)(gate, values, gradient, op)
    }
}
