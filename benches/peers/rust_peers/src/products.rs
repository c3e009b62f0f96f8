//! The products of a training step, as in `harness.py`.

/// Name of their group.
pub(crate) const GROUP: &str = "gemm_training";

/// Rows × inner × columns; `t` stands for a factor that is stored the other way around.
#[rustfmt::skip]
const TRAINING: [(usize, usize, usize, &str); 28] = [
    (1, 512, 512, "nn"),
    (1, 2048, 2048, "nn"),
    (4, 512, 512, "nn"),
    (32, 128, 128, "nn"),
    (32, 784, 128, "nn"),
    (32, 512, 512, "nn"),
    (32, 2048, 2048, "nn"),
    (32, 512, 10, "nn"),
    (128, 784, 512, "nn"),
    (128, 512, 10, "nn"),
    (128, 512, 2048, "nn"),
    (128, 2048, 512, "nn"),
    (512, 128, 784, "nn"),
    (128, 512, 784, "nt"),
    (784, 128, 512, "tn"),
    (128, 784, 512, "nt"),
    (32, 512, 512, "nt"),
    (512, 32, 512, "tn"),
    (128, 10, 512, "nt"),
    (512, 128, 10, "tn"),
    (128, 512, 10, "nt"),
    (32, 128, 784, "nt"),
    (784, 32, 128, "tn"),
    (32, 784, 128, "nt"),
    (256, 256, 256, "tn"),
    (256, 256, 256, "nt"),
    (1024, 1024, 1024, "tn"),
    (1024, 1024, 1024, "nt"),
];

/// The stored shapes of two factors, and which of them are turned around before they are multiplied.
pub(crate) struct Product {
    pub(crate) a: [usize; 2],
    pub(crate) b: [usize; 2],
    pub(crate) a_across: bool,
    pub(crate) b_across: bool,
}

impl Product {
    pub(crate) fn square(n: usize) -> Self {
        Self {
            a: [n, n],
            b: [n, n],
            a_across: false,
            b_across: false,
        }
    }
}

/// The rows of the group with their names.
pub(crate) fn training() -> impl Iterator<Item = (String, Product)> {
    TRAINING.into_iter().map(|(m, k, n, kind)| {
        let (a_across, b_across) = (kind.starts_with('t'), kind.ends_with('t'));
        let product = Product {
            a: if a_across { [k, m] } else { [m, k] },
            b: if b_across { [n, k] } else { [k, n] },
            a_across,
            b_across,
        };
        (format!("gemm_{m}x{k}x{n}_{kind}"), product)
    })
}
