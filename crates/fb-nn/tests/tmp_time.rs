use fb_autograd::*;
use fb_nn::loss::*;
use fb_nn::optim::*;
use fb_nn::param::*;
use fb_nn::*;
use fb_tensor::Tensor;
use std::time::Instant;
#[test]
fn t() {
    let mut params = Params::<f32>::new();
    let mut gr = vec![];
    for (i, (a, b)) in [(2, 2), (2, 2), (2, 1)].into_iter().enumerate() {
        let w = params
            .insert(format!("h{i}/weight"), Tensor::ones([a, b]), Role::Weight)
            .unwrap();
        let c = params
            .insert(format!("h{i}/bias"), Tensor::ones([b]), Role::Bias)
            .unwrap();
        gr.push((w, Tensor::full([a, b], 0.1)));
        gr.push((c, Tensor::full([b], 0.1)));
    }
    let opt: Box<dyn Optimizer<f32>> = Box::new(Adam::new(0.1));
    let mut state = OptimizerState::new();
    for _ in 0..4 {
        let t = Instant::now();
        for _ in 0..100_000 {
            apply(&*opt, &mut state, &mut params, &gr, 0.1).unwrap();
        }
        println!("adam 6 params: {:?} per step", t.elapsed() / 100_000);
        let t = Instant::now();
        let tape = Tape::new();
        let target = Target::from(Tensor::from([[1.0f32]]));
        let p0 = Tensor::from([[0.3f32]]);
        let loss: Box<dyn Loss<f32>> = Box::new(BinaryCrossentropy::new());
        for _ in 0..100_000 {
            tape.clear();
            let p = tape.leaf(p0.clone());
            loss.forward(&p, &target, None).unwrap();
        }
        println!("bce forward: {:?}", t.elapsed() / 100_000);
        let t = Instant::now();
        for _ in 0..100_000 {
            tape.clear();
            let p = tape.leaf(p0.clone());
            p.binary_cross_entropy(match &target {
                Target::Float(t) => t,
                _ => panic!(),
            })
            .mean();
        }
        println!("bare nodes: {:?}", t.elapsed() / 100_000);
    }
}
