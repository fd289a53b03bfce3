//! `indextts voice`, and voices by name for the other commands.
use directories::ProjectDirs;
use indextts::audio::decode::load_reference;
use indextts::audio::quality::{ClipQuality, SEARCHED, best_part};
use indextts::audio::wav;
use indextts::{Error, REFERENCE_SECONDS, Synthesizer, Voice, VoiceInfo, VoiceStore};

use super::Failure;
use super::args::{VoiceCreate, VoiceExport, VoiceImport, VoiceName, VoiceRefresh, VoiceShow, VoicesDir};
#[cfg(feature = "play")]
use super::loudspeaker::Loudspeaker;
use super::picture;
use super::progress::spinner;
#[cfg(feature = "play")]
use super::sink::Sink;

/// The directory that was typed, or the user's own.
pub fn store(typed: &VoicesDir) -> Result<VoiceStore, Failure> {
    let own = || ProjectDirs::from("", "", "indextts").map(|dirs| dirs.data_dir().join("voices"));
    match typed.path.clone().or_else(own) {
        Some(path) => Ok(VoiceStore::new(path)),
        None => Err(Failure::Usage("this user has no home directory: name one for voices with --voices".into())),
    }
}

/// A voice of the model, then one of the store; without a name the model's first.
pub fn named(name: Option<&str>, synthesizer: &Synthesizer, stored: &VoiceStore) -> Result<Voice, Error> {
    let built_in = synthesizer.voices();
    match name {
        Some(name) if !built_in.iter().any(|own| own == name) && stored.contains(name) => {
            stored.load(name, synthesizer)
        }
        Some(name) if !built_in.iter().any(|own| own == name) => {
            let stored = stored.list()?.into_iter().map(|voice| voice.name);
            let names: Vec<String> = built_in.into_iter().chain(stored).collect();
            Err(Error::Input {
                name: "voice".into(),
                got: name.into(),
                expected: match names.is_empty() {
                    true => "an audio file: this model brings no voices, and none is stored".into(),
                    false => format!("an audio file, or one of: {}", names.join(", ")),
                },
            })
        }
        name => synthesizer.built_in_voice(name),
    }
}

pub fn create(args: &VoiceCreate, quiet: bool) -> Result<(), Failure> {
    let store = store(&args.voices)?;
    if store.path(&args.name)?.exists() && !args.force {
        let message = format!("there is a voice {} already: choose another name, or add --force", args.name);
        return Err(Failure::Usage(message));
    }
    let clip = load_reference(&args.clip, SEARCHED)?;
    let clip = best_part(clip, REFERENCE_SECONDS, &args.clip.display().to_string())?;
    for warning in ClipQuality::of(&clip).warnings() {
        eprintln!("warning: {warning}");
    }
    let bar = spinner(quiet);
    bar.set_message("loading");
    let synthesizer = Synthesizer::load(args.model.files(), &args.device.open()?)?;
    bar.set_message("listening");
    let voice = synthesizer.voice(&clip)?;
    let info = store.save(&args.name, &voice, &clip, &synthesizer, args.force)?;
    bar.finish_and_clear();
    print(&info);
    Ok(())
}

pub fn list(voices: &VoicesDir) -> Result<(), Failure> {
    store(voices)?.list()?.iter().for_each(print);
    Ok(())
}

pub fn show(args: &VoiceShow) -> Result<(), Failure> {
    let store = store(&args.voices)?;
    let info = store.info(&args.name)?;
    let clip = store.clip(&args.name)?;
    let wanted = || match &clip {
        Some(clip) => Ok(clip),
        None => Err(without_clip(&args.name)),
    };
    if let Some(to) = &args.picture {
        picture::write(wanted()?, to)?;
    }
    if let Some(to) = &args.wav {
        wav::write(to, wanted()?.samples(), wanted()?.rate())?;
    }
    println!("name         {}", info.name);
    println!("clip         {:.2} s", info.seconds);
    if let Some(clip) = &clip {
        let quality = ClipQuality::of(clip);
        println!("speech       {:.2} s at {} Hz, {:.0} dB above the noise", quality.speech, clip.rate(), quality.snr);
    }
    println!("size         {:.2} MB", info.bytes as f64 / 1e6);
    println!("made by      {}", info.made_by);
    println!("model        {}", info.fingerprint);
    println!("file         {}", store.path(&args.name)?.display());
    #[cfg(feature = "play")]
    if args.play {
        let mut loudspeaker = Loudspeaker::open(wanted()?.rate())?;
        loudspeaker.put(wanted()?.samples())?;
        loudspeaker.finish()?;
    }
    Ok(())
}

pub fn refresh(args: &VoiceRefresh, quiet: bool) -> Result<(), Failure> {
    let store = store(&args.voices)?;
    let (info, clip) = (store.info(&args.name)?, store.clip(&args.name)?);
    let bar = spinner(quiet);
    bar.set_message("loading");
    let synthesizer = Synthesizer::load(args.model.files(), &args.device.open()?)?;
    if info.fingerprint == synthesizer.fingerprint()? {
        bar.finish_and_clear();
        print(&info);
        return Ok(());
    }
    let clip = clip.ok_or_else(|| without_clip(&args.name))?;
    bar.set_message("listening");
    let voice = synthesizer.voice(&clip)?;
    let info = store.save(&args.name, &voice, &clip, &synthesizer, true)?;
    bar.finish_and_clear();
    print(&info);
    Ok(())
}

fn without_clip(name: &str) -> Failure {
    Failure::Usage(format!("the file of {name} holds no clip: make the voice again with `voice create`"))
}

pub fn remove(args: &VoiceName) -> Result<(), Failure> {
    Ok(store(&args.voices)?.remove(&args.name)?)
}

pub fn export(args: &VoiceExport) -> Result<(), Failure> {
    store(&args.voices)?.export(&args.name, &args.to)?;
    println!("{}", args.to.display());
    Ok(())
}

pub fn import(args: &VoiceImport) -> Result<(), Failure> {
    let stem = || args.file.file_stem().and_then(|stem| stem.to_str());
    let name = args.name.as_deref().or_else(stem).unwrap_or_default();
    print(&store(&args.voices)?.import(name, &args.file, args.force)?);
    Ok(())
}

/// One line for a voice.
fn print(info: &VoiceInfo) {
    let megabytes = info.bytes as f64 / 1e6;
    println!("{:24} {:6.2} s {megabytes:8.2} MB  model {:.12}", info.name, info.seconds, info.fingerprint);
}
