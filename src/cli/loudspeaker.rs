//! The loudspeaker of this machine.
use std::num::NonZero;

use indextts::Error;
use rodio::buffer::SamplesBuffer;
use rodio::{DeviceSinkBuilder, MixerDeviceSink, Player};

use super::Failure;
use super::sink::{Ahead, Sink};

/// What is made before the first sample sounds, seconds.
const AHEAD: f64 = 0.25;

/// Plays what it is given, one piece after another, until it is dropped.
pub struct Loudspeaker {
    player: Player,
    rate: NonZero<u32>,
    /// Sound ends when this is dropped.
    _device: MixerDeviceSink,
}

impl Loudspeaker {
    /// For samples at `rate` Hz, which the device's rate need not be.
    ///
    /// # Errors
    /// [`Error::Device`] if there is none, or it cannot be opened.
    pub fn open(rate: u32) -> Result<Ahead<Self>, Failure> {
        let refused = |what: String| Error::Device {
            name: "loudspeaker".into(),
            what,
            hint: "write a file with -o instead, or pipe --stream into a player".into(),
        };
        let rate = NonZero::new(rate).ok_or_else(|| refused("got a rate of 0 Hz".into()))?;
        let mut device = DeviceSinkBuilder::open_default_sink().map_err(|e| match std::error::Error::source(&e) {
            Some(source) => refused(format!("{e} ({source})")),
            None => refused(e.to_string()),
        })?;
        device.log_on_drop(false);
        let player = Player::connect_new(device.mixer());
        Ok(Ahead::new(Self { player, rate, _device: device }, (AHEAD * f64::from(rate.get())) as usize))
    }
}

impl Sink for Loudspeaker {
    fn put(&mut self, samples: &[f32]) -> Result<(), Failure> {
        self.player.append(SamplesBuffer::new(NonZero::<u16>::MIN, self.rate, samples));
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.player.sleep_until_end();
        Ok(())
    }
}
