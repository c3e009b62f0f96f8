//! Transforms one after the other.

use super::{Fitted, Invertible, Transform};
use crate::error::Result;

/// A transform followed by another; made by [`Transform::then`], as long as needed.
///
/// The second is fitted on what the first makes of the training rows. Which step follows which is
/// checked by the compiler.
///
/// # Examples
/// ```
/// use fb_data::transform::{Fitted, FittedPipeline, Invertible, LabelEncoder, OneHot, Transform};
/// use fb_data::Column;
///
/// let plan = LabelEncoder::new().then(OneHot::new());
/// let colours = Column::text(["red", "blue", "red"]);
/// let (fitted, x) = plan.fit_transform(&colours)?;
/// assert_eq!(x.to_vec(), [0.0, 1.0, 1.0, 0.0, 0.0, 1.0]);
/// assert_eq!(fitted.inverse(&x)?, colours);
/// # Ok::<(), fb_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Pipeline<A, B> {
    first: A,
    second: B,
}

/// A fitted [`Pipeline`].
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FittedPipeline<A, B> {
    first: A,
    second: B,
}

impl<A, B> Pipeline<A, B> {
    pub(super) fn new(first: A, second: B) -> Self {
        Self { first, second }
    }
}

impl<A, B> FittedPipeline<A, B> {
    /// The step applied first.
    pub fn first(&self) -> &A {
        &self.first
    }

    /// The step applied to the output of the first.
    pub fn second(&self) -> &B {
        &self.second
    }
}

impl<A, B> Transform for Pipeline<A, B>
where
    A: Transform,
    B: Transform<Fitted: Fitted<Input = <A::Fitted as Fitted>::Output>>,
{
    type Fitted = FittedPipeline<A::Fitted, B::Fitted>;

    fn fit(&self, data: &<A::Fitted as Fitted>::Input) -> Result<Self::Fitted> {
        let (first, between) = self.first.fit_transform(data)?;
        Ok(FittedPipeline {
            first,
            second: self.second.fit(&between)?,
        })
    }
}

impl<A, B> Fitted for FittedPipeline<A, B>
where
    A: Fitted,
    B: Fitted<Input = A::Output>,
{
    type Input = A::Input;
    type Output = B::Output;

    fn transform(&self, data: &A::Input) -> Result<B::Output> {
        self.second.transform(&self.first.transform(data)?)
    }
}

impl<A, B> Invertible for FittedPipeline<A, B>
where
    A: Invertible,
    B: Invertible<Input = A::Output>,
{
    fn inverse(&self, data: &B::Output) -> Result<A::Input> {
        self.first.inverse(&self.second.inverse(data)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::{FittedScaler, MaxScaler, MinMaxScaler, StandardScaler};
    use fb_tensor::Tensor;

    #[test]
    fn each_step_is_fitted_on_the_output_of_the_one_before() {
        let x = Tensor::from([[1.0], [2.0], [6.0]]);
        let plan = StandardScaler::new()
            .then(MinMaxScaler::new())
            .then(MaxScaler::new());
        let (fitted, y) = plan.fit_transform(&x).unwrap();
        let expected = MinMaxScaler::new().fit(&x).unwrap().transform(&x).unwrap();
        for (value, expected) in y.iter().zip(expected.iter()) {
            assert!((value - expected).abs() < 1e-6);
        }
        assert_eq!(fitted.second().columns()[0].scale, 1.0);
        for (value, expected) in fitted.inverse(&y).unwrap().iter().zip(x.iter()) {
            assert!((value - expected).abs() < 1e-5);
        }
    }

    #[test]
    fn fitted_steps_of_any_kind_fit_in_a_box() {
        let x = Tensor::from([[1.0], [3.0]]);
        let scaler: FittedScaler = MaxScaler::new().fit(&x).unwrap();
        let chain = MaxScaler::new()
            .then(StandardScaler::new())
            .fit(&x)
            .unwrap();
        let steps: [Box<dyn Fitted<Input = Tensor, Output = Tensor>>; 2] =
            [Box::new(scaler), Box::new(chain)];
        assert!(steps.iter().all(|step| step.transform(&x).is_ok()));
    }
}
