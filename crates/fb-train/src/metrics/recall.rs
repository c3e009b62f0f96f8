//! How much is found.

use super::class_counts::{score_of_classes, share};

score_of_classes! {
    /// The share of rows of a class that are predicted as it: `right / actual`, and 0 where there are none.
    ///
    /// The name as a value is the recall of class 1; other averages have constructors.
    ///
    /// ```
    /// use fb_nn::Target;
    /// use fb_tensor::Tensor;
    /// use fb_train::metrics::{Metric, Recall};
    /// let mut recall: Box<dyn Metric<f32>> = Box::new(Recall);
    /// let target = Target::Index(Tensor::from([1_i64, 1, 0, 0]));
    /// recall.update(&Tensor::from([[0.9], [0.2], [0.8], [0.7]]), &target)?;
    /// assert_eq!(recall.value(), 0.5);
    /// # Ok::<(), fb_train::Error>(())
    /// ```
    Recall, "recall", |counts| share(counts.hits, counts.actual)
}
