//! What the commands that speak have in common: the text, the voice, and the settings.
use std::io::Read;
use std::path::Path;

use indextts::pipeline::decode::Positions;
use indextts::{Error, Options, VoiceStore};

use super::Failure;
use super::args::{EmotionArgs, PositionsArg, PrecisionArgs, SamplingArgs};

/// Longest text accepted, bytes: a long novel. Anything more is a wrong file.
const MAX_TEXT: u64 = 8 << 20;

/// Whether `voice` means a file rather than a name: it exists, or looks like a path and is not stored.
pub fn is_file(voice: &str, stored: &VoiceStore) -> bool {
    Path::new(voice).exists() || (voice.contains(['/', '\\', '.']) && !stored.contains(voice))
}

/// A UTF-8 file of text.
pub fn read_text_file(path: &Path) -> Result<String, Failure> {
    let file = std::fs::File::open(path).map_err(Error::io("open", path))?;
    read_text(file, &path.display().to_string())
}

/// UTF-8 text of a stream; `name` names it in messages.
pub fn read_text(source: impl Read, name: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    source.take(MAX_TEXT + 1).read_to_end(&mut bytes).map_err(Error::io("read", name))?;
    if bytes.len() as u64 > MAX_TEXT {
        return Err(Failure::Usage(format!("{name}: more than {MAX_TEXT} bytes of text; split it")));
    }
    String::from_utf8(bytes).map_err(|e| Failure::Usage(format!("{name}: not UTF-8 text ({e}); convert it")))
}

/// What was typed, and the model's own choice of everything else.
pub fn settings(
    sampling: &SamplingArgs,
    emotion: &EmotionArgs,
    precision: &PrecisionArgs,
    seed: u64,
    mut options: Options,
) -> Result<Options, Failure> {
    fn set<T: Copy>(target: &mut T, typed: Option<T>) {
        *target = typed.unwrap_or(*target);
    }
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
    set(&mut options.steps, sampling.steps.or(precision.steps()));
    set(&mut options.guidance, sampling.cfg);
    set(&mut options.noise, sampling.noise);
    options.prompt_seconds = sampling.prompt_seconds.or(options.prompt_seconds);
    set(&mut options.duration_factor, sampling.duration_factor);
    options.seconds = sampling.seconds;
    set(&mut options.interval_silence, sampling.interval_silence);
    set(&mut options.max_segment_tokens, sampling.segment_tokens);
    set(&mut options.tail_fade, sampling.tail_fade);
    options.trim &= !sampling.no_trim;
    set(&mut options.retries, sampling.retries);
    options.seed = seed;
    options.random_exemplars = emotion.emotion_random;
    options.balanced_emotions = emotion.emotion_balanced;
    options.check()?;
    Ok(options)
}
