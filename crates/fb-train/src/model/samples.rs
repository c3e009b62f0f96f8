//! Inputs with their targets, checked.

use crate::error::{Error, Result};
use fb_autograd::Var;
use fb_data::Labelled;
use fb_nn::module::ValueKind;
use fb_nn::{Network, Target, Value};
use fb_tensor::{Float, Shape, Tensor};

/// The inputs of a network: numbers, or indices such as the tokens of texts. The first axis is the batch.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Inputs<F: Float = f32> {
    /// Numbers.
    Float(Tensor<F>),
    /// Indices.
    Index(Tensor<i64>),
}

impl<F: Float> Inputs<F> {
    /// The extents, the batch first.
    pub fn shape(&self) -> &Shape {
        match self {
            Self::Float(x) => x.shape(),
            Self::Index(x) => x.shape(),
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.shape().first().copied().unwrap_or(0)
    }

    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Float(x) => Self::Float(x.select_rows(rows)),
            Self::Index(x) => Self::Index(x.select_rows(rows)),
        }
    }

    pub(crate) fn range(&self, rows: std::ops::Range<usize>) -> Self {
        match self {
            Self::Float(x) => Self::Float(x.slice(0, rows)),
            Self::Index(x) => Self::Index(x.slice(0, rows)),
        }
    }

    pub(crate) fn value(&self) -> Value<F> {
        match self {
            Self::Float(x) => Value::Float(Var::constant(x.clone())),
            Self::Index(x) => Value::Index(x.clone()),
        }
    }

    /// Refuses inputs that are not what the network takes, and numbers that are not finite.
    pub(crate) fn check(&self, network: &Network<F>, what: &'static str) -> Result<()> {
        if self.shape().first() == Some(&0) {
            return Err(Error::EmptyData { what });
        }
        let spec = network.input_spec();
        let value = self.value();
        if value.kind() != spec.kind || self.shape().get(1..) != Some(&*spec.shape) {
            let help = if *self.shape() == *spec.shape {
                "the first axis is the batch: give one sample as a batch of one with .unsqueeze(0)"
            } else if spec.kind == ValueKind::Index {
                "reshape the data, or give Sequential::indices the shape of one sample"
            } else {
                "reshape the data, or give Sequential::input the shape of one sample"
            };
            return Err(Error::InputShape {
                what,
                expected: format!("{} {spec}", spec.kind),
                found: format!("{} {}", value.kind(), self.shape()),
                help,
            });
        }
        match self {
            Self::Float(x) => check_finite(x, what, "data"),
            Self::Index(_) => Ok(()),
        }
    }
}

/// What `predict` takes: `&x` with numbers or indices, or [`Inputs`].
pub trait IntoInputs<F: Float> {
    /// The inputs; tensors are shared, not copied.
    fn into_inputs(self) -> Inputs<F>;
}

impl<F: Float> IntoInputs<F> for Inputs<F> {
    fn into_inputs(self) -> Self {
        self
    }
}

impl<F: Float> IntoInputs<F> for &Inputs<F> {
    fn into_inputs(self) -> Inputs<F> {
        self.clone()
    }
}

/// Refuses NaN and infinities, naming the row and the feature.
fn check_finite<F: Float>(x: &Tensor<F>, what: &'static str, part: &'static str) -> Result<()> {
    if x.is_all_finite() {
        return Ok(());
    }
    let per_row = (x.len() / x.dim(0).max(1)).max(1);
    let position = x.iter().position(|v| !v.is_finite()).unwrap_or(0);
    let found = x.iter().nth(position).map_or(f64::NAN, Float::to_f64);
    Err(Error::NotFinite {
        what,
        part,
        row: position / per_row,
        feature: position % per_row,
        found,
    })
}

/// Inputs and targets of the same number of rows.
#[derive(Clone, Debug)]
pub struct Samples<F: Float = f32> {
    /// What goes in.
    pub inputs: Inputs<F>,
    /// What should come out.
    pub targets: Target<F>,
}

