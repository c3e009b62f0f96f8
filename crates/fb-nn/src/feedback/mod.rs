//! Networks whose later layers feed back into earlier ones.
//!
//! A feedback network is a dataflow graph whose edges may carry a delay. Three things are chosen independently and are
//! values: the **topology** (layers and edges, [`topology`]), the **schedule** (how often the loop runs, [`schedule`])
//! and the **gradient strategy** (through which iterations the gradient flows, [`gradient`]). The [`network`] joins
//! them.
//!
//! All values of one iteration `k = 1 … K` are functions of the values before them in the same iteration and of the
//! fed-back values of earlier ones:
//!
//! `vₙᵏ = layerₙ({vₘᵏ for each input m of n}, {v_fromᵏ⁻ᵈ for each feedback edge into n with delay d})`
//!
//! What does not depend on `k` is computed once; that changes no result.

mod declaration;
pub mod gradcheck;
pub mod gradient;
mod graph;
pub mod network;
pub mod schedule;
mod sequential;
pub mod solver;
pub mod spectrum;
mod state;
pub mod topology;

pub use graph::Graph;
pub use network::Network;
pub use sequential::Sequential;
pub use state::State;
