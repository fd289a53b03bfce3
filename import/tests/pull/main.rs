//! Pulls from a hub on this machine that cuts, lies, redirects, refuses and changes its mind.
mod hub;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use hub::{COMMIT, Fault, Hub, hex};
use indextts_import::pull::{Entry, Error, Event, Options, Places, Pulled, Record, Retry, pull};

const BIG: &str = "own/er/big.bin";
const SMALL: &str = "own/er/config.yaml";

/// A registry of one repository with a large file and a small one.
const REGISTRY: &str = r#"
name = "tiny"
about = "a test"
[[repository]]
id = "own/er"
revision = "main"
licence = { name = "MIT", tag = "mit", url = "https://hub.example/own/er" }
files = [{ path = "big.bin", to = "deep/er/big.bin" }, { path = "config.yaml" }]
"#;

fn big() -> Vec<u8> {
    (0..300_000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

/// A hub with both files, and a directory to pull into.
struct Pull {
    hub: Hub,
    directory: tempfile::TempDir,
    entry: Entry,
    token: Option<String>,
    offline: bool,
    update: bool,
    accept: bool,
    attempts: u32,
    free: u64,
    waits: Mutex<Vec<(String, Duration)>>,
}

impl Pull {
    fn new() -> Self {
        let hub = Hub::start();
        hub.put(BIG, &big());
        hub.put_unhashed(SMALL, b"version: 2.0", true);
        let directory = tempfile::tempdir().unwrap();
        let registry = directory.path().join("tiny.toml");
        std::fs::write(&registry, REGISTRY).unwrap();
        let entry = Entry::find(registry.to_str().unwrap()).unwrap();
        Self {
            hub,
            directory,
            entry,
            token: None,
            offline: false,
            update: false,
            accept: true,
            attempts: 4,
            free: u64::MAX,
            waits: Mutex::new(Vec::new()),
        }
    }

    fn places(&self) -> Places {
        Places::beside(&self.directory.path().join("models/tiny"))
    }

    fn original(&self, name: &str) -> PathBuf {
        self.places().originals.join(name)
    }

    fn run(&self) -> Result<Pulled, Error> {
        let retry =
            Retry { attempts: self.attempts, first: Duration::from_millis(5), longest: Duration::from_millis(20) };
        let options = Options {
            endpoint: self.hub.address.clone(),
            token: self.token.clone(),
            offline: self.offline,
            update: self.update,
            parallel: 2,
            retry,
            import_share: 1.0,
            free_space: &|_| Ok(self.free),
            accept: &|_| self.accept,
            events: &|event| {
                if let Event::Waiting { reason, pause, .. } = event {
                    self.waits.lock().unwrap().push((reason, pause));
                }
            },
        };
        pull(&self.entry, &self.places(), &options)
    }

    fn succeeds(&self) -> Pulled {
        self.run().unwrap_or_else(|e| panic!("{e}"))
    }

    /// The pull succeeds and both files are what the hub has.
    fn complete(&self) {
        self.succeeds();
        assert_eq!(std::fs::read(self.original("deep/er/big.bin")).unwrap(), big());
        assert_eq!(std::fs::read(self.original("config.yaml")).unwrap(), b"version: 2.0");
        self.no_partial();
    }

    fn no_partial(&self) {
        let left = files(&self.places().originals);
        assert!(left.iter().all(|f| !f.contains(".part")), "{left:?}");
    }

    /// The pull fails and the large file did not get its name.
    fn fails(&self) -> Error {
        let error = self.run().expect_err("the pull should have failed");
        assert!(!self.original("deep/er/big.bin").exists(), "a file that is not right got its name: {error}");
        error
    }

    /// Where the requests for the large file began.
    fn starts(&self) -> Vec<u64> {
        let requests = self.hub.downloads().into_iter().filter(|r| r.path.ends_with("big.bin"));
        let start = |range: &String| range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
        requests.map(|r| r.headers.get("range").map_or(0, start)).collect()
    }
}

fn files(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.map(|e| e.unwrap().path());
    paths.flat_map(|p| if p.is_dir() { files(&p) } else { vec![p.display().to_string()] }).collect()
}

#[test]
fn files_are_fetched_checked_recorded_and_not_fetched_again() {
    let pull = Pull::new();
    pull.complete();
    let record = Record::read(&pull.places().record, "tiny").unwrap();
    assert_eq!(record.repositories["own/er"].commit, COMMIT);
    assert_eq!(record.files["deep/er/big.bin"].sha256, Some(hex(&big())));
    // The hub did not say this one; it was computed from what came.
    assert_eq!(record.files["config.yaml"].sha256, Some(hex(b"version: 2.0")));
    assert!(pull.hub.downloads().iter().all(|r| r.path.contains(COMMIT)));

    pull.hub.forget();
    assert_eq!(pull.succeeds().fetched, 0);
    assert!(pull.hub.requests().is_empty(), "all is known, so nothing need be asked");

    std::fs::write(pull.original("config.yaml"), "version: 9.9").unwrap();
    assert_eq!(pull.succeeds().fetched, 1);
    pull.complete();
}

#[test]
fn a_cut_connection_is_resumed_where_it_broke() {
    let pull = Pull::new();
    pull.hub.faults(BIG, [Fault::Cut(500_000), Fault::Cut(0), Fault::Cut(300_000)]);
    pull.complete();
    assert_eq!(pull.starts(), [0, 500_000, 500_000, 800_000]);
}

#[test]
fn a_later_pull_goes_on_where_an_earlier_one_gave_up() {
    let mut pull = Pull::new();
    pull.attempts = 1;
    pull.hub.faults(BIG, [Fault::Cut(700_000)]);
    let error = pull.fails();
    assert!(matches!(error, Error::Network { .. } | Error::Size { .. }), "{error:?}");
    pull.hub.forget();
    pull.complete();
    assert_eq!(pull.starts(), [700_000]);
}

#[test]
fn progress_earns_new_attempts_but_standstill_does_not() {
    let pull = Pull::new();
    pull.hub.always(BIG, Some(Fault::Cut(0)));
    pull.fails();
    assert_eq!(pull.starts().len(), 4);
    // Each attempt brings more than a megabyte of a larger file: it may take as many as it needs.
    let large: Vec<u8> = big().repeat(8);
    pull.hub.put(BIG, &large);
    pull.hub.move_branch("fedcba9876543210");
    pull.hub.always(BIG, Some(Fault::Cut(1_100_000)));
    let pull = Pull { update: true, ..pull };
    pull.succeeds();
    assert_eq!(std::fs::read(pull.original("deep/er/big.bin")).unwrap(), large);
}

#[test]
fn wrong_lengths_are_not_believed() {
    for lie in [-1000, 1000] {
        let pull = Pull::new();
        pull.hub.faults(BIG, [Fault::Lie(lie)]);
        pull.complete();
        pull.hub.always(BIG, Some(Fault::Lie(lie)));
        std::fs::remove_file(pull.original("deep/er/big.bin")).unwrap();
        let error = pull.fails();
        assert!(matches!(error, Error::Size { expected: 1_200_000, .. }), "{error:?}");
    }
    let pull = Pull::new();
    pull.hub.always(BIG, Some(Fault::Longer(10)));
    let error = pull.fails();
    assert!(matches!(error, Error::Size { expected: 1_200_000, got: 1_200_010, .. }), "{error:?}");
}

#[test]
fn without_a_described_size_the_answer_must_still_be_whole() {
    let pull = Pull::new();
    pull.hub.put_unhashed(BIG, &big(), false);
    pull.hub.faults(BIG, [Fault::Cut(10_000), Fault::Cut(20_000)]);
    pull.complete();
    std::fs::remove_file(pull.original("deep/er/big.bin")).unwrap();
    // What was recorded of the first pull is now known.
    pull.hub.always(BIG, Some(Fault::Lie(1)));
    assert!(matches!(pull.fails(), Error::Size { .. }));
}

#[test]
fn wrong_bytes_are_fetched_anew_once_and_never_kept() {
    let pull = Pull::new();
    pull.hub.faults(BIG, [Fault::Wrong]);
    pull.complete();
    std::fs::remove_file(pull.original("deep/er/big.bin")).unwrap();
    pull.hub.forget();
    pull.hub.always(BIG, Some(Fault::Wrong));
    let error = pull.fails();
    let Error::Hash { expected, got, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*expected, hex(&big()));
    assert_ne!(expected, got);
    assert_eq!(pull.starts(), [0, 0]);
}

#[test]
fn recorded_hashes_bind_files_that_the_hub_does_not_hash() {
    let pull = Pull::new();
    pull.complete();
    std::fs::remove_file(pull.original("config.yaml")).unwrap();
    pull.hub.put_unhashed(SMALL, b"version: 6.6", true);
    let error = pull.run().unwrap_err();
    assert!(matches!(&error, Error::Hash { file, .. } if file == "config.yaml"), "{error:?}");
    assert!(!pull.original("config.yaml").exists());
}

#[test]
fn a_wrong_part_is_found_by_its_hash() {
    let mut pull = Pull::new();
    pull.attempts = 1;
    pull.hub.faults(BIG, [Fault::Cut(700_000)]);
    pull.fails();
    let part = pull.original("deep/er/big.bin.part");
    let mut bytes = std::fs::read(&part).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&part, bytes).unwrap();
    pull.attempts = 2;
    pull.complete();
}

#[test]
fn the_token_goes_to_the_endpoint_only() {
    let other = Hub::start();
    other.put(BIG, &big());
    let mut pull = Pull::new();
    pull.token = Some("hf_secret".into());
    // The same host, but another port: another origin all the same. Then another name.
    for host in [other.address.clone(), other.address.replace("127.0.0.1", "localhost")] {
        let _ = std::fs::remove_dir_all(pull.places().originals);
        pull.hub.always(BIG, Some(Fault::Redirect(format!("{host}/own/er/resolve/x/big.bin"))));
        pull.complete();
    }
    assert!(pull.hub.requests().iter().all(|r| r.headers["authorization"] == "Bearer hf_secret"));
    assert_eq!(other.requests().len(), 2);
    for request in other.requests() {
        assert!(!request.headers.contains_key("authorization"), "{request:?}");
        assert!(!format!("{request:?}").contains("hf_secret"));
    }
}

#[test]
fn redirects_end() {
    let pull = Pull::new();
    // To itself, by a relative address.
    pull.hub.always(BIG, Some(Fault::Redirect("big.bin".into())));
    assert!(matches!(pull.fails(), Error::Redirect { .. }));
    assert!(pull.hub.downloads().len() < 15);
    for bad in ["file:///etc/passwd", "", "http://"] {
        pull.hub.always(BIG, Some(Fault::Redirect(bad.into())));
        assert!(matches!(pull.fails(), Error::Redirect { .. }), "{bad:?}");
    }
}

#[test]
fn a_rate_limit_is_respected() {
    let pull = Pull::new();
    pull.hub.faults(BIG, [Fault::Status(429, "Retry-After: 1\r\n"), Fault::Status(503, ""), Fault::Status(500, "")]);
    let start = Instant::now();
    pull.complete();
    assert!(start.elapsed() >= Duration::from_secs(1));
    let waits = pull.waits.lock().unwrap().clone();
    assert_eq!(waits.iter().map(|(_, pause)| pause.as_millis()).collect::<Vec<_>>(), [1000, 10, 20]);
    assert!(waits[0].0.contains("429"), "{waits:?}");
}

#[test]
fn a_server_that_stays_busy_or_asks_for_a_day_ends_the_pull() {
    let pull = Pull::new();
    pull.hub.always(BIG, Some(Fault::Status(503, "")));
    let error = pull.fails();
    assert!(matches!(error, Error::Status { status: 503, .. }), "{error:?}");
    let pull = Pull::new();
    pull.hub.always(BIG, Some(Fault::Status(429, "Retry-After: 86400\r\n")));
    let error = pull.fails();
    assert!(matches!(error, Error::RateLimited { .. }) && error.to_string().contains("86400"), "{error}");
    assert_eq!(pull.starts().len(), 1);
}

#[test]
fn a_server_that_ignores_ranges_or_sends_others_is_coped_with() {
    let pull = Pull::new();
    pull.hub.faults(BIG, [Fault::Cut(400_000), Fault::IgnoreRange]);
    pull.complete();
    assert_eq!(pull.starts(), [0, 400_000]);
    let pull = Pull::new();
    pull.hub.faults(BIG, [Fault::Cut(400_000), Fault::OtherRange]);
    pull.complete();
    assert_eq!(pull.starts(), [0, 400_000, 0]);
}

#[test]
fn a_file_that_changes_between_attempts_is_never_a_mixture() {
    for fault in [None, Some(Fault::IgnoreIfRange)] {
        let mut pull = Pull::new();
        pull.attempts = 1;
        // Without a hash from the hub only the entity tag tells.
        pull.hub.put_unhashed(BIG, &big(), true);
        pull.hub.faults(BIG, [Fault::Cut(600_000)]);
        pull.fails();
        let changed: Vec<u8> = big().iter().map(|b| b ^ 0xFF).collect();
        pull.hub.put_unhashed(BIG, &changed, true);
        pull.hub.faults(BIG, fault);
        pull.attempts = 2;
        pull.succeeds();
        assert!(std::fs::read(pull.original("deep/er/big.bin")).unwrap() == changed);
    }
}

#[test]
fn refusals_say_what_to_do() {
    for status in [401, 403] {
        let mut pull = Pull::new();
        pull.hub.always(BIG, Some(Fault::Status(status, "")));
        let message = pull.fails().to_string();
        for word in ["gated", "licence", "HF_TOKEN is not set", "own/er"] {
            assert!(message.contains(word), "{word:?}: {message}");
        }
        pull.token = Some("hf_secret".into());
        let message = pull.fails().to_string();
        assert!(message.contains("is not enough") && !message.contains("hf_secret"), "{message}");
        assert!(pull.waits.lock().unwrap().is_empty(), "a refusal is not asked again");
    }
    let pull = Pull::new();
    pull.hub.always(BIG, Some(Fault::Status(404, "")));
    assert!(matches!(pull.fails(), Error::NotFound { .. }));
    let pull = Pull::new();
    pull.hub.always("own/er", Some(Fault::Status(404, "")));
    assert!(matches!(pull.fails(), Error::NotFound { .. }));
    assert!(pull.hub.downloads().is_empty());
}

#[test]
fn nothing_is_asked_or_written_before_the_licence_is_accepted() {
    let mut pull = Pull::new();
    pull.accept = false;
    let message = pull.fails().to_string();
    assert!(message.contains("MIT") && message.contains("--accept-license"), "{message}");
    assert!(pull.hub.requests().is_empty() && !pull.places().originals.exists() && !pull.places().record.exists());
    pull.accept = true;
    pull.complete();
    // Asked once.
    pull.accept = false;
    pull.complete();
}

#[test]
fn a_full_disk_is_found_before_the_first_byte() {
    let mut pull = Pull::new();
    pull.free = 2_000_000;
    let error = pull.fails();
    // The files, as much again for the model, and a little to spare.
    assert!(matches!(error, Error::Space { free: 2_000_000, needed, .. } if needed > 2_400_000), "{error:?}");
    assert!(pull.hub.downloads().is_empty());
}

#[test]
fn offline_uses_what_is_here_and_lists_what_is_not() {
    let mut pull = Pull::new();
    pull.offline = true;
    let message = pull.fails().to_string();
    assert!(message.contains("deep/er/big.bin") && message.contains("config.yaml"), "{message}");
    pull.offline = false;
    pull.complete();
    pull.hub.forget();
    pull.offline = true;
    pull.complete();
    std::fs::write(pull.original("config.yaml"), "version: 9.9").unwrap();
    let message = pull.run().unwrap_err().to_string();
    assert!(message.contains("config.yaml") && !message.contains("big.bin"), "{message}");
    assert!(pull.hub.requests().is_empty());
}

#[test]
fn a_branch_that_moves_is_followed_only_when_asked_to() {
    let mut pull = Pull::new();
    pull.complete();
    let next = "ffffffffffffffffffffffffffffffffffffffff";
    pull.hub.move_branch(next);
    pull.complete();
    pull.hub.put(BIG, b"new");
    pull.update = true;
    pull.succeeds();
    assert_eq!(std::fs::read(pull.original("deep/er/big.bin")).unwrap(), b"new");
    let record = Record::read(&pull.places().record, "tiny").unwrap();
    assert_eq!(record.repositories["own/er"].commit, next);
    assert_eq!(record.files["deep/er/big.bin"].sha256, Some(hex(b"new")));
}

#[test]
fn two_pulls_do_not_work_on_the_same_files() {
    let pull = Pull::new();
    let first = pull.succeeds();
    assert!(matches!(pull.run(), Err(Error::Busy { .. })));
    drop(first);
    pull.complete();
}

#[test]
fn only_what_was_pulled_is_removed() {
    let pull = Pull::new();
    let pulled = pull.succeeds();
    std::fs::write(pull.original("mine.txt"), "mine").unwrap();
    pulled.remove_originals().unwrap();
    assert_eq!(files(&pull.places().originals), [pull.original("mine.txt").display().to_string()]);
    std::fs::remove_file(pull.original("mine.txt")).unwrap();
    pull.succeeds().remove_originals().unwrap();
    assert!(!pull.places().originals.exists());
}

#[test]
fn a_damaged_record_is_reported_not_ignored() {
    let pull = Pull::new();
    pull.complete();
    std::fs::write(pull.places().record, "{\"format\":").unwrap();
    let message = pull.run().unwrap_err().to_string();
    assert!(message.contains("pull.json"), "{message}");
}