impl<F: Float> Samples<F> {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.inputs.rows()
    }

    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        Self {
            inputs: self.inputs.select(rows),
            targets: select_target(&self.targets, rows),
        }
    }

    pub(crate) fn range(&self, rows: std::ops::Range<usize>) -> Self {
        let targets = match &self.targets {
            Target::Float(y) => Target::Float(y.slice(0, rows.clone())),
            Target::Index(y) => Target::Index(y.slice(0, rows.clone())),
            _ => unreachable!("targets are numbers or indices"),
        };
        Self {
            inputs: self.inputs.range(rows),
            targets,
        }
    }

    /// Refuses samples that the network cannot be trained or evaluated on.
    pub(crate) fn check(&self, network: &Network<F>, what: &'static str) -> Result<()> {
        self.inputs.check(network, what)?;
        if self.targets.batch() != self.rows() {
            return Err(Error::RowsDiffer {
                what,
                inputs: self.rows(),
                targets: self.targets.batch(),
            });
        }
        let output = network.output_spec();
        match &self.targets {
            Target::Float(y) => check_finite(y, what, "targets"),
            Target::Index(y) => {
                let classes = output.shape.last().copied().unwrap_or(1).max(2);
                let wrong = y
                    .iter()
                    .enumerate()
                    .find(|&(_, label)| label < 0 || label as usize >= classes);
                match wrong {
                    Some((position, label)) => Err(Error::Label {
                        what,
                        row: position / (y.len() / y.dim(0)).max(1),
                        label,
                        classes,
                    }),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

fn select_target<F: Float>(targets: &Target<F>, rows: &[usize]) -> Target<F> {
    match targets {
        Target::Float(y) => Target::Float(y.select_rows(rows)),
        Target::Index(y) => Target::Index(y.select_rows(rows)),
        _ => unreachable!("targets are numbers or indices"),
    }
}

/// What `fit` and `evaluate` take: `(&x, &y)` with numbers or class indices, a labelled set, or [`Samples`].
pub trait IntoSamples<F: Float> {
    /// The samples; tensors are shared, not copied.
    fn into_samples(self) -> Samples<F>;
}

impl<F: Float> IntoSamples<F> for Samples<F> {
    fn into_samples(self) -> Self {
        self
    }
}

impl<F: Float> IntoSamples<F> for &Samples<F> {
    fn into_samples(self) -> Samples<F> {
        self.clone()
    }
}

impl IntoSamples<f32> for &Labelled {
    fn into_samples(self) -> Samples<f32> {
        Samples {
            inputs: Inputs::Float(self.x().clone()),
            targets: Target::Index(self.y().clone()),
        }
    }
}

macro_rules! samples_of_pairs {
    ($($float:ty)*) => {
        $(
            impl IntoInputs<$float> for &Tensor<$float> {
                fn into_inputs(self) -> Inputs<$float> {
                    Inputs::Float(self.clone())
                }
            }

            impl IntoInputs<$float> for &Tensor<i64> {
                fn into_inputs(self) -> Inputs<$float> {
                    Inputs::Index(self.clone())
                }
            }

            impl IntoSamples<$float> for (&Tensor<$float>, &Tensor<$float>) {
                fn into_samples(self) -> Samples<$float> {
                    Samples { inputs: Inputs::Float(self.0.clone()), targets: Target::Float(self.1.clone()) }
                }
            }

            impl IntoSamples<$float> for (&Tensor<$float>, &Tensor<i64>) {
                fn into_samples(self) -> Samples<$float> {
                    Samples { inputs: Inputs::Float(self.0.clone()), targets: Target::Index(self.1.clone()) }
                }
            }

            impl IntoSamples<$float> for (&Tensor<i64>, &Tensor<i64>) {
                fn into_samples(self) -> Samples<$float> {
                    Samples { inputs: Inputs::Index(self.0.clone()), targets: Target::Index(self.1.clone()) }
                }
            }

            impl IntoSamples<$float> for (&Tensor<i64>, &Tensor<$float>) {
                fn into_samples(self) -> Samples<$float> {
                    Samples { inputs: Inputs::Index(self.0.clone()), targets: Target::Float(self.1.clone()) }
                }
            }
        )*
    };
}

samples_of_pairs! { f32 f64 }
