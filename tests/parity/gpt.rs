//! GPT: conditioning encoders, prompt, cached decoding, latents (goldens `gpt_v2`, `gpt_v2_5`, `logits_processors`).
use std::ops::ControlFlow;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};
use burn_pack::Bytes;
use indextts::models::gpt::{Gpt, GptConfig, SpeakerEncoder};
use indextts::nn::conformer::Conformer;
use indextts::nn::linear::{FewBits, StoredBits, pack};
use indextts::pipeline::decode::{Codes, DecodeOptions, Positions, decode, processors, rng, step_logits};
use indextts::weights;
use indextts::{Bits, WeightType};
use indextts_import::{Checkpoint, Table, Vars, tables};
use serde_json::Value;

use crate::support::{self, Io, NETWORK, close, close_slices, golden};

/// Margin by which a filter's cumulative probability or a beam's score may differ from the reference's f32 sums.
const SCORE: f64 = 1e-4;

fn config(json: &Value, checkpoint: &Checkpoint) -> (GptConfig, Vars) {
    let (config, vars) = indextts_import::config::gpt::gpt(json, &checkpoint.shapes()).unwrap();
    let config: GptConfig = serde_json::from_value(config).unwrap();
    config.validate().unwrap();
    (config, vars)
}

struct Golden {
    name: &'static str,
    gpt: Gpt,
    io: Io,
    device: Device,
    path: String,
    official: Value,
    table: Table,
}

impl Golden {
    fn open(name: &'static str) -> Self {
        let path = format!("{name}/gpt.pth");
        let official = support::json(&format!("{name}/config.json"));
        let device = support::device();
        let table = if name == "gpt_v2" { tables::gpt_v2() } else { tables::gpt_v2_5() }.unwrap();
        let (config, vars) = config(&official, &Checkpoint::open(&golden(&path)).unwrap());
        let gpt = support::load(config.init(&device), Ok(table.clone()), &vars, &path);
        Self { name, gpt, io: Io::open(&format!("{name}/io.safetensors")), device, path, official, table }
    }

    /// The network with the stop code's bias raised, so that it stops.
    fn eager_to_stop(&self, delta: f32) -> Gpt {
        let (config, vars) = config(&self.official, &Checkpoint::open(&golden(&self.path)).unwrap());
        let mut tensors = indextts_import::convert(&self.table, &vars, &golden(&self.path)).unwrap();
        let bias = tensors.iter_mut().find(|t| t.name == "head.bias").unwrap();
        let bytes = bias.to_bytes().unwrap();
        let mut values: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        values[config.stop_code as usize] += delta;
        let shape = vec![values.len()];
        *bias =
            burn_pack::Tensor::new("head.bias".into(), burn_pack::DType::F32, shape, None, Bytes::from_elems(values));
        weights::apply(config.init(&self.device), tensors).unwrap()
    }

    fn tensor<const D: usize>(&self, name: &str) -> Tensor<D> {
        self.io.tensor(name, &self.device)
    }

    fn close<const D: usize>(&self, got: Tensor<D>, name: &str) {
        close(self.name, got, &self.io, name, NETWORK);
    }

    fn text(&self) -> Vec<u32> {
        self.ids("text_ids")
    }

    fn ids(&self, name: &str) -> Vec<u32> {
        self.io.ints(name).into_iter().map(|id| id as u32).collect()
    }

    fn language(&self) -> Option<usize> {
        self.io.has("lang").then(|| self.io.ints("lang")[0] as usize)
    }

    /// The measured conditioning, so that decoding does not inherit differences of the encoders.
    fn prefix(&self) -> Tensor<3> {
        self.gpt.prefix(self.tensor("conds_latent"), &self.text(), self.language()).unwrap()
    }

    fn decode(&self, gpt: &Gpt, options: DecodeOptions) -> Codes {
        decode(gpt, self.prefix(), &options, &mut rng::seeded(0), &mut |_| ControlFlow::Continue(())).unwrap()
    }

