//! Files that earlier versions wrote are still read; `golden/README.md` says what they hold.

use fb_tensor::Tensor;
use fb_train::checkpoint::{Checkpoint, TrainingProgress};
use fb_train::file::{ModelFile, NamedTensors};
use fb_train::history::EpochRecord;
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

fn model() -> ModelFile {
    let mut model = ModelFile::new(r#"{"layers":[{"name":"hidden1","kind":"dense"}]}"#);
    let tensors = model.tensors_mut();
    tensors.insert(
        "hidden1/weight",
        Tensor::from([[0.5_f32, -1.5, 0.0], [f32::MAX, f32::MIN_POSITIVE, 1e-3]]),
    );
    tensors.insert("hidden1/scale", Tensor::from([[0.1_f64], [-0.2]]));
    tensors.insert("vocabulary", Tensor::from(vec![i64::MIN, 0, i64::MAX]));
    tensors.insert("mask", Tensor::from(vec![true, false, true]));
    model
        .set_metadata("author", "the tests")
        .expect("the key is free");
    model
}

fn checkpoint() -> Checkpoint {
    let mut model = ModelFile::new(r#"{"layers":[{"name":"hidden1","kind":"dense"}]}"#);
    let tensors = model.tensors_mut();
    tensors.insert("params/hidden1/weight", Tensor::from([[0.5_f32, -1.5]]));
    tensors.insert(
        "optimizer/hidden1/weight/m",
        Tensor::from([[0.25_f32, 0.0]]),
    );
    tensors.insert(
        "optimizer/hidden1/weight/v",
        Tensor::from([[1e-9_f32, 0.0]]),
    );
    let mut checkpoint = Checkpoint::new(model);
    checkpoint.progress = TrainingProgress {
        epoch: 2,
        step: 64,
        batch: 3,
    };
    checkpoint.seed = 42;
    checkpoint.optimizer.kind = "adam".to_string();
    checkpoint
        .optimizer
        .steps
        .insert("hidden1/weight".to_string(), 64);
    checkpoint
        .optimizer
        .numbers
        .insert("learning_rate".to_string(), 0.1);
    checkpoint.callbacks = vec![
        vec![("best".to_string(), 0.4), ("waited".to_string(), 1.0)],
        Vec::new(),
    ];
    checkpoint
        .history
        .push(EpochRecord::new(1).with("loss", 0.7).with("accuracy", 0.5));
    checkpoint.history.push(
        EpochRecord::new(2)
            .with("loss", 0.4)
            .with("val_loss", f64::INFINITY)
            .with_iteration_accuracy(vec![0.25, 0.75]),
    );
    checkpoint
}

fn same_bytes(name: &str, save: impl FnOnce(&Path) -> fb_train::Result<()>) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join(name);
    save(&path).expect("it can be written");
    let (written, golden) = (
        std::fs::read(path).unwrap(),
        std::fs::read(golden(name)).unwrap(),
    );
    assert!(
        written == golden,
        "{name} is written otherwise now: that needs a new format version"
    );
}

#[test]
fn checkpoints_of_version_1_are_read_and_written() {
    assert_eq!(
        Checkpoint::load(golden("checkpoint_v1.ckpt")).unwrap(),
        checkpoint()
    );
    same_bytes("checkpoint_v1.ckpt", |path| checkpoint().save(path));
}

#[test]
fn models_of_version_1_are_read_and_written() {
    assert_eq!(
        ModelFile::load(golden("model_v1.safetensors")).unwrap(),
        model()
    );
    same_bytes("model_v1.safetensors", |path| model().save(path));
}

#[test]
fn files_from_python_are_read() {
    let tensors = NamedTensors::load(golden("python.safetensors")).unwrap();
    let names: Vec<&str> = tensors.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["count", "flag", "weight", "wide"]);
    let weight = tensors
        .get("weight")
        .and_then(|tensor| tensor.get::<f32>())
        .unwrap();
    assert_eq!(*weight, Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]));
    assert_eq!(
        *tensors
            .get("wide")
            .and_then(|tensor| tensor.get::<f64>())
            .unwrap(),
        Tensor::from_scalar(0.1)
    );
    assert_eq!(
        *tensors
            .get("count")
            .and_then(|tensor| tensor.get::<i64>())
            .unwrap(),
        Tensor::from(vec![1_i64, -1])
    );
    assert_eq!(
        *tensors
            .get("flag")
            .and_then(|tensor| tensor.get::<bool>())
            .unwrap(),
        Tensor::from(vec![true, false])
    );
    let text = ModelFile::load(golden("python.safetensors"))
        .unwrap_err()
        .to_string();
    assert!(
        text.contains(
            "help: build the network in code and take the weights with NamedTensors::load"
        ),
        "{text}"
    );
}
