//! Who speaks next: a ring of jobs, which worker threads advance by one chunk each.
//!
//! A job is in one of three places: in the ring (it has room for its next event in the client's channel), with a worker,
//! or waiting for its client to take what is there. So a slow client holds up nobody, and no more than a few chunks of it
//! are in memory.
//!
//! A worker has several jobs at a time and decodes the codes of all their chunks together, a code of each at each step. As
//! soon as one job has the codes of its chunk, the rest of that chunk is made, and the next job of the ring takes its place.
use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::ServeOptions;
use super::app::Voices;
use super::error::ApiError;
use super::metrics::{Metrics, Outcome};
use crate::{Emotion, EmotionVector, Error, Options, Progress, Request, Result, Script, Synthesizer, Utterance, Voice};

/// Events that may wait for their client.
const EVENTS: usize = 4;
/// What a client is told to wait at least and at most when there is no place, seconds.
const RETRY: (u64, u64) = (1, 120);

/// What is to be said, with names instead of tensors.
#[derive(Debug, Clone)]
pub struct Spec {
    /// What it asks for, with the words of [`Script`].
    pub script: Script,
    pub characters: usize,
    pub voice: String,
    pub emotion: EmotionChoice,
    pub options: Options,
}

#[derive(Debug, Clone)]
pub enum EmotionChoice {
    SameAsVoice,
    Voice { name: String, weight: f32 },
    Vector { vector: EmotionVector, weight: f32 },
    Text { text: Option<String>, weight: f32 },
}

/// What a job does.
pub enum Work {
    New(Box<Spec>),
    /// Goes on with an utterance that was spoken to its end.
    More(Box<Utterance>, String),
}

/// What a job tells its client.
pub enum Event {
    Samples(Vec<f32>),
    /// The last event of a job that went well: everything is spoken.
    Done(Box<Utterance>),
    /// The last event of a job that did not.
    Failed(ApiError),
}

/// A job as its client sees it; dropped, it cancels the job.
pub struct Ticket {
    events: mpsc::Receiver<Event>,
    _cancel: DropGuard,
}

impl Ticket {
    /// The next event. A job that ends without a last event was cancelled because the server stops.
    pub async fn next(&mut self) -> Event {
        self.events.recv().await.unwrap_or_else(|| Event::Failed(ApiError::stopping()))
    }
}

/// A place among the requests that are in work or waiting; given back when the last clone is dropped.
pub type Place = Arc<OwnedSemaphorePermit>;

pub struct Scheduler {
    ring: Arc<Ring>,
    places: Arc<Semaphore>,
    capacity: usize,
    time: Duration,
    samples: usize,
    all: CancellationToken,
    workers: Mutex<Vec<std::thread::JoinHandle<()>>>,
}

impl Scheduler {
    /// Starts the worker threads. Must be called inside a tokio runtime.
    pub fn start(
        synthesizer: Arc<Synthesizer>,
        voices: Arc<Voices>,
        metrics: Arc<Metrics>,
        options: &ServeOptions,
    ) -> Result<Self> {
        let ring = Arc::new(Ring {
            jobs: Mutex::default(),
            wake: Condvar::new(),
            runtime: Handle::current(),
            mean_time: AtomicU64::new(0),
            metrics,
        });
        let samples = (options.limits.audio.as_secs_f64() * f64::from(synthesizer.sample_rate())) as usize;
        let mut workers = Vec::new();
        let together = options.together.max(1);
        for number in 0..options.workers.max(1) {
            let (synthesizer, voices, ring) = (synthesizer.clone(), voices.clone(), ring.clone());
            let thread = std::thread::Builder::new().name(format!("speech-{number}"));
            let work = move || Worker { ring, synthesizer, voices, together, jobs: Vec::new() }.run();
            workers.push(thread.spawn(work).map_err(Error::io("start", "a worker thread"))?);
        }
        Ok(Self {
            ring,
            places: Arc::new(Semaphore::new(options.limits.requests)),
            capacity: options.limits.requests,
            time: options.limits.time,
            samples,
            all: CancellationToken::new(),
            workers: Mutex::new(workers),
        })
    }

