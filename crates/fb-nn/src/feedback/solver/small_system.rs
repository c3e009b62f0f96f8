//! The small least-squares problem of each step of Anderson's method.

/// Solves `(G + λ diag G) x = b` for the leading vectors of a history, from its Gram matrix `G`.
///
/// The vectors of the history grow shorter as an iteration converges, by orders of magnitude; scaled by the diagonal, the
/// regularisation weighs each by its own length. Vectors are eliminated from the newest to the oldest, and one that is
/// a combination of newer ones up to rounding gets no part.
///
/// `gram` and `factor` are square, of side `side`, and hold `count` vectors; `newest` is the place of the newest in
/// a ring. Row `i` of the factor is that of the vector `i` places before the newest.
pub(super) fn solve(
    gram: &[f64],
    [side, count, newest]: [usize; 3],
    regularisation: f64,
    right: &[[f64; 2]],
    factor: &mut [f64],
    solution: &mut [f64],
) {
    /// A pivot below this share of its vector's square is rounding.
    const NOTHING: f64 = 1e-14;
    let place = |age: usize| {
        if newest >= age {
            newest - age
        } else {
            newest + side - age
        }
    };
    // The factor holds L below the diagonal, the reciprocals of D on it, and L·D above, transposed.
    for i in 0..count {
        let at = place(i);
        let square = gram[at * side + at];
        let mut pivot = square * (1.0 + regularisation);
        let mut reduced = right[at][1];
        for j in 0..i {
            let mut value = gram[at * side + place(j)];
            for k in 0..j {
                value -= factor[i * side + k] * factor[k * side + j];
            }
            let scaled = value * factor[j * side + j];
            factor[j * side + i] = value;
            factor[i * side + j] = scaled;
            pivot -= scaled * value;
            reduced -= scaled * solution[place(j)];
        }
        let independent = pivot > NOTHING * square && square > 0.0;
        factor[i * side + i] = if independent { 1.0 / pivot } else { 0.0 };
        solution[at] = reduced;
    }
    for i in (0..count).rev() {
        let mut value = solution[place(i)] * factor[i * side + i];
        for j in i + 1..count {
            value -= factor[j * side + i] * solution[place(j)];
        }
        solution[place(i)] = value;
    }
}
