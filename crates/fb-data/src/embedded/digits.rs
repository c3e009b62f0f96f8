//! Handwritten digits.

use super::file::{File, LICENCE};
use crate::dataset::Labelled;
use std::sync::OnceLock;

/// Handwritten digits: 1797 pictures of 8×8 pixels with values from 0 (paper) to 16 (ink).
///
/// [`Labelled::images`] gives them as pictures.
///
/// # Shapes
/// - `x`: `[1797, 64]`, row by row
/// - `y`: `[1797]`, the digit
///
/// # References
/// E. Alpaydin, C. Kaynak (1998), Cascading classifiers, Kybernetika 34(4), 369–374.
///
/// # Examples
/// ```
/// let digits = fb_data::embedded::digits();
/// assert_eq!(digits.images()?.dims(), [1797, 8, 8, 1]);
/// # Ok::<(), fb_data::Error>(())
/// ```
pub fn digits() -> &'static Labelled {
    static SET: OnceLock<Labelled> = OnceLock::new();
    SET.get_or_init(|| {
        let digits = FILE.load().with_image_shape([8, 8, 1]);
        digits.expect("64 pixels are 8 by 8")
    })
}

const FILE: File = File {
    text: include_str!("../../data/digits.csv"),
    name: "digits",
    classes: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    description: "Handwritten digits of 13 people as pictures of 8x8 pixels with values from 0 to 16.",
    source: "E. Alpaydin and C. Kaynak, 1998, test part; UCI Machine Learning Repository, dataset 80 \
        (https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits), as \
        distributed with scikit-learn.",
    licence: LICENCE,
};
