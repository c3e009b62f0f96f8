//! How far answers can be trusted.

use super::class_counts::{score_of_classes, share};

score_of_classes! {
    /// The share of rows predicted as a class that are of it: `right / predicted`, and 0 where nothing is predicted.
    ///
    /// The name as a value is the precision of class 1; other averages have constructors.
    ///
    /// ```
    /// use fb_nn::Target;
    /// use fb_tensor::Tensor;
    /// use fb_train::metrics::{Metric, Precision};
    /// let mut precision: Box<dyn Metric<f32>> = Box::new(Precision);
    /// let target = Target::Index(Tensor::from([1_i64, 1, 0, 0]));
    /// precision.update(&Tensor::from([[0.9], [0.2], [0.8], [0.7]]), &target)?;
    /// assert!((precision.value() - 1.0 / 3.0).abs() < 1e-12);
    /// # Ok::<(), fb_train::Error>(())
    /// ```
    Precision, "precision", |counts| share(counts.hits, counts.predicted)
}