    /// Codes as the reference gives them, with the stop code at the end.
    fn assert_codes(&self, gpt: &Gpt, options: DecodeOptions, case: &str) -> Codes {
        let want = self.ids(&format!("{case}.codes"));
        let found = self.decode(gpt, options);
        let mut got = found.codes.clone();
        if found.stopped {
            got.push(gpt.tokens().stop_code);
        }
        println!("{:14} {case:28} {} codes, stopped {}", self.name, found.codes.len(), found.stopped);
        assert_eq!(got, want, "{case}");
        found
    }
}

fn options(beams: usize, repetition_penalty: f64, max_codes: usize) -> DecodeOptions {
    DecodeOptions { beams, do_sample: false, repetition_penalty, max_codes, ..Default::default() }
}

fn conformer_parity(g: &Golden, conformer: &Conformer, features: &str, prefix: &str) {
    let name = |stage: &str| format!("{prefix}_conformer.{stage}");
    let mut x = conformer.embed(g.tensor(features));
    g.close(x.clone(), &name("embed_out"));
    let positions = conformer.position_rows(x.dims()[1]);
    g.close(positions.clone(), &name("pos_emb"));
    for (i, layer) in conformer.layers().iter().enumerate() {
        x = layer.forward(x, positions.clone());
        g.close(x.clone(), &name(&format!("layer{i}")));
    }
    g.close(conformer.forward(g.tensor(features)), &name("out"));
}

#[test]
pub fn conditioning_encoders_parity() {
    let g = Golden::open("gpt_v2");
    let SpeakerEncoder::Latents(speaker) = &g.gpt.speaker else { panic!("2.0 has latents") };
    // As loaded, and in the form in which the CPU runs them.
    for form in [
        |conformer: &Conformer| conformer.clone(),
        |conformer: &Conformer| pack(conformer.clone(), WeightType::F32, &support::device()),
    ] {
        conformer_parity(&g, &form(&speaker.conformer), "spk_cond_emb", "spk");
        conformer_parity(&g, &form(&g.gpt.emotion.conformer), "emo_cond_emb", "emo");
    }
    let condensed = g.gpt.emotion.perceiver.forward(g.tensor("emo_conformer.out")).squeeze_dim(1);
    g.close::<2>(condensed, "emo_perceiver_out");
    let style = Tensor::zeros([1, 1], &g.device);
    g.close(g.gpt.speaker_latents(g.tensor("spk_cond_emb"), style), "spk_cond_latents");
}

#[test]
pub fn emotion_parity() {
    let g = Golden::open("gpt_v2");
    let base = g.gpt.emotion_vector(g.tensor("spk_cond_emb"));
    let emotion = g.gpt.emotion_vector(g.tensor("emo_cond_emb"));
    g.close(base.clone(), "emovec_spk");
    g.close(emotion.clone(), "emovec_emo");
    for alpha in ["0.0", "0.6", "1.0"] {
        let merged = base.clone() + (emotion.clone() - base.clone()) * alpha.parse::<f32>().unwrap();
        g.close(merged, &format!("emovec_merged_{alpha}"));
    }
}

/// Which of the merged emotions the prompt holds, and which the golden of the prompt was made with, is found by
/// subtraction: the rows before speed are `latents + emotion`.
#[test]
pub fn conditioning_parity() {
    let g = Golden::open("gpt_v2");
    let latents: Tensor<3> = g.tensor("spk_cond_latents");
    let [_, rows, dim] = latents.dims();
    let emotion = g.tensor::<3>("conds_latent").narrow(1, 0, rows) - latents.clone();
    let emotion = emotion.mean_dim(1).reshape([1, dim]);
    let distance = |name: &str| (g.tensor::<2>(name) - emotion.clone()).abs().max().into_scalar::<f32>();
    let merged = ["emovec_merged_0.0", "emovec_merged_0.6", "emovec_merged_1.0"];
    let used = merged.into_iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap();
    println!("the golden's prompt holds {used}");
    g.close(g.gpt.conditioning(latents, g.tensor(used)), "conds_latent");
}

#[test]
pub fn conditioning_v2_5_parity() {
    let g = Golden::open("gpt_v2_5");
    let base = g.gpt.emotion_vector(g.tensor("spk_cond_emb"));
    let emotion = g.gpt.emotion_vector(g.tensor("emo_cond_emb"));
    g.close(base.clone() + (emotion - base) * 0.7, "emovec_merged_07");
    let speaker = g.gpt.speaker_latents(g.tensor("spk_cond_emb"), g.tensor("style"));
    g.close(g.gpt.conditioning(speaker, g.tensor("emovec_merged_07")), "conds_latent");
}

