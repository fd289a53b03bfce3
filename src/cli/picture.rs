//! A clip as a picture: its wave, and below it its mel spectrogram.
use std::io::Write;
use std::path::Path;

use indextts::Error;
use indextts::audio::decode::ReferenceAudio;
use indextts::audio::mel::MelConfig;

type Rgb = [u8; 3];

const WIDTH: u32 = 1200;
/// Pixels from top to bottom of the wave, of a gap, and of a band of the spectrogram.
const WAVE: u32 = 160;
const GAP: u32 = 8;
const BAND: u32 = 4;
const HEIGHT: u32 = WAVE + GAP + BAND * MEL.n_mels as u32;
const MEL: MelConfig = MelConfig {
    sample_rate: 22_050,
    n_fft: 1024,
    win_length: 1024,
    hop_length: 256,
    n_mels: 80,
    fmin: 0.0,
    fmax: None,
};
/// Natural logarithms of the magnitudes that are darkest and brightest.
const RANGE: (f32, f32) = (-9.0, 1.5);
const PAPER: Rgb = [255, 255, 255];
const INK: Rgb = [52, 84, 164];
/// From silence to loud: dark blue, violet, red, yellow, white.
const COLOURS: [[f32; 3]; 5] =
    [[6.0, 6.0, 40.0], [84.0, 16.0, 110.0], [200.0, 50.0, 70.0], [250.0, 180.0, 60.0], [255.0, 255.0, 230.0]];

/// Writes a PNG, which appears when it is complete.
pub fn write(clip: &ReferenceAudio, to: &Path) -> Result<(), Error> {
    let picture = draw(clip);
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(parent).map_err(Error::io("write", to))?;
    picture.encode(std::io::BufWriter::new(file.as_file())).map_err(|e| Error::io("write", to)(e.into()))?;
    file.persist(to).map(drop).map_err(|e| Error::io("write", to)(e.error))
}

/// Pixels, row by row.
struct Picture {
    pixels: Vec<Rgb>,
}

impl Picture {
    fn at(&mut self, x: u32, y: u32) -> &mut Rgb {
        &mut self.pixels[(y * WIDTH + x) as usize]
    }

    fn encode(&self, to: impl Write) -> Result<(), png::EncodingError> {
        let mut encoder = png::Encoder::new(to, WIDTH, HEIGHT);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header()?.write_image_data(self.pixels.as_flattened())
    }
}

fn draw(clip: &ReferenceAudio) -> Picture {
    let samples = clip.resampled(MEL.sample_rate as u32);
    let mut picture = Picture { pixels: vec![PAPER; (WIDTH * HEIGHT) as usize] };
    let loudest = samples.iter().fold(1e-3f32, |peak, s| peak.max(s.abs()));
    let half = (WAVE / 2) as f32;
    for x in 0..WIDTH {
        let span = |x: u32| x as usize * samples.len() / WIDTH as usize;
        let column = &samples[span(x)..span(x + 1)];
        let (low, high) = column.iter().fold((0f32, 0f32), |(low, high), s| (low.min(*s), high.max(*s)));
        let y = |value: f32| ((half - value / loudest * (half - 1.0)) as u32).min(WAVE - 1);
        (y(high)..=y(low)).for_each(|y| *picture.at(x, y) = INK);
    }
    let (mel, frames) = (MEL.log_mel(&samples), MEL.frames(samples.len()));
    for x in 0..WIDTH {
        let frame = x as usize * frames / WIDTH as usize;
        for y in 0..BAND * MEL.n_mels as u32 {
            let band = MEL.n_mels - 1 - (y / BAND) as usize;
            let value = mel.get(band * frames + frame).copied().unwrap_or(RANGE.0);
            *picture.at(x, WAVE + GAP + y) = colour((value - RANGE.0) / (RANGE.1 - RANGE.0));
        }
    }
    picture
}

/// Of a loudness from 0 to 1.
fn colour(loudness: f32) -> Rgb {
    let at = loudness.clamp(0.0, 1.0) * (COLOURS.len() - 1) as f32;
    let below = (at as usize).min(COLOURS.len() - 2);
    let share = at - below as f32;
    std::array::from_fn(|i| (COLOURS[below][i] * (1.0 - share) + COLOURS[below + 1][i] * share) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone in the second half: paper-thin line and dark bands, then a tall wave and one bright band.
    #[test]
    fn silence_is_dark_and_a_tone_is_a_bright_line_at_its_height() {
        let tone =
            |i: usize| if i < 22_050 { 0.0 } else { (i as f32 * 1000.0 * std::f32::consts::TAU / 22_050.0).sin() };
        let clip = ReferenceAudio::new((0..44_100).map(tone).collect(), 22_050, "test").unwrap();
        let mut picture = draw(&clip);
        let mut inked = |x: u32| (0..WAVE).filter(|y| *picture.at(x, *y) == INK).count();
        let (silence, tone) = (inked(300), inked(900));
        assert!(silence <= 2 && tone > WAVE as usize - 8, "{silence} {tone}");
        let mut light = |x: u32, y: u32| picture.at(x, y).iter().map(|c| u32::from(*c)).sum::<u32>();
        let mut bands =
            |x: u32| (0..80).map(|band| (light(x, WAVE + GAP + BAND * band), 79 - band)).collect::<Vec<_>>();
        assert!(bands(300).iter().all(|(light, _)| *light < 60));
        // Slaney's scale is linear below 1 kHz, 15 mels; 80 bands up to 11,025 Hz have 81 steps of 0.613.
        let (_, brightest) = bands(900).into_iter().max().unwrap();
        assert!((22..=25).contains(&brightest), "band {brightest}");
    }
}
