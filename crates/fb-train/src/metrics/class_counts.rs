//! How often each class was right, said, and meant: what precision, recall and F1 are made of.

use super::{Average, classes, errors};
use crate::error::{Error, Result};
use fb_nn::Target;
use fb_tensor::{Float, Tensor};

/// Counts of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Rows of this class that were predicted as it.
    pub(super) hits: u64,
    /// Rows predicted as this class.
    pub(super) predicted: u64,
    /// Rows of this class.
    pub(super) actual: u64,
}

/// Counts of all classes, and how their scores become one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ClassCounts {
    average: Average,
    threshold: f64,
    classes: Vec<Counts>,
}

impl ClassCounts {
    pub(super) const fn new(average: Average) -> Self {
        Self {
            average,
            threshold: 0.5,
            classes: Vec::new(),
        }
    }

    pub(super) fn set_threshold(&mut self, threshold: f64) {
        self.threshold = threshold;
    }

    /// The name for each way to average, in the order binary, macro, micro, weighted.
    pub(super) fn name(&self, names: [&'static str; 4]) -> &'static str {
        match self.average {
            Average::Binary => names[0],
            Average::Macro => names[1],
            Average::Micro => names[2],
            Average::Weighted => names[3],
        }
    }

    pub(super) fn reset(&mut self) {
        self.classes.clear();
    }

    /// Counts a batch. One that fails is not counted.
    pub(super) fn update<F: Float>(
        &mut self,
        metric: &str,
        output: &Tensor<F>,
        target: &Target<F>,
    ) -> Result<()> {
        let mut unpredicted = None;
        let mut row = 0;
        let classes =
            classes::for_each_row(metric, output, target, self.threshold, |predicted, _| {
                if predicted.is_none() {
                    unpredicted.get_or_insert(row);
                }
                row += 1;
            })?;
        if let Some(row) = unpredicted {
            return Err(errors::not_a_number(metric, row));
        }
        self.check(metric, classes)?;
        self.classes.resize(classes, Counts::default());
        let counts = &mut self.classes;
        classes::for_each_row(
            metric,
            output,
            target,
            self.threshold,
            |predicted, actual| {
                let predicted = predicted.unwrap_or(actual);
                counts[predicted].predicted += 1;
                counts[actual].actual += 1;
                counts[actual].hits += u64::from(predicted == actual);
            },
        )?;
        Ok(())
    }

    /// All batches must have the same classes, and `Binary` needs two of them.
    fn check(&self, metric: &str, classes: usize) -> Result<()> {
        let (expected, help) = match (self.classes.len(), self.average) {
            (0, Average::Binary) if classes != 2 => (
                "2 classes".to_string(),
                "say how to average, such as with macro_average()",
            ),
            (0, _) => return Ok(()),
            (known, _) if known == classes => return Ok(()),
            (known, _) => (
                format!("{known} classes as before"),
                "reset the metric between models",
            ),
        };
        let found = format!("an output for {classes} classes");
        Err(Error::Metric {
            metric: metric.to_string(),
            expected,
            found,
            help,
        })
    }

    /// The score of the classes together.
    pub(super) fn average(&self, score: impl Fn(Counts) -> f64) -> f64 {
        let rows: u64 = self.classes.iter().map(|counts| counts.actual).sum();
        if rows == 0 {
            return f64::NAN;
        }
        let seen = || {
            self.classes
                .iter()
                .filter(|counts| counts.predicted + counts.actual > 0)
                .copied()
        };
        match self.average {
            Average::Binary => score(self.classes[1]),
            Average::Macro => seen().map(&score).sum::<f64>() / seen().count() as f64,
            Average::Micro => score(seen().fold(Counts::default(), |sum, counts| Counts {
                hits: sum.hits + counts.hits,
                predicted: sum.predicted + counts.predicted,
                actual: sum.actual + counts.actual,
            })),
            Average::Weighted => {
                seen()
                    .map(|counts| score(counts) * counts.actual as f64)
                    .sum::<f64>()
                    / rows as f64
            }
        }
    }
}

/// A part of a whole; 0 where there is nothing, as in scikit-learn.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// A metric that is a score of each class, averaged: its documentation, name, and score.
macro_rules! score_of_classes {
    ($(#[$doc:meta])* $type:ident, $name:literal, $score:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $type {
            counts: crate::metrics::class_counts::ClassCounts,
        }

        #[doc = concat!("[`struct@", stringify!($type), "`] of class 1.")]
        #[allow(non_upper_case_globals, reason = "the name of the metric is its default value")]
        pub const $type: $type =
            $type { counts: crate::metrics::class_counts::ClassCounts::new(crate::metrics::Average::Binary) };

        impl $type {
            /// The mean over classes; see [`Average::Macro`](crate::metrics::Average::Macro).
            pub fn macro_average() -> Self {
                Self::averaged(crate::metrics::Average::Macro)
            }

            /// Over all decisions together; see [`Average::Micro`](crate::metrics::Average::Micro).
            pub fn micro_average() -> Self {
                Self::averaged(crate::metrics::Average::Micro)
            }

            /// The mean over rows; see [`Average::Weighted`](crate::metrics::Average::Weighted).
            pub fn weighted_average() -> Self {
                Self::averaged(crate::metrics::Average::Weighted)
            }

            /// With the average said by a value.
            pub fn averaged(average: crate::metrics::Average) -> Self {
                Self { counts: crate::metrics::class_counts::ClassCounts::new(average) }
            }

            /// Outputs with one column predict class 1 above this value: 0.5 for probabilities, 0 for logits.
            #[must_use]
            pub fn threshold(mut self, threshold: f64) -> Self {
                self.counts.set_threshold(threshold);
                self
            }

            fn full_name(&self) -> &'static str {
                let (over_classes, over_all) = (concat!("macro_", $name), concat!("micro_", $name));
                self.counts.name([$name, over_classes, over_all, concat!("weighted_", $name)])
            }
        }

        impl<F: fb_tensor::Float> crate::metrics::Metric<F> for $type {
            fn name(&self) -> &str {
                self.full_name()
            }

            fn update(
                &mut self,
                output: &fb_tensor::Tensor<F>,
                target: &fb_nn::Target<F>,
            ) -> crate::error::Result<()> {
                let name = self.full_name();
                self.counts.update(name, output, target)
            }

            fn value(&self) -> f64 {
                self.counts.average($score)
            }

            fn reset(&mut self) {
                self.counts.reset();
            }

            fn boxed_clone(&self) -> Box<dyn crate::metrics::Metric<F>> {
                Box::new(self.clone())
            }
        }
    };
}

pub(super) use score_of_classes;

#[cfg(test)]
mod tests {
    use crate::metrics::{F1, Metric, Precision, Recall};
    use fb_nn::Target;
    use fb_tensor::Tensor;