/// Teacher-forced distributions over the golden's codes against those of f32: Kullback-Leibler divergence in nats, and how
/// often the likeliest code is the same (of some 15, of which a network of random weights has several nearly tied).
#[test]
fn fewer_bits_stay_near() {
    let g = Golden::open("gpt_v2");
    let codes = g.ids("greedy_rep10.codes");
    let mut input = vec![g.gpt.tokens().start_code];
    input.extend(&codes[..codes.len() - 1]);
    let embedded = Tensor::cat(vec![g.prefix(), g.gpt.code_rows(&input, 0, &g.device)], 1);
    let logs = |gpt: &Gpt| {
        let logits = gpt.logits(embedded.clone());
        let rows = logits.dims()[1];
        log_softmax(logits.narrow(1, rows - input.len(), input.len()), 2)
    };
    let exact = logs(&g.gpt);
    let distance = |gpt: Gpt| -> (f32, f32) {
        let near = logs(&gpt);
        let divergence = (exact.clone().exp() * (exact.clone() - near.clone())).sum_dim(2).mean().into_scalar();
        let same = exact.clone().argmax(2).equal(near.argmax(2)).float().mean().into_scalar();
        (divergence, same)
    };
    let rows = |gpt: &Gpt| gpt.code_rows(&[3, 1, 4, 1, 5], 0, &g.device);
    let plain = rows(&g.gpt);
    let moved: f32 = (rows(&g.gpt.clone().halve_tables()) - plain.clone()).abs().max().into_scalar();
    let largest: f32 = plain.abs().max().into_scalar();
    // Half a step of eleven bits, of one of the two that are added.
    assert!(moved > 0.0 && moved <= largest / 1024.0, "tables in half precision: {moved} of {largest}");
    let packed = |kept| pack(g.gpt.clone(), kept, &g.device);
    let forms = [
        ("f32", packed(WeightType::F32), 1e-7, 1.0),
        ("f16", packed(WeightType::F16), 1e-5, 0.99),
        ("bf16", packed(WeightType::Bf16), 1e-3, 0.95),
        ("q8", g.gpt.clone().quantize(FewBits::new(Bits::Eight, &StoredBits::new())), 1e-3, 0.9),
        ("q4", g.gpt.clone().quantize(FewBits::new(Bits::Four, &StoredBits::new())), 0.2, 0.6),
    ];
    for (name, gpt, most, least) in forms {
        let (divergence, same) = distance(gpt);
        println!("gpt_v2         {name:5} divergence {divergence:.1e} nats, same first choice {:.1} %", 100.0 * same);
        assert!(divergence.abs() <= most && same >= least, "{name}: {divergence}, {same}");
    }
}

/// What hears the clip, as it is kept beside blocks in few bits.
#[test]
fn conditioning_in_eight_bits_stays_near() {
    let g = Golden::open("gpt_v2");
    let few = g.gpt.clone().quantize(FewBits::new(Bits::Four, &StoredBits::new()));
    let cosine = |got: Tensor<3>, want: Tensor<3>| -> f32 {
        let length = |x: Tensor<3>| x.square().sum().sqrt();
        ((got.clone() * want.clone()).sum() / (length(got) * length(want))).into_scalar()
    };
    let SpeakerEncoder::Latents(speaker) = &few.speaker else { panic!("2.0 hears latents") };
    let conformer = cosine(speaker.conformer.forward(g.tensor("spk_cond_emb")), g.tensor("spk_conformer.out"));
    let style = Tensor::zeros([1, 1], &g.device);
    let latents = cosine(few.speaker_latents(g.tensor("spk_cond_emb"), style), g.tensor("spk_cond_latents"));
    let emotion = few.emotion.conformer.forward(g.tensor("emo_cond_emb"));
    let emotion = cosine(emotion, g.tensor("emo_conformer.out"));
    println!("gpt_v2         q8    cosine of conformers {conformer:.5}, {emotion:.5}, of latents {latents:.5}");
    assert!(conformer > 0.999 && emotion > 0.999 && latents > 0.999);
}

