//! Precision and recall in one number.

use super::class_counts::{score_of_classes, share};

score_of_classes! {
    /// The harmonic mean of precision and recall: `2 · right / (predicted + actual)`, and 0 where a class does not appear.
    ///
    /// The name as a value is the F1 of class 1; other averages have constructors.
    ///
    /// ```
    /// use fb_nn::Target;
    /// use fb_tensor::Tensor;
    /// use fb_train::metrics::{F1, Metric};
    /// let mut f1: Box<dyn Metric<f32>> = Box::new(F1);
    /// let target = Target::Index(Tensor::from([1_i64, 1, 0, 0]));
    /// f1.update(&Tensor::from([[0.9], [0.2], [0.8], [0.7]]), &target)?;
    /// assert!((f1.value() - 0.4).abs() < 1e-12);
    /// # Ok::<(), fb_train::Error>(())
    /// ```
    F1, "f1", |counts| share(2 * counts.hits, counts.predicted + counts.actual)
}
