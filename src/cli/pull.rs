//! `indextts models pull`.
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use indextts::weights::Manifest;
use indextts_import::Import;
use indextts_import::pull::{Entry, Event, Options, Places, Record, Retry, free_space, pull};

use super::Failure;
use super::args::{DtypeArg, HUB, Pull};
use super::models;
use super::progress::bytes;

/// Official files to `TO.originals`, and from there to a model directory.
pub fn run(args: &Pull, quiet: bool) -> Result<(), Failure> {
    let entry = Entry::find(&args.name)?;
    let to = args.to.clone().unwrap_or_else(|| PathBuf::from("models").join(&entry.name));
    let places = Places::beside(&to);
    if to.exists() && !args.force {
        return already_here(args, &entry, &to, &places);
    }

    let bar = bytes(quiet);
    let (files, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let count = || {
        let (finished, files) = (finished.load(Ordering::Relaxed), files.load(Ordering::Relaxed));
        bar.set_prefix(format!("{finished}/{files} files"));
    };
    let say = |text: String| {
        if !quiet {
            bar.suspend(|| eprintln!("{text}"));
        }
    };
    let events = |event: Event<'_>| match event {
        Event::Step(what) => bar.set_message(what),
        Event::Total { files: total, bytes } => {
            files.store(total, Ordering::Relaxed);
            bar.set_length(bytes);
            count();
        }
        Event::Advanced(bytes) if bytes >= 0 => bar.inc(bytes.unsigned_abs()),
        Event::Advanced(bytes) => bar.set_position(bar.position().saturating_sub(bytes.unsigned_abs())),
        Event::Finished { .. } => {
            finished.fetch_add(1, Ordering::Relaxed);
            bar.set_message("");
            count();
        }
        Event::Waiting { file, reason, pause } => {
            say(format!("{file}: {reason}; trying again in {:.0} s", pause.as_secs_f64()));
        }
        Event::Note(note) => say(format!("note: {note}")),
    };
    let pulled = pull(
        &entry,
        &places,
        &Options {
            // A variable that is set to nothing is as good as not set.
            endpoint: if args.endpoint.is_empty() { HUB.into() } else { args.endpoint.clone() },
            token: std::env::var("HF_TOKEN").ok(),
            offline: args.offline,
            update: args.update,
            parallel: args.parallel.into(),
            retry: Retry::default(),
            // The official weights are f32; the import drops some of them. Its largest file, up to two fifths of all, is
            // there twice for a moment.
            import_share: match args.dtype {
                DtypeArg::F32 => 1.4,
                DtypeArg::F16 => 0.7,
            },
            free_space: &free_space,
            accept: &|licences| bar.suspend(|| accept(&entry, licences, args.accept_license, quiet)),
            events: &events,
        },
    )?;

    let mut progress = |name: &str| bar.set_message(format!("importing {name}"));
    let mut options = models::options(args.dtype, args.quantize, args.force, &mut progress);
    let import = Import::plan(&places.originals, &options)?;
    let report = import.report();
    import.write(&to, &mut options)?;
    if !args.keep_originals {
        pulled.remove_originals()?;
    }
    bar.finish_and_clear();
    for note in &report.notes {
        eprintln!("note: {note}");
    }
    println!("{}", to.display());
    Ok(())
}

/// The licences go to standard error; the answer comes from the option or from a terminal.
fn accept(entry: &Entry, licences: &[String], accepted: bool, quiet: bool) -> bool {
    if accepted && quiet {
        return true;
    }
    if accepted || std::io::stdin().is_terminal() {
        eprintln!("{}: {}\nIts files come under these licences:", entry.name, entry.about);
        for licence in licences {
            eprintln!("  {licence}");
        }
    }
    if accepted || !std::io::stdin().is_terminal() {
        return accepted;
    }
    eprint!("Do you accept them? [y/N] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// A model directory that was made of exactly the recorded files needs no second pull.
fn already_here(args: &Pull, entry: &Entry, to: &Path, places: &Places) -> Result<(), Failure> {
    let other = |why: String| {
        let to = to.display();
        Failure::Model(format!("{to} exists, and {why}. Replace it with --force, or name another directory"))
    };
    if args.update {
        return Err(other("--update may change it".into()));
    }
    let manifest = Manifest::read(to).map_err(|e| other(e.to_string()))?;
    let precision = match args.dtype {
        DtypeArg::F32 => "f32",
        DtypeArg::F16 => "f16",
    };
    let precision = match models::quantized(args.quantize) {
        Some(bits) => format!("{precision}+{}", bits.name()),
        None => precision.into(),
    };
    if manifest.precision != precision {
        return Err(other(format!("is stored as {}", manifest.precision)));
    }
    let record = Record::read(&places.record, &entry.name)?;
    let mut origins = manifest.files.iter().flat_map(|file| &file.origin);
    let recorded = |sha256: &String| record.files.values().any(|known| known.sha256.as_ref() == Some(sha256));
    if let Some(origin) = origins.find(|origin| !recorded(&origin.sha256)) {
        return Err(other(format!("its {} is not of this pull", origin.file)));
    }
    let problems = manifest.verify(to, &mut |_| {});
    if !problems.is_empty() {
        return Err(other(format!("is damaged:\n  {}\n", problems.join("\n  "))));
    }
    println!("{}", to.display());
    Ok(())
}
