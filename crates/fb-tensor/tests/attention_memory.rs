//! Attention over long sequences, in a process of its own: what it takes from the system shows in the process's peak.
#![cfg(target_os = "linux")]

use fb_tensor::random::Key;
use fb_tensor::{Attention, Tensor, pool, threads};

const LENGTH: usize = 8192;

/// The most memory that the process ever had, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kilobytes = line.split_whitespace().nth(1).unwrap();
    1024 * kilobytes.parse::<usize>().unwrap()
}

#[test]
fn memory_grows_with_the_length_not_with_its_square() {
    let [q, k, v] = ["q", "k", "v"].map(|name| {
        Tensor::normal(
            [1, 2, LENGTH, 4],
            0.0,
            1.0,
            &mut Key::new(5).fold(name).rng(),
        )
    });
    let options = Attention::new().causal();
    let pass = || {
        let (y, sums) = q.try_attention_forward(&k, &v, &options).unwrap();
        let saved = (&y, &sums);
        Tensor::attention_backward([&q, &k, &v], &options, saved, &y, [true; 3])
    };
    let before = peak();
    let gradients = threads::scope(pass);
    let taken = peak() - before;
    assert!(
        gradients
            .iter()
            .flatten()
            .all(|g| g.iter().all(f32::is_finite))
    );
    // The scores of one head alone.
    let square = 4 * LENGTH * LENGTH;
    assert!(
        taken < square / 8,
        "{taken} bytes, and the scores of a head are {square}"
    );

    drop(gradients);
    // Blocks that other threads gave back are theirs, so a few passes go by until each has what it needs.
    threads::scope(|| (0..3).for_each(|_| drop(pass())));
    let blocks = pool::stats().large_allocations;
    let (y, _) = q
        .slice(2, 0..64)
        .try_attention_forward(&k, &v, &options)
        .unwrap();
    assert!(
        pool::stats().large_allocations - blocks <= 4,
        "more than the scratch of one pass"
    );
    assert!(y.iter().all(f32::is_finite));
}
