//! NaN and infinity, found where they enter.

use crate::error::{Error, Result};
use crate::place::Place;
use fb_tensor::Tensor;

/// Checks that a tensor holds no NaN and no infinity.
///
/// # Errors
/// Names the first such element by row and column.
///
/// # Examples
/// ```
/// use fb_data::dataset::check_finite;
/// use fb_tensor::Tensor;
/// let x = Tensor::from([[1.0, 2.0], [3.0, f32::NAN]]);
/// let error = check_finite(&x).unwrap_err().to_string();
/// assert!(error.contains("row 1, column 1"));
/// ```
pub fn check_finite(x: &Tensor) -> Result<()> {
    let odd = match x.as_slice() {
        Some(values) => values.iter().position(|value| !value.is_finite()),
        None => x.iter().position(|value| !value.is_finite()),
    };
    match odd {
        None => Ok(()),
        Some(flat) => {
            let index = index(flat, x.dims());
            Err(Error::NotFinite {
                found: x.at(&index).to_string(),
                place: Place::element(&index),
                expected: "a finite number",
                help: "correct or leave out such rows; gaps in a table are filled with .fill_missing(..)",
            })
        }
    }
}

/// The index of the `flat`-th element in row-major order.
pub(crate) fn index(mut flat: usize, dims: &[usize]) -> Vec<usize> {
    let mut index = vec![0; dims.len()];
    for (place, &extent) in index.iter_mut().zip(dims).rev() {
        *place = flat % extent;
        flat /= extent;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_odd_element_is_named_in_any_layout() {
        let x = Tensor::from([[1.0, f32::INFINITY, 2.0], [3.0, 4.0, 5.0]]);
        assert_eq!(
            check_finite(&x).unwrap_err().to_string(),
            "inf is not a finite number\n  row 0, column 1 (both from 0): expected a finite number, found inf\n  help: correct or leave out such rows; gaps in a table are filled with .fill_missing(..)"
        );
        let error = check_finite(&x.transpose()).unwrap_err().to_string();
        assert!(error.contains("row 1, column 0"), "{error}");
        assert!(check_finite(&Tensor::zeros([2, 0])).is_ok());
    }

    #[test]
    fn indices_count_the_last_axis_first() {
        assert_eq!(index(7, &[2, 3, 2]), [1, 0, 1]);
        assert_eq!(index(0, &[]), [0_usize; 0]);
    }
}
