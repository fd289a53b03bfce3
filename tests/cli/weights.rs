//! Canonical weight files that are damaged or hostile: a typed error, never a panic, never unbounded memory.
use std::path::Path;

use burn::tensor::Device;
use burn_pack::{Bytes, DType, Tensor, Writer};
use indextts::Error;
use indextts::models::emotion_bank::{EmotionBank, EmotionBankConfig};
use indextts::weights::load;
use proptest::prelude::*;

fn config() -> EmotionBankConfig {
    EmotionBankConfig { groups: vec![2, 1], style_dim: 4, model_dim: 6 }
}

fn tensor(name: &str, shape: [usize; 2]) -> Tensor {
    let data: Vec<f32> = (0..shape[0] * shape[1]).map(|i| i as f32).collect();
    Tensor::new(name.into(), DType::F32, shape.to_vec(), None, Bytes::from_elems(data))
}

fn write(path: &Path, tensors: Vec<Tensor>) {
    Writer::new(tensors).write_to_file(path).unwrap();
}

fn open(path: &Path) -> Result<EmotionBank, Error> {
    load(config().init(&Device::flex()), path)
}

#[test]
fn a_fitting_file_loads_exactly() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bank.bpk");
    write(&path, vec![tensor("speakers", [3, 4]), tensor("emotions", [3, 6])]);
    let bank = open(&path).unwrap();
    let mixed: Vec<f32> = bank.mix(&[1, 2], &[1.0, 0.5]).into_data().iter().collect();
    assert_eq!(mixed, [12.0, 13.5, 15.0, 16.5, 18.0, 19.5]);
}

#[test]
fn every_mismatch_is_reported_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bank.bpk");
    write(&path, vec![tensor("speakers", [4, 3]), tensor("emotion", [3, 6])]);
    let Err(Error::Weights { problems, .. }) = open(&path) else { panic!("expected a list of problems") };
    let message = problems.join("\n");
    assert_eq!(problems.len(), 3, "{message}");
    assert!(message.contains("wrong shape: speakers: expected [3, 4], got [4, 3]"), "{message}");
    assert!(message.contains("not part of the model: emotion"), "{message}");
    assert!(message.contains("missing: emotions"), "{message}");
}

#[test]
fn a_missing_file_says_so() {
    let message = open(Path::new("/nowhere/bank.bpk")).unwrap_err().to_string();
    assert!(message.contains("/nowhere/bank.bpk"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any bytes changed, inserted or cut anywhere.
    #[test]
    fn damage_gives_an_error_or_a_model(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in prop::option::of(any::<prop::sample::Index>())) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bank.bpk");
        write(&path, vec![tensor("speakers", [3, 4]), tensor("emotions", [3, 6])]);
        let mut bytes = std::fs::read(&path).unwrap();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        std::fs::write(&path, bytes).unwrap();
        if let Err(error) = open(&path) {
            prop_assert!(error.to_string().contains("bank.bpk"));
        }
    }
}
