//! Values by name, on their way into or out of a network.

use super::Params;
use crate::error::{Error, Result};
use fb_tensor::{Float, Tensor};
use std::collections::BTreeMap;

/// Values by name.
pub type StateDict<F = f32> = BTreeMap<String, Tensor<F>>;

impl<F: Float> Params<F> {
    /// All values by name. Tensors are shared, not copied.
    pub fn state_dict(&self) -> StateDict<F> {
        self.list
            .iter()
            .map(|p| (p.name.clone(), p.value.clone()))
            .collect()
    }

    /// Takes over values by name: every parameter must be there in its shape, and nothing else.
    ///
    /// On an error nothing has changed.
    ///
    /// # Errors
    /// A parameter is missing or has another shape, or a value belongs to no parameter.
    pub fn load_state_dict(&mut self, values: &StateDict<F>) -> Result<()> {
        for name in values.keys() {
            if self.id(name).is_none() {
                return Err(self.unknown(name));
            }
        }
        for param in &self.list {
            let Some(value) = values.get(&param.name) else {
                return Err(Error::Data {
                    place: format!("parameter {:?}", param.name),
                    expected: format!("a value of shape {}", param.value.shape()),
                    found: "none".to_owned(),
                    help: "load_partial() takes what is there and says what was missing".to_owned(),
                });
            };
            check_shape(&param.name, &param.value, value)?;
        }
        self.load_partial(values).map(drop)
    }

    /// Takes over the values that belong to a parameter; returns the names of parameters that got none.
    ///
    /// On an error nothing has changed.
    ///
    /// # Errors
    /// A value has another shape than its parameter.
    pub fn load_partial(&mut self, values: &StateDict<F>) -> Result<Vec<String>> {
        for param in &self.list {
            if let Some(value) = values.get(&param.name) {
                check_shape(&param.name, &param.value, value)?;
            }
        }
        let mut missing = Vec::new();
        for param in &mut self.list {
            match values.get(&param.name) {
                Some(value) => param.value = value.clone(),
                None => missing.push(param.name.clone()),
            }
        }
        Ok(missing)
    }

    fn unknown(&self, name: &str) -> Error {
        let names: Vec<&str> = self.list.iter().map(|p| p.name.as_str()).collect();
        Error::UnknownName {
            what: "the state dict".to_owned(),
            kind: "parameter",
            name: name.to_owned(),
            help: format!(
                "parameters are {}; load_partial() ignores others",
                names.join(", ")
            ),
        }
    }
}

fn check_shape<F: Float>(name: &str, own: &Tensor<F>, given: &Tensor<F>) -> Result<()> {
    if own.shape() == given.shape() {
        return Ok(());
    }
    Err(Error::Data {
        place: format!("parameter {name:?}"),
        expected: format!("shape {}", own.shape()),
        found: format!("shape {}", given.shape()),
        help: "dense weights are stored [in, out]; PyTorch stores them the other way round"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Role;

    fn two() -> Params<f32> {
        let mut params = Params::new();
        params
            .insert("a/weight", Tensor::zeros([2]), Role::Weight)
            .unwrap();
        params
            .insert("a/bias", Tensor::zeros([1]), Role::Bias)
            .unwrap();
        params
    }

    #[test]
    fn a_state_dict_comes_back_whole_or_not_at_all() {
        let mut params = two();
        let mut dict = params.state_dict();
        dict.insert("a/weight".into(), Tensor::from([1.0, 2.0]));
        params.load_state_dict(&dict).unwrap();
        assert_eq!(
            params.by_name("a/weight").unwrap().value.to_vec(),
            [1.0, 2.0]
        );

        dict.insert("a/weight".into(), Tensor::from([9.0, 9.0]));
        dict.insert("a/bias".into(), Tensor::zeros([3]));
        let error = params.load_state_dict(&dict).unwrap_err().to_string();
        assert!(
            error.starts_with("parameter \"a/bias\": expected shape [1], found shape [3]"),
            "{error}"
        );
        assert_eq!(
            params.by_name("a/weight").unwrap().value.to_vec(),
            [1.0, 2.0],
            "nothing changed"
        );

        dict.remove("a/bias");
        assert!(params.load_state_dict(&dict).is_err());
        assert_eq!(params.load_partial(&dict).unwrap(), ["a/bias"]);
        dict.insert("b".into(), Tensor::zeros([1]));
        assert!(
            params
                .load_state_dict(&dict)
                .unwrap_err()
                .to_string()
                .contains("names parameter \"b\"")
        );
    }
}
