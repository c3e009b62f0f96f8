//! From the shape of an edge's source into that of its destination.

use crate::error::Result;
use crate::feedback::topology::Projection;
use crate::init::Initializer;
use crate::module::{Context, Scope};
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::{Float, Shape};

/// Gain of learned feedback weights relative to Glorot's rule: small, so that a fresh loop contracts.
pub(super) const GAIN: f64 = 0.25;
/// The largest patch that a position becomes, or is made of, along an axis: larger ones would have as many weights as a
/// full matrix.
const LARGEST_PATCH: usize = 4;

/// How the value that an edge carries is brought into the shape of its destination.
#[derive(Clone, Copy, Debug)]
pub(super) struct Map {
    source: Shape,
    target: Shape,
    how: How,
    /// None if it goes as it is.
    weight: Option<ParamId>,
}

/// What the weights do. `c` are the features of the source, `d` those of the destination.
#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    /// Nothing.
    Identity,
    /// `[c, d]` at each position.
    LastAxis,
    /// `[c, d]` at each position, the positions of one side in rows.
    Rows,
    /// `[c, d]`, the same result at each position.
    Broadcast,
    /// `[c, d]` on the average over positions.
    Average,
    /// `[c, d]` on the average over positions, the same result at each.
    AverageBroadcast,
    /// `[r, r, d, c]`: each position becomes a patch.
    Up([usize; 2]),
    /// `[r, r, c, d]`: each patch becomes a position.
    Down([usize; 2]),
    /// `[c, d]` at each position of the destination, which is the average of a cell of the source.
    Pool,
    /// `[c, d]` at each position of the source, then bilinear interpolation.
    Resize,
    /// From all features to all.
    Full,
}

impl How {
    fn learned(source: &Shape, target: &Shape) -> Self {
        let (Some((_, from)), Some((_, to))) = (source.split_last(), target.split_last()) else {
            return Self::Full;
        };
        if from == to {
            return Self::LastAxis;
        }
        if from.is_empty() {
            return Self::Broadcast;
        }
        if to.is_empty() {
            return Self::Average;
        }
        if from.len() == to.len() && from.len() <= 2 {
            return match (patch(from, to), patch(to, from)) {
                (Some(patch), _) => Self::Up(patch),
                (_, Some(patch)) => Self::Down(patch),
                _ if from.iter().zip(to).all(|(from, to)| from >= to) => Self::Pool,
                _ => Self::Resize,
            };
        }
        if from.iter().product::<usize>() == to.iter().product::<usize>() {
            Self::Rows
        } else {
            Self::AverageBroadcast
        }
    }
}

/// How many times as large each axis is, as `[1, r]` for one axis, if a whole number of times and not too many.
fn patch(small: &[usize], large: &[usize]) -> Option<[usize; 2]> {
    let mut times = [1, 1];
    let first = 2 - small.len();
    for (time, (&small, &large)) in times[first..].iter_mut().zip(small.iter().zip(large)) {
        if !large.is_multiple_of(small) || large / small > LARGEST_PATCH {
            return None;
        }
        *time = large / small;
    }
    Some(times)
}

impl Map {
    /// The value as it is.
    pub(super) fn identity(shape: Shape) -> Self {
        Self {
            source: shape,
            target: shape,
            how: How::Identity,
            weight: None,
        }
    }

    /// With weights, made below the scope's path.
    pub(super) fn build<F: Float>(
        projection: Projection,
        source: Shape,
        target: Shape,
        scope: &mut Scope<F>,
    ) -> Result<Self> {
        let how = match projection {
            Projection::Full => How::Full,
            _ => How::learned(&source, &target),
        };
        let last = |shape: &Shape| shape.last().copied().unwrap_or(1);
        let (c, d) = (last(&source), last(&target));
        // A patch of one axis has an extent of its own, as the kernel of a convolution over time.
        let kernel = |patch: [usize; 2], from: usize, to: usize| {
            let mut shape = patch[3 - source.len()..].to_vec();
            shape.extend([from, to]);
            shape
        };
        let shape = match how {
            How::Full => vec![source.elements(), target.elements()],
            How::Up(patch) => kernel(patch, d, c),
            How::Down(patch) => kernel(patch, c, d),
            _ => vec![c, d],
        };
        let init = Initializer::GlorotUniform { gain: GAIN };
        let shape = Shape::try_new(&shape)?;
        let weight = Some(scope.param("weight", shape, &init, Role::Weight)?);
        Ok(Self {
            source,
            target,
            how,
            weight,
        })
    }

