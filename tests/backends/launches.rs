//! How many kernels a GPU is asked to run for one code of the GPT and for one step of the flow matching, and how often the
//! host waits for it. Both are what a GPU's time goes into where the products are small.
//!
//! Counted on whatever adapter wgpu finds: the number of launches does not depend on it, nor on the width of the network.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use burn::tensor::{Device, Distribution, Tensor};
use cubecl::logging::{LaunchObservation, LaunchObserver};
use indextts::device_by_name;
use indextts::models::dit::DitConfig;
use indextts::models::gpt::{Gpt, GptConfig};
use indextts::models::s2mel::S2MelConfig;
use indextts_import::{Checkpoint, config};

use crate::support::{golden, json};

/// Counts launches by the name of the kernel.
#[derive(Default)]
struct Launches(Mutex<BTreeMap<&'static str, usize>>);

impl LaunchObserver for Launches {
    fn launched(&self, kernel: &'static str) {
        *self.0.lock().unwrap().entry(kernel).or_default() += 1;
    }
}

impl Launches {
    /// Those that `work`, which ends with a read, causes.
    fn of<T>(work: impl FnOnce() -> T) -> BTreeMap<&'static str, usize> {
        let launches = Arc::new(Self::default());
        let watching = LaunchObservation::new(launches.clone());
        work();
        drop(watching);
        std::mem::take(&mut launches.0.lock().unwrap())
    }
}

/// Launches of each of some calls of `work` after enough of them for everything to be compiled and chosen.
fn steady(name: &str, mut work: impl FnMut()) -> usize {
    const WARM: usize = 6;
    const COUNTED: usize = 6;
    for _ in 0..WARM {
        work();
    }
    let counts: Vec<_> = (0..COUNTED).map(|_| Launches::of(&mut work)).collect();
    let totals: Vec<usize> = counts.iter().map(|kernels| kernels.values().sum()).collect();
    println!("{name}: launches {totals:?}");
    for (kernel, count) in &counts[COUNTED - 1] {
        let short = cubecl::config::type_name_format(kernel, cubecl::config::TypeNameFormatLevel::Short);
        println!("    {count:4} {short}");
    }
    totals[COUNTED - 1]
}

fn gpt(layers: usize, device: &Device) -> Gpt {
    let shapes = Checkpoint::open(&golden("gpt_v2/gpt.pth")).unwrap().shapes();
    let (config, _) = config::gpt::gpt(&json("gpt_v2/config.json"), &shapes).unwrap();
    let config: GptConfig = serde_json::from_value(config).unwrap();
    GptConfig { layers, ..config }.init(device)
}

/// Launches of a code: (at two layers, for every further layer).
fn per_code(beams: usize, device: &Device) -> (usize, usize) {
    let count = |layers: usize| {
        let gpt = gpt(layers, device);
        let dim = gpt.code_rows(&[0], 0, device).dims()[2];
        let mut cache = gpt.cache();
        gpt.prefill(Tensor::zeros([1, 20, dim], device), &mut cache);
        cache.expand(beams);
        let mut position = 1;
        steady(&format!("GPT of {layers} layers, {beams} beams"), || {
            position += 1;
            let logits = gpt.step(&vec![3; beams], position, &mut cache);
            assert!(logits.into_data().iter::<f32>().all(f32::is_finite));
        })
    };
    let (two, four) = (count(2), count(4));
    (two, (four - two) / 2)
}

#[test]
fn launches_of_a_code() {
    let _alone = super::WGPU.lock();
    let device = device_by_name("wgpu").unwrap_or_else(|e| panic!("{e}"));
    for beams in [1, 3] {
        let (two, layer) = per_code(beams, &device);
        println!("| GPT, {beams} beams | {} + {layer} per layer |", two - 2 * layer);
        assert!(layer <= 99 && two <= 999, "{two} {layer}");
    }
}

#[test]
fn launches_of_a_step_of_the_flow() {
    let _alone = super::WGPU.lock();
    let device = device_by_name("wgpu").unwrap_or_else(|e| panic!("{e}"));
    let shapes = Checkpoint::open(&golden("s2mel/s2mel.pth")).unwrap().shapes();
    let (config, _) = config::s2mel::s2mel_v2(&json("s2mel/config.json"), &shapes).unwrap();
    let config: S2MelConfig = serde_json::from_value(config).unwrap();
    let count = |layers: usize| {
        let config = DitConfig { layers, ..config.dit.clone() };
        let dit = config.init(&device);
        let random = |dims: [usize; 3]| Tensor::<3>::random(dims, Distribution::Default, &device);
        let style = random([2, 1, config.style]).squeeze_dim(1);
        let context = dit.context(random([2, 60, config.mel_bins]), style, random([2, 60, config.content]), None);
        let x = random([1, 60, config.mel_bins]);
        let mut time = 0.0;
        steady(&format!("DiT of {layers} layers"), || {
            time += 0.01;
            let velocity = dit.velocity(x.clone(), &[time], &context, 20);
            assert!(velocity.into_data().iter::<f32>().all(f32::is_finite));
        })
    };
    let (three, five) = (count(3), count(5));
    let layer = (five - three) / 2;
    println!("| flow matching | {} + {layer} per layer |", three - 3 * layer);
    assert!(layer <= 99 && three <= 999, "{three} {layer}");
}
