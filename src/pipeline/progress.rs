//! What a synthesis reports while it runs, and how long each part took.
use std::future::Future;
use std::ops::ControlFlow;
use std::time::Duration;

use super::work::Work;
use crate::{Error, Result};

pub use clock::Clock;

/// The parts of a synthesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Reference clip: all of the five that follow.
    Voice,
    /// Reference clip: resampling, filterbanks and mel.
    Features,
    /// Reference clip: content features, once for the speaker and once for the emotion.
    W2vBert,
    /// Reference clip: CAMPPlus.
    Style,
    /// Reference clip: the GPT's latents of speaker and emotion.
    Latents,
    /// Reference clip: codec and length regulator.
    Prompt,
    /// Text normalisation and tokens.
    Text,
    /// Text to emotion.
    Emotion,
    /// The GPT reads the text.
    Prefill,
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
            Self::Features => "features",
            Self::W2vBert => "w2v-bert",
            Self::Style => "style",
            Self::Latents => "latents",
            Self::Prompt => "prompt",
            Self::Text => "text",
            Self::Emotion => "emotion",
            Self::Prefill => "prefill",
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

/// What a stage has cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    pub wall: Duration,
    /// Time that this process has spent on its processors, whatever it did besides; none where the system does not tell.
    pub cpu: Option<Duration>,
    pub work: Work,
}

/// The cost of every stage.
#[derive(Debug, Clone, Default)]
pub struct Timings(Vec<(Stage, Cost)>);

impl Timings {
    /// Stages in the order in which they first ran, with the sum of their times.
    pub fn iter(&self) -> impl Iterator<Item = (Stage, Duration)> + '_ {
        self.0.iter().map(|(stage, cost)| (*stage, cost.wall))
    }

    /// Stages in the order in which they first ran, with the sum of their costs.
    pub fn costs(&self) -> impl Iterator<Item = (Stage, Cost)> + '_ {
        self.0.iter().copied()
    }

    pub fn total(&self) -> Duration {
        self.0.iter().map(|(_, cost)| cost.wall).sum()
    }

    pub(crate) fn add(&mut self, stage: Stage, cost: Cost) {
        let Some((_, sum)) = self.0.iter_mut().find(|(s, _)| *s == stage) else {
            self.0.push((stage, cost));
            return;
        };
        sum.wall += cost.wall;
        sum.cpu = sum.cpu.zip(cost.cpu).map(|(a, b)| a + b);
        sum.work = sum.work + cost.work;
    }

    /// Runs `work` as a part of `stage`.
    pub(crate) async fn measure_async<T>(&mut self, stage: Stage, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.measure_work_async(stage, async { Ok((work.await?, Work::default())) }).await
    }

    /// As [`Timings::measure_async`], for work that says how much it was; what is broken off counts with its time only.
    pub(crate) async fn measure_work_async<T>(
        &mut self,
        stage: Stage,
        work: impl Future<Output = Result<(T, Work)>>,
    ) -> Result<T> {
        let clock = Clock::start();
        let result = work.await;
        self.done(stage, clock, result)
    }

    /// As [`Timings::measure_async`], for work that waits for nothing.
    pub(crate) fn measure<T>(&mut self, stage: Stage, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.measure_work(stage, || Ok((work()?, Work::default())))
    }

    /// As [`Timings::measure`], for work that says how much it was; what is broken off counts with its time only.
    pub(crate) fn measure_work<T>(&mut self, stage: Stage, work: impl FnOnce() -> Result<(T, Work)>) -> Result<T> {
        let clock = Clock::start();
        let result = work();
        self.done(stage, clock, result)
    }

    fn done<T>(&mut self, stage: Stage, clock: Clock, result: Result<(T, Work)>) -> Result<T> {
        let (wall, cpu) = clock.elapsed();
        let done = result.as_ref().map_or(Work::default(), |(_, done)| *done);
        self.add(stage, Cost { wall, cpu, work: done });
        result.map(|(value, _)| value)
    }
}

mod clock {
    use std::time::Duration;

    use web_time::Instant;

    /// Wall time, and this process's processor time.
    pub struct Clock {
        wall: Instant,
        #[cfg(any(unix, windows))]
        cpu: Option<cpu_time::ProcessTime>,
    }

    impl Clock {
        pub fn start() -> Self {
            Self {
                wall: Instant::now(),
                #[cfg(any(unix, windows))]
                cpu: cpu_time::ProcessTime::try_now().ok(),
            }
        }

        pub fn elapsed(&self) -> (Duration, Option<Duration>) {
            #[cfg(any(unix, windows))]
            let cpu = self.cpu.and_then(|start| start.try_elapsed().ok());
            #[cfg(not(any(unix, windows)))]
            let cpu = None;
            (self.wall.elapsed(), cpu)
        }
    }
}

pub(crate) fn report(observer: &mut Observer<'_>, progress: Progress) -> Result<()> {
    match observer(progress) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Cancelled),
    }
}
