//! Three growers of wine.

use super::file::{File, LICENCE};
use crate::dataset::Labelled;
use std::sync::OnceLock;

/// Chemical analyses: 178 Italian wines of 3 cultivars, by 13 measurements of very different scales.
///
/// # Shapes
/// - `x`: `[178, 13]`
/// - `y`: `[178]`, 0 to 2
///
/// # References
/// S. Aeberhard, D. Coomans, O. de Vel (1992), Comparison of classifiers in high dimensional settings,
/// James Cook University, technical report 92-02.
///
/// # Examples
/// ```
/// let wine = fb_data::embedded::wine();
/// assert_eq!(wine.class_counts(), [59, 71, 48]);
/// ```
pub fn wine() -> &'static Labelled {
    static SET: OnceLock<Labelled> = OnceLock::new();
    SET.get_or_init(|| FILE.load())
}

const FILE: File = File {
    text: include_str!("../../data/wine.csv"),
    name: "wine",
    classes: &["class_0", "class_1", "class_2"],
    description: "Chemical analyses of wines grown in one region of Italy from three cultivars.",
    source: "M. Forina et al., PARVUS, 1988, and S. Aeberhard, 1992; UCI Machine Learning \
        Repository, dataset 109 (https://archive.ics.uci.edu/dataset/109/wine), as distributed \
        with scikit-learn.",
    licence: LICENCE,
};
