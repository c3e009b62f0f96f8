//! A vector for each token.

use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::module::{Built, Context, Layer, Module, Scope, Spec, Streaming, Value};
use crate::param::{ParamId, Role};
use fb_tensor::{Float, Shape, Tensor};
use serde::{Deserialize, Serialize};

/// The row of a table that each token names.
///
/// `y = table[token]`
///
/// The rows start from `N(0, 0.02²)`, as in GPT-2 (PyTorch draws from `N(0, 1)`, Keras from `U(−0.05, 0.05)`). The gradient
/// is added up where the rows came from, without a vector of the vocabulary's length for each token. A network that
/// starts with it is declared by [`Sequential::indices`](crate::Sequential::indices); [`TiedOutput`](super::TiedOutput)
/// scores the vocabulary with the same table.
///
/// # Shapes
/// - tokens: `[batch, …]`, indices from 0 to below `vocabulary`
/// - `weight`: `[vocabulary, width]`
/// - returns `[batch, …, width]`
///
/// # Examples
/// ```
/// use fb_nn::{Context, Sequential};
/// use fb_nn::layers::Embedding;
/// use fb_tensor::Tensor;
/// let network = Sequential::indices([3]).layer("tokens", Embedding::new(10, 4).padding(0)).build()?;
/// let mut cx = Context::eval(network.params());
/// let y = network.forward(&mut cx, Tensor::from([[5_i64, 0, 5]]))?;
/// assert_eq!(*y.shape(), [1, 3, 4]);
/// let error = network.forward(&mut cx, Tensor::from([[5_i64, 10, 5]])).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "layer \"tokens\": expected tokens from 0 to 9 (a vocabulary of 10), found token 10 in row 0 at position 1\n  \
///      help: map words that the vocabulary does not have to a token of their own"
/// );
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// Y. Bengio, R. Ducharme, P. Vincent, C. Jauvin, "A neural probabilistic language model", JMLR 3, 2003.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedding {
    vocabulary: usize,
    width: usize,
    padding: Option<usize>,
    weight_init: Initializer,
}

impl Embedding {
    /// A table of so many rows of this width.
    pub fn new(vocabulary: usize, width: usize) -> Self {
        Self {
            vocabulary,
            width,
            padding: None,
            weight_init: Initializer::Normal {
                mean: 0.0,
                std: 0.02,
            },
        }
    }

    /// The token that fills up short texts: its row starts from zeros and gets no gradient.
    #[must_use]
    pub fn padding(self, token: usize) -> Self {
        Self {
            padding: Some(token),
            ..self
        }
    }

    /// Where the rows start.
    #[must_use]
    pub fn weight_init(self, weight_init: Initializer) -> Self {
        Self {
            weight_init,
            ..self
        }
    }
}

/// What the table is shared as with layers that score the vocabulary.
pub(super) const TABLE: &str = "embedding";

impl Layer for Embedding {
    const KIND: &'static str = "Embedding";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let shape = scope.single_index(Self::KIND, inputs)?;
        let (vocabulary, width) = (self.vocabulary, self.width);
        if vocabulary == 0 || width == 0 {
            return Err(scope.error(
                Self::KIND,
                "a vocabulary and a width of at least 1",
                format!("{vocabulary} and {width}"),
                "Embedding::new(vocabulary, width) has a vector of that width for each token",
            ));
        }
        if let Some(token) = self.padding.filter(|&token| token >= vocabulary) {
            return Err(scope.error(
                Self::KIND,
                format!("a padding token from 0 to {}", vocabulary - 1),
                token.to_string(),
                "the padding token is one of the vocabulary",
            ));
        }
        let mut output = shape.to_vec();
        output.push(width);
        let output = Spec::float(Shape::try_new(&output)?);
        let table = Shape::try_new(&[vocabulary, width])?;
        let weight = scope.param("weight", table, &self.weight_init, Role::Weight)?;
        scope.share(weight, TABLE);
        if let Some(token) = self.padding {
            scope.value_mut(weight).make_mut()[token * width..][..width].fill(F::ZERO);
        }
        let mut description = format!("Embedding {vocabulary} -> {width}");
        if let Some(token) = self.padding {
            description += &format!(", padding {token}");
        }
        Ok(Built {
            module: Box::new(EmbeddingModule {
                weight,
                vocabulary,
                padding: self.padding,
            }),
            output,
            sum: None,
            description,
        })
    }
}

#[derive(Debug)]
struct EmbeddingModule {
    weight: ParamId,
    vocabulary: usize,
    padding: Option<usize>,
}

