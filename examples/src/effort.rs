//! How long an example may take, and from how many seeds it starts.

use std::ops::Range;
use std::time::Instant;

/// The flags `--quick`, `--full` and `--seeds N`, for `#[command(flatten)]`.
///
/// A quick run takes less than a minute, a plain one less than five, a full one as long as the question needs.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Effort {
    /// A small run, to see that everything works.
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// The whole experiment, as long as it takes.
    #[arg(long)]
    pub full: bool,
    /// From how many seeds [default: 3; with --full 5].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: Option<u64>,
}

impl Effort {
    /// The value for this effort.
    pub fn pick<T>(&self, quick: T, plain: T, full: T) -> T {
        match (self.quick, self.full) {
            (true, _) => quick,
            (_, true) => full,
            _ => plain,
        }
    }

    /// The seeds to start from.
    pub fn seeds(&self) -> Range<u64> {
        0..self.seeds.unwrap_or(self.pick(3, 3, 5))
    }

    /// What `run` gives for each seed, in order. Says on standard error how long each took.
    ///
    /// # Errors
    /// A run fails.
    pub fn for_seeds<T>(
        &self,
        what: &str,
        mut run: impl FnMut(u64) -> fb::Result<T>,
    ) -> fb::Result<Vec<T>> {
        let seeds = self.seeds();
        let count = seeds.end;
        let timed = |seed| {
            let start = Instant::now();
            let result = run(seed)?;
            let seconds = start.elapsed().as_secs_f64();
            eprintln!("{what}: seed {} of {count} took {seconds:.1} s", seed + 1);
            Ok(result)
        };
        seeds.map(timed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn efforts_differ_in_size_and_seeds() {
        let (plain, full) = (
            Effort::default(),
            Effort {
                full: true,
                ..Effort::default()
            },
        );
        let quick = Effort {
            quick: true,
            seeds: Some(1),
            ..Effort::default()
        };
        let picked = [&quick, &plain, &full].map(|effort| effort.pick(1, 10, 100));
        assert_eq!(picked, [1, 10, 100]);
        let seeds = [&quick, &plain, &full].map(Effort::seeds);
        assert_eq!(seeds, [0..1, 0..3, 0..5]);
        assert_eq!(
            plain.for_seeds("test", |seed| Ok(seed * 2)).unwrap(),
            [0, 2, 4]
        );
    }
}