    /// Whether each position of the destination gets what the same position of the source carries.
    pub(super) fn keeps_positions(&self) -> bool {
        matches!(self.how, How::Identity | How::LastAxis)
            || (self.source.len() == 1 && self.target.len() == 1)
    }

    /// `u` and what the weights make of `r`, in one pass where that is one product.
    pub(super) fn add<F: Float>(&self, cx: &mut Context<'_, F>, u: &Var<F>, r: &Var<F>) -> Var<F> {
        match (self.how, self.weight) {
            (How::LastAxis, Some(id)) => {
                cx.prepare(id);
                r.linear_add(cx.prepared(id), None, u)
            }
            _ => u + &self.apply(cx, r),
        }
    }

    /// The value `r` of the source in the shape of the destination.
    pub(super) fn apply<F: Float>(&self, cx: &mut Context<'_, F>, r: &Var<F>) -> Var<F> {
        let Some(weight) = self.weight.map(|id| cx.param(id)) else {
            return r.clone();
        };
        let batch = r.shape()[0];
        let by_position = |r: &Var<F>| r.linear(&weight, None);
        let average = |r: &Var<F>| by_position(&r.global_avg_pool());
        let everywhere = |y: Var<F>| {
            let mut extents = vec![1; self.target.len() + 1];
            extents[0] = batch;
            extents[self.target.len()] = self.target[self.target.len() - 1];
            y.reshape(extents).expand(self.with_batch(batch))
        };
        match self.how {
            How::Identity => r.clone(),
            How::LastAxis => by_position(r),
            How::Rows => by_position(r).reshape(self.with_batch(batch)),
            How::Broadcast => everywhere(by_position(r)),
            How::Average => average(r),
            How::AverageBroadcast => everywhere(average(r)),
            How::Up(patch) => self.up(r, &weight, patch),
            How::Down(patch) => self.down(r, &weight, patch),
            How::Pool => {
                let [_, h, w, _] = image(&self.with_batch(batch));
                let pooled = r.reshape(image(r.shape())).adaptive_avg_pool2d([h, w]);
                by_position(&pooled).reshape(self.with_batch(batch))
            }
            How::Resize => {
                let y = by_position(r);
                let [_, h, w, _] = image(&self.with_batch(batch));
                let resized = y.reshape(image(y.shape())).resize_bilinear([h, w], false);
                resized.reshape(self.with_batch(batch))
            }
            How::Full => r
                .reshape([batch, self.source.elements()])
                .linear(&weight, None)
                .reshape(self.with_batch(batch)),
        }
    }

    /// A transposed convolution whose stride is its kernel: one product, whose results are put side by side.
    fn up<F: Float>(&self, r: &Var<F>, weight: &Var<F>, [a, b]: [usize; 2]) -> Var<F> {
        let [n, h, w, c] = image(r.shape());
        let patches = weight.reshape([weight.tensor().len() / c, c]).transpose();
        let d = patches.shape()[1] / (a * b);
        r.linear(&patches, None)
            .reshape([n, h, w, a, b, d])
            .permute(&[0, 1, 3, 2, 4, 5])
            .reshape(self.with_batch(n))
    }

    /// A convolution whose stride is its kernel: one product over patches.
    fn down<F: Float>(&self, r: &Var<F>, weight: &Var<F>, [a, b]: [usize; 2]) -> Var<F> {
        let [n, h, w, c] = image(r.shape());
        let patch = a * b * c;
        let d = weight.tensor().len() / patch;
        r.reshape([n, h / a, a, w / b, b, c])
            .permute(&[0, 1, 3, 2, 4, 5])
            .reshape([n * (h / a) * (w / b), patch])
            .linear(&weight.reshape([patch, d]), None)
            .reshape(self.with_batch(n))
    }

