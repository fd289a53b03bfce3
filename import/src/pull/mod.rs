//! Fetching official files: what a registry entry names, of exactly one commit, checked before it gets its name.
//!
//! * `NAME.originals/` holds the files, in the flat layout that the import reads; unfinished ones end in `.part`.
//! * `NAME.pull.json` records commits, sizes and hashes. The first pull writes it, every later one is held to it.
//!
//! The hub's own description of a commit gives sizes and, for large files, SHA-256 before the first byte is fetched.
mod error;
mod file;
mod http;
mod hub;
mod record;
mod registry;

use std::collections::VecDeque;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub use error::{Error, Result};
pub use http::Retry;
pub use record::{Known, Pin, Record};
pub use registry::{Entry, Licence, OfficialFile, Repository};

use file::Job;
use http::Client;
use hub::Description;

/// Where a pull works.
#[derive(Debug, Clone)]
pub struct Places {
    /// Directory of the official files.
    pub originals: PathBuf,
    /// What was found by the first pull.
    pub record: PathBuf,
}

impl Places {
    /// Beside a model directory: `DIR.originals` and `DIR.pull.json`.
    pub fn beside(model: &Path) -> Self {
        let with = |suffix: &str| {
            let mut name = model.components().as_path().as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        Self { originals: with(".originals"), record: with(".pull.json") }
    }
}

/// How to pull.
pub struct Options<'a> {
    /// Address of the hub or a mirror of it.
    pub endpoint: String,
    /// Sent to the endpoint and to nobody else.
    pub token: Option<String>,
    /// Fetch nothing; the files must be here.
    pub offline: bool,
    /// Take the newest commit of each branch instead of the recorded one.
    pub update: bool,
    /// Files fetched at the same time.
    pub parallel: usize,
    pub retry: Retry,
    /// Room that the import needs, as a fraction of the official files.
    pub import_share: f64,
    /// Free bytes of the file system that holds a directory.
    pub free_space: &'a dyn Fn(&Path) -> std::io::Result<u64>,
    /// Asked once about licences that were not accepted before.
    pub accept: &'a dyn Fn(&[String]) -> bool,
    pub events: Events<'a>,
}

