//! Scores of a vocabulary from the table of an embedding.

use super::embedding::TABLE;
use super::misfit;
use crate::error::Result;
use crate::init::Initializer;
use crate::module::{
    Built, Context, Layer, Scope, SimpleModule, Spec, SplitModule, Streaming, simple,
};
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// Scores each token of a vocabulary by the table of an [`Embedding`](super::Embedding) before it.
///
/// `y = x · tableᵀ + b`
///
/// The table is one parameter: what this layer and the embedding say about it is added up. There is no bias unless asked
/// for, as in GPT-2. Feedback joins the scores.
///
/// # Shapes
/// - `x`: `[batch, …, width]`
/// - returns `[batch, …, vocabulary]`
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::{Activation, Dense, Embedding, TiedOutput};
/// let network = Sequential::indices([8])
///     .layer("tokens", Embedding::new(50, 16))
///     .layer("hidden", Dense::new(16).activation(Activation::Gelu))
///     .layer("scores", TiedOutput::to("tokens"))
///     .build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 8, 50]");
/// assert_eq!(network.params().elements(), 50 * 16 + 16 * 16 + 16);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// O. Press, L. Wolf, "Using the output embedding to improve language models", EACL 2017.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TiedOutput {
    embedding: String,
    bias: bool,
}

impl TiedOutput {
    /// Scores by the table of the embedding of this name; one inside another layer is named by its path,
    /// `"encoder/tokens"`.
    pub fn to(embedding: impl Into<String>) -> Self {
        Self {
            embedding: embedding.into(),
            bias: false,
        }
    }

    /// Whether there is a bias.
    #[must_use]
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }
}

impl Layer for TiedOutput {
    const KIND: &'static str = "TiedOutput";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let wanted = "[batch, …, width]";
        let (shape, width) = scope.features(Self::KIND, inputs, 1..=5, wanted)?;
        let name = format!("{}/weight", self.embedding);
        let Some((weight, table)) = scope.shared(&name, TABLE) else {
            return Err(scope.error(
                Self::KIND,
                format!("an embedding named {:?} before it", self.embedding),
                match scope.has(&name) {
                    true => "a layer of another kind",
                    false => "none",
                },
                "TiedOutput::to takes the name of the embedding's layer",
            ));
        };
        let [vocabulary, columns] = [table[0], table[1]];
        if columns != width {
            return Err(scope.error(
                Self::KIND,
                format!("{columns} features, the width of {:?}", self.embedding),
                format!("{width} in {}", Spec::float(shape)),
                "put a Dense of that width before it",
            ));
        }
        let bias = match self.bias {
            true => Some(scope.param("bias", [vocabulary], &Initializer::Zeros, Role::Bias)?),
            false => None,
        };
        let output = shape.try_with_extent(shape.len() - 1, vocabulary)?;
        Ok(Built {
            module: simple(TiedOutputModule {
                weight,
                bias,
                input: shape,
            }),
            output: Spec::float(output),
            sum: Some(output),
            description: format!(
                "TiedOutput {width} -> {vocabulary}, of {:?}",
                self.embedding
            ),
        })
    }
}

#[derive(Debug)]
struct TiedOutputModule {
    weight: ParamId,
    bias: Option<ParamId>,
    input: Shape,
}

impl<F: Float> SimpleModule<F> for TiedOutputModule {
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        self.project(cx, x)
    }

    fn split(&self) -> Option<&dyn SplitModule<F>> {
        Some(self)
    }

    fn streaming(&self) -> Streaming<'_, F> {
        Streaming::Pointwise
    }
}

impl<F: Float> SplitModule<F> for TiedOutputModule {
    fn project(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        misfit::features(cx, x, &self.input)?;
        let table = cx.param(self.weight).transpose();
        let bias = self.bias.map(|id| cx.param(id));
        Ok(x.linear(&table, bias.as_ref()))
    }

    fn finish(&self, _cx: &mut Context<'_, F>, sum: Var<F>) -> Result<Var<F>> {
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sequential;
    use crate::layers::{Dense, Embedding};

    #[test]
    fn what_is_not_there_cannot_be_tied() {
        let error = |layer| {
            Sequential::indices([2])
                .layer("tokens", Embedding::new(5, 3))
                .layer("hidden", Dense::new(4))
                .layer("scores", layer)
                .build()
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            error(TiedOutput::to("token")),
            "layer \"scores\" (TiedOutput): expected an embedding named \"token\" before it, found none\n  \
             help: TiedOutput::to takes the name of the embedding's layer"
        );
        assert_eq!(
            error(TiedOutput::to("hidden")),
            "layer \"scores\" (TiedOutput): expected an embedding named \"hidden\" before it, found a layer of another kind\n  \
             help: TiedOutput::to takes the name of the embedding's layer",
            "its weight has two axes, too, but no row for each token"
        );
        assert_eq!(
            error(TiedOutput::to("tokens")),
            "layer \"scores\" (TiedOutput): expected 3 features, the width of \"tokens\", found 4 in [batch, 2, 4]\n  \
             help: put a Dense of that width before it"
        );
    }
}
