//! The form in which a history travels: plain lists, so that any serde format can carry it.

use super::{EpochRecord, History};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// A history in rows. Names stand once, in a list that the values point into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HistoryWire {
    pub(crate) names: Vec<String>,
    pub(crate) epochs: Vec<EpochWire>,
}

/// One epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EpochWire {
    pub(crate) epoch: u64,
    pub(crate) values: Vec<(u32, Number)>,
    pub(crate) iteration_accuracy: Option<Vec<Number>>,
}

/// A number that may be infinite or NaN. Formats for human eyes, such as JSON, have no such numbers and get words.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Number(pub(crate) f64);

/// What a format for human eyes may hold in a number's place.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Finite(f64),
    Word(String),
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.is_finite() || !serializer.is_human_readable() {
            true => serializer.serialize_f64(self.0),
            false => serializer.collect_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return f64::deserialize(deserializer).map(Self);
        }
        match Written::deserialize(deserializer)? {
            Written::Finite(value) => Ok(Self(value)),
            Written::Word(word) => word.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

impl From<History> for HistoryWire {
    fn from(history: History) -> Self {
        let names: Vec<String> = history.names().into_iter().map(String::from).collect();
        let position = |name: &str| {
            names
                .iter()
                .position(|known| known == name)
                .map_or(0, |i| i as u32)
        };
        let epochs = history.records().iter().map(|record| EpochWire {
            epoch: record.epoch() as u64,
            values: record
                .values()
                .map(|(name, value)| (position(name), Number(value)))
                .collect(),
            iteration_accuracy: record
                .iteration_accuracy()
                .map(|all| all.iter().copied().map(Number).collect()),
        });
        let epochs = epochs.collect();
        Self { names, epochs }
    }
}

/// Values that point at no name are dropped: a wire form made by hand cannot bring anything down.
impl From<HistoryWire> for History {
    fn from(wire: HistoryWire) -> Self {
        let HistoryWire { names, epochs } = wire;
        let record = |epoch: EpochWire| {
            let mut record = EpochRecord::new(usize::try_from(epoch.epoch).unwrap_or(usize::MAX));
            for (position, value) in epoch.values {
                if let Some(name) = names.get(position as usize) {
                    record.set(Cow::Owned(name.clone()), value.0);
                }
            }
            match epoch.iteration_accuracy {
                Some(accuracy) => {
                    record.with_iteration_accuracy(accuracy.into_iter().map(|a| a.0).collect())
                }
                None => record,
            }
        };
        epochs.into_iter().map(record).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_carries_every_number() {
        let mut history = History::new();
        history.push(
            EpochRecord::new(1)
                .with("loss", f64::NAN)
                .with("accuracy", 0.5),
        );
        history.push(
            EpochRecord::new(2)
                .with("val_loss", f64::NEG_INFINITY)
                .with("loss", 0.1 + 0.2)
                .with_iteration_accuracy(vec![0.25, 0.75]),
        );
        let text = serde_json::to_string(&history).unwrap();
        let back: History = serde_json::from_str(&text).unwrap();
        // NaN is not equal to itself, so the texts are compared.
        assert_eq!(format!("{history:?}"), format!("{back:?}"));
        assert_eq!(back.last("loss"), Some(0.1 + 0.2));
    }

    #[test]
    fn values_without_a_name_are_dropped() {
        let text = r#"{"names":["loss"],"epochs":[{"epoch":1,"values":[[0,0.5],[7,1.0]],"iteration_accuracy":null}]}"#;
        let history: History = serde_json::from_str(text).unwrap();
        assert_eq!(history.names(), ["loss"]);
    }
}
