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

#[cfg(test)]
mod tests {
    use super::solve;

    /// The least-squares factors of three vectors that stand in a ring, the newest at `newest`.
    fn factors(
        vectors: [[f64; 4]; 3],
        right: [f64; 4],
        newest: usize,
        regularisation: f64,
    ) -> [f64; 3] {
        let dot = |a: &[f64; 4], b: &[f64; 4]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let gram: Vec<f64> = vectors
            .iter()
            .flat_map(|a| vectors.iter().map(move |b| dot(a, b)))
            .collect();
        let right = vectors.each_ref().map(|v| [f64::NAN, dot(v, &right)]);
        let (mut factor, mut solution) = ([f64::NAN; 9], [f64::NAN; 3]);
        let sizes = [3, 3, newest];
        solve(
            &gram,
            sizes,
            regularisation,
            &right,
            &mut factor,
            &mut solution,
        );
        solution
    }

    #[test]
    fn combinations_are_found_whatever_the_scales() {
        for newest in 0..3 {
            let vectors = [
                [1e3, 2e3, 0.0, 1e3],
                [1.0, 0.0, 3.0, 1.0],
                [0.0, 1e-6, 1e-6, -1e-6],
            ];
            let right =
                std::array::from_fn(|i| 2.0 * vectors[0][i] - vectors[1][i] + 5.0 * vectors[2][i]);
            let got = factors(vectors, right, newest, 0.0);
            for (got, want) in got.iter().zip([2.0, -1.0, 5.0]) {
                assert!((got - want).abs() < 1e-6, "{got} {want}");
            }
            // Regularised by its own length, each shrinks by a like share, however short it is.
            let got = factors(
                [
                    [1e3, 0.0, 0.0, 0.0],
                    [0.0, 1.0, 0.0, 0.0],
                    [0.0, 0.0, 1e-6, 0.0],
                ],
                [1e3, 1.0, 1e-6, 0.0],
                newest,
                0.25,
            );
            for got in got {
                assert!((got - 0.8).abs() < 1e-12, "{got}");
            }
        }
    }

    #[test]
    fn what_depends_on_newer_vectors_gets_no_part() {
        let vectors = [[1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 6.0, 8.0], [0.0; 4]];
        assert_eq!(
            factors(vectors, [1.0, 2.0, 3.0, 4.0], 1, 0.0),
            [0.0, 0.5, 0.0]
        );
        assert_eq!(
            factors(vectors, [1.0, 2.0, 3.0, 4.0], 0, 0.0),
            [1.0, 0.0, 0.0]
        );
    }
}
