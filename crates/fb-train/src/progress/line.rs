//! The line that one epoch comes to.

use crate::history::EpochRecord;
use crate::text::number;

/// Values that have a place of their own in the line, or none.
const PLACED: [&str; 4] = ["iterations", "residual", "seconds", "rows_per_second"];

/// One line about an epoch:
/// `epoch 12/200  loss 0.0312  accuracy 0.987  val_loss 0.0455  iterations 4.0/4  12.3k rows/s`
///
/// Named values come in their order; `iterations` (of at most `iteration_limit`), `residual` and `rows_per_second` come
/// last where the record has them, `seconds` is left out.
///
/// ```
/// use fb_train::history::EpochRecord;
/// use fb_train::progress::epoch_line;
/// let record = EpochRecord::new(12).with("loss", 0.03124).with("accuracy", 0.987).with("rows_per_second", 12_345.0);
/// assert_eq!(epoch_line(&record, 200, None), "epoch  12/200  loss 0.0312  accuracy 0.987  12.3k rows/s");
/// ```
pub fn epoch_line(record: &EpochRecord, epochs: usize, iteration_limit: Option<usize>) -> String {
    let width = epochs.to_string().len();
    let mut line = format!("epoch {:>width$}/{epochs}", record.epoch());
    for (name, value) in record.values().filter(|(name, _)| !PLACED.contains(name)) {
        line.push_str(&format!("  {name} {}", number(name, value)));
    }
    if let Some(iterations) = record.get("iterations") {
        line.push_str(&format!("  iterations {iterations:.1}"));
        if let Some(limit) = iteration_limit {
            line.push_str(&format!("/{limit}"));
        }
    }
    if let Some(residual) = record.get("residual") {
        line.push_str(&format!("  residual {residual:.0e}"));
    }
    if let Some(rate) = record.get("rows_per_second") {
        line.push_str(&format!("  {} rows/s", number("rows_per_second", rate)));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_its_place() {
        let record = EpochRecord::new(12)
            .with("rows_per_second", 12_345.6)
            .with("loss", 0.03124)
            .with("accuracy", 0.98712)
            .with("iterations", 3.96)
            .with("seconds", 0.1)
            .with("residual", 1.3e-5)
            .with("val_loss", 0.04551)
            .with("val_accuracy", 0.975);
        assert_eq!(
            epoch_line(&record, 200, Some(4)),
            "epoch  12/200  loss 0.0312  accuracy 0.987  val_loss 0.0455  val_accuracy 0.975  \
             iterations 4.0/4  residual 1e-5  12.3k rows/s"
        );
    }

    #[test]
    fn lines_of_one_run_start_alike() {
        let line = |epoch| epoch_line(&EpochRecord::new(epoch).with("loss", 1.0), 100, None);
        assert_eq!(line(7), "epoch   7/100  loss 1.0000");
        assert_eq!(line(100), "epoch 100/100  loss 1.0000");
    }

    #[test]
    fn bad_numbers_are_shown_as_they_are() {
        let record = EpochRecord::new(1)
            .with("loss", f64::NAN)
            .with("iterations", 2.0);
        assert_eq!(
            epoch_line(&record, 1, None),
            "epoch 1/1  loss NaN  iterations 2.0"
        );
    }
}
