//! `indextts say`.
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use indextts::audio::{decode::load_reference, wav};
use indextts::{Emotion, EmotionVector, Options, REFERENCE_SECONDS, Request, Synthesizer, device_by_name};

use super::Failure;
use super::args::Say;
use super::options::{is_file, settings};
use super::progress::stages;
use super::text::{text_options, typed_text};
use super::voice;

pub fn run(args: &Say, quiet: bool) -> Result<(), Failure> {
    let text = typed_text(args.text.as_deref(), args.text_file.as_deref())?;
    let text_options = text_options(&args.reading)?;
    // What was typed is checked before the model is there; the model may replace the rest.
    settings(&args.sampling, &args.emotion, &args.precision, args.seed, Options::default())?;
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
    let synthesizer = Synthesizer::load_with(args.model.as_path(), args.precision.precision(), &device)?;
    let options = settings(&args.sampling, &args.emotion, &args.precision, args.seed, synthesizer.default_options())?;
    let options = Options { text: text_options, ..options };
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
