//! Units that are −1 or 1.

use super::Updates;
use crate::error::{Error, Result};
use crate::module::{Built, Context, Layer, Module, Scope, Spec, Value, ValueKind, not_one};
use crate::param::ParamId;
use fb_autograd::Var;
use fb_tensor::random::{Key, permutation};
use fb_tensor::{Float, Tensor, threads};
use serde::{Deserialize, Serialize};

/// The weights that the layer `field` before it goes through.
const WEIGHTS: &str = "field/weight";
/// Multiply–adds per nanosecond of one core in what a flip does to all fields.
const MULTIPLY_ADDS_PER_NS: usize = 4;

/// The sign of the field of each unit; the unit as it was where the field is 0. It has no gradient.
///
/// Asynchronous units change one after the other, and each that changes changes the fields of those after it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Threshold {
    updates: Updates,
    /// Fields up to this size are 0.
    least: f64,
}

impl Threshold {
    pub(super) fn new(updates: Updates, least: f64) -> Self {
        Self { updates, least }
    }
}

impl Layer for Threshold {
    const KIND: &'static str = "HopfieldUnits";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let &[field, before] = inputs else {
            return Err(scope.error(
                Self::KIND,
                "the fields and the units before",
                format!("{} inputs", inputs.len()),
                "",
            ));
        };
        let weights = scope.made(WEIGHTS);
        let (true, ValueKind::Float, Some(weights)) = (field == before, field.kind, weights) else {
            let found = format!("{field} and {before}");
            return Err(scope.error(
                Self::KIND,
                "fields and units of one shape behind the layer \"field\"",
                found,
                "",
            ));
        };
        Ok(Built {
            module: Box::new(Units {
                config: *self,
                weights,
            }),
            output: field,
            sum: None,
            description: match self.updates {
                Updates::Synchronous => "sign, all units at once".to_owned(),
                Updates::Asynchronous { .. } => "sign, unit by unit".to_owned(),
            },
        })
    }
}

#[derive(Debug)]
struct Units {
    config: Threshold,
    weights: ParamId,
}

impl<F: Float> Module<F> for Units {
    fn forward(&self, cx: &mut Context<'_, F>, inputs: &[Value<F>]) -> Result<Vec<Value<F>>> {
        let [Value::Float(field), Value::Float(before)] = inputs else {
            return Err(not_one(cx, inputs, "the fields and the units before"));
        };
        if field.shape() != before.shape() || field.shape().len() != 2 {
            return Err(Error::Data {
                place: cx.place(),
                expected: format!("fields {}", before.shape()),
                found: field.shape().to_string(),
                help: String::new(),
            });
        }
        let least = F::from_f64(self.config.least);
        let after = match self.config.updates {
            Updates::Synchronous => at_once(field.tensor(), before.tensor(), least),
            Updates::Asynchronous { seed } => {
                let sweep = cx.iteration().unwrap_or(0) as u64;
                let units = field.shape()[1];
                let key = Key::new(seed).fold("hopfield").fold_index(sweep);
                let order = permutation(units, &mut key.rng());
                cx.prepare(self.weights);
                let weights = cx.prepared(self.weights).tensor().contiguous();
                one_by_one(field.tensor(), before.tensor(), &weights, &order, least)
            }
        };
        Ok(vec![Value::Float(Var::constant(after))])
    }
}

fn sign<F: Float>(field: F, before: F, least: F) -> F {
    if field.abs() <= least {
        before
    } else if field > F::ZERO {
        F::ONE
    } else {
        -F::ONE
    }
}

fn at_once<F: Float>(field: &Tensor<F>, before: &Tensor<F>, least: F) -> Tensor<F> {
    Tensor::filled_by(*field.shape(), |out| {
        for ((out, field), before) in out.iter_mut().zip(field.iter()).zip(before.iter()) {
            *out = sign(field, before, least);
        }
    })
}

/// A sweep over the units in this order, row by row.
fn one_by_one<F: Float>(
    field: &Tensor<F>,
    before: &Tensor<F>,
    weights: &Tensor<F>,
    order: &[usize],
    least: F,
) -> Tensor<F> {
    let units = order.len();
    let weights = weights.as_slice().expect("contiguous");
    let before = before.contiguous();
    let before = before.as_slice().expect("contiguous");
    let mut fields = field.contiguous();
    let mut rows: Vec<&mut [F]> = fields.make_mut().chunks_exact_mut(units).collect();
    Tensor::filled_by(*field.shape(), |out| {
        out.copy_from_slice(before);
        // About one unit in ten changes in a sweep.
        let cost = units * units / (10 * MULTIPLY_ADDS_PER_NS);
        threads::for_each_item_with(&mut rows, out, units, cost, |_, fields, states| {
            for &unit in order {
                let new = sign(fields[unit], states[unit], least);
                if new == states[unit] {
                    continue;
                }
                let change = new - states[unit];
                states[unit] = new;
                let row = &weights[unit * units..][..units];
                for (field, &weight) in fields.iter_mut().zip(row) {
                    *field += change * weight;
                }
            }
        });
    })
}
