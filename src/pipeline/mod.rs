//! From text and a reference clip to a wave.
//!
//! [`Synthesizer`] holds the networks, [`Voice`] what is derived from a reference clip, [`Request`] what is asked for.
pub mod decode;
mod emotion;
mod finish;
mod networks;
mod options;
mod pace;
mod plausible;
mod progress;
mod read_emotion;
mod script;
mod segment;
mod synthesize;
mod trace;
mod utterance;
mod voice;
mod voice_file;
mod voice_store;
mod words;
mod work;

pub use emotion::{Emotion, EmotionVector};
pub use networks::Precision;
pub use options::{Options, Streaming};
pub use progress::{Clock, Cost, Observer, Progress, Stage, Timings};
pub use script::{Part, Script};
pub use segment::SegmentObserver;
pub use synthesize::{Conditioning, Noise, Request, Segment, Speech, Synthesizer};
pub use trace::{Difference, StageOutput, Trace};
pub use utterance::{Chunk, Utterance};
pub use voice::{EmotionClip, REFERENCE_SECONDS, ReferenceFeatures, Voice};
pub use voice_file::VoiceInfo;
pub use voice_store::VoiceStore;
pub use words::Word;
pub use work::Work;
