use super::*;
use crate::history::EpochRecord;
use fb_tensor::Tensor;
use proptest::prelude::*;

fn sample() -> Checkpoint {
    let mut model = ModelFile::new(r#"{"layers":["hidden1"]}"#);
    model
        .tensors_mut()
        .insert("params/hidden1/weight", Tensor::from([[0.5_f32, -1.5]]));
    model.tensors_mut().insert(
        "optimizer/hidden1/weight/m",
        Tensor::from([[0.0_f32, 1e-9]]),
    );
    let mut history = History::new();
    history.push(EpochRecord::new(1).with("loss", 0.7).with("accuracy", 0.5));
    history.push(
        EpochRecord::new(2)
            .with("val_loss", f64::INFINITY)
            .with_iteration_accuracy(vec![0.25, 0.75]),
    );
    Checkpoint {
        progress: TrainingProgress {
            epoch: 2,
            step: 64,
            batch: 3,
        },
        seed: 42,
        optimizer: OptimizerRecord {
            kind: "adam".to_string(),
            steps: BTreeMap::from([("hidden1/weight".to_string(), 64)]),
            numbers: BTreeMap::from([("learning_rate".to_string(), 0.1)]),
        },
        callbacks: vec![
            vec![("best".to_string(), 0.7), ("waited".to_string(), 1.0)],
            vec![],
        ],
        history,
        model,
    }
}

fn bytes(checkpoint: &Checkpoint) -> Vec<u8> {
    let path = Path::new("run.ckpt");
    let state = wire::encode(checkpoint, path).unwrap();
    let model = checkpoint.model.layout(path).unwrap();
    let mut bytes = Envelope::seal(&state, &model).unwrap().header().to_vec();
    bytes.extend(&state);
    model.write(&mut bytes).unwrap();
    bytes
}

/// A file with right checksums around these sections.
fn framed(state: &[u8], model: &[u8]) -> Vec<u8> {
    let mut header = bytes(&sample())[..36].to_vec();
    header[12..16].copy_from_slice(&crc32fast::hash(state).to_le_bytes());
    header[16..24].copy_from_slice(&(state.len() as u64).to_le_bytes());
    header[24..32].copy_from_slice(&(model.len() as u64).to_le_bytes());
    header[32..36].copy_from_slice(&crc32fast::hash(model).to_le_bytes());
    with_checksum(header, &[state, model].concat())
}

fn with_checksum(mut header: Vec<u8>, sections: &[u8]) -> Vec<u8> {
    let checksum = crc32fast::hash(&header[..36]);
    header.truncate(36);
    header.extend(checksum.to_le_bytes());
    header.extend(sections);
    header
}

fn sections(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (state, model) = envelope::open(bytes, Path::new("run.ckpt")).unwrap();
    (state.to_vec(), model.to_vec())
}

fn parse(bytes: &[u8]) -> Result<Checkpoint> {
    Checkpoint::parse(bytes, Path::new("run.ckpt"))
}

fn refusal(bytes: &[u8]) -> String {
    let text = parse(bytes).unwrap_err().to_string();
    assert!(
        text.contains("run.ckpt") && text.contains("expected ") && text.contains("help: "),
        "{text}"
    );
    text
}

#[test]
fn everything_comes_back() {
    assert_eq!(parse(&bytes(&sample())).unwrap(), sample());
    assert_eq!(bytes(&sample()), bytes(&sample()));
}

#[test]
fn nan_comes_back_bit_for_bit() {
    let mut checkpoint = sample();
    checkpoint
        .history
        .push(EpochRecord::new(3).with("loss", f64::from_bits(0x7ff8_0000_0000_1234)));
    let back = parse(&bytes(&checkpoint)).unwrap();
    assert_eq!(
        back.history.last("loss").unwrap().to_bits(),
        0x7ff8_0000_0000_1234
    );
}

#[test]
fn every_flipped_bit_is_refused() {
    let mut bytes = bytes(&sample());
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(parse(&bytes).is_err(), "bit {bit} of {}", bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(parse(&bytes).is_ok());
}

#[test]
fn every_truncation_and_every_addition_is_refused() {
    let mut bytes = bytes(&sample());
    for end in 0..bytes.len() {
        refusal(&bytes[..end]);
    }
    bytes.push(0);
    assert!(refusal(&bytes).contains("damaged in its length"));
}

#[test]
fn other_files_and_versions_are_named() {
    assert!(refusal(b"").contains("found an empty file"));
    assert!(
        refusal(b"PK\x03\x04 this is a zip file, or claims to be one")
            .contains("one that starts with \"PK\\x03")
    );
    let model = sections(&bytes(&sample())).1;
    assert!(refusal(&model).contains("is not a checkpoint"));
    let mut newer = bytes(&sample());
    newer[8] = 2;
    let text = with_checksum(newer[..36].to_vec(), &newer[40..]);
    assert!(
        parse(&text)
            .unwrap_err()
            .to_string()
            .contains("expected format version 1 or older, found 2")
    );
    newer[8] = 0;
    assert!(
        refusal(&with_checksum(newer[..36].to_vec(), &newer[40..])).contains("from 1 on, found 0")
    );
}

/// Lengths in the header that the file does not have are refused before anything is read, let alone allocated.
#[test]
fn hostile_lengths_in_the_header_are_refused() {
    let good = bytes(&sample());
    for (at, length) in [
        (16, u64::MAX),
        (24, u64::MAX),
        (16, 1 << 40),
        (24, 1 << 40),
        (16, 0),
    ] {
        let mut header = good[..36].to_vec();
        header[at..at + 8].copy_from_slice(&length.to_le_bytes());
        assert!(refusal(&with_checksum(header, &good[40..])).contains("damaged in its length"));
    }
}

/// Lengths inside the state section with right checksums: refused without the memory they ask for.
#[test]
fn hostile_lengths_in_the_state_are_refused() {
    let (state, model) = sections(&bytes(&sample()));
    // The kind of the optimizer follows four counters; the number of steps follows the kind ("adam").
    for at in [32, 32 + 8 + 4] {
        for length in [u64::MAX, 1 << 40, 65 << 20] {
            let mut hostile = state.clone();
            hostile[at..at + 8].copy_from_slice(&length.to_le_bytes());
            assert!(refusal(&framed(&hostile, &model)).contains("damaged in its state section"));
        }
    }
    let long = vec![0; envelope::LONGEST_STATE + 1];
    assert!(refusal(&framed(&long, &model)).contains("expected at most 67108864 bytes"));
}

#[test]
fn trailing_bytes_in_a_section_are_refused() {
    let (mut state, mut model) = sections(&bytes(&sample()));
    model.push(0);
    assert!(refusal(&framed(&state, &model)).contains("damaged in its tensors"));
    model.pop();
    state.push(0);
    assert!(refusal(&framed(&state, &model)).contains("bytes that all mean something"));
}

#[test]
fn values_without_a_name_are_refused() {
    let mut checkpoint = sample();
    checkpoint.history = History::from_iter([EpochRecord::new(1).with("loss", 0.5)]);
    let (mut state, model) = sections(&bytes(&checkpoint));
    // The position of the only value's name stands before the value and the byte that says "no accuracies".
    let at = state.len() - 1 - 8 - 4;
    assert_eq!(state[at..at + 4], [0; 4]);
    state[at] = 7;
    assert!(refusal(&framed(&state, &model)).contains("found a value for name 7"));
}

#[test]
fn a_failed_save_leaves_the_old_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.ckpt");
    sample().save(&path).unwrap();
    let mut bad = sample();
    bad.model
        .tensors_mut()
        .insert("__metadata__", Tensor::zeros([1]));
    assert!(bad.save(&path).is_err());
    assert_eq!(Checkpoint::load(&path).unwrap(), sample());
}

fn names() -> impl Strategy<Value = String> {
    "[a-z_]{0,6}|\\PC{0,3}"
}

fn numbers() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("NaN is not equal to itself", |value| !value.is_nan())
}

