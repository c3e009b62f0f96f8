//! The workloads that are compared with other libraries: names, shapes and losses are those of the programs in
//! `benches/peers`, where each is defined for PyTorch, JAX and others.
//!
//! A training step is forward, loss, backward and Adam with learning rate 0.001.

mod floor;
mod gemm;
mod passes;
mod sequence;
mod training;

use fb::tensor::Tensor;
use fb::tensor::random::Key;

pub use floor::Floor;

/// A named piece of work: making it gives the step to be timed.
pub struct Workload {
    /// The name, as on the command line and in the peers' programs.
    pub name: String,
    /// The name that it shares with others, if there is one.
    pub group: Option<&'static str>,
    /// What a step needs of the machine, whoever runs it.
    pub floor: Floor,
    make: Make,
}

type Make = Box<dyn Fn() -> fb::Result<Step>>;

/// One repetition of a workload.
pub type Step = Box<dyn FnMut() + Send>;

impl Workload {
    fn new(name: &str, floor: Floor, make: impl Fn() -> fb::Result<Step> + 'static) -> Self {
        Self {
            name: name.to_owned(),
            group: None,
            floor,
            make: Box::new(make),
        }
    }

    /// Sets the workload up.
    ///
    /// # Errors
    /// A network of the workload cannot be built.
    pub fn prepare(&self) -> fb::Result<Step> {
        (self.make)()
    }

    /// Whether the name is that of the workload or of its group.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.group == Some(name)
    }
}

/// All workloads.
pub fn all() -> Vec<Workload> {
    let mut all = training::all();
    all.extend(sequence::all());
    all.extend(gemm::all());
    all.extend(passes::all());
    all
}

/// The workload of this name.
pub fn find(name: &str) -> Option<Workload> {
    all().into_iter().find(|workload| workload.name == name)
}

fn normal<const N: usize>(shape: [usize; N], seed: u64) -> Tensor {
    Tensor::normal(shape, 0.0, 1.0, &mut Key::new(seed).rng())
}
