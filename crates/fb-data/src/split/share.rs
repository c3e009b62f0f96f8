//! Dividing a number of rows among classes.

/// How many of `wanted` rows each class gives, in proportion to its size: the floor or the ceiling of
/// `size · wanted / Σ size`, and `wanted` in all.
///
/// The largest remainders are rounded up, the first class among equals.
pub(super) fn shares(sizes: &[usize], wanted: usize) -> Vec<usize> {
    let total = sizes.iter().sum::<usize>().max(1) as u128;
    let exact = |size: &usize| *size as u128 * wanted as u128;
    let mut shares: Vec<usize> = sizes
        .iter()
        .map(|size| (exact(size) / total) as usize)
        .collect();
    let mut classes: Vec<usize> = (0..sizes.len()).collect();
    classes.sort_by_key(|&class| std::cmp::Reverse(exact(&sizes[class]) % total));
    let left = wanted - shares.iter().sum::<usize>();
    for &class in &classes[..left] {
        shares[class] += 1;
    }
    shares
}

/// How many rows each class has.
pub(super) fn sizes(classes: &[usize]) -> Vec<usize> {
    let mut sizes = vec![0; classes.iter().max().map_or(0, |&last| last + 1)];
    for &class in classes {
        sizes[class] += 1;
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    #[test]
    fn shares_add_up_and_ties_go_to_the_first() {
        assert_eq!(shares(&[50, 50, 50], 50), [17, 17, 16]);
        assert_eq!(shares(&[1, 99], 10), [0, 10]);
        assert_eq!(shares(&[3], 2), [2]);
        assert_eq!(shares(&[], 0), [0_usize; 0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 64,
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]
        #[test]
        fn shares_are_within_one_of_proportional(
            sizes in proptest::collection::vec(0_usize..50, 1..8),
            part in 0.0..1.0,
        ) {
            let total: usize = sizes.iter().sum();
            let wanted = (part * total as f64) as usize;
            let shares = shares(&sizes, wanted);
            prop_assert_eq!(shares.iter().sum::<usize>(), wanted);
            for (share, size) in shares.iter().zip(&sizes) {
                let exact = *size as f64 * wanted as f64 / total.max(1) as f64;
                prop_assert!((*share as f64 - exact).abs() < 1.0);
                prop_assert!(share <= size);
            }
        }
    }
}