/// Called from several threads.
pub type Events<'a> = &'a (dyn Fn(Event<'_>) + Sync);

/// What happens during a pull.
#[derive(Debug)]
pub enum Event<'a> {
    /// A step without a known length: reading a description, checking a file.
    Step(String),
    /// So many files and bytes belong to the model.
    Total {
        files: usize,
        bytes: u64,
    },
    /// So many bytes more (or, where a file begins again, fewer) are here.
    Advanced(i64),
    Finished {
        file: &'a str,
    },
    /// An attempt failed; the next one follows after a pause.
    Waiting {
        file: &'a str,
        reason: String,
        pause: Duration,
    },
    /// Worth a warning.
    Note(String),
}

/// Official files that are complete and checked.
#[derive(Debug)]
pub struct Pulled {
    pub record: Record,
    /// Bytes of all files.
    pub bytes: u64,
    /// Files that had to be fetched.
    pub fetched: usize,
    /// Keeps other pulls away from the files.
    lock: File,
    originals: PathBuf,
    names: Vec<String>,
}

impl Pulled {
    /// Removes the official files, and the directories that are empty then. Other files are left alone.
    pub fn remove_originals(self) -> Result<()> {
        for name in &self.names {
            let path = self.originals.join(name);
            std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
        drop(self.lock);
        let lock = self.originals.join(LOCK);
        std::fs::remove_file(&lock).map_err(Error::io("remove", &lock))?;
        let folders = self.names.iter().flat_map(|name| Path::new(name).ancestors().skip(1));
        let mut folders: Vec<PathBuf> = folders.map(|folder| self.originals.join(folder)).collect();
        // The deepest first.
        folders.sort_by_key(|folder| std::cmp::Reverse(folder.components().count()));
        for folder in folders {
            // Fails for a directory that holds something else, and that is right.
            let _ = std::fs::remove_dir(folder);
        }
        Ok(())
    }
}

/// Held while a pull works in a directory.
const LOCK: &str = ".lock";

/// Makes the official files of `entry` complete below `places.originals`.
pub fn pull(entry: &Entry, places: &Places, options: &Options<'_>) -> Result<Pulled> {
    let accepted = accept(entry, Record::read(&places.record, &entry.name)?.accepted, options)?;
    std::fs::create_dir_all(&places.originals).map_err(Error::io("create", &places.originals))?;
    let lock = lock(&places.originals)?;
    // Read again: until the lock was taken, another pull may have written it.
    let mut record = Record { accepted, ..Record::read(&places.record, &entry.name)? };
    record.write(&places.record)?;

    let client = Client::new(&options.endpoint, options.token.clone(), options.retry)?;
    let jobs = plan(entry, &mut record, places, &client, options)?;
    record.write(&places.record)?;

    let total = jobs.iter().filter_map(|job| job.known.bytes).sum();
    (options.events)(Event::Total { files: jobs.len(), bytes: total });
    let names = jobs.iter().map(|job| job.name.clone()).collect();
    let mut missing = VecDeque::new();
    for job in jobs {
        (options.events)(Event::Step(format!("checking {}", job.name)));
        if file::matches(&job.path, &job.known)? {
            (options.events)(Event::Advanced(job.known.bytes.unwrap_or(0) as i64));
            (options.events)(Event::Finished { file: &job.name });
        } else {
            missing.push_back(job);
        }
    }
    if options.offline && !missing.is_empty() {
        let missing = missing.into_iter().map(|job| job.name).collect();
        return Err(Error::Offline { dir: places.originals.clone(), missing });
    }
    check_space(&missing, total, places, options)?;
    let fetched = missing.len();
    let record = fetch_all(missing, record, &client, places, options)?;
    let bytes = record.files.values().filter_map(|known| known.bytes).sum();
    Ok(Pulled { record, bytes, fetched, lock, originals: places.originals.clone(), names })
}

/// Every licence that was not accepted before is shown and must be accepted now.
fn accept(entry: &Entry, mut accepted: Vec<String>, options: &Options<'_>) -> Result<Vec<String>> {
    let shown = |repository: &Repository| {
        let licence = &repository.licence;
        let note = licence.note.as_ref().map_or(String::new(), |note| format!(" ({note})"));
        format!("{}: {}{note}, {}", repository.id, licence.name, licence.url)
    };
    let new: Vec<String> = entry.repositories.iter().map(shown).filter(|l| !accepted.contains(l)).collect();
    if !new.is_empty() && !(options.accept)(&new) {
        return Err(Error::Licence { model: entry.name.clone(), licences: new });
    }
    accepted.extend(new);
    Ok(accepted)
}

fn lock(originals: &Path) -> Result<File> {
    let path = originals.join(LOCK);
    let file = File::create(&path).map_err(Error::io("create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Busy { dir: originals.into() }),
        Err(TryLockError::Error(e)) => Err(Error::io("lock", path)(e)),
    }
}

/// What to fetch from where, with all that is known of it; completes the record with what the hub says.
fn plan(
    entry: &Entry,
    record: &mut Record,
    places: &Places,
    client: &Client,
    options: &Options<'_>,
) -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    for repository in &entry.repositories {
        let commit = settle(repository, record, client, options)?;
        for official in &repository.files {
            let name = official.target();
            let mut known = record.files.get(name).cloned().unwrap_or_default();
            pin(name, &mut known, &Known { bytes: official.bytes, sha256: official.sha256.clone() })?;
            record.files.insert(name.into(), known.clone());
            let segments = repository.id.split('/').chain(["resolve", &commit]).chain(official.path.split('/'));
            jobs.push(Job {
                repository: repository.id.clone(),
                url: client.url(segments),
                path: places.originals.join(name),
                name: name.into(),
                known,
            });
        }
    }
    Ok(jobs)
}

/// The commit to fetch from: the pinned one, the recorded one, or what the hub says the branch points to now.
fn settle(repository: &Repository, record: &mut Record, client: &Client, options: &Options<'_>) -> Result<String> {
    let recorded = record.repositories.get(&repository.id).filter(|pin| pin.revision == repository.revision).cloned();
    let sized =
        |f: &OfficialFile| f.bytes.is_some() || record.files.get(f.target()).is_some_and(|known| known.bytes.is_some());
    if let Some(pin) = &recorded
        && (options.offline || !options.update && repository.files.iter().all(sized))
    {
        return Ok(pin.commit.clone());
    }
    if options.offline {
        // Files that are not here are reported together; no request is made with this name.
        return Ok(repository.revision.clone());
    }
    let keep = recorded.filter(|_| !options.update);
    let revision = keep.as_ref().map_or(&repository.revision, |pin| &pin.commit);
    (options.events)(Event::Step(format!("asking for {}", repository.id)));
    let waiting = |error: &Error, pause| {
        (options.events)(Event::Waiting { file: &repository.id, reason: error.to_string(), pause });
    };
    let description =
        client.persist(&AtomicBool::new(false), &waiting, || hub::describe(client, &repository.id, revision))?;
    note_licence(repository, &description, options);
    if keep.is_none() {
        // What was recorded of another commit says nothing about this one.
        for official in &repository.files {
            record.files.remove(official.target());
        }
    }
    for official in &repository.files {
        let Some(found) = description.files.get(&official.path) else {
            let url = client.url(repository.id.split('/').chain(["resolve", &description.commit]));
            return Err(Error::NotFound {
                repository: format!("{} ({})", repository.id, official.path),
                url: url.to_string(),
            });
        };
        pin(official.target(), record.files.entry(official.target().into()).or_default(), found)?;
    }
    let commit = description.commit;
    let pin = Pin { revision: repository.revision.clone(), commit: commit.clone() };
    record.repositories.insert(repository.id.clone(), pin);
    Ok(commit)
}

/// Adds what another source says of a file; sources that contradict each other are an error.
fn pin(name: &str, known: &mut Known, also: &Known) -> Result<()> {
    match (known.bytes, also.bytes) {
        (Some(expected), Some(got)) if expected != got => {
            return Err(Error::Size { file: name.into(), expected, got });
        }
        _ => known.bytes = known.bytes.or(also.bytes),
    }
    match (&known.sha256, &also.sha256) {
        (Some(expected), Some(got)) if expected != got => {
            Err(Error::Hash { file: name.into(), expected: expected.clone(), got: got.clone() })
        }
        (None, Some(hash)) => {
            known.sha256 = Some(hash.clone());
            Ok(())
        }
        _ => Ok(()),
    }
}

fn note_licence(repository: &Repository, description: &Description, options: &Options<'_>) {
    if let (Some(shown), Some(stated)) = (&repository.licence.tag, &description.licence)
        && shown != stated
    {
        let Repository { id, licence, .. } = repository;
        let note = format!("{id} states its licence as {stated:?} now, not as {:?}: see {}", licence.name, licence.url);
        (options.events)(Event::Note(note));
    }
}

/// What is missing and what the import makes of it must fit, with a little to spare.
fn check_space(missing: &VecDeque<Job>, total: u64, places: &Places, options: &Options<'_>) -> Result<()> {
    let rest = |job: &Job| job.known.bytes.unwrap_or(0).saturating_sub(file::partial_bytes(&job.path));
    let fetched: u64 = missing.iter().map(rest).sum();
    let needed = ((fetched as f64 + total as f64 * options.import_share) * 1.02) as u64;
    let path = &places.originals;
    let free = (options.free_space)(path).map_err(Error::io("ask for the free space of", path))?;
    if free < needed { Err(Error::Space { path: path.clone(), free, needed }) } else { Ok(()) }
}

/// Fetches all of `missing`; every file is recorded as soon as it is complete.
fn fetch_all(
    missing: VecDeque<Job>,
    record: Record,
    client: &Client,
    places: &Places,
    options: &Options<'_>,
) -> Result<Record> {
    let workers = options.parallel.clamp(1, missing.len().max(1));
    let (queue, record, failed) = (Mutex::new(missing), Mutex::new(record), Mutex::new(None));
    let stop = AtomicBool::new(false);
    let events = options.events;
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(job) = next(&queue, &stop) {
                    let outcome = file::fetch(client, &job, &stop, events).and_then(|known| {
                        events(Event::Finished { file: &job.name });
                        let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
                        record.files.insert(job.name.clone(), known);
                        record.write(&places.record)
                    });
                    if let Err(error) = outcome {
                        // The first is the reason; the others only stop because of it.
                        failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(record.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}

fn next(queue: &Mutex<VecDeque<Job>>, stop: &AtomicBool) -> Option<Job> {
    if stop.load(Ordering::Relaxed) {
        return None;
    }
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// Free bytes for an ordinary user on the file system of `path`.
pub fn free_space(path: &Path) -> std::io::Result<u64> {
    fs4::available_space(path)
}
