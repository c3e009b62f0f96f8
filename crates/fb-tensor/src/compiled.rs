//! Tables of functions that are compiled in this crate, once for each floating-point type.
//!
//! The compiler makes a generic function anew in every crate that calls it; with loops for several instruction sets and
//! splits over threads that took most of the build time of every crate above. So the big functions are reached through
//! tables of pointers, and the tables are statics of this crate.

use crate::attention::{self, Attention, Forward};
use crate::conv::ConvLoops;
use crate::element::Float;
use crate::error::Result;
use crate::fused::norm::{ChannelNorm, ChannelNormed, NormGradients, RowNorm, RowNormed};
use crate::fused::{self, norm};
use crate::index::add_rows_slices;
use crate::kernels::gemm::{self, MatMut, MatRef, PackedRight, Update};
use crate::kernels::optimizer::{self, AdamStep, RmsPropStep, SgdStep};
use crate::kernels::recurrent::{self, Left, LinearScan, Scan};
use crate::kernels::reduce::{Largest, NotFinite, Smallest, Squares, Sum, WideSquares};
use crate::kernels::rotary::Pairing;
use crate::kernels::vectors::VectorLoops;
use crate::pooling::PoolLoops;
use crate::reduce::{
    FoldLoops, chain_log_softmax, chain_softmax, fold_slice, log_softmax, softmax,
};
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
    pub(crate) softmax: fn(&Tensor<F>, usize, F) -> Tensor<F>,
    pub(crate) chain_softmax: fn(&Tensor<F>, Tensor<F>, usize, F) -> Tensor<F>,
    pub(crate) masked_softmax: fn(&Tensor<F>, F, &Tensor<bool>) -> Tensor<F>,
    pub(crate) convolution: ConvLoops<F>,
    pub(crate) pooling: PoolLoops<F>,
    pub(crate) resize: ResizeLoops<F>,
    pub(crate) scan: fn(&Scan<'_, F>, &mut [F], &mut [F], Option<&mut [F]>),
    pub(crate) scan_backward: fn(&Scan<'_, F>, Left<'_, F>, &mut [F], Option<&mut [F]>, &mut [F]),
    pub(crate) linear_scan: fn(&LinearScan<'_, F>, &[F], &mut [F]),
    pub(crate) linear_scan_backward:
        fn(&LinearScan<'_, F>, &[F], &[F], &mut [F], &mut [F], &mut [F]),
    pub(crate) log_softmax: fn(&Tensor<F>, usize) -> Tensor<F>,
    pub(crate) chain_log_softmax: fn(&Tensor<F>, Tensor<F>, usize) -> Tensor<F>,
    pub(crate) cross_entropy: fn(&Tensor<F>, &Tensor<i64>) -> Result<(Tensor<F>, Tensor<F>)>,
    pub(crate) attention:
        fn(&Tensor<F>, &Tensor<F>, &Tensor<F>, &Attention<F>) -> Result<(Tensor<F>, Tensor<F>)>,
    pub(crate) attention_backward: fn(
        [&Tensor<F>; 3],
        &Attention<F>,
        Forward<'_, F>,
        &Tensor<F>,
        [bool; 3],
    ) -> [Option<Tensor<F>>; 3],
    pub(crate) rotary:
        fn(&Tensor<F>, &Tensor<F>, &Tensor<F>, Pairing, &'static str) -> Result<Tensor<F>>,
    pub(crate) chain_cross_entropy: fn(&Tensor<F>, &Tensor<i64>, &Tensor<F>) -> Result<Tensor<F>>,
    pub(crate) expected_losses: fn(&Tensor<F>, &Tensor<F>) -> (Tensor<F>, Tensor<F>),
    pub(crate) chain_expected_losses: fn(&Tensor<F>, &Tensor<F>, &Tensor<F>) -> Tensor<F>,
    pub(crate) row_norm: fn(
        &RowNorm,
        &Tensor<F>,
        Option<&Tensor<F>>,
        Option<&Tensor<F>>,
        Option<&Tensor<F>>,
    ) -> Result<RowNormed<F>>,
    pub(crate) row_norm_backward: fn(
        &RowNorm,
        &Tensor<F>,
        &Tensor<F>,
        Option<&Tensor<F>>,
        &Tensor<F>,
        Option<Tensor<F>>,
    ) -> NormGradients<F>,
    pub(crate) channel_norm: fn(
        &ChannelNorm,
        &Tensor<F>,
        Option<(&Tensor<F>, &Tensor<F>)>,
        Option<&Tensor<F>>,
        Option<&Tensor<F>>,
    ) -> Result<ChannelNormed<F>>,
    pub(crate) channel_norm_backward: fn(
        &ChannelNorm,
        &Tensor<F>,
        &Tensor<F>,
        bool,
        Option<&Tensor<F>>,
        &Tensor<F>,
        Option<Tensor<F>>,
    ) -> NormGradients<F>,
    pub(crate) vectors: VectorLoops<F>,
    pub(crate) add_rows: fn(&[F], usize, &[i64], Option<usize>, &mut [F]),
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
            scan: recurrent::forward,
            scan_backward: recurrent::backward,
            linear_scan: recurrent::linear_forward,
            linear_scan_backward: recurrent::linear_backward,
            softmax,
            chain_softmax,
            masked_softmax: fused::masked_softmax,
            log_softmax,
            attention: attention::forward,
            attention_backward: attention::backward,
            rotary: attention::rotary,
            chain_log_softmax,
            cross_entropy: fused::softmax_cross_entropy,
            chain_cross_entropy: fused::chain_softmax_cross_entropy,
            expected_losses: fused::expected_losses,
            chain_expected_losses: fused::chain_expected_losses,
            row_norm: norm::rows_forward,
            row_norm_backward: norm::rows_backward,
            channel_norm: norm::channels_forward,
            channel_norm_backward: norm::channels_backward,
            vectors: VectorLoops::new(),
            add_rows: add_rows_slices,
            sgd: optimizer::sgd_loops,
            adam: optimizer::adam_loops,
            rms_prop: optimizer::rms_prop_loops,
        }
    }
}
