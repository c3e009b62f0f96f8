//! Operations whose gradient the user gives.

use crate::tape::{Backward, Sweep};
use crate::var::Var;
use fb_tensor::{Float, Shape, Tensor};

struct Custom<F: Float, V> {
    name: &'static str,
    vjp: V,
    parents: Vec<(Option<u32>, Shape)>,
    marker: std::marker::PhantomData<fn() -> F>,
}

impl<F, V> Backward<F> for Custom<F, V>
where
    F: Float,
    V: Fn(&Tensor<F>) -> Vec<Option<Tensor<F>>> + Send,
{
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        let shares = (self.vjp)(&gradient);
        assert_eq!(
            shares.len(),
            self.parents.len(),
            "custom operation {:?}: its gradient function gave {} shares for {} inputs",
            self.name,
            shares.len(),
            self.parents.len()
        );
        for (position, ((parent, shape), share)) in self.parents.iter().zip(shares).enumerate() {
            let (Some(parent), Some(share)) = (parent, share) else {
                continue;
            };
            assert_eq!(
                share.shape(),
                shape,
                "custom operation {:?}: the gradient by input {position} has the shape of the input",
                self.name
            );
            sweep.add(*parent, share);
        }
    }
}

impl<F: Float> Var<F> {
    /// An operation with a gradient of your own: `output` was computed from `inputs`, and `vjp` turns the gradient of
    /// the output into one gradient per input (`None` for none). [`gradcheck`](mod@crate::gradcheck) tells whether it is
    /// right.
    ///
    /// The tape keeps `vjp` until it is cleared: let it hold tensors, not variables, which would keep the tape in turn.
    /// It may record and sweep on a tape of its own, but not use the one that it stands on.
    ///
    /// ```
    /// use fb_autograd::{Tape, Var};
    /// use fb_tensor::Tensor;
    /// // A step function that passes gradients straight through.
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([-1.0, 2.0]));
    /// let step = x.tensor().gt(&Tensor::scalar(0.0)).to_f32();
    /// let y = Var::custom("step", &[&x], step, |g| vec![Some(g.clone())]);
    /// assert_eq!(y.sum().backward().get(&x).unwrap().to_vec(), [1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If inputs are on different tapes; during the sweep, if `vjp` gives another number of gradients than there are
    /// inputs or one of another shape.
    #[track_caller]
    #[must_use]
    pub fn custom(
        name: &'static str,
        inputs: &[&Self],
        output: Tensor<F>,
        vjp: impl Fn(&Tensor<F>) -> Vec<Option<Tensor<F>>> + Send + 'static,
    ) -> Self {
        let recorded: Vec<_> = inputs.iter().filter_map(|v| v.node()).collect();
        let Some((first, rest)) = recorded.split_first() else {
            return Self::constant(output);
        };
        rest.iter().for_each(|node| first.same_tape(node));
        let parents = inputs
            .iter()
            .map(|v| (v.node().map(|n| n.index), *v.shape()))
            .collect();
        first.record(
            output,
            Custom {
                name,
                vjp,
                parents,
                marker: std::marker::PhantomData,
            },
        )
    }
}
