//! What several seeds gave.

use std::fmt;

/// Mean and deviation of a result over several seeds, printed as `0.9431 ± 0.0042`; the format's precision, 4 unless given, is
/// that of both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation of a sample, with the count less one in the denominator; of a single number it is not known.
    pub deviation: Option<f64>,
}

impl Spread {
    /// Of these numbers; of none the mean is NaN.
    pub fn of(numbers: impl IntoIterator<Item = f64>) -> Self {
        let numbers: Vec<f64> = numbers.into_iter().collect();
        let count = numbers.len() as f64;
        let mean = numbers.iter().sum::<f64>() / count;
        let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
        Self {
            mean,
            deviation: (numbers.len() > 1).then(|| (squares / (count - 1.0)).sqrt()),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(4);
        let text = match self.deviation {
            Some(deviation) => format!("{:.digits$} ± {deviation:.digits$}", self.mean),
            None => format!("{:.digits$}", self.mean),
        };
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_numbers_have_a_deviation() {
        let spread = Spread::of([1.0, 2.0, 3.0, 6.0]);
        assert_eq!(spread.mean, 3.0);
        assert!((spread.deviation.unwrap() - (14.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(
            format!("{spread}, {spread:.1}"),
            "3.0000 ± 2.1602, 3.0 ± 2.2"
        );
        assert_eq!(Spread::of([0.5]).to_string(), "0.5000");
        assert!(Spread::of([]).mean.is_nan());
    }
}