prop_compose! {
    fn records()(
        epoch in any::<u32>(),
        values in prop::collection::vec((names(), numbers()), 0..4),
        accuracy in prop::option::of(prop::collection::vec(numbers(), 0..4)),
    ) -> EpochRecord {
        let record = EpochRecord::new(epoch as usize);
        let record = values.into_iter().fold(record, |record, (name, value)| record.with(name, value));
        match accuracy {
            Some(accuracy) => record.with_iteration_accuracy(accuracy),
            None => record,
        }
    }
}

prop_compose! {
    fn checkpoints()(
        counters in any::<[u64; 4]>(),
        kind in names(),
        steps in prop::collection::btree_map(names(), any::<u64>(), 0..3),
        optimizer in prop::collection::btree_map(names(), numbers(), 0..3),
        callbacks in prop::collection::vec(prop::collection::vec((names(), numbers()), 0..3), 0..3),
        records in prop::collection::vec(records(), 0..4),
        architecture in ".{0,20}",
        weights in prop::collection::vec(numbers(), 0..5),
    ) -> Checkpoint {
        let [epoch, step, batch, seed] = counters;
        let mut model = ModelFile::new(architecture);
        model.tensors_mut().insert("params/weight", Tensor::from(weights));
        Checkpoint {
            progress: TrainingProgress { epoch, step, batch },
            seed,
            optimizer: OptimizerRecord { kind, steps, numbers: optimizer },
            callbacks,
            history: records.into_iter().collect(),
            model,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_checkpoint_comes_back(checkpoint in checkpoints()) {
        prop_assert_eq!(parse(&bytes(&checkpoint)).unwrap(), checkpoint);
    }

    #[test]
    fn any_state_section_is_read_without_panic(state in prop::collection::vec(any::<u8>(), 0..300)) {
        let model = sections(&bytes(&sample())).1;
        // Almost never a state; what matters is that it is refused or read, and neither panics nor hangs.
        let _ = parse(&framed(&state, &model));
    }
}
