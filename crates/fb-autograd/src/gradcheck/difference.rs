//! Values, differences and tape gradients of the function under check.

use super::leaves;
use super::{Comparison, GradcheckError};
use crate::Var;
use fb_tensor::Tensor;

/// The function at the point where it is checked.
pub(super) struct Function<'a, F> {
    f: &'a F,
    inputs: &'a [Tensor<f64>],
    /// Its value there.
    pub(super) output: Tensor<f64>,
}

impl<'a, F: Fn(&[Var<f64>]) -> Var<f64>> Function<'a, F> {
    pub(super) fn new(f: &'a F, inputs: &'a [Tensor<f64>]) -> Result<Self, GradcheckError> {
        let constants: Vec<Var<f64>> = inputs.iter().map(|x| Var::constant(x.clone())).collect();
        let output = f(&constants).into_tensor();
        finite(&output, || "the value of the function".into())?;
        let function = Self { f, inputs, output };
        same(&function.output, f(&constants).tensor())?;
        Ok(function)
    }

    /// `Jᵀ u` by each input.
    pub(super) fn by_tape(&self, u: &Tensor<f64>) -> Result<Vec<Tensor<f64>>, GradcheckError> {
        let (tape, leaves) = leaves(self.inputs);
        let output = (self.f)(&leaves);
        same(&self.output, output.tensor())?;
        let mut gradients = tape.gradients(&[(&output, u.clone())]);
        let by_input = leaves.iter().enumerate().map(|(input, leaf)| {
            let gradient = gradients
                .take(leaf)
                .unwrap_or_else(|| leaf.tensor().zeros_like());
            let (expected, found) = (*leaf.shape(), *gradient.shape());
            if found != expected {
                return Err(GradcheckError::Shape {
                    input,
                    expected,
                    found,
                });
            }
            finite(&gradient, || format!("the gradient by input {input}"))?;
            Ok(gradient)
        });
        by_input.collect()
    }

    /// The tape's estimate and the differences along `v` of one input.
    pub(super) fn compare(
        &self,
        input: usize,
        gradient: &Tensor<f64>,
        v: &Tensor<f64>,
        u: &Tensor<f64>,
        step: f64,
    ) -> Result<Comparison, GradcheckError> {
        let ahead = self.change(input, v, u, step)?;
        let behind = self.change(input, v, u, -step)?;
        Ok(Comparison::new(
            input,
            inner(v, gradient),
            ahead,
            behind,
            step,
        ))
    }

    /// `⟨f(x + hv) − f(x), u⟩ / h`
    fn change(
        &self,
        input: usize,
        v: &Tensor<f64>,
        u: &Tensor<f64>,
        h: f64,
    ) -> Result<f64, GradcheckError> {
        let moved = self
            .inputs
            .iter()
            .enumerate()
            .map(|(i, x)| if i == input { x + v * h } else { x.clone() });
        let constants: Vec<Var<f64>> = moved.map(Var::constant).collect();
        let output = (self.f)(&constants).into_tensor();
        finite(&output, || {
            format!("the value of the function near input {input}")
        })?;
        if output.shape() != self.output.shape() {
            same(&self.output, &output)?;
        }
        // Subtracted before the product: the products of the values themselves would lose the small difference.
        Ok(inner(&(output - &self.output), u) / h)
    }
}

fn inner(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    (a * b).sum()
}

fn finite(t: &Tensor<f64>, what: impl FnOnce() -> String) -> Result<(), GradcheckError> {
    if t.is_all_finite() {
        Ok(())
    } else {
        Err(GradcheckError::NotFinite { what: what() })
    }
}

fn same(expected: &Tensor<f64>, found: &Tensor<f64>) -> Result<(), GradcheckError> {
    if expected == found {
        return Ok(());
    }
    let show = |t: &Tensor<f64>| format!("shape {} adding up to {:e}", t.shape(), t.sum());
    Err(GradcheckError::NotDeterministic {
        expected: show(expected),
        found: show(found),
    })
}
