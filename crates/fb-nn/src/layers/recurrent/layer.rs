//! The layer that runs a cell along a sequence: its configuration.

use super::module::{Level, RecurrentModule};
use crate::cell::{BuiltCell, CellConfig, HeldCell};
use crate::error::Result;
use crate::layers::dropout::{DropoutModule, check_rate};
use crate::module::{Built, Layer, LayerKinds, Scope, Spec, ValueKind};
use fb_tensor::{Float, Shape};
use serde::{Deserialize, Serialize};

/// Runs a cell along the time axis of sequences.
///
/// Any [`Cell`](crate::cell::Cell) will do. The part of the work that waits for no state is done for all steps at once. The
/// cells of this crate then run through all steps as one operation; cells of your own run step by step on the tape, with the
/// gradients of their weights gathered. The description of the layer in summaries says which of both it is.
///
/// A network gives it sequences `x`. [`Module::forward`](crate::Module::forward) also takes, in this order, `lengths` and
/// the states to start from: `[x]`, `[x, lengths]`, `[x, states…]` or `[x, lengths, states…]`; what there is is said by the
/// inputs that it is built for. Lengths are indices `[batch]`: a sequence ends after so many steps, gives zeros from there
/// on, and takes no time for them. The states are the registers of all cells, `[batch, …]` each, level by level and the
/// forward direction first. [`RecurrentModule::run`] hands back the last states too.
///
/// Run [piece by piece](crate::module::StreamModule) it gives what it gives on the whole, bit for bit, unless it runs both
/// ways or gives the last step only.
///
/// # Shapes
/// - `x`: `[batch, time, …]`
/// - returns `[batch, time, …]` as the cell gives, or `[batch, …]` with [`Recurrent::last`]; twice as many features
///   if it runs [both ways](Recurrent::bidirectional)
/// - parameters are named by the cell, such as `"memory/input_weight"`; with several levels
///   `"memory/level2/input_weight"`, both ways `"memory/forward/input_weight"` and `"memory/backward/input_weight"`
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::{Dense, Gru};
/// let network = Sequential::input([50, 8])
///     .layer("reader", Gru::new(16).levels(2).bidirectional().last())
///     .layer("scores", Dense::new(3))
///     .build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 3]");
/// assert!(network.params().id("reader/level2/backward/recurrent_weight").is_some());
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// M. Schuster, K. Paliwal, "Bidirectional recurrent neural networks", IEEE Transactions on Signal Processing 45(11), 1997;
/// Y. Wu et al., "Google's neural machine translation system", 2016, section 3.1 (residual connections between levels).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recurrent {
    cell: HeldCell,
    levels: usize,
    bidirectional: bool,
    residual: bool,
    last: bool,
    dropout: f64,
}

impl Recurrent {
    /// One level of the cell from the first step to the last, giving the outputs of all steps.
    pub fn new(cell: impl CellConfig) -> Self {
        Self {
            cell: HeldCell::new(cell),
            levels: 1,
            bidirectional: false,
            residual: false,
            last: false,
            dropout: 0.0,
        }
    }

    /// Several levels, each of which reads the outputs of the one below.
    #[must_use]
    pub fn levels(self, levels: usize) -> Self {
        Self { levels, ..self }
    }

    /// Each level has a second cell, which reads each sequence from its own last step to its first; their outputs stand side
    /// by side.
    #[must_use]
    pub fn bidirectional(self) -> Self {
        Self {
            bidirectional: true,
            ..self
        }
    }

    /// Each level but the first adds its input to its output.
    #[must_use]
    pub fn residual(self) -> Self {
        Self {
            residual: true,
            ..self
        }
    }

    /// The share of the features between two levels that is silenced in training: for each sequence the same ones at all of
    /// its steps. (PyTorch draws anew at each step.)
    ///
    /// # References
    /// Y. Gal, Z. Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks", NeurIPS 2016.
    #[must_use]
    pub fn dropout(self, rate: f64) -> Self {
        Self {
            dropout: rate,
            ..self
        }
    }

    /// Gives the output of the last step alone: that of each sequence's own last step, and for the other direction that after
    /// its first step, which it reads last.
    #[must_use]
    pub fn last(self) -> Self {
        Self { last: true, ..self }
    }

    /// Builds the module itself, for use outside a network: [`RecurrentModule::run`] takes and gives states.
    ///
    /// # Errors
    /// As [`Layer::build`].
    pub fn module<F: Float>(
        &self,
        scope: &mut Scope<F>,
        inputs: &[Spec],
    ) -> Result<RecurrentModule<F>> {
        Ok(self.assemble(scope, inputs)?.0)
    }

