//! What is learned from training rows and applied to all rows.
//!
//! A [`Transform`] is a plan. [`Transform::fit`] looks at training rows and gives a [`Fitted`] value;
//! only that can transform, so statistics of test rows cannot leak into training, and nothing can be
//! used before it is fitted:
//!
//! ```compile_fail
//! use fb_data::transform::{Fitted, StandardScaler};
//! let x = fb_tensor::Tensor::zeros([2, 2]);
//! StandardScaler::new().transform(&x); // a plan has no statistics to transform with
//! ```
//!
//! | plan | learns | from → to |
//! |---|---|---|
//! | [`MinMaxScaler`] | minimum and maximum of each column | numbers → numbers |
//! | [`MaxScaler`] | maximum of each column | numbers → numbers |
//! | [`StandardScaler`] | mean and deviation of each column | numbers → numbers |
//! | [`OneHot`] | how many classes there are | class indices → numbers |
//! | [`LabelEncoder`] | which classes there are | words → class indices |
//! | [`FillMissing`] | what stands for a missing value | table → table |
//! | [`Pipeline`] | each step on the output of the one before | |
//!
//! Fitted values are serialisable. One more transform is one more file here, or a type of your own.

mod fill_missing;
mod label_encoder;
mod max;
mod min_max;
mod one_hot;
mod pipeline;
mod scaler;
mod standard;

pub use fill_missing::{Fill, FillMissing, FittedFill};
pub use label_encoder::{Classes, LabelEncoder};
pub use max::MaxScaler;
pub use min_max::MinMaxScaler;
pub use one_hot::{FittedOneHot, OneHot};
pub use pipeline::{FittedPipeline, Pipeline};
pub use scaler::{Affine, FittedScaler};
pub use standard::StandardScaler;

use crate::error::Result;

/// A plan of what to learn from rows.
///
/// # Examples
/// ```
/// use fb_data::transform::{Fitted, Invertible, MinMaxScaler, Transform};
/// use fb_tensor::Tensor;
///
/// let train = Tensor::from([[0.0, 10.0], [4.0, 30.0]]);
/// let scaler = MinMaxScaler::new().fit(&train)?;
/// let test = Tensor::from([[1.0, 40.0]]);
/// assert_eq!(scaler.transform(&test)?.to_vec(), [0.25, 1.5]);
/// assert_eq!(scaler.inverse(&scaler.transform(&test)?)?.to_vec(), [1.0, 40.0]);
/// # Ok::<(), fb_data::Error>(())
/// ```
pub trait Transform {
    /// What fitting gives.
    type Fitted: Fitted;

    /// Learns from training rows.
    ///
    /// # Errors
    /// There are no rows to learn from, or they hold values that cannot be used.
    fn fit(&self, data: &<Self::Fitted as Fitted>::Input) -> Result<Self::Fitted>;

    /// Learns from training rows and transforms them.
    ///
    /// # Errors
    /// As [`Transform::fit`] and [`Fitted::transform`].
    fn fit_transform(
        &self,
        data: &<Self::Fitted as Fitted>::Input,
    ) -> Result<(Self::Fitted, <Self::Fitted as Fitted>::Output)> {
        let fitted = self.fit(data)?;
        let output = fitted.transform(data)?;
        Ok((fitted, output))
    }

    /// This transform followed by another on its output.
    fn then<T>(self, next: T) -> Pipeline<Self, T>
    where
        Self: Sized,
        T: Transform<Fitted: Fitted<Input = <Self::Fitted as Fitted>::Output>>,
    {
        Pipeline::new(self, next)
    }
}

/// What was learned from training rows, ready to be applied to any rows.
pub trait Fitted {
    /// What it takes.
    type Input;
    /// What it gives.
    type Output;

    /// Applies what was learned.
    ///
    /// # Errors
    /// The rows have another shape than those fitted on, or hold values that cannot be used.
    fn transform(&self, data: &Self::Input) -> Result<Self::Output>;
}

/// A fitted transform that can be undone.
pub trait Invertible: Fitted {
    /// Undoes [`Fitted::transform`].
    ///
    /// # Errors
    /// As [`Fitted::transform`].
    fn inverse(&self, data: &Self::Output) -> Result<Self::Input>;
}