impl<F: Float> Module<F> for EmbeddingModule {
    fn forward(&self, cx: &mut Context<'_, F>, inputs: &[Value<F>]) -> Result<Vec<Value<F>>> {
        let [Value::Index(tokens)] = inputs else {
            return Err(crate::module::not_one(cx, inputs, "one tensor of indices"));
        };
        let table = cx.param(self.weight);
        match table.try_embedding(tokens, self.padding) {
            Ok(rows) => Ok(vec![Value::Float(rows)]),
            Err(error) => {
                self.check(cx, tokens)?;
                Err(error.into())
            }
        }
    }

    fn streaming(&self) -> Streaming<'_, F> {
        Streaming::Pointwise
    }
}

impl EmbeddingModule {
    /// Tells the first token that the vocabulary does not have.
    #[cold]
    fn check<F: Float>(&self, cx: &Context<'_, F>, tokens: &Tensor<i64>) -> Result<()> {
        let outside = |token: i64| usize::try_from(token).map_or(true, |t| t >= self.vocabulary);
        let Some((position, token)) = tokens.iter().enumerate().find(|&(_, token)| outside(token))
        else {
            return Ok(());
        };
        let per_row = (tokens.len() / tokens.dims().first().copied().unwrap_or(1)).max(1);
        let row = position / per_row;
        let place = match per_row {
            1 => format!("in row {row}"),
            _ => format!("in row {row} at position {}", position % per_row),
        };
        Err(Error::Data {
            place: cx.place(),
            expected: format!(
                "tokens from 0 to {} (a vocabulary of {})",
                self.vocabulary - 1,
                self.vocabulary
            ),
            found: format!("token {token} {place}"),
            help: "map words that the vocabulary does not have to a token of their own".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Params;
    use fb_autograd::Tape;
    use fb_tensor::random::Key;

    fn build(layer: Embedding, input: Spec) -> Result<(Built<f64>, Params<f64>)> {
        let mut scope = Scope::new(Key::new(0));
        scope.enter("tokens");
        let built = layer.build(&mut scope, &[input])?;
        Ok((built, scope.into_params()))
    }

    #[test]
    fn rows_are_looked_up_and_padding_stays_zero() {
        let layer = Embedding::new(5, 3).padding(2);
        let (built, params) = build(layer, Spec::index([4])).unwrap();
        assert_eq!(built.description, "Embedding 5 -> 3, padding 2");
        assert_eq!(built.output, Spec::float([4, 3]));
        let tape = Tape::new();
        let mut cx = Context::new(&params, tape, crate::Mode::Train);
        let tokens = Value::Index(Tensor::from([[1_i64, 2, 1, 4]]));
        let y = built.module.forward(&mut cx, &[tokens]).unwrap().remove(0);
        let y = y.as_float().unwrap();
        let table = &params.by_name("tokens/weight").unwrap().value;
        assert_eq!(
            y.tensor().index_axis(1, 0).flatten(),
            table.index_axis(0, 1)
        );
        assert_eq!(y.tensor().index_axis(1, 1).to_vec(), [0.0; 3]);
        let gradients = y.sum().backward();
        let leaf = cx.leaves().next().unwrap().1;
        let expected: Vec<f64> = [0.0, 2.0, 0.0, 0.0, 1.0]
            .iter()
            .flat_map(|&n| [n; 3])
            .collect();
        assert_eq!(gradients.get(leaf).unwrap().to_vec(), expected);
    }

    #[test]
    fn one_index_a_sample_gives_a_vector() {
        let (built, params) = build(Embedding::new(5, 3), Spec::index([])).unwrap();
        assert_eq!(built.output, Spec::float([3]));
        let mut cx = Context::eval(&params);
        cx.enter_layer("tokens");
        let error = built
            .module
            .forward(&mut cx, &[Value::Index(Tensor::from([0_i64, -1]))])
            .unwrap_err();
        assert!(
            error.to_string().contains("found token -1 in row 1\n"),
            "{error}"
        );
    }

    #[test]
    fn bad_configurations_are_errors() {
        let error = |layer, input| build(layer, input).unwrap_err().to_string();
        assert!(
            error(Embedding::new(0, 3), Spec::index([4])).contains("at least 1, found 0 and 3")
        );
        assert_eq!(
            error(Embedding::new(5, 3).padding(5), Spec::index([4])),
            "layer \"tokens\" (Embedding): expected a padding token from 0 to 4, found 5\n  \
             help: the padding token is one of the vocabulary"
        );
        assert_eq!(
            error(Embedding::new(5, 3), Spec::float([4])),
            "layer \"tokens\" (Embedding): expected one input of indices, found numbers [batch, 4]\n  \
             help: start the network with Sequential::indices([time])"
        );
        assert!(error(Embedding::new(usize::MAX, 2), Spec::index([4])).contains("memory"));
    }
}