/// The reference pads on the left what the removal of start and stop ids leaves; here nothing is padded.
#[test]
pub fn prompt_parity() {
    for name in ["gpt_v2", "gpt_v2_5"] {
        let g = Golden::open(name);
        let prefix = g.prefix();
        let want = g.io.shape("gpt_prefix_embeds");
        let (rows, dim) = (prefix.dims()[1], want[2]);
        let padding = want[1] - rows;
        if g.io.has("attention_mask") {
            assert_eq!(g.io.ints("attention_mask").iter().take_while(|&&m| m == 0).count(), padding);
        }
        let got: Vec<f32> = prefix.into_data().try_to_vec().unwrap();
        let all = g.io.floats("gpt_prefix_embeds");
        assert!(all[..padding * dim].iter().all(|&v| v == 0.0));
        close_slices(name, &got, &all[padding * dim..], "gpt_prefix_embeds", NETWORK);
    }
}

#[test]
pub fn prefill_parity() {
    let g = Golden::open("gpt_v2");
    let start = g.gpt.code_rows(&[g.gpt.tokens().start_code], 0, &g.device);
    let embedded = Tensor::cat(vec![g.prefix(), start], 1);
    let mut x = g.gpt.blocks[0].forward(embedded.clone(), None);
    g.close(x.clone(), "prefill_hidden_after_block0");
    for block in &g.gpt.blocks[1..] {
        x = block.forward(x, None);
    }
    g.close(g.gpt.norm.forward(x), "prefill_hidden_last_lnf");
    let logits = g.gpt.logits(embedded);
    g.close(logits.clone(), "prefill_logits_all");

    let rows = logits.dims()[1];
    let cached = g.gpt.prefill(g.prefix(), &mut g.gpt.cache());
    let last: Tensor<2> = logits.narrow(1, rows - 1, 1).squeeze_dim(1);
    let worst = (cached - last).abs().max().into_scalar::<f32>();
    assert!(worst < 1e-4, "prefill differs from the plain pass by {worst}");

    let g = Golden::open("gpt_v2_5");
    g.close(g.gpt.prefill(g.prefix(), &mut g.gpt.cache()), "prefill_logits_last");
}

/// Logits of each step when the reference's codes are fed.
#[test]
pub fn teacher_forced_parity() {
    for (name, cases) in
        [("gpt_v2", vec!["greedy", "greedy_rep10", "sample_topk1", "greedy_stop"]), ("gpt_v2_5", vec!["greedy"])]
    {
        let g = Golden::open(name);
        for case in cases {
            let stopping;
            let gpt = match g.io.has(&format!("{case}.stop_bias_delta")) {
                true => {
                    stopping = g.eager_to_stop(g.io.floats(&format!("{case}.stop_bias_delta"))[0]);
                    &stopping
                }
                false => &g.gpt,
            };
            let codes = g.ids(&format!("{case}.codes"));
            let logits = step_logits(gpt, g.prefix(), &codes, Positions::Reference);
            g.close(logits.unsqueeze::<3>(), &format!("{case}.logits"));
        }
    }
}

/// The cache changes nothing: one plain pass over prompt and codes gives the logits of every step.
#[test]
pub fn cached_decoding_parity() {
    for name in ["gpt_v2", "gpt_v2_5"] {
        let g = Golden::open(name);
        let codes = g.ids("greedy.codes");
        let mut input = vec![g.gpt.tokens().start_code];
        input.extend(&codes[..codes.len() - 1]);
        let embedded = Tensor::cat(vec![g.prefix(), g.gpt.code_rows(&input, 0, &g.device)], 1);
        let plain = g.gpt.logits(embedded);
        let rows = plain.dims()[1];
        let plain: Tensor<2> = plain.narrow(1, rows - codes.len(), codes.len()).squeeze_dim(0);
        let cached = step_logits(&g.gpt, g.prefix(), &codes, Positions::Contiguous);
        let worst = (cached.clone() - plain).abs().max().into_scalar::<f32>();
        println!("{name:14} cached and plain differ by {worst:.3e}");
        assert!(worst < 1e-4);

        let reference = step_logits(&g.gpt, g.prefix(), &codes, Positions::Reference);
        let difference = (cached - reference).abs().max().into_scalar::<f32>();
        println!("{name:14} contiguous positions change logits by up to {difference:.3}");
        assert!(difference > 0.1, "contiguous positions must differ from the reference's");
    }
}

