//! Inputs with their targets, checked.

use crate::error::{Error, Result};
use fb_autograd::Var;
use fb_data::Labelled;
use fb_nn::module::{Spec, ValueKind};
use fb_nn::{Network, Target, Value};
use fb_tensor::{Float, Shape, Tensor};
use std::ops::Range;

/// The inputs of a network: numbers, or indices such as the tokens of texts. The first axis is the batch; of sequences the
/// second one is time.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Inputs<F: Float = f32> {
    /// Numbers.
    Float(Tensor<F>),
    /// Indices.
    Index(Tensor<i64>),
    /// Several inputs in the order in which the network declares them, all of the same rows.
    Several(Vec<Inputs<F>>),
}

impl<F: Float> Inputs<F> {
    /// The extents of the (first) input, the batch first.
    pub fn shape(&self) -> &Shape {
        const NONE: &Shape = &Shape::SCALAR;
        match self {
            Self::Float(x) => x.shape(),
            Self::Index(x) => x.shape(),
            Self::Several(all) => all.first().map_or(NONE, Self::shape),
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.shape().first().copied().unwrap_or(0)
    }

    fn map(&self, change: &impl Fn(&Self) -> Self) -> Self {
        match self {
            Self::Several(all) => Self::Several(all.iter().map(|x| x.map(change)).collect()),
            one => change(one),
        }
    }

    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        self.map(&|input| match input {
            Self::Float(x) => Self::Float(x.select_rows(rows)),
            Self::Index(x) => Self::Index(x.select_rows(rows)),
            Self::Several(_) => unreachable!("mapped one by one"),
        })
    }

    pub(crate) fn range(&self, rows: Range<usize>) -> Self {
        self.map(&|input| match input {
            Self::Float(x) => Self::Float(x.slice(0, rows.clone())),
            Self::Index(x) => Self::Index(x.slice(0, rows.clone())),
            Self::Several(_) => unreachable!("mapped one by one"),
        })
    }

    /// One value for each input of the network.
    pub(crate) fn values(&self) -> Vec<Value<F>> {
        match self {
            Self::Float(x) => vec![Value::Float(Var::constant(x.clone()))],
            Self::Index(x) => vec![Value::Index(x.clone())],
            Self::Several(all) => all.iter().flat_map(Self::values).collect(),
        }
    }

    fn each(&self) -> Vec<&Self> {
        match self {
            Self::Several(all) => all.iter().flat_map(Self::each).collect(),
            one => vec![one],
        }
    }

    /// Refuses inputs that are not what the network takes, and numbers that are not finite. `sequence`: whether the schedule
    /// runs along sequences.
    pub(crate) fn check(
        &self,
        network: &Network<F>,
        what: &'static str,
        sequence: bool,
    ) -> Result<()> {
        let given = self.each();
        let declared = network.input_specs();
        if given.len() != declared.len() {
            let names: Vec<_> = declared.map(|(name, _)| format!("{name:?}")).collect();
            return Err(Error::InputShape {
                what,
                expected: match names.as_slice() {
                    [_] => "one input".to_owned(),
                    some => format!("{} inputs: {}", some.len(), some.join(", ")),
                },
                found: given.len().to_string(),
                help: "give several inputs as a tuple, an array or Inputs::Several, in the order in which the network declares them",
            });
        }
        let several = given.len() > 1;
        let lead = given[0].shape().get(..if sequence { 2 } else { 1 });
        for (input, (name, spec)) in given.into_iter().zip(declared) {
            let place = if several {
                format!("input {name:?}: ")
            } else {
                String::new()
            };
            input.check_one(spec, &place, what, lead, sequence)?;
        }
        Ok(())
    }

