//! Benign or malignant.

use super::file::{File, LICENCE};
use crate::dataset::Labelled;
use std::sync::OnceLock;

/// Cell nuclei: 569 samples of breast tissue, benign or malignant, by 30 measurements.
///
/// # Shapes
/// - `x`: `[569, 30]`
/// - `y`: `[569]`, 0 malignant, 1 benign
///
/// # References
/// W. N. Street, W. H. Wolberg, O. L. Mangasarian (1993), Nuclear feature extraction for breast tumor
/// diagnosis, SPIE 1905, 861–870.
///
/// # Examples
/// ```
/// let cancer = fb_data::embedded::breast_cancer();
/// assert_eq!(cancer.class_counts(), [212, 357]);
/// ```
pub fn breast_cancer() -> &'static Labelled {
    static SET: OnceLock<Labelled> = OnceLock::new();
    SET.get_or_init(|| FILE.load())
}

const FILE: File = File {
    text: include_str!("../../data/breast_cancer.csv"),
    name: "breast_cancer",
    classes: &["malignant", "benign"],
    description: "Mean, standard error and worst value of ten measures of the cell nuclei in pictures \
        of fine needle aspirates of breast masses.",
    source: "W. H. Wolberg, W. N. Street, O. L. Mangasarian, 1995; UCI Machine Learning Repository, \
        dataset 17 (https://archive.ics.uci.edu/dataset/17/breast+cancer+wisconsin+diagnostic), \
        as distributed with scikit-learn.",
    licence: LICENCE,
};
