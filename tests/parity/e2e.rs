//! The whole pipeline on the golden checkpoints, imported from an official-layout directory.
use std::ops::ControlFlow;

use burn::tensor::Device;
use indextts::audio::decode::load_reference;
use indextts::audio::fbank::SeamlessFeatures;
use indextts::audio::wav;
use indextts::pipeline::decode::DecodeOptions;
use indextts::{
    Emotion, EmotionClip, EmotionVector, ModelFiles, Noise, Options, Precision, REFERENCE_SECONDS, ReferenceFeatures,
    Segment, Synthesizer, Timings, Voice,
};
use indextts_import::Precision as Stored;

use crate::support::{Io, SOLVE, close, device, golden, import, json, official_directory, weights};

/// The weight of `emo_audio` (tests/golden/README.md, e2e).
const EMO_AUDIO_WEIGHT: f32 = 0.65;

/// A golden model, imported and loaded once, with the golden's stored features as its voice.
pub struct Golden {
    io: Io,
    device: Device,
    pub synthesizer: Synthesizer,
    pub voice: Voice,
    pub options: Options,
}

fn features(io: &Io, name: &str, mask: &str) -> SeamlessFeatures {
    let frames = io.shape(name)[1];
    let mask = if io.has(mask) { io.ints(mask).iter().map(|m| *m != 0).collect() } else { vec![true; frames] };
    SeamlessFeatures { data: io.floats(name), frames, mask }
}

pub fn open() -> Golden {
    open_on(&device())
}

/// The golden model, imported from its official files.
pub fn files() -> ModelFiles {
    let directory = tempfile::tempdir().unwrap();
    let (official, model) = (directory.path().join("official"), directory.path().join("model"));
    std::fs::create_dir(&official).unwrap();
    official_directory(&official);
    import(&official, &model, Stored::F32).unwrap_or_else(|e| panic!("{e}"));
    // In memory, as a built-in model is; the tests of the command load directories.
    let contents = std::fs::read_dir(&model).unwrap().map(|entry| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap().into())
    });
    ModelFiles::in_memory("golden", contents)
}

pub fn open_on(device: &Device) -> Golden {
    let io = Io::open("e2e/io.safetensors");
    let precision = Precision { weights: weights(), gpt: None, ..Default::default() };
    let synthesizer = Synthesizer::load_with(files(), precision, device).unwrap_or_else(|e| panic!("{e}"));
    let reference = ReferenceFeatures {
        speaker: features(&io, "plain.spk_w2v_features", "plain.spk_w2v_mask"),
        emotion: features(&io, "plain.emo_w2v_features", "plain.emo_w2v_mask"),
        fbank: io.floats("plain.kaldi_cmn"),
        mel: io.floats("plain.ref_mel"),
        mel_bins: io.shape("plain.ref_mel")[1],
    };
    let voice = synthesizer.voice_from_features(&reference).unwrap();
    let config = json("e2e/config.json");
    let codes = config["n_codes"].as_u64().unwrap() as usize;
    let decode = DecodeOptions {
        beams: 1,
        do_sample: false,
        repetition_penalty: 1.0,
        max_codes: codes,
        ..DecodeOptions::default()
    };
    let steps = config["diffusion_steps"].as_u64().unwrap() as usize;
    let options = Options { decode, steps, guidance: config["cfg_rate"].as_f64().unwrap(), ..Options::default() };
    Golden { io, device: device.clone(), synthesizer, voice, options }
}

impl Golden {
    pub fn speak(&self, case: &str, emotion: &Emotion) -> Segment {
        let ids: Vec<u32> = self.io.ints("text_ids").iter().map(|v| *v as u32).collect();
        let conditioning = self.synthesizer.conditioning(&self.voice, emotion, &self.options).unwrap();
        let noise = Noise::Given(self.io.tensor(&format!("{case}.cfm_z"), &self.device));
        let mut timings = Timings::default();
        let mut observer = |_, _, _| ControlFlow::Continue(());
        self.synthesizer
            .speak(&ids, &self.voice, &conditioning, &self.options, noise, &mut timings, &mut observer)
            .unwrap_or_else(|e| panic!("{case}: {e}"))
    }

    /// Codes equal; 99.9 % of the samples within 3 steps of 16-bit PCM.
    pub fn check(&self, case: &str, segment: Segment) {
        let codes: Vec<i64> = segment.codes.iter().map(|c| i64::from(*c)).collect();
        assert_eq!(codes, self.io.ints(&format!("{case}.codes")), "{case}: codes");
        close("e2e", segment.mel, &self.io, &format!("{case}.mel_gen"), SOLVE);
        let want = self.io.ints(&format!("{case}.wav_int16"));
        let got = wav::pcm16_truncated(&segment.samples);
        assert_eq!(got.len(), want.len(), "{case}: samples");
        let far = got.iter().zip(&want).filter(|(a, b)| (i64::from(**a) - **b).abs() > 3).count();
        let worst = got.iter().zip(&want).map(|(a, b)| (i64::from(*a) - b).abs()).max().unwrap_or(0);
        println!("e2e            {case}: worst {worst} LSB, {far} of {} samples beyond 3 LSB", want.len());
        assert!(far * 1000 <= want.len(), "{case}: {far} of {} samples differ by more than 3 LSB", want.len());
    }
}

#[test]
pub fn parity_end_to_end_plain() {
    let golden = open();
    golden.check("plain", golden.speak("plain", &Emotion::SameAsVoice));
}

#[test]
pub fn parity_end_to_end_emotion_audio() {
    let golden = open();
    // The golden keeps the w2v-bert output of the emotion clip, not the clip's features.
    let content = golden.io.tensor("emo_audio.emo_cond_emb", &golden.device);
    let clip: EmotionClip = golden.synthesizer.emotion_clip_from_content(content);
    golden.check("emo_audio", golden.speak("emo_audio", &Emotion::Clip { clip, weight: EMO_AUDIO_WEIGHT }));
}

#[test]
pub fn parity_end_to_end_emotion_vector() {
    let golden = open();
    let values: [f32; 8] = golden.io.floats("emo_vec.emo_vector").try_into().unwrap();
    let vector = EmotionVector::new(values).unwrap();
    golden.check("emo_vec", golden.speak("emo_vec", &Emotion::Vector { vector, weight: 1.0 }));
}

/// From the clip itself: our resampler stands in for soxr, so the mel and the wave are near, not equal, and the codes
/// may only differ where the golden's own margin is small.
#[test]
fn parity_end_to_end_from_the_clip() {
    let golden_model = open();
    let clip = load_reference(&golden("e2e/prompt24k.wav"), REFERENCE_SECONDS).unwrap();
    let voice = golden_model.synthesizer.voice(&clip).unwrap();
    let ours = Golden { voice, ..golden_model };
    let segment = ours.speak("plain", &Emotion::SameAsVoice);
    let want = ours.io.ints("plain.codes");
    let same = segment.codes.iter().zip(&want).filter(|(a, b)| i64::from(**a) == **b).count();
    println!("e2e            from the clip: {same} of {} codes equal", want.len());
    assert_eq!(same, want.len());
}
