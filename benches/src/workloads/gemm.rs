//! Products: two square ones, and those that training steps are made of.

use super::{Floor, Step, Workload, normal};

/// How the factors are stored: `t` stands for one that is stored column by column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Storage {
    /// Both row by row: a forward pass.
    Nn,
    /// The left one across: the gradient of a weight.
    Tn,
    /// The right one across: the gradient of a layer's input.
    Nt,
}
use Storage::{Nn, Nt, Tn};

/// Rows × inner × columns of the group `gemm_training`.
#[rustfmt::skip]
const TRAINING: [(usize, usize, usize, Storage); 28] = [
    (1, 512, 512, Nn),
    (1, 2048, 2048, Nn),
    (4, 512, 512, Nn),
    (32, 128, 128, Nn),
    (32, 784, 128, Nn),
    (32, 512, 512, Nn),
    (32, 2048, 2048, Nn),
    (32, 512, 10, Nn),
    (128, 784, 512, Nn),
    (128, 512, 10, Nn),
    (128, 512, 2048, Nn),
    (128, 2048, 512, Nn),
    (512, 128, 784, Nn),
    (128, 512, 784, Nt),
    (784, 128, 512, Tn),
    (128, 784, 512, Nt),
    (32, 512, 512, Nt),
    (512, 32, 512, Tn),
    (128, 10, 512, Nt),
    (512, 128, 10, Tn),
    (128, 512, 10, Nt),
    (32, 128, 784, Nt),
    (784, 32, 128, Tn),
    (32, 784, 128, Nt),
    (256, 256, 256, Tn),
    (256, 256, 256, Nt),
    (1024, 1024, 1024, Tn),
    (1024, 1024, 1024, Nt),
];

pub(super) fn all() -> Vec<Workload> {
    let square = |n| product(&format!("gemm_{n}"), (n, n, n), Nn);
    let training = TRAINING.map(|(m, k, n, storage)| {
        let ending = match storage {
            Nn => "nn",
            Tn => "tn",
            Nt => "nt",
        };
        Workload {
            group: Some("gemm_training"),
            ..product(&format!("gemm_{m}x{k}x{n}_{ending}"), (m, k, n), storage)
        }
    });
    [square(256), square(1024)]
        .into_iter()
        .chain(training)
        .collect()
}

fn product(name: &str, (m, k, n): (usize, usize, usize), storage: Storage) -> Workload {
    let floor = Floor::product(m as u64, k as u64, n as u64);
    Workload::new(name, floor, move || {
        let a = match storage {
            Tn => normal([k, m], 3).transpose(),
            _ => normal([m, k], 3),
        };
        let b = match storage {
            Nt => normal([n, k], 4).transpose(),
            _ => normal([k, n], 4),
        };
        let step: Step = Box::new(move || {
            std::hint::black_box(a.matmul(&b));
        });
        Ok(step)
    })
}
