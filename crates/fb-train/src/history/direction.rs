//! Whether a smaller or a larger number is the better one.

/// Which way a value improves.
///
/// ```
/// use fb_train::history::Direction;
/// assert!(Direction::of("val_loss").is_better(0.1, 0.2));
/// assert!(Direction::of("val_accuracy").is_better(0.9, 0.8));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smaller is better, as for a loss.
    Minimize,
    /// Larger is better, as for an accuracy.
    Maximize,
}

/// What names of values that should shrink contain. Any other value should grow.
const SHRINKING: [&str; 8] = [
    "loss",
    "error",
    "mse",
    "mae",
    "rmse",
    "residual",
    "perplexity",
    "seconds",
];

impl Direction {
    /// The direction that a value's name tells: losses, errors, residuals, perplexities and seconds shrink, the rest
    /// (accuracy, precision, recall, F1, R², rows per second) grows.
    pub fn of(name: &str) -> Self {
        if name == "rows_per_second" {
            return Self::Maximize;
        }
        let shrinks = name.split('_').any(|word| SHRINKING.contains(&word));
        if shrinks {
            Self::Minimize
        } else {
            Self::Maximize
        }
    }

    /// Whether `value` is strictly better than `than`. A NaN is never better, and anything is better than a NaN.
    pub fn is_better(self, value: f64, than: f64) -> bool {
        if value.is_nan() || than.is_nan() {
            return !value.is_nan();
        }
        match self {
            Self::Minimize => value < than,
            Self::Maximize => value > than,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_directions() {
        for name in [
            "loss",
            "val_loss",
            "mean_squared_error",
            "val_mse",
            "residual",
            "seconds",
        ] {
            assert_eq!(Direction::of(name), Direction::Minimize, "{name}");
        }
        for name in [
            "accuracy",
            "val_f1",
            "r2",
            "precision",
            "rows_per_second",
            "glossary",
        ] {
            assert_eq!(Direction::of(name), Direction::Maximize, "{name}");
        }
    }

    #[test]
    fn a_nan_is_never_better() {
        for direction in [Direction::Minimize, Direction::Maximize] {
            assert!(!direction.is_better(f64::NAN, 1.0));
            assert!(direction.is_better(1.0, f64::NAN));
            assert!(!direction.is_better(f64::NAN, f64::NAN));
            assert!(!direction.is_better(1.0, 1.0));
        }
    }
}
