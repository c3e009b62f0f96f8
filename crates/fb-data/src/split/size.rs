//! How much to set aside.

use crate::error::{Error, Result};

/// A part of the rows: a fraction of them or a count.
///
/// ```
/// use fb_data::split::{Size, split};
/// let (_, test) = split(150, Size::Count(30)).seed(1)?;
/// assert_eq!(test.len(), 30);
/// # Ok::<(), fb_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Size {
    /// A fraction of all rows, between 0 and 1; the count is rounded to the nearest row.
    Fraction(f64),
    /// A number of rows.
    Count(usize),
}

impl From<f64> for Size {
    fn from(fraction: f64) -> Self {
        Self::Fraction(fraction)
    }
}

impl From<usize> for Size {
    fn from(count: usize) -> Self {
        Self::Count(count)
    }
}

impl Size {
    /// The number of rows meant, of `total`: at least one, and never all.
    pub(super) fn of(self, total: usize, argument: &'static str) -> Result<usize> {
        let count = match self {
            Self::Fraction(part) if part > 0.0 && part < 1.0 => {
                (part * total as f64).round() as usize
            }
            Self::Fraction(_) => 0,
            Self::Count(count) => count,
        };
        if (1..total).contains(&count) {
            return Ok(count);
        }
        Err(Error::Argument {
            op: "split",
            argument,
            expected: match total {
                0 | 1 => "at least 2 rows to divide".to_string(),
                _ => format!(
                    "a fraction of at least one of the {total} rows, or a count of 1 to {}",
                    total - 1
                ),
            },
            found: match self {
                Self::Fraction(part) if part > 0.0 && part < 1.0 => {
                    format!("{part}, which is {count} of {total} rows")
                }
                Self::Fraction(part) => part.to_string(),
                Self::Count(count) => format!("{count} of {total} rows"),
            },
            help: "0.2 sets a fifth of the rows aside, Size::Count(30) sets 30 aside",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_round_to_the_nearest_row() {
        for (size, total, rows) in [
            (Size::from(0.2), 1797, 359),
            (Size::from(0.25), 10, 3),
            (Size::from(0.5), 3, 2),
            (Size::from(4_usize), 5, 4),
        ] {
            assert_eq!(size.of(total, "test size").unwrap(), rows);
        }
    }

    #[test]
    fn empty_parts_are_told() {
        let text = |size: Size, total| size.of(total, "test size").unwrap_err().to_string();
        assert_eq!(
            text(Size::Fraction(1.5), 10),
            "split: bad test size\n  expected a fraction of at least one of the 10 rows, or a count of 1 to 9, found 1.5\n  help: 0.2 sets a fifth of the rows aside, Size::Count(30) sets 30 aside"
        );
        assert!(text(Size::Fraction(0.01), 10).contains("found 0.01, which is 0 of 10 rows"));
        assert!(text(Size::Fraction(0.99), 10).contains("found 0.99, which is 10 of 10 rows"));
        assert!(text(Size::Fraction(f64::NAN), 10).contains("found NaN"));
        assert!(text(Size::Count(10), 10).contains("found 10 of 10 rows"));
        assert!(text(Size::Count(0), 10).contains("found 0 of 10 rows"));
        assert!(text(Size::Fraction(0.5), 1).contains("expected at least 2 rows to divide"));
    }
}
