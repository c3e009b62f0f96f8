//! What is recorded, behind its lock.

use super::{Node, Sweep};
use crate::gradients::{ByLeaf, Gradients};
use crate::var::Var;
use fb_tensor::{Float, Tensor};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

/// The shared part of a tape.
pub(crate) struct Recording<F: Float> {
    nodes: Mutex<Nodes<F>>,
    /// The address of the thread that is sweeping, or 0: a gradient function that used its own tape would wait for
    /// ever, and is told instead.
    sweeper: AtomicUsize,
}

pub(super) struct Nodes<F: Float> {
    pub(super) list: Vec<Node<F>>,
    /// How many of them are leaves.
    pub(super) leaves: usize,
    /// A number that no other tape has or had, new after [`Tape::clear`](super::Tape::clear): a variable that has
    /// it is on this tape and from after that.
    pub(super) generation: u64,
    /// Kept between sweeps so that small steps do not allocate.
    pub(super) scratch: Option<Sweep<F>>,
    pub(super) spare: Spare<F>,
}

/// Empty lists whose memory the next step uses again.
pub(super) struct Spare<F: Float> {
    /// What [`Tape::list`](super::Tape::list) gives: one for leaves, one for constants.
    pub(super) vars: [Vec<Option<Var<F>>>; 2],
    pub(super) by_leaf: ByLeaf<F>,
}

impl<F: Float> Nodes<F> {
    /// Appends a value; returns its index.
    #[track_caller]
    #[inline]
    pub(super) fn push(&mut self, node: Node<F>) -> u32 {
        let index = u32::try_from(self.list.len())
            .expect("a tape holds at most 2^32 values; clear it between steps");
        self.list.push(node);
        index
    }

    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.leaves = 0;
        self.generation = new_generation();
    }
}

fn new_generation() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl<F: Float> Recording<F> {
    pub(super) fn new() -> Self {
        let nodes = Nodes {
            list: Vec::new(),
            leaves: 0,
            generation: new_generation(),
            scratch: None,
            spare: Spare {
                vars: [Vec::new(), Vec::new()],
                by_leaf: ByLeaf::new(),
            },
        };
        Self {
            nodes: Mutex::new(nodes),
            sweeper: AtomicUsize::new(0),
        }
    }

    #[track_caller]
    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, Nodes<F>> {
        match self.nodes.try_lock() {
            Ok(nodes) => nodes,
            Err(TryLockError::WouldBlock) => self.wait(),
            // A panic in a user's gradient function leaves the list as it was, so a poisoned lock is still good.
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        }
    }

    #[track_caller]
    #[cold]
    fn wait(&self) -> MutexGuard<'_, Nodes<F>> {
        assert_ne!(
            self.sweeper.load(Ordering::Relaxed),
            thread_address(),
            "a gradient function uses the tape that is being swept; let it compute with tensors, or on a tape of its own"
        );
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands the spare lists to `put`, unless somebody holds the lock, be it this thread: then what would be kept goes.
    pub(super) fn keep(&self, put: impl FnOnce(&mut Spare<F>)) {
        match self.nodes.try_lock() {
            Ok(mut nodes) => put(&mut nodes.spare),
            Err(TryLockError::Poisoned(poisoned)) => put(&mut poisoned.into_inner().spare),
            Err(TryLockError::WouldBlock) => {}
        }
    }

    /// Drops what is left of gradients and keeps the memory of their list for the next sweep.
    pub(crate) fn keep_gradients(&self, mut by_leaf: ByLeaf<F>) {
        by_leaf.clear();
        self.keep(|spare| {
            if spare.by_leaf.capacity() < by_leaf.capacity() {
                spare.by_leaf = by_leaf;
            }
        });
    }

    /// The gradients of what `seed` adds, by every leaf.
    #[track_caller]
    pub(super) fn gradients(
        self: &Arc<Self>,
        seed: impl FnOnce(&Nodes<F>, &mut Sweep<F>),
    ) -> Gradients<F> {
        let mut nodes = self.lock();
        let mut sweep = nodes.scratch.take().unwrap_or_default();
        sweep.prepare(nodes.list.len());
        seed(&nodes, &mut sweep);
        let sweeping = self.sweeping();
        let mut by_leaf = std::mem::take(&mut nodes.spare.by_leaf);
        by_leaf.reserve(nodes.leaves);
        sweep.leaves(&nodes.list, &mut by_leaf);
        drop(sweeping);
        let generation = nodes.generation;
        nodes.scratch = Some(sweep);
        drop(nodes);
        Gradients::new(by_leaf, generation, Arc::downgrade(self))
    }

    /// The gradients of what `seed` adds, by each of the nodes that `wrt` names.
    #[track_caller]
    pub(super) fn vjp(
        &self,
        seed: impl FnOnce(&Nodes<F>, &mut Sweep<F>),
        wrt: impl FnOnce(&Nodes<F>) -> Vec<Option<u32>>,
    ) -> Vec<Option<Tensor<F>>> {
        let mut nodes = self.lock();
        let wrt = wrt(&nodes);
        let mut sweep = nodes.scratch.take().unwrap_or_default();
        sweep.prepare(nodes.list.len());
        seed(&nodes, &mut sweep);
        let sweeping = self.sweeping();
        let found = sweep.vjp(&nodes.list, &wrt);
        drop(sweeping);
        nodes.scratch = Some(sweep);
        found
    }

    /// Notes that this thread sweeps, until the result is dropped.
    fn sweeping(&self) -> Sweeping<'_> {
        self.sweeper.store(thread_address(), Ordering::Relaxed);
        Sweeping(&self.sweeper)
    }
}

/// A sweep under way; see [`Recording::sweeping`].
struct Sweeping<'a>(&'a AtomicUsize);

impl Drop for Sweeping<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// A number that no other living thread has.
fn thread_address() -> usize {
    thread_local! {
        static HERE: u8 = const { 0 };
    }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}
