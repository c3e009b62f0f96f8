//! Self-attention and a position-wise part.

use super::options::{Norm, Options, Placement, block_options};
use super::sublayers::BlockModule;
use crate::error::Result;
use crate::init::Initializer;
use crate::layers::Activation;
use crate::layers::attention::sequences;
use crate::module::{Built, Layer, Scope, Spec};
use fb_tensor::Float;
use serde::{Deserialize, Serialize};

/// A transformer block: self-attention, then a position-wise part, each added to its input and with a norm.
///
/// `x ← x + attention(norm(x))`, `x ← x + feed_forward(norm(x))`; after a stack of such blocks stands one more norm. With
/// [`post_norm`](Self::post_norm): `x ← norm(x + attention(x))`, `x ← norm(x + feed_forward(x))`.
///
/// [`TransformerBlock::decoder`] is the causal block of GPT, [`TransformerBlock::encoder`] the one of BERT, which takes a
/// mask as a second input of [`Module::forward`](crate::Module::forward). Unless told otherwise: norm before, layer norm,
/// GELU, four times the width between, biases, no dropout. [`dropout`](Self::dropout) silences what each part adds and the
/// features between, [`attention_dropout`](Self::attention_dropout) attention weights; PyTorch's layers do both with one rate.
///
/// # Shapes
/// - `x`: `[batch, time, width]`
/// - parameters: `attention/{query,key,value,output}/{weight,bias}`, `attention_norm/{weight,bias}`,
///   `feed_forward/{up,down}/{weight,bias}` (gated: and `gate`), `feed_forward_norm/{weight,bias}`
/// - returns the shape of `x`
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::{Embedding, LayerNorm, LearnedPositions, TiedOutput, TransformerBlock};
/// let network = Sequential::indices([16])
///     .layer("tokens", Embedding::new(50, 32))
///     .layer("positions", LearnedPositions::new())
///     .layer("block1", TransformerBlock::decoder(4).dropout(0.1))
///     .layer("block2", TransformerBlock::decoder(4).dropout(0.1))
///     .layer("norm", LayerNorm::new())
///     .layer("scores", TiedOutput::to("tokens"))
///     .build()?;
/// assert!(network.params().id("block1/attention/query/weight").is_some());
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// A. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3; R. Xiong et al., "On layer normalization in the
/// transformer architecture", ICML 2020 (norms before and after); A. Radford et al., "Language models are unsupervised
/// multitask learners", 2019 (GPT-2).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransformerBlock(Options);

impl TransformerBlock {
    /// A block whose positions see all positions.
    pub fn encoder(heads: usize) -> Self {
        Self(Options::new(heads, false))
    }

    /// A block whose positions see themselves and those before them.
    pub fn decoder(heads: usize) -> Self {
        Self(Options::new(heads, true))
    }

    block_options!();
}

impl Layer for TransformerBlock {
    const KIND: &'static str = "TransformerBlock";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let (x, context) = sequences(scope, Self::KIND, inputs)?;
        if let Some(context) = context {
            return Err(scope.error(
                Self::KIND,
                "one sequence",
                format!("{} and {}", Spec::float(x), Spec::float(context)),
                "a TransformerDecoderBlock attends to a second one",
            ));
        }
        Ok(Built {
            module: Box::new(BlockModule::build(&self.0, scope, Self::KIND, x, None)?),
            output: Spec::float(x),
            sum: None,
            description: format!("TransformerBlock {}", self.0.describe(x[1])),
        })
    }
}
