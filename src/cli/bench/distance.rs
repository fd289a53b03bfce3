//! How far weights of fewer bits, and fewer steps, lead away from what the same model says in f32.
use std::ops::ControlFlow;

use indextts::audio::decode::ReferenceAudio;
use indextts::{
    Device, Emotion, ModelFiles, Noise, Options, Precision, Request, Synthesizer, Timings, Voice, WeightType,
};

use super::Failure;

pub struct Distance {
    /// Codes that were compared.
    pub codes: usize,
    /// Kullback-Leibler divergence of the next code's distribution, nats, over the codes that f32 chose.
    pub divergence: f64,
    /// Share of the codes for which the likeliest is the same.
    pub agreement: f64,
    /// Cosine of the log-mels made of the same codes and noise, each heard with its own networks.
    pub mel_cosine: f64,
    /// Mean absolute difference of these log-mels, decibels.
    pub mel_decibels: f64,
}

impl Distance {
    pub fn measure(
        near: &Synthesizer,
        files: ModelFiles,
        device: &Device,
        clip: Option<&ReferenceAudio>,
        text: &str,
        options: &Options,
    ) -> Result<Self, Failure> {
        let exact =
            Synthesizer::load_with(files, Precision { weights: WeightType::F32, ..Default::default() }, device)?;
        let faithful = Options { steps: exact.default_options().steps, ..options.clone() };
        let voice = |synthesizer: &Synthesizer| match clip {
            Some(clip) => synthesizer.voice(clip),
            None => synthesizer.built_in_voice(None),
        };
        let (voice, near_voice) = (voice(&exact)?, voice(near)?);
        let conditioning =
            |synthesizer: &Synthesizer, voice: &Voice| synthesizer.conditioning(voice, &Emotion::SameAsVoice, options);
        let (spoken, near_spoken) = (conditioning(&exact, &voice)?, conditioning(near, &near_voice)?);
        let request = Request { text, voice: &voice, emotion: Emotion::SameAsVoice, options: faithful.clone() };
        let utterance = exact.plan(&request, &mut |_| ControlFlow::Continue(()))?;

        let mut sums = Sums::default();
        for index in 0.. {
            let Some(ids) = utterance.tokens(index) else { break };
            let noise = Noise::Seeded { segment: index as u64 };
            let (timings, observer) = (&mut Timings::default(), &mut |_, _, _| ControlFlow::Continue(()));
            let said = exact.speak(ids, &voice, &spoken, &faithful, noise.clone(), timings, observer)?;
            let logits = exact.code_logits(ids, &spoken, &said.codes, options)?;
            sums.logits(&logits, &near.code_logits(ids, &spoken, &said.codes, options)?);
            let again = near.speak_codes(ids, &said.codes, &near_voice, &near_spoken, options, noise)?;
            let [said, again] = [said, again].map(|spoken| spoken.mel.into_data().iter::<f32>().collect::<Vec<f32>>());
            sums.mels(&said, &again);
        }
        Ok(sums.distance())
    }
}

#[derive(Default)]
struct Sums {
    codes: usize,
    divergence: f64,
    agreements: usize,
    product: f64,
    squares: [f64; 2],
    difference: f64,
    bins: usize,
}

impl Sums {
    fn logits(&mut self, exact: &[Vec<f32>], near: &[Vec<f32>]) {
        for (exact, near) in exact.iter().zip(near) {
            let (p, q) = (log_softmax(exact), log_softmax(near));
            self.codes += 1;
            self.divergence += p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum::<f64>();
            self.agreements += usize::from(best(exact) == best(near));
        }
    }

    fn mels(&mut self, exact: &[f32], near: &[f32]) {
        for (&a, &b) in exact.iter().zip(near) {
            let (a, b) = (f64::from(a), f64::from(b));
            self.product += a * b;
            self.squares[0] += a * a;
            self.squares[1] += b * b;
            self.difference += (a - b).abs();
            self.bins += 1;
        }
    }

    fn distance(&self) -> Distance {
        let count = self.codes.max(1) as f64;
        Distance {
            codes: self.codes,
            divergence: self.divergence / count,
            agreement: self.agreements as f64 / count,
            mel_cosine: self.product / (self.squares[0] * self.squares[1]).sqrt().max(f64::MIN_POSITIVE),
            // Natural logarithms of amplitudes.
            mel_decibels: self.difference / self.bins.max(1) as f64 * 20.0 / std::f64::consts::LN_10,
        }
    }
}

fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|&v| (f64::from(v) - max).exp()).sum();
    logits.iter().map(|&v| f64::from(v) - max - sum.ln()).collect()
}

fn best(logits: &[f32]) -> Option<usize> {
    logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_definitions() {
        let mut sums = Sums::default();
        // P = (1/2, 1/2), Q = (1/4, 3/4): KL = ln(2)/2 + ln(2/3)/2.
        let (p, q) = (vec![0.0, 0.0], vec![1f32.ln(), 3f32.ln()]);
        sums.logits(&[p.clone(), q.clone()], &[q.clone(), q]);
        sums.mels(&[1.0, 0.0, 2.0], &[1.0, 1.0, 2.0]);
        let found = sums.distance();
        assert_eq!(found.codes, 2);
        assert!((found.divergence - 0.25 * (2f64.ln() + (2f64 / 3.0).ln())).abs() < 1e-6);
        // Of equal logits the last counts as the best.
        assert_eq!(found.agreement, 1.0);
        assert!((found.mel_cosine - 5.0 / 30f64.sqrt()).abs() < 1e-9);
        assert!((found.mel_decibels - 20.0 / 10f64.ln() / 3.0).abs() < 1e-9);
    }
}
