//! The numbers on an axis.

use std::ops::Range;

/// The text of each tick: as many decimals as tell neighbours apart, an exponent where that would be long.
pub(super) fn labels(ticks: &[f64]) -> Vec<String> {
    let largest = ticks
        .iter()
        .fold(0.0_f64, |largest, tick| largest.max(tick.abs()));
    let step = ticks
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).abs())
        .fold(largest, f64::min);
    let told_by = |decimals: &i32| {
        let scale = 10_f64.powi(*decimals);
        ticks
            .iter()
            .all(|tick| ((tick * scale).round() / scale - tick).abs() <= 0.01 * step)
    };
    let decimals = (0..9).find(told_by).unwrap_or(9) as usize;
    let label = |&tick: &f64| match tick {
        // What rounding left of zero is zero.
        _ if tick.abs() <= 1e-9 * largest => "0".to_string(),
        _ if !(1e-3..1e6).contains(&largest) => Exponent(tick).to_string(),
        _ => format!("{tick:.decimals$}"),
    };
    ticks.iter().map(label).collect()
}

/// The text of a tick of a logarithmic axis.
pub(super) fn log_label(tick: f64) -> String {
    let short = (1e-3..1e5).contains(&tick);
    if short {
        ((tick * 1e6).round() / 1e6).to_string()
    } else {
        Exponent(tick).to_string()
    }
}

/// `2.5e-4` with as few digits as the number needs, at most 3.
struct Exponent(f64);

impl std::fmt::Display for Exponent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:.2e}", self.0);
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let digits = digits.trim_end_matches('0').trim_end_matches('.');
        write!(f, "{digits}e{exponent}")
    }
}

/// Powers of ten inside the range, with 2 and 5 between them where there are few.
pub(super) fn log_ticks(range: Range<f64>) -> Vec<f64> {
    let Range {
        start: low,
        end: high,
    } = range;
    let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let span = (high / low).log10();
    let factors: &[f64] = if span < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let skip = (span / 7.0).ceil().max(1.0) as usize;
    let ticks = decades
        .step_by(skip)
        .flat_map(|decade| factors.iter().map(move |f| f * 10_f64.powi(decade)));
    ticks.filter(|tick| (low..=high).contains(tick)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_the_decimals_they_need() {
        for (ticks, texts) in [
            (
                vec![0.0, 0.2, 0.4, 0.6000000000000001],
                vec!["0", "0.2", "0.4", "0.6"],
            ),
            (vec![0.0, 0.25, 0.5], vec!["0", "0.25", "0.50"]),
            (vec![0.0, 200.0, 1000.0], vec!["0", "200", "1000"]),
            (vec![-5e-4, 1e-20, 5e-4], vec!["-5e-4", "0", "5e-4"]),
            (vec![0.98, 0.985, 0.99], vec!["0.980", "0.985", "0.990"]),
            (vec![1e6, 2e6], vec!["1e6", "2e6"]),
            (vec![3.0], vec!["3"]),
        ] {
            assert_eq!(labels(&ticks), texts, "{ticks:?}");
        }
    }

    #[test]
    fn logarithmic_axes_get_a_handful_of_ticks() {
        assert_eq!(log_ticks(0.04..3.0), [0.05, 0.1, 0.2, 0.5, 1.0, 2.0]);
        assert_eq!(log_ticks(1e-4..1.0).len(), 5);
        assert!((3..=8).contains(&log_ticks(1e-30..1.0).len()));
        assert_eq!(
            [0.05, 0.1, 100.0, 1e-5].map(log_label),
            ["0.05", "0.1", "100", "1e-5"]
        );
    }
}