    /// A place, or the advice to come back later.
    pub fn place(&self) -> Result<Place, ApiError> {
        self.places.clone().try_acquire_owned().map(Arc::new).map_err(|_| {
            self.ring.metrics.ended(Outcome::Busy);
            // On average one of the places becomes free in a job's time divided by their number; twice that is likely
            // to be enough.
            let mean = Duration::from_millis(self.ring.mean_time.load(Ordering::Relaxed)).as_secs_f64();
            let seconds = (2.0 * mean / self.capacity.max(1) as f64).ceil() as u64;
            ApiError::busy(seconds.clamp(RETRY.0, RETRY.1))
        })
    }

    /// Puts a job at the end of the ring.
    pub fn submit(&self, work: Work, place: Place) -> Ticket {
        let (sender, events) = mpsc::channel(EVENTS);
        let cancel = self.all.child_token();
        let now = Instant::now();
        let job = Job {
            state: match work {
                Work::New(spec) => State::New(spec),
                Work::More(utterance, text) => State::More(utterance, text),
            },
            cancel: cancel.clone(),
            accepted: now,
            deadline: now + self.time,
            samples_left: self.samples,
            silent: true,
            _place: place,
        };
        self.ring.wait_for_room(job, sender);
        Ticket { events, _cancel: cancel.drop_guard() }
    }

    pub fn in_flight(&self) -> usize {
        self.capacity - self.places.available_permits()
    }

    pub fn cancel_all(&self) {
        self.all.cancel();
    }

    /// Cancels everything and waits for the workers.
    pub fn close(&self) {
        self.cancel_all();
        self.ring.close();
        let workers = std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers {
            let _ = worker.join();
        }
    }
}

/// Jobs that can be advanced.
struct Ring {
    jobs: Mutex<Jobs>,
    wake: Condvar,
    runtime: Handle,
    /// Moving mean of what a job takes from acceptance to end, milliseconds.
    mean_time: AtomicU64,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Jobs {
    ready: VecDeque<(Job, OwnedPermit<Event>)>,
    /// Workers that have no job.
    idle: usize,
    closed: bool,
}

struct Job {
    state: State,
    cancel: CancellationToken,
    accepted: Instant,
    deadline: Instant,
    samples_left: usize,
    /// Nothing was heard of it yet.
    silent: bool,
    _place: Place,
}

enum State {
    New(Box<Spec>),
    More(Box<Utterance>, String),
    Speaking(Box<Utterance>),
    /// Only while a worker has it.
    Taken,
}

impl Ring {
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        // A panic of a worker is caught before it gets here; the ring is never half changed.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, job: Job, room: OwnedPermit<Event>) {
        self.lock().ready.push_back((job, room));
        self.wake.notify_one();
    }

    /// The job whose turn it is; none when the ring is closed.
    fn take(&self) -> Option<(Job, OwnedPermit<Event>)> {
        let waiting = |jobs: &mut Jobs| jobs.ready.is_empty() && !jobs.closed;
        let mut jobs = self.lock();
        jobs.idle += 1;
        let mut jobs = self.wake.wait_while(jobs, waiting).unwrap_or_else(PoisonError::into_inner);
        jobs.idle -= 1;
        if jobs.closed { None } else { jobs.ready.pop_front() }
    }

    /// The job whose turn it is, if no other worker waits for it.
    fn take_more(&self) -> Option<(Job, OwnedPermit<Event>)> {
        let mut jobs = self.lock();
        if jobs.closed || jobs.ready.len() <= jobs.idle { None } else { jobs.ready.pop_front() }
    }

    fn close(&self) {
        let mut jobs = self.lock();
        jobs.closed = true;
        jobs.ready.clear();
        self.wake.notify_all();
    }

    /// A job that has room for its next event: to be advanced, or to be told of as done.
    fn admit(&self, mut job: Job, room: OwnedPermit<Event>) {
        match std::mem::replace(&mut job.state, State::Taken) {
            State::Speaking(mut utterance) if utterance.is_spoken() => {
                self.metrics.spoken(job.accepted.elapsed(), &utterance.take_timings());
                // First the place, then the news: who hears that it is done finds a place free.
                self.end(job, Outcome::Ok);
                room.send(Event::Done(utterance));
            }
            state => self.push(Job { state, ..job }, room),
        }
    }

