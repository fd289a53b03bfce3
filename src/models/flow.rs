//! Conditional flow matching: integrates the velocity field from noise to a mel spectrogram (Lipman et al. 2022).
use std::ops::ControlFlow;

use burn::prelude::*;

use super::dit::Dit;
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
    let [_, mel_bins, frames] = noise.dims();
    let prompt = prompt_mel.dims()[2];
    check(options, prompt, frames)?;
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

    // The prompt's frames are 0 in the state at every step (they enter through the condition only), so only the frames
    // after it are integrated.
    let with_prompt = |x: Tensor<3>| Tensor::cat(vec![zeros(prompt), x], 1);
    let mut x = noise.swap_dims(1, 2).narrow(1, prompt, frames - prompt);
    let span = time_span(options.steps);
    let mut time = 0f32;
    for (step, pair) in span.windows(2).enumerate() {
        let dt = pair[1] - pair[0];
        let velocity = dit.velocity(with_prompt(x.clone()), &[time], &context, prompt);
        x = x + guide(velocity, options.guidance) * dt;
        time += dt;
        if progress(step + 1).is_break() {
            return Err(Error::Cancelled);
        }
    }
    Ok(with_prompt(x).swap_dims(1, 2))
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

fn check(options: &SolveOptions, prompt: usize, frames: usize) -> Result<()> {
    let wrong = |name: &str, got: String, expected: &str| {
        Err(Error::Input { name: name.into(), got, expected: expected.into() })
    };
    if options.steps == 0 {
        return wrong("diffusion steps", "0".into(), "at least 1");
    }
    if !options.guidance.is_finite() || options.guidance < 0.0 {
        return wrong("guidance", options.guidance.to_string(), "a finite number of at least 0");
    }
    if prompt >= frames {
        return wrong("mel frames", frames.to_string(), &format!("more than the prompt's {prompt}"));
    }
    Ok(())
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
