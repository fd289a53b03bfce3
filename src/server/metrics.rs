//! Counters for Prometheus.
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::Timings;

type Label = [(&'static str, &'static str); 1];
type Seconds = Counter<f64, AtomicU64>;

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    /// The client went away or said so.
    Cancelled,
    /// The client's request could not be met.
    Refused,
    OutOfTime,
    Failed,
    /// There was no place.
    Busy,
}

impl Outcome {
    fn label(self) -> Label {
        let name = match self {
            Self::Ok => "ok",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
            Self::OutOfTime => "timeout",
            Self::Failed => "failed",
            Self::Busy => "busy",
        };
        [("outcome", name)]
    }
}

pub struct Metrics {
    registry: Registry,
    outcomes: Family<Label, Counter>,
    first_audio: Histogram,
    duration: Histogram,
    audio: Seconds,
    stages: Family<Label, Seconds>,
    steps: Counter,
    codes: Counter,
    in_flight: Gauge,
}

impl Metrics {
    pub fn new() -> Self {
        let times = || Histogram::new(exponential_buckets(0.05, 2.0, 14));
        let mut registry = Registry::with_prefix("indextts");
        let outcomes = Family::<Label, Counter>::default();
        let (first_audio, duration) = (times(), times());
        let audio = Seconds::default();
        let stages = Family::<Label, Seconds>::default();
        let (steps, codes, in_flight) = (Counter::default(), Counter::default(), Gauge::default());
        registry.register("jobs", "Syntheses by how they ended", outcomes.clone());
        let unit = Unit::Seconds;
        let help = "From acceptance to the first samples";
        registry.register_with_unit("first_audio", help, unit.clone(), first_audio.clone());
        let help = "From acceptance to the last samples";
        registry.register_with_unit("duration", help, unit.clone(), duration.clone());
        registry.register_with_unit("audio", "Speech made", unit.clone(), audio.clone());
        registry.register_with_unit("stage", "Time spent by stage", unit, stages.clone());
        registry.register("decode_steps", "Passes over the GPT for one code of each of some syntheses", steps.clone());
        registry.register("decoded_together", "Syntheses that took part in these passes", codes.clone());
        registry.register("in_flight", "Requests in work or waiting", in_flight.clone());
        Self { registry, outcomes, first_audio, duration, audio, stages, steps, codes, in_flight }
    }

    pub fn ended(&self, outcome: Outcome) {
        self.outcomes.get_or_create(&outcome.label()).inc();
    }

    /// A job that was spoken to its end.
    pub fn spoken(&self, duration: Duration, timings: &Timings) {
        self.duration.observe(duration.as_secs_f64());
        for (stage, time) in timings.iter() {
            self.stages.get_or_create(&[("stage", stage.name())]).inc_by(time.as_secs_f64());
        }
    }

    /// A step of the GPT for so many jobs.
    pub fn decoded(&self, jobs: usize) {
        self.steps.inc();
        self.codes.inc_by(jobs as u64);
    }

    pub fn first_audio(&self, after: Duration) {
        self.first_audio.observe(after.as_secs_f64());
    }

    pub fn audio(&self, seconds: f64) {
        self.audio.inc_by(seconds);
    }

    /// In OpenMetrics' text format.
    pub fn text(&self, in_flight: usize) -> Result<String, std::fmt::Error> {
        self.in_flight.set(in_flight as i64);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
