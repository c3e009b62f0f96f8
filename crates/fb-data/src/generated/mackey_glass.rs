//! A chaotic series with a delay.

use crate::error::{Error, Result};
use fb_tensor::random::Key;
use fb_tensor::{Shape, Tensor};
use rand::RngExt as _;

/// The Mackey–Glass series, sampled once a unit of time: chaotic for delays above about 16.8.
///
/// `dx/dt = 0.2·x(t − τ) / (1 + x(t − τ)¹⁰) − 0.1·x(t)`, integrated by the classical Runge–Kutta method of order 4 with steps
/// of 0.1. What lies half a step back in the delayed term is interpolated from values and slopes, so that the order is kept.
///
/// # Examples
/// ```
/// use fb_data::generated::MackeyGlass;
/// let series = MackeyGlass::new().seed(1).series(500)?;
/// assert_eq!(series.dims(), [500]);
/// assert!(series.iter().all(|x| 0.2 < x && x < 1.4));
/// # Ok::<(), fb_data::Error>(())
/// ```
///
/// # References
/// M. C. Mackey, L. Glass (1977), Oscillation and chaos in physiological control systems, Science 197, 287–289.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct MackeyGlass {
    delay: f64,
    start: f64,
    washout: usize,
}

/// Steps of the integration in a unit of time.
const STEPS: usize = 10;
const STEP: f64 = 1.0 / STEPS as f64;
/// Keeps the history that must be held to a size that is no burden.
const LONGEST_DELAY: f64 = 10_000.0;

impl Default for MackeyGlass {
    fn default() -> Self {
        Self::new()
    }
}

impl MackeyGlass {
    /// A delay of 17, a history of 1.2, and 1000 samples dropped before the first that is kept.
    pub fn new() -> Self {
        Self {
            delay: 17.0,
            start: 1.2,
            washout: 1000,
        }
    }

    /// The delay τ, rounded to tenths.
    pub fn delay(mut self, delay: f64) -> Self {
        self.delay = delay;
        self
    }

    /// The value until time 0.
    pub fn start(mut self, start: f64) -> Self {
        self.start = start;
        self
    }

    /// How many samples are dropped, so that the series has forgotten how it started.
    pub fn washout(mut self, samples: usize) -> Self {
        self.washout = samples;
        self
    }

    /// Starts from a history drawn from 1.1 to 1.3: another series for each seed.
    pub fn seed(mut self, seed: u64) -> Self {
        let mut rng = Key::new(seed).fold("mackey_glass").rng();
        self.start = rng.random_range(1.1..1.3);
        self
    }

    /// That many samples.
    ///
    /// # Shapes
    /// - returns `[samples]`
    ///
    /// # Errors
    /// The delay or the start is out of range.
    pub fn series(self, samples: usize) -> Result<Tensor<f64>> {
        self.check()?;
        let total = samples.saturating_add(self.washout);
        // Before anything runs: a size that memory cannot hold is told at once.
        Shape::try_new(&[samples])?;
        let mut flow = Flow::new(self.start, (self.delay / STEP).round() as usize);
        let mut series = Vec::with_capacity(samples);
        for at in 0..total {
            if at >= self.washout {
                series.push(flow.x);
            }
            for _ in 0..STEPS {
                flow.step();
            }
        }
        Ok(Tensor::from_vec(series, [samples]))
    }

    fn check(&self) -> Result<()> {
        let bad = |argument, expected: String, found: f64, help| Error::Argument {
            op: "MackeyGlass",
            argument,
            expected,
            found: found.to_string(),
            help,
        };
        if !(STEP..=LONGEST_DELAY).contains(&self.delay) {
            let expected = format!("a number from {STEP} to {LONGEST_DELAY}");
            let help = "17 is the usual one";
            return Err(bad("delay", expected, self.delay, help));
        }
        if !(0.0..=10.0).contains(&self.start) {
            let help = "the series lives between 0.2 and 1.4";
            return Err(bad(
                "start",
                "a number from 0 to 10".to_string(),
                self.start,
                help,
            ));
        }
        Ok(())
    }
}

/// The present value, and the steps of the past as far back as the delay, in a ring.
struct Flow {
    x: f64,
    /// For each step the value at its start and in its middle.
    past: Vec<[f64; 2]>,
    oldest: usize,
}

impl Flow {
    fn new(start: f64, delay: usize) -> Self {
        Self {
            x: start,
            past: vec![[start; 2]; delay],
            oldest: 0,
        }
    }

    fn step(&mut self) {
        let slope = |x: f64, delayed: f64| 0.2 * delayed / (1.0 + delayed.powi(10)) - 0.1 * x;
        let x = self.x;
        let [from, middle] = self.past[self.oldest];
        let next = (self.oldest + 1) % self.past.len();
        // With a delay of one step, what is delayed ends at the present.
        let to = if self.past.len() == 1 {
            x
        } else {
            self.past[next][0]
        };
        let first = slope(x, from);
        let second = slope(x + STEP / 2.0 * first, middle);
        let third = slope(x + STEP / 2.0 * second, middle);
        let fourth = slope(x + STEP * third, to);
        self.x += STEP / 6.0 * (first + 2.0 * (second + third) + fourth);
        // Hermite's cubic with the slopes inside the step: at time 0 the slope has a jump.
        let last = slope(self.x, to);
        let middle = f64::midpoint(x, self.x) + STEP / 8.0 * (first - last);
        self.past[self.oldest] = [x, middle];
        self.oldest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_delayed_change_it_decays_to_a_rest() {
        // At x = 1 growth and decay balance, whatever the delay.
        let rest = MackeyGlass::new().start(1.0).washout(0).series(50).unwrap();
        assert!(rest.iter().all(|x| (x - 1.0).abs() < 1e-12));
    }

    #[test]
    fn washout_only_drops() {
        let all = MackeyGlass::new().washout(0).series(30).unwrap();
        let late = MackeyGlass::new().washout(20).series(10).unwrap();
        assert_eq!(all.slice(0, 20..30), late);
        assert_eq!(MackeyGlass::new().series(0).unwrap().dims(), [0]);
    }

    #[test]
    fn seeds_part_company() {
        let [a, b] = [1, 2].map(|seed| MackeyGlass::new().seed(seed).series(100).unwrap());
        let far = a.iter().zip(b.iter()).any(|(a, b)| (a - b).abs() > 0.3);
        assert!(far, "chaos carries the two starts apart");
        assert_eq!(a, MackeyGlass::new().seed(1).series(100).unwrap());
    }

    #[test]
    fn the_shortest_delay_runs() {
        let series = MackeyGlass::new()
            .delay(0.1)
            .washout(0)
            .series(200)
            .unwrap();
        assert!(
            (series.at(&[199]) - 1.0).abs() < 1e-6,
            "a short delay comes to rest"
        );
    }

    #[test]
    fn delays_and_starts_out_of_range_are_told() {
        let error = MackeyGlass::new().delay(0.0).series(1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "MackeyGlass: bad delay\n  expected a number from 0.1 to 10000, found 0\n  help: 17 is the usual one"
        );
        assert!(MackeyGlass::new().start(f64::NAN).series(1).is_err());
        assert!(MackeyGlass::new().series(usize::MAX).is_err());
    }
}
