//! Rows and columns brought to like sizes, which changes no eigenvalue and saves digits.

use super::square::Square;

/// Permutes the matrix so that eigenvalues that stand isolated on the diagonal are split off, and scales what is left
/// by powers of 2 so that each row is about as large as its column. A triangular matrix, permuted or not, comes out with
/// its eigenvalues exactly on the diagonal.
///
/// # References
/// B. Parlett, C. Reinsch, "Balancing a matrix for calculation of eigenvalues and eigenvectors", Numer. Math. 13, 1969;
/// with the 2-norm as in R. James, J. Langou, B. Lowery, "On matrix balancing and eigenvector computation", 2014.
pub(super) fn balance(a: &mut Square) {
    let (mut low, mut high) = (0, a.extent());
    while let Some(row) = (low..high)
        .rev()
        .find(|&i| (low..high).all(|j| j == i || a[(i, j)] == 0.0))
    {
        high -= 1;
        a.exchange(row, high);
    }
    while let Some(column) = (low..high).find(|&j| (low..high).all(|i| i == j || a[(i, j)] == 0.0))
    {
        a.exchange(column, low);
        low += 1;
    }
    // What stands beside the blocks of a block triangular matrix changes no eigenvalue.
    let inside = low..high;
    for i in 0..a.extent() {
        for j in (0..a.extent()).filter(|&j| j != i) {
            if !inside.contains(&i) || !inside.contains(&j) {
                a[(i, j)] = 0.0;
            }
        }
    }
    // Each round comes closer; a few always do.
    for _ in 0..16 {
        let changes = (low..high).filter(|&i| scale_one(a, i, low, high)).count();
        if changes == 0 {
            return;
        }
    }
}

/// Scales row and column `i` against each other; whether that made them noticeably smaller together.
fn scale_one(a: &mut Square, i: usize, low: usize, high: usize) -> bool {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0_f64, f64::hypot);
    let column = norm(&mut (low..high).map(|k| a[(k, i)]));
    let row = norm(&mut (low..high).map(|k| a[(i, k)]));
    if column == 0.0 || row == 0.0 {
        return false;
    }
    let factor = (0.5 * (row / column).log2()).round().exp2();
    // A factor beyond this would push elements out of range.
    let useful = (1e-100..1e100).contains(&factor)
        && (column * factor).hypot(row / factor) < 0.95 * column.hypot(row);
    if useful {
        (low..high).for_each(|k| a[(k, i)] *= factor);
        (low..high).for_each(|k| a[(i, k)] /= factor);
    }
    useful
}