    /// The module, its output's shape, and what to say of it.
    fn assemble<F: Float>(
        &self,
        scope: &mut Scope<F>,
        inputs: &[Spec],
    ) -> Result<(RecurrentModule<F>, Shape, String)> {
        let kind = Self::KIND;
        let (x, rest) = match inputs {
            [x, rest @ ..] => (x, rest),
            [] => (&Spec::index([]), inputs),
        };
        let shape = scope.single_float(kind, std::slice::from_ref(x))?;
        let &[time, ref features @ ..] = &*shape else {
            return Err(scope.error(
                kind,
                "an input [batch, time, …]",
                x.to_string(),
                "a Reshape before it gives each sample the axes that it needs",
            ));
        };
        if self.levels == 0 {
            return Err(scope.error(kind, "at least 1 level", "0", "leave out .levels(0)"));
        }
        check_rate(scope, kind, "a dropout rate", self.dropout)?;
        let mut features = Shape::from(features);
        let mut levels: Vec<Level<F>> = Vec::with_capacity(self.levels.min(64));
        let mut description = String::new();
        for level in 1..=self.levels {
            let name = (self.levels > 1).then(|| format!("level{level}"));
            let forward = (self.bidirectional).then_some("forward");
            let mut build = |direction: Option<&str>| {
                let path: Vec<&str> = name.as_deref().into_iter().chain(direction).collect();
                match &*path.join("/") {
                    "" => self.cell.build(scope, features),
                    path => scope.inside(path, |scope| self.cell.build(scope, features)),
                }
            };
            let built = build(forward)?;
            let backward = match self.bidirectional {
                true => Some(build(Some("backward"))?.cell),
                false => None,
            };
            let mut output = built.output;
            if self.bidirectional {
                let Some(last) = output.len().checked_sub(1) else {
                    return Err(scope.error(
                        kind,
                        "a cell whose outputs have features",
                        "one whose outputs have no axis",
                        "drop .bidirectional()",
                    ));
                };
                output = output.try_with_extent(last, output[last].saturating_mul(2))?;
            }
            let residual = self.residual && level > 1;
            if residual && output != features {
                return Err(scope.error(
                    kind,
                    format!("outputs {features} for .residual()"),
                    output.to_string(),
                    "each level must give what it takes",
                ));
            }
            if level == 1 {
                description = self.describe(&built);
            }
            levels.push(Level {
                name,
                forward: built.cell,
                backward,
                residual,
            });
            features = output;
        }
        let output = match self.last {
            true => features,
            false => Shape::try_new(&[&[time], &*features].concat())?,
        };
        let dropout = DropoutModule { rate: self.dropout };
        let module = RecurrentModule::new(levels, shape, self.last, dropout);
        let (lengths, states) = match rest {
            [first, states @ ..] if first.kind == ValueKind::Index => (true, states),
            states => (false, states),
        };
        let wanted = module.register_shapes();
        let fits = (!lengths || rest[0].shape.is_empty())
            && (states.is_empty()
                || (states.len() == wanted.len()
                    && states.iter().zip(&wanted).all(|(found, wanted)| {
                        found.kind == ValueKind::Float && found.shape == *wanted
                    })));
        if !fits {
            let states: Vec<String> = wanted.iter().map(ToString::to_string).collect();
            let found: Vec<String> = rest.iter().map(ToString::to_string).collect();
            return Err(scope.error(
                kind,
                format!(
                    "after the sequences, lengths [batch] or states {}, or both",
                    states.join(" and ")
                ),
                found.join(" and "),
                "the first input holds the sequences",
            ));
        }
        Ok((module, output, description))
    }

    fn describe<F: Float>(&self, built: &BuiltCell<F>) -> String {
        let mut text = built.description.clone();
        if self.levels > 1 {
            text += &format!(", {} levels", self.levels);
        }
        for (said, word) in [
            (self.bidirectional, "both ways"),
            (self.residual, "residual"),
            (self.last, "last step"),
        ] {
            if said {
                text += ", ";
                text += word;
            }
        }
        text += match built.cell.fused() {
            Some(_) => ", fused",
            None => ", step by step",
        };
        text
    }
}

impl Layer for Recurrent {
    const KIND: &'static str = "Recurrent";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let (module, output, description) = self.assemble(scope, inputs)?;
        Ok(Built {
            module: Box::new(module),
            output: Spec::float(output),
            sum: None,
            description,
        })
    }

    fn resolve(&mut self, place: &str, kinds: &dyn LayerKinds) -> Result<()> {
        self.cell.resolve(place, kinds)
    }
}