/// Beams that are reordered hold what each of their sequences would hold alone.
#[test]
fn beam_cache_parity() {
    let g = Golden::open("gpt_v2");
    let codes = |beam: u32| [beam + 2, beam + 20, beam + 40];
    let mut cache = g.gpt.cache();
    g.gpt.prefill(g.prefix(), &mut cache);
    cache.expand(3);
    for (k, sources) in [[0, 1, 2], [2, 0, 1], [0, 1, 2]].into_iter().enumerate() {
        // Sequence i holds the codes of beam `sources[i]`; after the second step it holds those of its own again.
        let owner: [u32; 3] = if k == 0 { [0, 1, 2] } else { [2, 0, 1] };
        cache.reorder(&sources);
        let step = owner.map(|beam| codes(beam)[k]);
        let logits = g.gpt.step(&step, k + 2, &mut cache);
        for (i, beam) in owner.into_iter().enumerate() {
            let mut alone = codes(beam)[..=k].to_vec();
            alone.push(0);
            let want = step_logits(&g.gpt, g.prefix(), &alone, Positions::Reference).narrow(0, k + 1, 1);
            let worst = (logits.clone().narrow(0, i, 1) - want).abs().max().into_scalar::<f32>();
            assert!(worst < 1e-4, "step {k}, sequence {i}: {worst}");
        }
    }
}

#[test]
pub fn greedy_codes_parity() {
    for name in ["gpt_v2", "gpt_v2_5"] {
        let g = Golden::open(name);
        let length = g.io.shape("greedy.codes")[1];
        g.assert_codes(&g.gpt, options(1, 1.0, length), "greedy");
        if g.io.has("greedy_rep10.codes") {
            g.assert_codes(&g.gpt, options(1, 10.0, length), "greedy_rep10");
        }
        if g.io.has("sample_topk1.codes") {
            let sampled = DecodeOptions { do_sample: true, top_k: 1, ..options(1, 1.0, length) };
            g.assert_codes(&g.gpt, sampled, "sample_topk1");
        }
    }
}

#[test]
pub fn beam_codes_parity() {
    for name in ["gpt_v2", "gpt_v2_5"] {
        let g = Golden::open(name);
        for (case, penalty) in [("beam3", 1.0), ("beam3_rep10", 10.0)] {
            if g.io.has(&format!("{case}.codes")) {
                let length = g.io.shape(&format!("{case}.codes"))[1];
                let found = g.assert_codes(&g.gpt, options(3, penalty, length), case);
                assert_score(&g, found, case);
            }
        }
    }
}

#[test]
fn stopping_codes_parity() {
    let g = Golden::open("gpt_v2");
    let gpt = g.eager_to_stop(g.io.floats("greedy_stop.stop_bias_delta")[0]);
    // The limit under which the golden was made is that of the cases that do not stop.
    let limit = g.io.shape("greedy.codes")[1];
    assert!(g.assert_codes(&gpt, options(1, 1.0, limit), "greedy_stop").stopped);
    for (case, length_penalty) in [("beam3_stop", 0.0), ("beam3_stop_lp1", 1.0)] {
        let found = g.assert_codes(&gpt, DecodeOptions { length_penalty, ..options(3, 1.0, limit) }, case);
        assert!(found.stopped);
        assert_score(&g, found, case);
    }
}

fn assert_score(g: &Golden, found: Codes, case: &str) {
    let want = f64::from(g.io.floats(&format!("{case}.sequences_scores"))[0]);
    println!("{:14} {case:28} score {:.5}, expected {want:.5}", g.name, found.score);
    assert!((found.score - want).abs() <= SCORE * want.abs(), "{case}: score {} instead of {want}", found.score);
}

#[test]
pub fn latent_parity() {
    let g = Golden::open("gpt_v2");
    // The golden's second pass was made over the greedy codes.
    let latent = g.gpt.latent(g.tensor("conds_latent"), &g.text(), &g.ids("greedy.codes")).unwrap();
    g.close(latent, "latent");
}