    /// Puts the job back as soon as its client has room for the next event.
    fn wait_for_room(self: &Arc<Self>, job: Job, sender: mpsc::Sender<Event>) {
        let sender = match sender.try_reserve_owned() {
            Ok(room) => return self.admit(job, room),
            Err(TrySendError::Closed(_)) => return self.end(job, Outcome::Cancelled),
            Err(TrySendError::Full(sender)) => sender,
        };
        let ring = self.clone();
        self.runtime.spawn(async move {
            let (cancel, deadline) = (job.cancel.clone(), job.deadline.into());
            tokio::select! {
                room = sender.reserve_owned() => match room {
                    Ok(room) => ring.admit(job, room),
                    Err(_) => ring.end(job, Outcome::Cancelled),
                },
                () = cancel.cancelled() => ring.end(job, Outcome::Cancelled),
                () = tokio::time::sleep_until(deadline) => ring.end(job, Outcome::OutOfTime),
            }
        });
    }

    /// Tells the client what has become of its job's step.
    fn tell(self: &Arc<Self>, mut job: Job, room: OwnedPermit<Event>, step: Result<Vec<f32>, ApiError>, rate: u32) {
        match step {
            Ok(samples) => {
                self.metrics.audio(samples.len() as f64 / f64::from(rate));
                if std::mem::take(&mut job.silent) {
                    self.metrics.first_audio(job.accepted.elapsed());
                }
                self.wait_for_room(job, room.send(Event::Samples(samples)));
            }
            Err(_) if job.cancel.is_cancelled() => self.end(job, Outcome::Cancelled),
            Err(_) if Instant::now() >= job.deadline => {
                self.end(job, Outcome::OutOfTime);
                room.send(Event::Failed(ApiError::out_of_time()));
            }
            Err(error) => {
                self.end(job, if error.is_clients() { Outcome::Refused } else { Outcome::Failed });
                room.send(Event::Failed(error));
            }
        }
    }

    fn end(&self, job: Job, outcome: Outcome) {
        let took = job.accepted.elapsed().as_millis() as u64;
        let mean = self.mean_time.load(Ordering::Relaxed);
        self.mean_time.store(if mean == 0 { took } else { (7 * mean + took) / 8 }, Ordering::Relaxed);
        self.metrics.ended(outcome);
        drop(job);
    }
}

/// A thread that speaks.
struct Worker {
    ring: Arc<Ring>,
    synthesizer: Arc<Synthesizer>,
    voices: Arc<Voices>,
    /// Jobs that it has at a time.
    together: usize,
    /// All of them speaking.
    jobs: Vec<(Job, OwnedPermit<Event>)>,
}

impl Worker {
    fn run(mut self) {
        while self.fill() {
            let ready = self.jobs.iter().position(|(job, _)| job.is_over() || !job.wants_codes());
            match ready {
                Some(ready) => {
                    let (mut job, room) = self.jobs.remove(ready);
                    let step = guarded(|| job.speak(&self.synthesizer));
                    self.ring.tell(job, room, step, self.synthesizer.sample_rate());
                }
                None => self.decode(),
            }
        }
        self.jobs.drain(..).for_each(|(job, _)| self.ring.end(job, Outcome::Cancelled));
    }

    /// Takes jobs as far as there is room and they are there; false when there are no more.
    fn fill(&mut self) -> bool {
        while self.jobs.len() < self.together {
            let next = if self.jobs.is_empty() { self.ring.take() } else { self.ring.take_more() };
            let Some((mut job, room)) = next else { break };
            match guarded(|| job.prepare(&self.synthesizer, &self.voices)) {
                Ok(()) => self.jobs.push((job, room)),
                Err(error) => self.ring.tell(job, room, Err(error), self.synthesizer.sample_rate()),
            }
        }
        !self.jobs.is_empty() && !self.ring.lock().closed
    }