    /// Answers that predict these classes.
    fn output(predicted: &[usize], classes: usize) -> Tensor<f32> {
        Tensor::from_fn([predicted.len(), classes], |i| {
            f32::from(u8::from(predicted[i[0]] == i[1]))
        })
    }

    fn value(mut metric: impl Metric<f32>, output: &Tensor<f32>, labels: &[i64]) -> f64 {
        // In two batches, as training gives them.
        let half = labels.len() / 2;
        for rows in [0..half, half..labels.len()] {
            let target = Target::Index(Tensor::from(labels[rows.clone()].to_vec()));
            metric.update(&output.slice(0, rows), &target).unwrap();
        }
        metric.value()
    }

    #[test]
    fn averages_are_scikit_learns() {
        // y, p = [0,0,0,1,1,2,2,2,2,4], [0,1,0,1,2,2,2,0,2,2]
        // [[f(y, p, average=a) for f in (precision_score, recall_score, f1_score)] for a in ("macro", "micro", "weighted")]
        // Class 3 never appears and class 4 is never predicted.
        let output = output(&[0, 1, 0, 1, 2, 2, 2, 0, 2, 2], 5);
        let labels = [0, 0, 0, 1, 1, 2, 2, 2, 2, 4];
        let close = |value: f64, expected: f64| {
            assert!((value - expected).abs() < 1e-12, "{value} not {expected}")
        };
        close(
            value(Precision::macro_average(), &output, &labels),
            0.441_666_666_666_666_65,
        );
        close(
            value(Recall::macro_average(), &output, &labels),
            0.479_166_666_666_666_63,
        );
        close(
            value(F1::macro_average(), &output, &labels),
            0.458_333_333_333_333_26,
        );
        close(value(Precision::micro_average(), &output, &labels), 0.6);
        close(value(Recall::micro_average(), &output, &labels), 0.6);
        close(value(F1::micro_average(), &output, &labels), 0.6);
        close(value(Precision::weighted_average(), &output, &labels), 0.54);
        close(value(Recall::weighted_average(), &output, &labels), 0.6);
        close(
            value(F1::weighted_average(), &output, &labels),
            0.566_666_666_666_666_7,
        );
    }

    #[test]
    fn two_classes_are_scikit_learns() {
        // y, p = [1,1,0,0,1,0,1,0], [1,0,1,0,1,0,0,0]
        let output = Tensor::from([[0.9], [0.1], [0.8], [0.2], [0.7], [0.3], [0.4], [0.5]]);
        let labels = [1, 1, 0, 0, 1, 0, 1, 0];
        assert_eq!(value(Precision, &output, &labels), 2.0 / 3.0);
        assert_eq!(value(Recall, &output, &labels), 0.5);
        assert_eq!(value(F1, &output, &labels), 4.0 / 7.0);
        // Nothing predicted, nothing there.
        let never = Tensor::from([[0.1], [0.1]]);
        assert_eq!(value(Precision, &never, &[1, 0]), 0.0);
        assert_eq!(value(F1, &never, &[0, 0]), 0.0);
    }

    #[test]
    fn names_say_the_average() {
        let name = |metric: &dyn Metric<f32>| metric.name().to_string();
        assert_eq!(name(&Precision), "precision");
        assert_eq!(name(&Recall::micro_average()), "micro_recall");
        assert_eq!(name(&F1::weighted_average()), "weighted_f1");
    }

    #[test]
    fn class_one_needs_two_classes() {
        let mut metric: Box<dyn Metric<f32>> = Box::new(F1);
        let target = Target::Index(Tensor::from([0_i64, 1]));
        let error = metric
            .update(&output(&[0, 1], 3), &target)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("expected 2 classes, found an output for 3 classes"),
            "{error}"
        );
        metric.update(&output(&[0, 1], 2), &target).unwrap();
        let error = metric
            .update(
                &Tensor::from([[0.1, f32::NAN]]),
                &Target::Index(Tensor::from([1_i64])),
            )
            .unwrap_err();
        assert!(error.to_string().contains("found NaN in row 0"), "{error}");
        assert_eq!(metric.value(), 1.0);
        metric.reset();
        assert!(metric.value().is_nan());
    }
}