#[test]
fn processors_parity() {
    let io = Io::open("logits_processors/io.safetensors");
    let [rows, codes] = io.shape("logits")[..] else { panic!("two axes") };
    let logits = io.floats("logits");
    let ids = io.ints("input_ids");
    let history = |row: usize| ids.chunks_exact(ids.len() / rows).nth(row).unwrap().iter().map(|&id| id as u32);
    for (mode, beams) in [("sample", 1), ("beam", 3)] {
        let mut values: Vec<Vec<f32>> = logits.chunks_exact(codes).map(<[f32]>::to_vec).collect();
        let mut stage = |name: &str, f: &mut dyn FnMut(usize, &mut [f32])| {
            values.iter_mut().enumerate().for_each(|(i, row)| f(i, row));
            let name = format!("{mode}.{name}");
            let all: Vec<f32> = values.concat();
            match name.ends_with("kept") {
                true => {
                    let kept: Vec<i64> = all.iter().map(|v| i64::from(*v > f32::NEG_INFINITY)).collect();
                    let kept_count = kept.iter().sum::<i64>();
                    println!("processors     {name:28} keeps {kept_count} of {}", kept.len());
                    assert_eq!(kept, io.ints(&name), "{name}");
                }
                false => close_slices("processors", &all, &io.floats(&name), &name, NETWORK),
            }
        };
        let keep = if beams > 1 { 2 } else { 1 };
        stage("1_rep10", &mut |i, row| {
            if beams > 1 {
                processors::log_softmax(row);
            }
            processors::repetition_penalty(row, history(i), 10.0);
        });
        stage("2_temp08", &mut |_, row| processors::temperature(row, 0.8));
        stage("3_topk30_kept", &mut |_, row| processors::top_k(row, 30));
        stage("4_topp08_kept", &mut |_, row| processors::top_p(row, 0.8, keep));
        stage("5_final_probs", &mut |_, row| {
            processors::log_softmax(row);
            row.iter_mut().for_each(|v| *v = v.exp());
        });

        // All in one, with the reference's defaults.
        let options = DecodeOptions { beams, ..Default::default() };
        let mut all = Vec::new();
        for (i, row) in logits.chunks_exact(codes).enumerate() {
            let mut row = row.to_vec();
            if beams > 1 {
                processors::log_softmax(&mut row);
            }
            processors::process(&mut row, history(i), &options);
            all.extend(row.iter().map(|v| i64::from(*v > f32::NEG_INFINITY)));
        }
        assert_eq!(all, io.ints(&format!("{mode}.4_topp08_kept")));
    }
}

#[test]
fn same_seed_same_codes() {
    let g = Golden::open("gpt_v2");
    let run = |seed: u64, beams: usize| {
        let options = DecodeOptions { beams, max_codes: 20, ..Default::default() };
        decode(&g.gpt, g.prefix(), &options, &mut rng::seeded(seed), &mut |_| ControlFlow::Continue(())).unwrap()
    };
    for beams in [1, 3] {
        assert_eq!(run(1, beams), run(1, beams));
        assert!((2..6).any(|seed| run(seed, beams).codes != run(1, beams).codes), "seeds must matter");
    }
}

