//! Causal self-attention, attention to a context, and a position-wise part.

use super::options::{Norm, Options, Placement, block_options};
use super::sublayers::BlockModule;
use crate::error::Result;
use crate::init::Initializer;
use crate::layers::Activation;
use crate::layers::attention::sequences;
use crate::module::{Built, Layer, Scope, Spec};
use fb_tensor::Float;
use serde::{Deserialize, Serialize};

/// The block of a translator's decoder: causal self-attention, attention to a context, then a position-wise part, each
/// added to its input and with a norm.
///
/// As [`TransformerBlock`](super::TransformerBlock), with `x ← x + cross_attention(norm(x), context)` between its parts.
///
/// It has two inputs, so it is not for [`Sequential`](crate::Sequential), whose layers have one:
/// [`Module::forward`](crate::Module::forward) takes `[x, context]` or `[x, context, mask]`, where the mask says which
/// positions of the context count. Piece by piece, keys and values of the context are made with the first piece.
///
/// # Shapes
/// - `x`: `[batch, time, width]`, context: `[batch, keys, context width]`, mask: `[batch, keys]`
/// - parameters: those of [`TransformerBlock`](super::TransformerBlock), and
///   `cross_attention/{query,key,value,output}/{weight,bias}`, `cross_attention_norm/{weight,bias}`
/// - returns the shape of `x`
///
/// # Examples
/// ```
/// use fb_autograd::Var;
/// use fb_nn::layers::TransformerDecoderBlock;
/// use fb_nn::module::{Scope, Spec};
/// use fb_nn::{Context, Layer};
/// use fb_tensor::{Tensor, random::Key};
///
/// let mut scope = Scope::<f32>::new(Key::new(1));
/// scope.enter("block");
/// let inputs = [Spec::float([5, 8]), Spec::float([7, 6])];
/// let built = TransformerDecoderBlock::new(2).build(&mut scope, &inputs)?;
/// let params = scope.into_params();
/// let x = Var::constant(Tensor::ones([3, 5, 8]));
/// let context = Var::constant(Tensor::ones([3, 7, 6]));
/// let y = built.module.forward(&mut Context::eval(&params), &[x.into(), context.into()])?;
/// assert_eq!(*y[0].shape(), [3, 5, 8]);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// A. Vaswani et al., "Attention is all you need", NeurIPS 2017, figure 1, right.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransformerDecoderBlock(Options);

impl TransformerDecoderBlock {
    /// A block with so many heads in both kinds of attention.
    pub fn new(heads: usize) -> Self {
        Self(Options::new(heads, true))
    }

    block_options!();
}

impl Layer for TransformerDecoderBlock {
    const KIND: &'static str = "TransformerDecoderBlock";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let (x, context) = sequences(scope, Self::KIND, inputs)?;
        if context.is_none() {
            return Err(scope.error(
                Self::KIND,
                "two inputs, a sequence and its context",
                Spec::float(x).to_string(),
                "in a Sequential network use TransformerBlock::decoder(heads)",
            ));
        }
        Ok(Built {
            module: Box::new(BlockModule::build(&self.0, scope, Self::KIND, x, context)?),
            output: Spec::float(x),
            sum: None,
            description: format!("TransformerDecoderBlock {}", self.0.describe(x[1])),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sequential;
    use crate::layers::TransformerBlock;
    use fb_tensor::random::Key;

    #[test]
    fn each_block_has_its_number_of_inputs() {
        let error = Sequential::input([4, 6])
            .layer("block", TransformerDecoderBlock::new(2))
            .build()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "layer \"block\" (TransformerDecoderBlock): expected two inputs, a sequence and its context, \
             found [batch, 4, 6]\n  help: in a Sequential network use TransformerBlock::decoder(heads)"
        );
        let mut scope = Scope::<f32>::new(Key::new(0));
        scope.enter("block");
        let inputs = [Spec::float([4, 6]), Spec::float([3, 5])];
        let error = TransformerBlock::encoder(2)
            .build(&mut scope, &inputs)
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("expected one sequence, found [batch, 4, 6] and [batch, 3, 5]"),
            "{error}"
        );
    }

    #[test]
    fn bad_configurations_name_the_part() {
        let error = |block: TransformerBlock| {
            let network = Sequential::input([4, 6]).layer("block", block).build();
            network.unwrap_err().to_string()
        };
        let text = error(TransformerBlock::encoder(4));
        assert!(
            text.starts_with(
                "layer \"block/attention\" (TransformerBlock): expected a width that 4 heads divide, found 6"
            ),
            "{text}"
        );
        assert!(error(TransformerBlock::encoder(2).hidden(0)).contains("\"block/feed_forward\""));
        assert!(
            error(TransformerBlock::encoder(2).epsilon(0.0)).contains("a finite epsilon above 0")
        );
        assert!(
            error(TransformerBlock::encoder(2).dropout(1.0))
                .contains("a dropout rate from 0 to below 1, found 1")
        );
    }

    #[test]
    fn descriptions_tell_the_choices() {
        let block = TransformerBlock::decoder(4)
            .key_value_heads(2)
            .rotary(100.0)
            .swiglu(20)
            .rms_norm();
        let network = Sequential::input([4, 8])
            .layer("block", block)
            .build()
            .unwrap();
        assert_eq!(
            network.describe().nodes[0].description,
            "TransformerBlock 4 heads of 2 for 2, causal, rotary; 8 -> 20 -> 8 silu, gated; RMS norm before"
        );
    }
}
