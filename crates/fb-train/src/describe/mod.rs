//! A network as people see it: a table with its feedback edges drawn beside it, and diagrams.
//!
//! [`Model::summary`] and [`Model::diagram`] are the usual way in; [`Describe`] gives the same methods to a network that
//! was not compiled.
//!
//! ```
//! use fb_nn::Sequential;
//! use fb_nn::feedback::schedule::Unroll;
//! use fb_nn::layers::Dense;
//! use fb_train::Describe;
//!
//! let network = Sequential::input([2])
//!     .layer("hidden", Dense::new(8))
//!     .layer("output", Dense::new(1))
//!     .feedback("output", "hidden")
//!     .schedule(Unroll::iterations(4))
//!     .build()?;
//! println!("{}", network.summary());
//! assert!(network.diagram().mermaid().contains("z⁻¹ add"));
//! # Ok::<(), fb_nn::Error>(())
//! ```

mod diagram;
mod dot;
mod drawing;
mod mermaid;
mod summary;
mod table;
#[cfg(test)]
mod tests;
mod training;
mod words;

pub use diagram::Diagram;
pub use summary::Summary;
pub use training::Training;

use crate::model::Model;
use fb_nn::Network;
use fb_nn::feedback::network::Description;
use fb_tensor::Float;

/// The summary of a network that was not compiled.
pub fn summary(network: &Description) -> Summary {
    Summary::new(network.clone(), None)
}

/// The diagrams of a network.
pub fn diagram(network: &Description) -> Diagram {
    Diagram::new(network.clone())
}

/// Gives networks that were not compiled the methods `summary` and `diagram`.
pub trait Describe {
    /// Layers, shapes, parameters, how often each layer runs, and the feedback edges drawn beside the layers that they
    /// join. `println!` it.
    fn summary(&self) -> Summary;

    /// The network as a graph, for Mermaid and Graphviz, with its feedback edges marked.
    fn diagram(&self) -> Diagram;
}

impl<F: Float> Describe for Network<F> {
    fn summary(&self) -> Summary {
        summary(&self.describe())
    }

    fn diagram(&self) -> Diagram {
        diagram(&self.describe())
    }
}

impl<F: Float> Model<F> {
    /// Layers, shapes, parameters, how often each layer runs, the feedback edges drawn beside the layers that they join,
    /// and how the model learns. `println!` it.
    pub fn summary(&self) -> Summary {
        Summary::new(self.network().describe(), Some(self.training()))
    }

    /// The network as a graph, for Mermaid and Graphviz, with its feedback edges marked.
    pub fn diagram(&self) -> Diagram {
        diagram(&self.network().describe())
    }
}
