//! One file: fetched into `NAME.part`, resumed where it stopped, checked, and only then given its name.
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use ureq::Body;
use ureq::http::{Response, StatusCode};
use url::Url;

use super::error::{Error, Result};
use super::http::{Client, Failure, header};
use super::record::{Known, write_whole};
use super::{Event, Events};

const BUFFER: usize = 256 << 10;
/// So much more of a file makes a failed attempt worth it.
const PROGRESS: u64 = 1 << 20;

/// A file to fetch.
#[derive(Debug)]
pub struct Job {
    pub repository: String,
    pub url: Url,
    /// Where it goes.
    pub path: PathBuf,
    /// Its path below the directory of the official files, for messages.
    pub name: String,
    pub known: Known,
}

/// What identifies the source of a partial file: bytes of another source must not be joined to it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Source {
    url: String,
    etag: Option<String>,
}

/// Whether the file at `path` is all that is `known`; never, as long as its hash is not.
pub fn matches(path: &Path, known: &Known) -> Result<bool> {
    let (Some(bytes), Some(expected)) = (known.bytes, &known.sha256) else { return Ok(false) };
    match path.metadata() {
        Ok(metadata) if metadata.len() == bytes => {}
        _ => return Ok(false),
    }
    let (_, got) = crate::manifest::sha256(path).map_err(Error::io("read", path))?;
    Ok(got == *expected)
}

/// Bytes of a partial download that the next attempt can build on.
pub fn partial_bytes(path: &Path) -> u64 {
    part_path(path).metadata().map_or(0, |m| m.len())
}

