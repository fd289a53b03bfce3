//! How long chunks take on this machine, and how long they may be.
//!
//! A chunk costs something by itself (the flow matching hears the reference clip anew) and something for each code. While it
//! is made, the listener hears what was given out before: as long as that lasts, there is no gap.
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use web_time::{Duration, Instant};

use super::options::{Options, Streaming};
use super::progress::{Stage, Timings};
use super::segment::{CONTEXT, SegmentInWork};
use super::synthesize::Synthesizer;
use super::voice::Voice;
use crate::Result;
use crate::models::flow::{SolveOptions, solve};
use crate::readback::values;

/// Shortest first chunk, seconds.
const LEAST: f64 = 0.2;
/// Longest first chunk, seconds; where even that leaves a gap, none would help.
const MOST: f64 = 2.0;
/// Share of the time that is left for a chunk which is planned for it.
const MARGIN: f64 = 0.8;

/// What this machine takes, learned from the chunks that it has made.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<Option<Costs>>);

/// Steps of the GPT, and frames of the vocoder, that show how fast they are.
const TRIAL: (usize, usize) = (4, 32);

/// Seconds that each part of the work takes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Costs {
    /// A code of the GPT.
    code: f64,
    /// A frame in one evaluation of the flow matching's network.
    flow: f64,
    /// A frame of the vocoder.
    wave: f64,
}

/// What was done, and how long it took.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Made {
    codes: (usize, Duration),
    /// Frames times evaluations.
    flow: (usize, Duration),
    wave: (usize, Duration),
}

impl Made {
    /// What was there before a chunk.
    pub fn until(segment: &SegmentInWork, timings: &Timings) -> Self {
        let time = |stage| timings.iter().filter(|(s, _)| *s == stage).map(|(_, time)| time).sum();
        Self {
            codes: (segment.decoding.settled().len(), time(Stage::Gpt)),
            flow: (0, time(Stage::Mel)),
            wave: (0, time(Stage::Wave)),
        }
    }

    /// What the chunk took: evaluations times frames of the flow matching, and frames of the vocoder.
    pub fn since(&self, segment: &SegmentInWork, timings: &Timings, flow: usize, wave: usize) -> Self {
        let now = Self::until(segment, timings);
        let less =
            |now: (usize, Duration), before: (usize, Duration)| (now.0 - before.0, now.1.saturating_sub(before.1));
        let (codes, time) = less(now.codes, self.codes);
        // Beams, and codes that were thrown away, tell nothing of the next codes.
        let known = segment.decoding.is_single() && segment.retries() == 0;
        Self {
            codes: (if known { codes } else { 0 }, time),
            flow: (flow, less(now.flow, self.flow).1),
            wave: (wave, less(now.wave, self.wave).1),
        }
    }
}

impl Pace {
    /// None before the first chunk.
    fn costs(&self) -> Option<Costs> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Half of what is known comes from the latest chunk, so that a machine that becomes busy is soon known to be slow.
    pub fn learn(&self, work: &Made) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let each = |(count, time): (usize, Duration), before: Option<f64>| match (count, before) {
            (0, before) => before.unwrap_or_default(),
            (count, None) => time.as_secs_f64() / count as f64,
            (count, Some(before)) => 0.5 * before + 0.5 * time.as_secs_f64() / count as f64,
        };
        *known = Some(Costs {
            code: each(work.codes, known.map(|known| known.code)),
            flow: each(work.flow, known.map(|known| known.flow)),
            wave: each(work.wave, known.map(|known| known.wave)),
        });
    }
}

/// Everything about a stream that its chunks depend on, beside the machine.
#[derive(Debug, Clone, Copy)]
struct Plan {
    /// Seconds of sound that a code becomes.
    seconds: f64,
    /// Frames that a code becomes.
    frames: f64,
    /// Evaluations of the flow matching's network for each chunk.
    evaluations: f64,
    /// Frames that the flow matching hears beside the new ones, and that the vocoder reads.
    beside: (f64, f64),
}

impl Plan {
    /// What a chunk costs before its first code, and what each code adds.
    fn chunk(&self, costs: &Costs) -> (f64, f64) {
        let flow = costs.flow * self.evaluations;
        let fixed = flow * self.beside.0 + costs.wave * self.beside.1;
        (fixed, costs.code + self.frames * (flow + costs.wave))
    }

    /// Codes of the shortest first chunk that lasts until an equal one is made; none if the machine is too slow for any.
    fn first(&self, costs: &Costs) -> Option<usize> {
        let (fixed, each) = self.chunk(costs);
        let gained = MARGIN * self.seconds - each;
        let codes = (fixed / gained).max(LEAST / self.seconds);
        (gained > 0.0 && codes <= MOST / self.seconds).then(|| codes.ceil() as usize)
    }

    /// Codes of the longest chunk that is made while `ahead` seconds of sound are heard.
    fn next(&self, costs: &Costs, ahead: f64) -> usize {
        let (fixed, each) = self.chunk(costs);
        // Not a number, and what is below zero, becomes zero.
        ((MARGIN * ahead - fixed) / each) as usize
    }
}

