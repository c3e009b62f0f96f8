//! Ways in which an operand may lie in memory.

use fb_autograd::Var;
use fb_tensor::{Shape, Tensor};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// As computed: row-major without gaps.
    Plain,
    /// The last two axes exchanged in memory.
    Transposed,
    /// Every second element of something larger.
    Strided,
    /// The first axis backwards.
    Flipped,
    /// One position of the first axis, read again and again.
    Broadcast,
}

impl View {
    pub(crate) const ALL: [Self; 5] = [
        Self::Plain,
        Self::Transposed,
        Self::Strided,
        Self::Flipped,
        Self::Broadcast,
    ];

    /// The view, or [`View::Plain`] if a tensor has too few axes for it.
    pub(crate) fn or_plain(self, x: &Tensor<f64>) -> Self {
        let axes = match self {
            Self::Plain => 0,
            Self::Transposed => 2,
            Self::Strided | Self::Flipped | Self::Broadcast => 1,
        };
        if x.rank() < axes { Self::Plain } else { self }
    }

    /// A tensor in row-major order through which [`View::see`] shows `x` (or, broadcast, its first part).
    pub(crate) fn leaf_of(self, x: &Tensor<f64>) -> Tensor<f64> {
        match self {
            Self::Plain => x.contiguous(),
            Self::Transposed => x.transpose().contiguous(),
            Self::Strided => {
                let doubled = x.shape().with_extent(x.rank() - 1, 2 * x.dim(x.rank() - 1));
                Tensor::stack(&[x, &-x], x.rank()).reshape(doubled)
            }
            Self::Flipped => x.flip(0).contiguous(),
            Self::Broadcast => x.slice(0, 0..1).contiguous(),
        }
    }

    /// The operand that the operation gets.
    pub(crate) fn see(self, leaf: &Var<f64>, shape: &Shape) -> Var<f64> {
        match self {
            Self::Plain => leaf.clone(),
            Self::Transposed => leaf.transpose(),
            Self::Strided => {
                let last = shape.len() - 1;
                leaf.slice_step(last, 0, 2 * shape[last], 2)
            }
            Self::Flipped => leaf.flip(0),
            Self::Broadcast => leaf.expand(*shape),
        }
    }
}

#[test]
fn views_show_the_operand() {
    let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    for view in View::ALL {
        let seen = view.see(&Var::constant(view.leaf_of(&x)), x.shape());
        let want = if view == View::Broadcast {
            x.slice(0, 0..1).expand([2, 3])
        } else {
            x.clone()
        };
        assert_eq!(seen.tensor(), &want, "{view:?}");
        assert_eq!(
            seen.tensor().is_contiguous(),
            view == View::Plain,
            "{view:?}"
        );
    }
}
