//! Conditional flow matching: integrates the velocity field from noise to a mel spectrogram (Lipman et al. 2022).
use std::ops::ControlFlow;

use burn::prelude::*;

use super::dit::Dit;
use crate::kernels::in_pool;
use crate::{Error, Result};

#[derive(Debug, Clone, PartialEq)]
pub struct SolveOptions {
    /// Euler steps.
    pub steps: usize,
    /// Weight of classifier-free guidance: `(1 + guidance) * conditional - guidance * unconditional`; 0 skips the
    /// unconditional branch.
    pub guidance: f64,
}

impl Default for SolveOptions {
    fn default() -> Self {
        Self { steps: 25, guidance: 0.7 }
    }
}

/// Solves from `noise` `[1, mel_bins, time]` to the mel `[1, mel_bins, time]`, whose prompt frames are 0.
///
/// `prompt_mel` `[1, mel_bins, prompt]` fills the first frames of the condition, `condition` is `[1, time, content]`,
/// `style` is `[1, style]`. `progress` is called with the number of finished steps and can stop the solve.
///
/// # Errors
/// [`Error::Input`] for options out of range or a prompt that leaves no frame, [`Error::Cancelled`] if `progress`
/// breaks.
pub fn solve(
    dit: &Dit,
    noise: Tensor<3>,
    prompt_mel: Tensor<3>,
    condition: Tensor<3>,
    style: Tensor<2>,
    options: &SolveOptions,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Tensor<3>> {
    let zeros = prompt_mel.zeros_like();
    let path = solve_onward(dit, noise, prompt_mel, &Path::default(), condition, style, options, progress)?;
    // The prompt's frames, then the mel's.
    Ok(Tensor::cat(std::iter::once(zeros).chain(path.end()).collect(), 2))
}

/// Where frames were at each time of a solve, from the noise to the mel: `[1, frames, mel_bins]` each.
#[derive(Debug, Clone, Default)]
pub struct Path(Vec<Tensor<3>>);

impl Path {
    /// The mel `[1, mel_bins, frames]`.
    pub fn end(&self) -> Option<Tensor<3>> {
        self.0.last().map(|x| x.clone().swap_dims(1, 2))
    }

    pub fn frames(&self) -> usize {
        self.0.first().map_or(0, |x| x.dims()[1])
    }

    /// The frames `start..start + length`.
    pub fn narrow(&self, start: usize, length: usize) -> Self {
        Self(self.0.iter().map(|x| x.clone().narrow(1, start, length)).collect())
    }

    /// With the frames of `other` behind its own.
    pub fn join(self, other: Self) -> Self {
        match self.0.is_empty() {
            true => other,
            false => Self(self.0.into_iter().zip(other.0).map(|(a, b)| Tensor::cat(vec![a, b], 1)).collect()),
        }
    }
}

/// As [`solve`], of frames that follow others which were solved before: `settled` are theirs, between the prompt's and
/// the new ones; noise and condition have all three. The path of the new frames.
///
/// In a solve of all at once the network would see settled frames on their way from noise to mel, and so it does here: at every
/// step they are where they were when they were solved. Given as a prompt, they would be taken for a part of the clip.
///
/// # Errors
/// As [`solve`]; [`Error::Input`] if the settled frames were solved in another number of steps.
#[allow(clippy::too_many_arguments)]
pub fn solve_onward(
    dit: &Dit,
    noise: Tensor<3>,
    prompt_mel: Tensor<3>,
    settled: &Path,
    condition: Tensor<3>,
    style: Tensor<2>,
    options: &SolveOptions,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Path> {
    let [_, mel_bins, frames] = noise.dims();
    let prompt = prompt_mel.dims()[2];
    let before = prompt + settled.frames();
    check(options, before, frames)?;
    if settled.frames() > 0 && settled.0.len() != options.steps + 1 {
        return Err(wrong(
            "diffusion steps",
            options.steps.to_string(),
            format!("{}", settled.0.len().saturating_sub(1)),
        ));
    }
    let device = noise.device();
    let zeros = |frames| Tensor::<3>::zeros([1, frames, mel_bins], &device);

    let prompt_mel = Tensor::cat(vec![prompt_mel.swap_dims(1, 2), zeros(frames - prompt)], 1);
    let context = if options.guidance > 0.0 {
        let with_null = |x: Tensor<3>| Tensor::cat(vec![x.clone(), x.zeros_like()], 0);
        let style = with_null(style.unsqueeze_dim(1)).squeeze_dim(1);
        dit.context(with_null(prompt_mel), style, with_null(condition), None)
    } else {
        dit.context(prompt_mel, style, condition, None)
    };

    // The prompt's frames are 0 in the state at every step (they enter through the condition only), and settled ones are
    // known, so only the frames after them are integrated.
    let whole = |step: usize, x: Tensor<3>| {
        Tensor::cat([Some(zeros(prompt)), settled.0.get(step).cloned(), Some(x)].into_iter().flatten().collect(), 1)
    };
    let mut x = noise.swap_dims(1, 2).narrow(1, before, frames - before);
    let mut path = vec![x.clone()];
    let span = time_span(options.steps);
    let mut time = 0f32;
    for (step, pair) in span.windows(2).enumerate() {
        let dt = pair[1] - pair[0];
        x = in_pool(&device, || {
            let velocity = dit.velocity(whole(step, x.clone()), &[time], &context, before);
            x.clone() + guide(velocity, options.guidance) * dt
        });
        path.push(x.clone());
        time += dt;
        if progress(step + 1).is_break() {
            return Err(Error::Cancelled);
        }
    }
    Ok(Path(path))
}

/// Combines the branches of a batch `[conditional, unconditional]`.
fn guide(velocity: Tensor<3>, guidance: f64) -> Tensor<3> {
    if guidance > 0.0 {
        velocity.clone().narrow(0, 0, 1) * (1.0 + guidance) - velocity.narrow(0, 1, 1) * guidance
    } else {
        velocity
    }
}

/// `steps + 1` times from 0 to 1 in f32, counted from the nearer end as `torch.linspace` does.
fn time_span(steps: usize) -> Vec<f32> {
    let step = 1f32 / steps as f32;
    let points = steps + 1;
    (0..points).map(|i| if i < points / 2 { step * i as f32 } else { 1.0 - step * (steps - i) as f32 }).collect()
}

fn check(options: &SolveOptions, known: usize, frames: usize) -> Result<()> {
    if options.steps == 0 {
        return Err(wrong("diffusion steps", "0".into(), "at least 1".into()));
    }
    if !options.guidance.is_finite() || options.guidance < 0.0 {
        return Err(wrong("guidance", options.guidance.to_string(), "a finite number of at least 0".into()));
    }
    if known >= frames {
        return Err(wrong("mel frames", frames.to_string(), format!("more than the prompt's {known}")));
    }
    Ok(())
}

fn wrong(name: &str, got: String, expected: String) -> Error {
    Error::Input { name: name.into(), got, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_run_from_zero_to_one() {
        for steps in [1, 2, 5, 25] {
            let span = time_span(steps);
            assert_eq!((span.len(), span[0], span[steps]), (steps + 1, 0.0, 1.0), "{steps} steps");
            assert!(span.windows(2).all(|w| w[0] < w[1]), "{steps} steps");
        }
    }

    #[test]
    fn useless_options_are_refused() {
        let options = SolveOptions::default();
        assert!(check(&options, 3, 4).is_ok());
        assert!(check(&options, 4, 4).is_err());
        assert!(check(&SolveOptions { steps: 0, ..options.clone() }, 3, 4).is_err());
        assert!(check(&SolveOptions { guidance: f64::NAN, ..options }, 3, 4).is_err());
    }
}