impl Synthesizer {
    /// Codes of a segment up to which its next chunk goes: so few that its sound comes early, and so many that it is heard as
    /// long as the next one takes.
    pub(super) async fn paced(
        &self,
        segment: &SegmentInWork,
        voice: &Voice,
        options: &Options,
        lookahead: usize,
    ) -> Result<usize> {
        if self.pace.costs().is_none() {
            self.pace.learn(&self.trial(segment, voice, options).await?);
        }
        let costs = self.pace.costs().unwrap_or_default();
        let rate = self.code_rate();
        let seconds = options.duration_factor / rate;
        let frames = seconds * f64::from(self.sample_rate()) / self.config.mel.hop_length as f64;
        let held = lookahead as f64 * frames;
        let settled = (segment.frames() as f64).clamp(LEAST / seconds * frames, CONTEXT as f64);
        let heard = self.prompt(voice, options).0.dims()[2] as f64 + settled + held;
        let read = self.config.bigvgan.reach() as f64 + held;
        let plan = Plan { seconds, frames, evaluations: options.evaluations() as f64, beside: (heard, read) };
        let longest = (Streaming::LONGEST_SECONDS * rate) as usize;
        Ok(match (plan.first(&costs), segment.ahead) {
            (Some(first), None) => segment.given + first,
            (Some(first), Some(ahead)) => segment.given + plan.next(&costs, ahead).clamp(first, longest.max(first)),
            // Gaps cannot be helped; chunks that grow at least waste little.
            (None, _) => Streaming::codes(Streaming::FIRST_SECONDS, segment.chunks, rate),
        })
    }

    /// Times a few steps of the GPT, one evaluation of the flow matching's network over the reference clip, and a little of
    /// the vocoder.
    async fn trial(&self, segment: &SegmentInWork, voice: &Voice, options: &Options) -> Result<Made> {
        let (steps, most) = TRIAL;
        let start = Instant::now();
        segment.decoding.rehearse(&self.networks.gpt, steps).await?;
        let codes = (steps, start.elapsed());

        let (prompt, condition) = self.prompt(voice, options);
        let frames = prompt.dims()[2];
        let once = Options { steps: 1, ..options.clone() };
        let start = Instant::now();
        let mel = solve(
            &self.networks.s2mel.dit,
            prompt.zeros_like(),
            prompt.clone().narrow(2, 0, frames.div_ceil(2).min(frames - 1).max(1)),
            condition,
            voice.style.clone(),
            &SolveOptions { steps: 1, guidance: options.guidance },
            &mut |_| ControlFlow::Continue(()),
        );
        // Read, so that it is done on any device.
        values(mel?).await?;
        let flow = (frames * once.evaluations(), start.elapsed());

        let few = frames.min(most);
        let start = Instant::now();
        let mel = self.config.s2mel.mel_scale.restore(prompt.narrow(2, 0, few));
        values(self.networks.vocoder.forward(mel)).await?;
        Ok(Made { codes, flow, wave: (few, start.elapsed()) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAN: Plan = Plan { seconds: 0.04, frames: 3.4, evaluations: 16.0, beside: (600.0, 40.0) };

    /// Seconds of silence that a listener hears after the first chunk of `first` codes.
    fn silence(plan: &Plan, costs: &Costs, first: usize, total: usize) -> f64 {
        let (fixed, each) = plan.chunk(costs);
        let takes = |codes: usize| fixed + each * codes as f64;
        let (mut made, mut silence) = (first, 0.0);
        // Sound that is left when the next chunk is begun.
        let mut ahead = first as f64 * plan.seconds;
        while made < total {
            let codes = plan.next(costs, ahead).max(first).min(total - made);
            ahead -= takes(codes);
            silence += (-ahead).max(0.0);
            ahead = ahead.max(0.0) + codes as f64 * plan.seconds;
            made += codes;
        }
        silence
    }

    proptest! {
        /// On a machine that keeps up nobody hears a gap, and a first chunk that is shorter by a third would leave one or
        /// is shorter than any should be.
        #[test]
        fn the_first_chunk_is_as_short_as_it_can_be(code in 1e-4..2e-2f64, flow in 1e-8..1e-4f64, wave in 1e-6..1e-3f64) {
            let costs = Costs { code, flow, wave };
            let Some(first) = PLAN.first(&costs) else { return Ok(()) };
            prop_assert_eq!(silence(&PLAN, &costs, first, 400), 0.0);
            prop_assert!(first as f64 * PLAN.seconds >= LEAST);
            let (fixed, each) = PLAN.chunk(&costs);
            let short = first as f64 * 2.0 / 3.0;
            let lasts = MARGIN * short * PLAN.seconds >= fixed + each * short;
            prop_assert!(!lasts || first as f64 * PLAN.seconds <= LEAST + PLAN.seconds);
        }
    }

    #[test]
    fn a_machine_that_cannot_keep_up_has_no_first_chunk() {
        assert_eq!(PLAN.first(&Costs { code: 0.1, flow: 0.0, wave: 0.0 }), None);
        assert_eq!(PLAN.first(&Costs { code: 0.0, flow: 1e-3, wave: 0.0 }), None);
        assert_eq!(PLAN.first(&Costs { code: 0.0, flow: 0.0, wave: 0.0 }), Some(5));
    }

    #[test]
    fn what_was_learned_follows_the_machine() {
        let pace = Pace::default();
        assert_eq!(pace.costs(), None);
        let work = |milliseconds| Made {
            codes: (10, Duration::from_millis(milliseconds)),
            flow: (100, Duration::from_millis(milliseconds)),
            wave: (0, Duration::ZERO),
        };
        pace.learn(&work(100));
        assert_eq!(pace.costs(), Some(Costs { code: 0.01, flow: 0.001, wave: 0.0 }));
        pace.learn(&work(300));
        assert_eq!(pace.costs(), Some(Costs { code: 0.02, flow: 0.002, wave: 0.0 }));
    }
}
