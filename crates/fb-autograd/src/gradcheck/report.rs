//! What a gradient check found.

use std::fmt;

/// `⟨J v, u⟩` along one direction of one input, estimated in four ways.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Comparison {
    /// The position of the input.
    pub input: usize,
    /// `⟨v, Jᵀ u⟩` as the tape has it.
    pub tape: f64,
    /// The central difference `⟨f(x + hv) − f(x − hv), u⟩ / 2h`.
    pub central: f64,
    /// The forward difference `⟨f(x + hv) − f(x), u⟩ / h`.
    pub forward: f64,
    /// The backward difference `⟨f(x) − f(x − hv), u⟩ / h`.
    pub backward: f64,
    /// `|tape − central|`, relative to the larger of the two or to 1.
    pub error: f64,
    /// Whether the one-sided differences disagree so much that the function must have a kink or a jump here.
    pub kink: bool,
}

impl Comparison {
    pub(super) fn new(input: usize, tape: f64, forward: f64, backward: f64, step: f64) -> Self {
        let central = 0.5 * (forward + backward);
        let scale = tape.abs().max(central.abs()).max(1.0);
        let error = (tape - central).abs() / scale;
        // Of a smooth function they differ by its curvature times the step, of one with a kink by the kink.
        let bend = (forward - backward).abs() / forward.abs().max(backward.abs()).max(1.0);
        Self {
            input,
            tape,
            central,
            forward,
            backward,
            error,
            kink: bend > step.sqrt(),
        }
    }
}

/// All comparisons of a gradient check that passed.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    comparisons: Vec<Comparison>,
    tolerance: f64,
}

impl Report {
    pub(super) fn new(comparisons: Vec<Comparison>, tolerance: f64) -> Self {
        Self {
            comparisons,
            tolerance,
        }
    }

    /// One comparison for each direction and input.
    pub fn comparisons(&self) -> &[Comparison] {
        &self.comparisons
    }

    /// The comparison with the largest error; it names its input.
    ///
    /// # Panics
    /// If nothing was compared, for want of inputs or directions.
    #[track_caller]
    pub fn worst(&self) -> &Comparison {
        let worst = self
            .comparisons
            .iter()
            .max_by(|a, b| a.error.total_cmp(&b.error));
        worst.expect("at least one input and one direction were checked")
    }

    /// Whether the function has a kink or a jump at the inputs, which the tape happens to agree about.
    pub fn has_kink(&self) -> bool {
        self.comparisons.iter().any(|c| c.kink)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "input         tape      central      forward     backward    error"
        )?;
        for c in &self.comparisons {
            let kink = if c.kink { "  kink" } else { "" };
            let Comparison {
                input,
                tape,
                central,
                forward,
                backward,
                error,
                ..
            } = c;
            writeln!(
                f,
                "{input:>5} {tape:>12.6} {central:>12.6} {forward:>12.6} {backward:>12.6} {error:>8.1e}{kink}"
            )?;
        }
        write!(
            f,
            "{} comparisons, tolerance {:.1e}",
            self.comparisons.len(),
            self.tolerance
        )
    }
}