    fn check_one(
        &self,
        spec: Spec,
        place: &str,
        what: &'static str,
        lead: Option<&[usize]>,
        sequence: bool,
    ) -> Result<()> {
        let axes = if sequence { 2 } else { 1 };
        let shape = self.shape();
        if shape.first() == Some(&0) {
            return Err(Error::EmptyData { what });
        }
        let (kind, steps) = match self {
            Self::Float(_) => (ValueKind::Float, shape.get(1)),
            _ => (ValueKind::Index, shape.get(1)),
        };
        let fits = kind == spec.kind
            && shape.get(axes..) == Some(&*spec.shape)
            && (!sequence || steps > Some(&0));
        if !fits || shape.get(..axes) != lead {
            let expected = match sequence {
                true => spec.to_string().replacen("batch", "batch, time", 1),
                false => spec.to_string(),
            };
            let help = if fits {
                "all inputs have the same rows, and sequences the same steps, in front"
            } else if sequence {
                "a sequence is [batch, time, …] with at least one step; the network's input shape is that of one step"
            } else if **shape == *spec.shape {
                "the first axis is the batch: give one sample as a batch of one with .unsqueeze(0)"
            } else if spec.kind == ValueKind::Index {
                "reshape the data, or give Sequential::indices the shape of one sample"
            } else {
                "reshape the data, or give Sequential::input the shape of one sample"
            };
            let rows = match (fits, lead) {
                (true, Some(lead)) => format!(" with {lead:?} in front"),
                _ => String::new(),
            };
            return Err(Error::InputShape {
                what,
                expected: format!("{place}{} {expected}{rows}", spec.kind),
                found: format!("{kind} {shape}"),
                help,
            });
        }
        match self {
            Self::Float(x) => check_finite(x, what, "data"),
            _ => Ok(()),
        }
    }
}

/// What `predict` takes: `&x` with numbers or indices, or [`Inputs`]; for networks with several inputs a tuple, an array or a
/// list of these, in the order in which the network declares them.
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

impl<F: Float, I: IntoInputs<F>, const N: usize> IntoInputs<F> for [I; N] {
    fn into_inputs(self) -> Inputs<F> {
        Inputs::Several(self.into_iter().map(IntoInputs::into_inputs).collect())
    }
}

impl<F: Float, I: IntoInputs<F>> IntoInputs<F> for Vec<I> {
    fn into_inputs(self) -> Inputs<F> {
        Inputs::Several(self.into_iter().map(IntoInputs::into_inputs).collect())
    }
}

macro_rules! inputs_of_tuples {
    ($(($($input:ident),*))*) => {
        $(
            impl<Fl: Float, $($input: IntoInputs<Fl>),*> IntoInputs<Fl> for ($($input,)*) {
                #[allow(non_snake_case)]
                fn into_inputs(self) -> Inputs<Fl> {
                    let ($($input,)*) = self;
                    Inputs::Several(vec![$($input.into_inputs()),*])
                }
            }
        )*
    };
}

inputs_of_tuples! { (A, B) (A, B, C) (A, B, C, D) }

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

    pub(crate) fn range(&self, rows: Range<usize>) -> Self {
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
    pub(crate) fn check(
        &self,
        network: &Network<F>,
        what: &'static str,
        sequence: bool,
    ) -> Result<()> {
        self.inputs.check(network, what, sequence)?;
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

/// What `fit` and `evaluate` take: `(&x, &y)` with numbers or class indices, a labelled set, or [`Samples`]. For networks with
/// several inputs `x` is a tuple, an array or a list: `((&a, &b), &y)`.
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

            impl<A: IntoInputs<$float>, B: IntoInputs<$float>> IntoSamples<$float> for ((A, B), &Tensor<$float>) {
                fn into_samples(self) -> Samples<$float> {
                    Samples { inputs: self.0.into_inputs(), targets: Target::Float(self.1.clone()) }
                }
            }

            impl<A: IntoInputs<$float>, B: IntoInputs<$float>> IntoSamples<$float> for ((A, B), &Tensor<i64>) {
                fn into_samples(self) -> Samples<$float> {
                    Samples { inputs: self.0.into_inputs(), targets: Target::Index(self.1.clone()) }
                }
            }

            impl<I: IntoInputs<$float>, const N: usize> IntoSamples<$float> for ([I; N], &Tensor<$float>) {
                fn into_samples(self) -> Samples<$float> {
                    Samples { inputs: self.0.into_inputs(), targets: Target::Float(self.1.clone()) }
                }
            }

            impl<I: IntoInputs<$float>, const N: usize> IntoSamples<$float> for ([I; N], &Tensor<i64>) {
                fn into_samples(self) -> Samples<$float> {
                    Samples { inputs: self.0.into_inputs(), targets: Target::Index(self.1.clone()) }
                }
            }

            impl<I: IntoInputs<$float>> IntoSamples<$float> for (Vec<I>, &Tensor<$float>) {
                fn into_samples(self) -> Samples<$float> {
                    Samples { inputs: self.0.into_inputs(), targets: Target::Float(self.1.clone()) }
                }
            }

            impl<I: IntoInputs<$float>> IntoSamples<$float> for (Vec<I>, &Tensor<i64>) {
                fn into_samples(self) -> Samples<$float> {
                    Samples { inputs: self.0.into_inputs(), targets: Target::Index(self.1.clone()) }
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
