//! The end of the loop.

use super::GradientStrategy;
use crate::error::{Error, Result};
use fb_tensor::Float;

/// The gradient flows through the last iterations; those before run on constants and cost no memory.
///
/// Biased where the loop remembers for longer. With the whole of a nested sweep as one iteration this is how tiny recursive
/// models and depth-recurrent transformers are trained.
///
/// # References
/// J. Geiping et al., "Scaling up test-time compute with latent reasoning", 2025 (the last 8); A. Jolicoeur-Martineau, "Less is
/// more: recursive reasoning with tiny networks", 2025 (the last sweep).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastK(pub usize);

impl<F: Float> GradientStrategy<F> for LastK {
    fn kind(&self) -> &'static str {
        "LastK"
    }

    fn validate(&self) -> Result<()> {
        if self.0 == 0 {
            return Err(Error::Config {
                what: "LastK".to_owned(),
                expected: "at least 1 iteration".to_owned(),
                found: "0".to_owned(),
                help: "a loop without gradient does not learn: LastK(1) is the least".to_owned(),
            });
        }
        Ok(())
    }

    fn records(&self, tick: usize, total: usize) -> bool {
        tick + self.0 > total
    }
}
