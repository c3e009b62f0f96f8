//! Tables of functions that are compiled in this crate, once for each floating-point type.
//!
//! The compiler makes a generic function anew in every crate that calls it; with loops for several instruction sets and
//! splits over threads that took most of the build time of every crate above. So the big functions are reached through
//! tables of pointers, and the tables are statics of this crate.

use crate::conv::ConvLoops;
use crate::element::Float;
use crate::error::Result;
use crate::kernels::gemm::{self, MatMut, MatRef, PackedRight, Update};
use crate::kernels::optimizer::{self, AdamStep, RmsPropStep, SgdStep};
use crate::kernels::reduce::{Largest, NotFinite, Smallest, Squares, Sum, WideSquares};
use crate::pooling::PoolLoops;
use crate::reduce::{FoldLoops, fold_slice, log_softmax, softmax};
use crate::resize::ResizeLoops;
use crate::tensor::Tensor;

/// A type for each floating-point type, so that a table can be chosen by it.
pub trait PerFloat {
    /// The type.
    type Of<F: Float>: 'static;
}

/// The functions that depend on nothing but the type.
#[allow(clippy::type_complexity, reason = "a table of signatures")]
pub struct Kernels<F: Float> {
    pub(crate) sum: FoldLoops<F>,
    pub(crate) largest: FoldLoops<F>,
    pub(crate) smallest: FoldLoops<F>,
    pub(crate) squares: FoldLoops<F>,
    pub(crate) wide_squares: fn(&[F]) -> f64,
    pub(crate) not_finite: fn(&[F]) -> f64,
    pub(crate) product: fn(MatRef<'_, F>, MatRef<'_, F>, Update<'_, F>, MatMut<'_, F>),
    pub(crate) products: fn(&[(MatRef<'_, F>, MatRef<'_, F>)], Update<'_, F>, MatMut<'_, F>),
    pub(crate) pack_right: fn(&[MatRef<'_, F>]) -> PackedRight<F>,
    pub(crate) product_with_packed:
        fn(&[MatRef<'_, F>], &PackedRight<F>, Update<'_, F>, MatMut<'_, F>),
    pub(crate) convolution: ConvLoops<F>,
    pub(crate) pooling: PoolLoops<F>,
    pub(crate) resize: ResizeLoops<F>,
    pub(crate) softmax: fn(&Tensor<F>, usize) -> Tensor<F>,
    pub(crate) log_softmax: fn(&Tensor<F>, usize) -> Tensor<F>,
    pub(crate) cross_entropy: fn(&Tensor<F>, &Tensor<i64>) -> Result<(Tensor<F>, Tensor<F>)>,
    pub(crate) sgd: fn(SgdStep<F>, &mut [F], &[F], Option<&mut [F]>),
    pub(crate) adam: fn(AdamStep<F>, &mut [F], &[F], &mut [F], &mut [F]),
    pub(crate) rms_prop:
        fn(RmsPropStep<F>, &mut [F], &[F], &mut [F], Option<&mut [F]>, Option<&mut [F]>),
}

impl<F: Float> Kernels<F> {
    pub(crate) const fn new() -> Self {
        Self {
            sum: FoldLoops::of(Sum),
            largest: FoldLoops::of(Largest),
            smallest: FoldLoops::of(Smallest),
            squares: FoldLoops::of(Squares),
            wide_squares: |values| fold_slice(WideSquares, values),
            not_finite: |values| fold_slice(NotFinite, values),
            product: gemm::product,
            products: gemm::products,
            pack_right: PackedRight::new,
            product_with_packed: gemm::product_with_packed,
            convolution: ConvLoops::new(),
            pooling: PoolLoops::new(),
            resize: ResizeLoops::new(),
            softmax,
            log_softmax,
            cross_entropy: crate::fused::softmax_cross_entropy,
            sgd: optimizer::sgd_loops,
            adam: optimizer::adam_loops,
            rms_prop: optimizer::rms_prop_loops,
        }
    }
}
