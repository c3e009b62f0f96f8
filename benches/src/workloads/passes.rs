//! One pass over 4 M numbers, no gradient.

use super::{Floor, Step, Workload, normal};
use fb::tensor::Tensor;

const ROWS: usize = 4096;
const COLUMNS: usize = 1024;

pub(super) fn all() -> Vec<Workload> {
    vec![
        pass("softmax_4m", |x| x.softmax(1)),
        pass("tanh_4m", |x| x.tanh()),
        layernorm(),
    ]
}

fn layernorm() -> Workload {
    let (weight, bias) = (Tensor::ones([COLUMNS]), Tensor::zeros([COLUMNS]));
    pass("layernorm_4m", move |x| {
        x.layer_norm(Some(&weight), Some(&bias), 1e-5)
    })
}

fn pass(name: &str, function: impl Fn(&Tensor) -> Tensor + Clone + Send + 'static) -> Workload {
    Workload::new(name, Floor::pass((ROWS * COLUMNS) as u64), move || {
        let x = normal([ROWS, COLUMNS], 5);
        let function = function.clone();
        let step: Step = Box::new(move || {
            std::hint::black_box(function(&x));
        });
        Ok(step)
    })
}