fn part_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn source_path(part: &Path) -> PathBuf {
    let mut name = part.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

/// Fetches the file; what is already there of it is not fetched again.
pub fn fetch(client: &Client, job: &Job, stop: &AtomicBool, events: Events<'_>) -> Result<Known> {
    let parent = job.path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    let mut part = Part::open(job, events)?;
    let mut mismatches = 0;
    let waiting = |error: &Error, pause| events(Event::Waiting { file: &job.name, reason: error.to_string(), pause });
    let sha256 = client.persist(stop, &waiting, || {
        part.advance(client, job, stop, events)?;
        let got = hex(part.hash.clone());
        match &job.known.sha256 {
            Some(expected) if *expected != got => {
                let error = Error::Hash { file: job.name.clone(), expected: expected.clone(), got };
                part.restart(events)?;
                mismatches += 1;
                // Once, a damaged part may be to blame; twice, it is the source.
                Err(if mismatches > 1 { Failure::Final(error) } else { Failure::again(error) })
            }
            _ => Ok(got),
        }
    })?;
    let bytes = part.len;
    part.finish(&job.path)?;
    Ok(Known { bytes: Some(bytes), sha256: Some(sha256) })
}

/// The partial file and the running hash of its contents.
struct Part {
    file: File,
    path: PathBuf,
    source: Source,
    hash: Sha256,
    len: u64,
}

impl Part {
    /// What an earlier run left of the same source, or an empty file.
    fn open(job: &Job, events: Events<'_>) -> Result<Self> {
        let path = part_path(&job.path);
        let left: Option<Source> =
            std::fs::read(source_path(&path)).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(Error::io("write", &path))?;
        let (mut hash, mut len) = (Sha256::new(), 0);
        let mut buffer = vec![0u8; BUFFER];
        loop {
            match file.read(&mut buffer).map_err(Error::io("read", &path))? {
                0 => break,
                n => {
                    hash.update(&buffer[..n]);
                    len += n as u64;
                }
            }
        }
        let url = job.url.to_string();
        let usable = left.filter(|source| source.url == url && job.known.bytes.is_none_or(|bytes| len <= bytes));
        let fresh = usable.is_none();
        events(Event::Advanced(len as i64));
        let mut part = Self { file, path, source: usable.unwrap_or(Source { url, etag: None }), hash, len };
        if fresh {
            part.restart(events)?;
        }
        Ok(part)
    }

    fn restart(&mut self, events: Events<'_>) -> Result<()> {
        events(Event::Advanced(-(self.len as i64)));
        self.file.set_len(0).map_err(Error::io("write", &self.path))?;
        self.hash = Sha256::new();
        self.len = 0;
        self.remember(None)
    }

    fn remember(&mut self, etag: Option<String>) -> Result<()> {
        self.source.etag = etag;
        let text = serde_json::to_vec(&self.source).unwrap_or_default();
        write_whole(&source_path(&self.path), &text)
    }

    /// One request for what is missing.
    fn advance(&mut self, client: &Client, job: &Job, stop: &AtomicBool, events: Events<'_>) -> Result<(), Failure> {
        if job.known.bytes == Some(self.len) {
            return Ok(());
        }
        let mut headers = Vec::new();
        if self.len > 0 {
            headers.push(("Range", format!("bytes={}-", self.len)));
            // A weak tag does not promise the same bytes, so it cannot guard a range.
            if let Some(etag) = self.source.etag.as_ref().filter(|etag| !etag.starts_with("W/")) {
                headers.push(("If-Range", etag.clone()));
            }
        }
        let mut response = client.get(&job.url, &headers)?;
        let total = self.agree(&response, client, job, events)?;
        let before = self.len;
        let copied = self.copy(&mut response, total, stop, events);
        let progress = self.len >= before + PROGRESS;
        let wrong_size = |got| Error::Size { file: job.name.clone(), expected: total.unwrap_or(got), got };
        match copied {
            Err(Copy::Stopped) => Err(Error::Stopped.into()),
            Err(Copy::Disk(e)) => Err(Error::io("write", &self.path)(e).into()),
            Err(Copy::Network(e)) => {
                let error = Error::Network { url: job.url.to_string(), what: e.to_string() };
                Err(Failure::Again { error, wait: None, progress })
            }
            Err(Copy::TooLong { got }) => {
                self.restart(events)?;
                Err(Failure::again(wrong_size(got)))
            }
            Ok(()) if total.is_some_and(|total| self.len < total) => {
                Err(Failure::Again { error: wrong_size(self.len), wait: None, progress })
            }
            Ok(()) => Ok(()),
        }
    }

    /// Brings the partial file in line with the answer: its beginning, its source, its total size.
    fn agree(
        &mut self,
        response: &Response<Body>,
        client: &Client,
        job: &Job,
        events: Events<'_>,
    ) -> Result<Option<u64>, Failure> {
        let etag = header(response, "etag").map(String::from);
        let announced = match response.status() {
            StatusCode::PARTIAL_CONTENT if self.len > 0 => {
                let range = header(response, "content-range").and_then(content_range);
                let same = self.source.etag.is_none() || etag.is_none() || self.source.etag == etag;
                let Some((_, total)) = range.filter(|(start, _)| *start == self.len && same) else {
                    // Another part than was asked for, or of another file: begin again.
                    self.restart(events)?;
                    let what = "the file changed while it was fetched, or the server sent another part of it";
                    return Err(Failure::again(Error::Network { url: job.url.to_string(), what: what.into() }));
                };
                total
            }
            StatusCode::OK => {
                // No range was asked for, the server ignores ranges, or the file has changed.
                if self.len > 0 {
                    self.restart(events)?;
                }
                header(response, "content-length").and_then(|length| length.parse().ok())
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                self.restart(events)?;
                let what = "the server has less of the file than was fetched before";
                return Err(Failure::again(Error::Network { url: job.url.to_string(), what: what.into() }));
            }
            status if status.is_success() => {
                return Err(Error::Status { url: job.url.to_string(), status: status.as_u16() }.into());
            }
            _ => return Err(client.refusal(response, &job.url, &job.repository)),
        };
        if let (Some(expected), Some(got)) = (job.known.bytes, announced)
            && expected != got
        {
            self.restart(events)?;
            return Err(Failure::again(Error::Size { file: job.name.clone(), expected, got }));
        }
        if self.source.etag != etag {
            self.remember(etag)?;
        }
        Ok(job.known.bytes.or(announced))
    }

    /// The body, to the end of the partial file.
    fn copy(
        &mut self,
        response: &mut Response<Body>,
        total: Option<u64>,
        stop: &AtomicBool,
        events: Events<'_>,
    ) -> Result<(), Copy> {
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0u8; BUFFER];
        loop {
            if stop.load(Ordering::Relaxed) {
                return Err(Copy::Stopped);
            }
            let n = match body.read(&mut buffer).map_err(Copy::Network)? {
                0 => return Ok(()),
                n => n,
            };
            let len = self.len + n as u64;
            if total.is_some_and(|total| len > total) {
                return Err(Copy::TooLong { got: len });
            }
            self.file.write_all(&buffer[..n]).map_err(Copy::Disk)?;
            self.hash.update(&buffer[..n]);
            self.len = len;
            events(Event::Advanced(n as i64));
        }
    }

    fn finish(self, path: &Path) -> Result<()> {
        self.file.sync_all().map_err(Error::io("write", &self.path))?;
        // Open files cannot be renamed everywhere.
        drop(self.file);
        std::fs::rename(&self.path, path).map_err(Error::io("put in place", path))?;
        let _ = std::fs::remove_file(source_path(&self.path));
        Ok(())
    }
}

/// Why a body was not copied to its end.
enum Copy {
    Network(std::io::Error),
    Disk(std::io::Error),
    TooLong { got: u64 },
    Stopped,
}

/// `bytes START-END/TOTAL`; the total may be unknown.
fn content_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
