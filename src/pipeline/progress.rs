//! What a synthesis reports while it runs, and how long each part took.
use std::future::Future;
use std::ops::ControlFlow;
use std::time::Duration;

use web_time::Instant;

use crate::{Error, Result};

/// The parts of a synthesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Reference clip: features, w2v-bert, speaker style, conditioning.
    Voice,
    /// Text normalisation and tokens.
    Text,
    /// Text to emotion.
    Emotion,
    /// Semantic codes.
    Gpt,
    /// GPT latents, codec and length regulator.
    Content,
    /// Flow matching.
    Mel,
    /// Vocoder.
    Wave,
}

impl Stage {
    pub fn name(self) -> &'static str {
        match self {
            Self::Voice => "voice",
            Self::Text => "text",
            Self::Emotion => "emotion",
            Self::Gpt => "gpt",
            Self::Content => "content",
            Self::Mel => "mel",
            Self::Wave => "wave",
        }
    }
}

/// Where a synthesis is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    pub stage: Stage,
    pub segment: usize,
    pub segments: usize,
    /// Steps done in this stage, and all of them where that is known beforehand.
    pub done: usize,
    pub total: Option<usize>,
}

/// Called often; [`ControlFlow::Break`] cancels the work with [`Error::Cancelled`].
pub type Observer<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// Wall time of every stage.
#[derive(Debug, Clone, Default)]
pub struct Timings(Vec<(Stage, Duration)>);

impl Timings {
    /// Stages in the order in which they first ran, with the sum of their times.
    pub fn iter(&self) -> impl Iterator<Item = (Stage, Duration)> + '_ {
        self.0.iter().copied()
    }

    pub fn total(&self) -> Duration {
        self.0.iter().map(|(_, time)| *time).sum()
    }

    pub(crate) fn add(&mut self, stage: Stage, time: Duration) {
        match self.0.iter_mut().find(|(s, _)| *s == stage) {
            Some((_, sum)) => *sum += time,
            None => self.0.push((stage, time)),
        }
    }

    pub(crate) async fn measure_async<T>(&mut self, stage: Stage, work: impl Future<Output = Result<T>>) -> Result<T> {
        let start = Instant::now();
        let result = work.await;
        self.add(stage, start.elapsed());
        result
    }

    pub(crate) fn measure<T>(&mut self, stage: Stage, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let result = work();
        self.add(stage, start.elapsed());
        result
    }
}

pub(crate) fn report(observer: &mut Observer<'_>, progress: Progress) -> Result<()> {
    match observer(progress) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Cancelled),
    }
}
