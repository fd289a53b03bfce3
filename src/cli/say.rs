//! `indextts say`.
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use indextts::audio::{decode::load_reference, wav};
use indextts::pipeline::decode::Positions;
use indextts::{
    Emotion, EmotionVector, Error, Options, REFERENCE_SECONDS, Request, Synthesizer, VoiceStore, device_by_name,
};

use super::Failure;
use super::args::{PositionsArg, Say};
use super::progress::stages;
use super::voice;

/// Longest text accepted, bytes: a long novel. Anything more is a wrong file.
const MAX_TEXT: u64 = 8 << 20;

pub fn run(args: &Say, quiet: bool) -> Result<(), Failure> {
    let text = text(args)?;
    // What was typed is checked before the model is there; the model may replace the rest.
    options(args, Options::default())?;
    let vector = args.emotion.emotion_vector.as_deref().map(str::parse::<EmotionVector>).transpose()?;
    // Read the clips first: a wrong path should not cost the seconds it takes to load a model.
    let voices = voice::store(&args.voices)?;
    let clip = args.voice.as_deref().filter(|voice| is_file(voice, &voices)).map(Path::new);
    let reference = clip.map(|path| load_reference(path, REFERENCE_SECONDS)).transpose()?;
    let emotion_reference =
        args.emotion.emotion_audio.as_deref().map(|path| load_reference(path, REFERENCE_SECONDS)).transpose()?;

    let bar = stages(quiet);
    let start = Instant::now();
    bar.set_prefix("loading");
    let device = device_by_name(&args.device)?;
    let synthesizer = Synthesizer::load(args.model.as_path(), &device)?;
    let options = options(args, synthesizer.default_options())?;
    let loaded = start.elapsed();
    bar.set_prefix("voice");
    let voice = match &reference {
        Some(clip) => synthesizer.voice(clip)?,
        None => voice::named(args.voice.as_deref(), &synthesizer, &voices)?,
    };
    let weight = args.emotion.emotion_weight;
    let emotion = match (emotion_reference, vector, &args.emotion.emotion_text) {
        (Some(clip), _, _) => Emotion::Clip { clip: synthesizer.emotion_clip(&clip)?, weight },
        (_, Some(vector), _) => Emotion::Vector { vector, weight },
        (_, _, Some(text)) => Emotion::Text { text: (!text.is_empty()).then(|| text.clone()), weight },
        _ => Emotion::SameAsVoice,
    };
    let prepared = start.elapsed();
    let request = Request { text: &text, voice: &voice, emotion, options };
    let speech = synthesizer.synthesize(&request, &mut |progress| {
        bar.set_prefix(progress.stage.name());
        bar.set_length(progress.total.unwrap_or(progress.done) as u64);
        bar.set_position(progress.done as u64);
        bar.set_message(format!("segment {}/{}", progress.segment + 1, progress.segments));
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    for warning in &speech.warnings {
        eprintln!("warning: {warning}");
    }
    if args.output == Path::new("-") {
        wav::write_to(std::io::stdout().lock(), &speech.samples, speech.sample_rate)?;
    } else {
        wav::write(&args.output, &speech.samples, speech.sample_rate)?;
        println!("{}", args.output.display());
    }
    if !quiet {
        let seconds = speech.samples.len() as f64 / f64::from(speech.sample_rate);
        let total = start.elapsed().as_secs_f64();
        let voice = (prepared - loaded).as_secs_f64();
        eprint!("{seconds:.2} s of speech in {total:.2} s: load {:.2}, voice {voice:.2}", loaded.as_secs_f64());
        for (stage, time) in speech.timings.iter() {
            eprint!(", {} {:.2}", stage.name(), time.as_secs_f64());
        }
        eprintln!();
    }
    Ok(())
}

/// Whether `voice` means a file rather than a name: it exists, or looks like a path and is not stored.
fn is_file(voice: &str, stored: &VoiceStore) -> bool {
    Path::new(voice).exists() || (voice.contains(['/', '\\', '.']) && !stored.contains(voice))
}

fn text(args: &Say) -> Result<String, Failure> {
    let text = match (&args.text, &args.text_file) {
        (_, Some(path)) => {
            let file = std::fs::File::open(path).map_err(Error::io("open", path))?;
            read_text(file, &path.display().to_string())?
        }
        (Some(text), _) if text == "-" => read_text(std::io::stdin().lock(), "standard input")?,
        (Some(text), _) => text.clone(),
        (None, None) => String::new(),
    };
    if text.trim().is_empty() {
        return Err(Failure::Usage(
            "there is no text to speak: give it as an argument, with --text-file, or on standard input".into(),
        ));
    }
    Ok(text)
}

fn read_text(source: impl Read, name: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    source.take(MAX_TEXT + 1).read_to_end(&mut bytes).map_err(Error::io("read", name))?;
    if bytes.len() as u64 > MAX_TEXT {
        return Err(Failure::Usage(format!("{name}: more than {MAX_TEXT} bytes of text; split it")));
    }
    String::from_utf8(bytes).map_err(|e| Failure::Usage(format!("{name}: not UTF-8 text ({e}); convert it")))
}

/// What was typed, and the model's own choice of everything else.
fn options(args: &Say, mut options: Options) -> Result<Options, Failure> {
    fn set<T: Copy>(target: &mut T, typed: Option<T>) {
        *target = typed.unwrap_or(*target);
    }
    let sampling = &args.sampling;
    let decode = &mut options.decode;
    set(&mut decode.beams, sampling.beams);
    decode.do_sample = !sampling.greedy;
    set(&mut decode.temperature, sampling.temperature);
    set(&mut decode.top_k, sampling.top_k);
    set(&mut decode.top_p, sampling.top_p);
    set(&mut decode.repetition_penalty, sampling.repetition_penalty);
    set(&mut decode.length_penalty, sampling.length_penalty);
    decode.typical_mass = sampling.typical;
    set(&mut decode.max_codes, sampling.max_codes);
    decode.positions = match sampling.positions {
        PositionsArg::Reference => Positions::Reference,
        PositionsArg::Contiguous => Positions::Contiguous,
    };
    set(&mut options.steps, sampling.steps);
    set(&mut options.guidance, sampling.cfg);
    set(&mut options.interval_silence, sampling.interval_silence);
    set(&mut options.max_segment_tokens, sampling.segment_tokens);
    options.seed = args.seed;
    options.random_exemplars = args.emotion.emotion_random;
    options.balanced_emotions = args.emotion.emotion_balanced;
    options.check()?;
    Ok(options)
}
