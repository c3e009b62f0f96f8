//! Reading the files of this folder.

use fb_tensor::Tensor;
use serde_json::Value as Json;

/// The cases of a file.
pub(crate) fn cases(text: &str) -> Json {
    let mut file: Json = serde_json::from_str(text).unwrap();
    file["cases"].take()
}

/// A tensor from nested lists.
pub(crate) fn tensor(json: &Json) -> Tensor<f64> {
    let mut shape = Vec::new();
    let mut level = json;
    while let Some(list) = level.as_array() {
        shape.push(list.len());
        level = &list[0];
    }
    let mut elements = Vec::new();
    flatten(json, &mut elements);
    Tensor::from_vec(elements, shape)
}

fn flatten(json: &Json, into: &mut Vec<f64>) {
    match json.as_array() {
        Some(list) => list.iter().for_each(|item| flatten(item, into)),
        None => into.push(json.as_f64().unwrap()),
    }
}

/// A tensor that may be left out.
pub(crate) fn optional(json: &Json) -> Option<Tensor<f64>> {
    (!json.is_null()).then(|| tensor(json))
}

/// Asserts `|got − want| ≤ tolerance · max(1, |want|)` for each element.
pub(crate) fn assert_close(got: &Tensor<f64>, want: &Tensor<f64>, tolerance: f64, what: &str) {
    assert_eq!(got.shape(), want.shape(), "{what}");
    for (g, w) in got.iter().zip(want.iter()) {
        assert!(
            (g - w).abs() <= tolerance * w.abs().max(1.0),
            "{what}: {g} instead of {w}"
        );
    }
}