    /// One code for each job.
    fn decode(&mut self) {
        let mut utterances: Vec<&mut Utterance> = self.jobs.iter_mut().filter_map(|(job, _)| job.utterance()).collect();
        self.ring.metrics.decoded(utterances.len());
        let step = guarded(|| Ok(self.synthesizer.decode_together(&mut utterances)?));
        if let Err(error) = step {
            for (job, room) in self.jobs.drain(..) {
                self.ring.tell(job, room, Err(error.clone()), self.synthesizer.sample_rate());
            }
        }
    }
}

/// A defect is one job's problem, or that of those that were worked on together, not the server's.
fn guarded<T>(work: impl FnOnce() -> Result<T, ApiError>) -> Result<T, ApiError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(ApiError::internal()))
}

impl Job {
    /// Whether nobody waits for it any more.
    fn is_over(&self) -> bool {
        self.cancel.is_cancelled() || Instant::now() >= self.deadline
    }

    fn utterance(&mut self) -> Option<&mut Utterance> {
        match &mut self.state {
            State::Speaking(utterance) => Some(utterance),
            _ => None,
        }
    }

    fn wants_codes(&self) -> bool {
        matches!(&self.state, State::Speaking(utterance) if utterance.wants_codes())
    }

    /// Does what comes before the codes of the next chunk. After an error the job is over.
    fn prepare(&mut self, model: &Synthesizer, voices: &Voices) -> Result<(), ApiError> {
        if self.is_over() {
            return Err(ApiError::stopping());
        }
        let mut observer = self.observer();
        let mut utterance = match std::mem::replace(&mut self.state, State::Taken) {
            State::New(spec) => {
                let voice = voices.load(&spec.voice)?;
                let emotion = spec.emotion.load(voices)?;
                let names = spec.script.voices().map(|name| Ok((name.to_string(), voices.load(name)?)));
                let others = names.collect::<Result<HashMap<String, Voice>, ApiError>>()?;
                let request = Request { text: "", voice: &voice, emotion, options: spec.options.clone() };
                let mut other = |name: &str| {
                    others.get(name).cloned().ok_or_else(|| Error::Input {
                        name: "voice".into(),
                        got: name.into(),
                        expected: "one of /v1/audio/voices".into(),
                    })
                };
                Box::new(model.plan_script(&spec.script, &request, &mut other, &mut observer)?)
            }
            State::More(mut utterance, text) => {
                utterance.push(model, &text)?;
                utterance
            }
            State::Speaking(utterance) => utterance,
            State::Taken => return Err(ApiError::internal()),
        };
        utterance.prepare(model, &mut observer)?;
        self.state = State::Speaking(utterance);
        Ok(())
    }

    /// Speaks the chunk that was prepared. After an error the job is over.
    fn speak(&mut self, model: &Synthesizer) -> Result<Vec<f32>, ApiError> {
        let mut observer = self.observer();
        let State::Speaking(mut utterance) = std::mem::replace(&mut self.state, State::Taken) else {
            return Err(ApiError::internal());
        };
        let chunk = utterance.next_chunk(model, &mut observer)?;
        let samples = chunk.map(|chunk| chunk.samples).unwrap_or_default();
        self.samples_left = self.samples_left.checked_sub(samples.len()).ok_or_else(|| {
            ApiError::too_large("input", "the speech is longer than this server makes; shorten the text")
        })?;
        self.state = State::Speaking(utterance);
        Ok(samples)
    }

    /// Stops work for which nobody waits any more.
    fn observer(&self) -> impl FnMut(Progress) -> ControlFlow<()> + use<> {
        let (cancel, deadline) = (self.cancel.clone(), self.deadline);
        move |_| match cancel.is_cancelled() || Instant::now() >= deadline {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

impl EmotionChoice {
    fn load(&self, voices: &Voices) -> Result<Emotion, ApiError> {
        Ok(match self {
            Self::SameAsVoice => Emotion::SameAsVoice,
            Self::Voice { name, weight } => Emotion::Clip { clip: voices.load(name)?.emotion(), weight: *weight },
            Self::Vector { vector, weight } => Emotion::Vector { vector: *vector, weight: *weight },
            Self::Text { text, weight } => Emotion::Text { text: text.clone(), weight: *weight },
        })
    }
}
