//! Where two JSON values first differ.

use serde_json::Value;

/// Longer values are cut in messages: whole architectures have hundreds of characters.
const SHOWN: usize = 60;

/// The first place at which two values differ, and what stands there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// Such as `layers[1].config.units`; empty for the whole value.
    pub(super) path: String,
    pub(super) expected: String,
    pub(super) found: String,
}

/// The first difference, in the order of keys and entries; `None` between equal values.
///
/// Of arrays of different lengths the lengths are told: an entry that was put in would make every later one differ.
pub(super) fn first(expected: &Value, found: &Value) -> Option<Difference> {
    below(String::new(), expected, found)
}

fn below(path: String, expected: &Value, found: &Value) -> Option<Difference> {
    let told = |path, expected, found| {
        Some(Difference {
            path,
            expected,
            found,
        })
    };
    match (expected, found) {
        (Value::Array(a), Value::Array(b)) if a.len() != b.len() => {
            told(path, entries(a.len()), entries(b.len()))
        }
        (Value::Array(a), Value::Array(b)) => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(index, (a, b))| below(format!("{path}[{index}]"), a, b)),
        (Value::Object(a), Value::Object(b)) => {
            let added = b.keys().filter(|key| !a.contains_key(*key));
            a.keys().chain(added).find_map(|key| {
                let path = match path.as_str() {
                    "" => key.clone(),
                    path => format!("{path}.{key}"),
                };
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => below(path, a, b),
                    (a, b) => told(path, shown(a), shown(b)),
                }
            })
        }
        (a, b) if a == b => None,
        (a, b) => told(path, shown(Some(a)), shown(Some(b))),
    }
}

fn entries(count: usize) -> String {
    match count {
        1 => "1 entry".to_owned(),
        count => format!("{count} entries"),
    }
}

fn shown(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    if text.chars().count() <= SHOWN {
        return text;
    }
    text.chars().take(SHOWN - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// `path: expected, found`
    fn told(expected: Value, found: Value) -> Option<String> {
        let told = first(&expected, &found)?;
        Some(format!("{}: {}, {}", told.path, told.expected, told.found))
    }

    #[test]
    fn equal_values_do_not_differ() {
        let value = json!({"a": [1, {"b": null}], "c": "x"});
        assert_eq!(told(value.clone(), value), None);
    }

    #[test]
    fn the_first_difference_is_told_with_its_path() {
        let layers =
            |units| json!({"layers": [{"name": "a"}, {"config": {"units": units, "z": units}}]});
        for (expected, found, text) in [
            (layers(4), layers(8), "layers[1].config.units: 4, 8"),
            (json!([[1], [2]]), json!([[1], ["2"]]), "[1][0]: 2, \"2\""),
            (json!({"a": {}}), json!({"a": []}), "a: {}, []"),
            (json!(true), json!(null), ": true, null"),
        ] {
            assert_eq!(told(expected, found).as_deref(), Some(text));
        }
    }

    #[test]
    fn lengths_and_missing_keys_are_told() {
        for (expected, found, text) in [
            (
                json!({"a": [1, 2]}),
                json!({"a": [2]}),
                "a: 2 entries, 1 entry",
            ),
            (json!({"a": 1, "b": 2}), json!({"b": 2}), "a: 1, nothing"),
            (
                json!({"a": {"b": 2}}),
                json!({"a": {"b": 2, "c": 3}}),
                "a.c: nothing, 3",
            ),
        ] {
            assert_eq!(told(expected, found).as_deref(), Some(text));
        }
    }

    #[test]
    fn long_values_are_cut() {
        let told = first(&json!(1), &json!("é".repeat(500))).unwrap();
        assert_eq!(told.found.chars().count(), SHOWN);
        assert!(told.found.ends_with("é…"), "{}", told.found);
    }
}
