//! How a training was set up, kept in its checkpoints so that another setup is noticed.

use super::difference::{self, Difference};
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::model::{LossOn, Model};
use fb_tensor::Float;
use serde_json::{Value, json};
use std::path::Path;

/// The metadata of a checkpoint's model section under which the settings stand, as JSON.
pub(super) const SETTINGS: &str = "settings";

/// What [`Fit`](crate::Fit) decides about every step.
#[derive(Clone, Debug)]
pub(crate) struct FitSettings {
    pub(crate) rows: usize,
    pub(crate) batch_size: usize,
    pub(crate) shuffle: bool,
    pub(crate) class_weights: Option<Vec<f64>>,
    /// The decay of the running average of weights.
    pub(crate) ema: Option<f64>,
    /// Kind and parameters of a schedule instead of the network's.
    pub(crate) schedule: Option<(&'static str, Value)>,
}

impl FitSettings {
    fn to_json(&self) -> Value {
        let mut settings = json!({
            "rows": self.rows,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "class_weights": self.class_weights,
        });
        // Left out where there is none, as in files that were written before there could be one.
        if let Some(decay) = self.ema {
            settings["ema"] = decay.into();
        }
        if let Some((kind, config)) = &self.schedule {
            settings["schedule"] = json!({ "kind": kind, "config": config });
        }
        settings
    }
}

impl<F: Float> Model<F> {
    /// Everything besides the network and the data that the next step depends on. Without `fit` that part is left out.
    pub(super) fn settings(&self, fit: Option<&FitSettings>) -> Result<Value> {
        let as_json = |value: serde_json::Result<Value>| value.map_err(unserialisable);
        let mut settings = json!({
            "loss": { "kind": self.loss.kind(), "config": self.loss.config()? },
            "loss_on": match self.loss_on {
                LossOn::Last => "last",
                LossOn::Every => "every",
            },
            "gradient": format!("{:?}", self.network.gradient(self.gradient.as_ref())),
            "optimizer": { "kind": self.optimizer.kind(), "config": self.optimizer.config()? },
            "jacobian_penalty": self.jacobian_penalty,
            "clip": as_json(serde_json::to_value(self.clip))?,
            "penalties": as_json(serde_json::to_value(&self.penalties))?,
        });
        if let Some(fit) = fit {
            settings["fit"] = fit.to_json();
        }
        Ok(settings)
    }

    /// Where this training is set up in another way than the one that wrote the checkpoint. What the file does not say
    /// is not compared.
    pub(super) fn other_settings(
        &self,
        fit: &FitSettings,
        checkpoint: &Checkpoint,
        path: &Path,
    ) -> Result<Option<Difference>> {
        let Some(text) = checkpoint.model.metadata(SETTINGS) else {
            return Ok(None);
        };
        let found: Value = serde_json::from_str(text).map_err(|error| Error::Damaged {
            path: path.to_owned(),
            part: "settings",
            expected: "JSON".to_owned(),
            found: error.to_string(),
            help: "resume from an older checkpoint; this one was changed after it was written",
        })?;
        let own = self.settings(found.get("fit").map(|_| fit))?;
        Ok(difference::first(&own, &found))
    }
}

fn unserialisable(error: serde_json::Error) -> Error {
    Error::Setting {
        what: "clip or penalty",
        expected: "settings that JSON can hold",
        found: error.to_string(),
        help: "use finite numbers",
    }
}