#[test]
fn decoding_is_cancelled_and_guarded() {
    use indextts::Error;
    let g = Golden::open("gpt_v2");
    let mut heard = Vec::new();
    let cancelled = decode(&g.eager_to_stop(-1e4), g.prefix(), &options(3, 1.0, 10), &mut rng::seeded(0), &mut |n| {
        heard.push(n);
        if n == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(cancelled, Err(Error::Cancelled)));
    assert_eq!(heard, [1, 2, 3, 4]);

    let run = |gpt: &Gpt, options: DecodeOptions| {
        decode(gpt, g.prefix(), &options, &mut rng::seeded(0), &mut |_| ControlFlow::Continue(()))
    };
    for wrong in [
        options(0, 1.0, 10),
        options(3, 0.0, 10),
        options(3, 1.0, 0),
        options(3, 1.0, g.gpt.code_positions()),
        DecodeOptions { temperature: 0.0, ..options(1, 1.0, 10) },
        DecodeOptions { top_p: 1.5, ..options(1, 1.0, 10) },
        DecodeOptions { typical_mass: Some(1.0), ..options(1, 1.0, 10) },
        DecodeOptions { length_penalty: f64::NAN, ..options(1, 1.0, 10) },
    ] {
        assert!(matches!(run(&g.gpt, wrong.clone()), Err(Error::Input { .. })), "{wrong:?}");
    }
    // The longest that is allowed reaches the last row of the position table and no further.
    let longest = g.gpt.code_positions() - 1;
    let never_stops = g.eager_to_stop(-1e4);
    assert_eq!(run(&never_stops, options(1, 1.0, longest)).unwrap().codes.len(), longest);

    for beams in [1, 3] {
        let ends_at_once = run(&g.eager_to_stop(1e4), options(beams, 1.0, 10));
        assert!(matches!(ends_at_once, Err(Error::Generation { .. })));
        let broken = run(&g.eager_to_stop(f32::NAN), options(beams, 1.0, 10));
        assert!(matches!(broken, Err(Error::Generation { .. })));
    }
}

#[test]
fn unusable_text_and_codes_are_refused() {
    let (g, g25) = (Golden::open("gpt_v2"), Golden::open("gpt_v2_5"));
    let prefix = |g: &Golden, text: &[u32], language| g.gpt.prefix(g.tensor("conds_latent"), text, language).is_err();
    assert!(prefix(&g, &[1 << 20], None));
    assert!(prefix(&g, &[5; 1000], None));
    assert!(prefix(&g, &[5], Some(0)));
    assert!(prefix(&g25, &[5], None));
    assert!(prefix(&g25, &[5], Some(1 << 20)));
    let latent = |codes: &[u32]| g.gpt.latent(g.tensor("conds_latent"), &g.text(), codes).is_err();
    assert!(latent(&[]));
    assert!(latent(&[1 << 20]));
    assert!(latent(&[5; 10_000]));
}

/// Every official key at real size is mapped or ignored, and every shape agrees. Nothing is allocated.
#[test]
fn real_size_keys() {
    for (name, config_file, table) in
        [("gpt_v2", "config_v2.json", tables::gpt_v2()), ("gpt_v2_5", "config_v2_5.json", tables::gpt_v2_5())]
    {
        let table = table.unwrap();
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
        let official = std::fs::read_to_string(format!("{root}/configs/{config_file}")).unwrap();
        let official: Value = serde_json::from_str(&official).unwrap();
        let manifest = std::path::PathBuf::from(format!("{root}/keys/{name}.json"));
        let (config, vars) = config(&official, &Checkpoint::from_manifest(&manifest).unwrap());
        let schema = weights::schema(&config.init(&Device::flex()));
        indextts_import::check_manifest(&table, &vars, &manifest, &schema)
            .unwrap_or_else(|p| panic!("{}", p.join("\n")));

        // Keys that a checkpoint saved in the midst of decoding, or by older code, has besides.
        let mut keys: serde_json::Map<String, Value> =
            serde_json::from_str(&std::fs::read_to_string(&manifest).unwrap()).unwrap();
        let extra = std::fs::read_to_string(format!("{root}/keys/gpt_v2_extra_after_post_init.json")).unwrap();
        let extra: serde_json::Map<String, Value> = serde_json::from_str(&extra).unwrap();
        let float = |mut shape: Value| {
            shape.as_array_mut().unwrap().push("float32".into());
            shape
        };
        keys.extend(extra.into_iter().map(|(key, shape)| (key, float(shape))));
        for i in 0..config.layers {
            keys.insert(format!("gpt.h.{i}.attn.bias"), serde_json::json!([1, 1, 8, 8, "uint8"]));
            keys.insert(format!("gpt.h.{i}.attn.masked_bias"), serde_json::json!(["float32"]));
        }
        let wrapped: serde_json::Map<String, Value> =
            keys.into_iter().map(|(key, shape)| (format!("model.{key}"), shape)).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("extra.json");
        std::fs::write(&path, serde_json::to_string(&wrapped).unwrap()).unwrap();
        let shapes = Checkpoint::from_manifest(&path).unwrap();
        let (again, vars) = self::config(&official, &shapes);
        assert_eq!(again, config);
        indextts_import::check_manifest(&table, &vars, &path, &schema).unwrap_or_else(|p| panic!("{}", p.join("\n")));
    }
}