    fn with_batch(&self, batch: usize) -> Shape {
        self.target.with_inserted(0, batch)
    }

    /// What the weights do, for summaries: `learned 4x4x8 -> 8x8x16, up by patches of 2x2`.
    pub(super) fn description(&self) -> String {
        if self.how == How::Identity {
            return "as it is".to_owned();
        }
        let ends = format!(
            "learned {} -> {}",
            features(self.source),
            features(self.target)
        );
        match self.note() {
            note if note.is_empty() => ends,
            note => format!("{ends}, {note}"),
        }
    }

    /// How the weights sample up or down, if they do.
    pub(super) fn note(&self) -> String {
        let by_patches = |[a, b]: [usize; 2]| match self.source.len() {
            2 => format!("by patches of {b}"),
            _ => format!("by patches of {a}x{b}"),
        };
        match self.how {
            How::Identity | How::LastAxis => String::new(),
            How::Full if self.source.len() <= 1 && self.target.len() <= 1 => String::new(),
            How::Full => "each feature to each".to_owned(),
            How::Rows => "positions in row-major order".to_owned(),
            How::Broadcast => "the same at each position".to_owned(),
            How::Average => "from the average over positions".to_owned(),
            How::AverageBroadcast => "from the average over positions, the same at each".to_owned(),
            How::Up(patch) => format!("up {}", by_patches(patch)),
            How::Down(patch) => format!("down {}", by_patches(patch)),
            How::Pool => "down to averages of cells".to_owned(),
            How::Resize if self.source.len() == 2 => "linear interpolation".to_owned(),
            How::Resize => "bilinear interpolation".to_owned(),
        }
    }
}

/// `[batch, height, width, features]` of a map, or of a sequence as a map of height 1.
fn image(shape: &Shape) -> [usize; 4] {
    match **shape {
        [n, t, c] => [n, 1, t, c],
        [n, h, w, c] => [n, h, w, c],
        _ => unreachable!("patches and resizing are for one or two axes of positions"),
    }
}

/// `8x8x16`
pub(super) fn features(shape: Shape) -> String {
    shape
        .iter()
        .map(usize::to_string)
        .collect::<Vec<_>>()
        .join("x")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_of_shapes_has_its_map() {
        for (source, target, how) in [
            (&[3][..], &[5][..], How::LastAxis),
            (&[4, 3], &[4, 5], How::LastAxis),
            (&[2, 4, 3], &[2, 4, 5], How::LastAxis),
            (&[3], &[4, 5], How::Broadcast),
            (&[3], &[2, 4, 5], How::Broadcast),
            (&[4, 3], &[5], How::Average),
            (&[2, 2, 3], &[4, 4, 5], How::Up([2, 2])),
            (&[2, 2, 3], &[8, 2, 5], How::Up([4, 1])),
            (&[4, 4, 3], &[2, 1, 5], How::Down([2, 4])),
            (&[3, 3], &[9, 5], How::Up([1, 3])),
            (&[9, 3], &[3, 5], How::Down([1, 3])),
            (&[2, 2, 3], &[10, 10, 5], How::Resize),
            (&[3, 3, 3], &[5, 2, 5], How::Resize),
            (&[3, 3], &[5, 5], How::Resize),
            (&[5, 5, 3], &[3, 2, 5], How::Pool),
            (&[10, 10, 3], &[2, 2, 5], How::Pool),
            (&[6, 3], &[2, 3, 5], How::Rows),
            (&[2, 3, 3], &[6, 5], How::Rows),
            (&[7, 3], &[2, 3, 5], How::AverageBroadcast),
            (&[2, 2, 2, 3], &[4, 4, 4, 5], How::AverageBroadcast),
            (&[], &[5], How::Full),
        ] {
            let chosen = How::learned(&source.into(), &target.into());
            assert_eq!(chosen, how, "{source:?} -> {target:?}");
        }
    }
}
