//! The emotion bank: exemplar speakers and their emotion vectors, grouped by the eight emotions.
//!
//! Source: pipeline specification 2.3, points 6 and 7 (`feat1.pt` = speakers, `feat2.pt` = emotions).
use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};
use rand::{Rng, RngExt};

use crate::Result;
use crate::readback::values;

/// The eight emotions in the order of every vector: happy, angry, sad, afraid, disgusted, melancholic, surprised, calm.
pub const EMOTIONS: [&str; 8] = ["happy", "angry", "sad", "afraid", "disgusted", "melancholic", "surprised", "calm"];

/// Sizes of an [`EmotionBank`].
#[derive(Debug, Clone)]
pub struct EmotionBankConfig {
    /// Rows of each emotion, in order.
    pub groups: Vec<usize>,
    pub style_dim: usize,
    pub model_dim: usize,
}

impl EmotionBankConfig {
    pub fn init(&self, device: &Device) -> EmotionBank {
        let rows: usize = self.groups.iter().sum();
        EmotionBank {
            speakers: Initializer::Zeros.init([rows, self.style_dim], device),
            emotions: Initializer::Zeros.init([rows, self.model_dim], device),
            groups: self.groups.clone(),
        }
    }
}

/// `speakers [rows, style]`, `emotions [rows, model]`.
#[derive(Module, Debug)]
pub struct EmotionBank {
    speakers: Param<Tensor<2>>,
    emotions: Param<Tensor<2>>,
    #[module(skip)]
    groups: Vec<usize>,
}

impl EmotionBank {
    /// The row of each group whose speaker is nearest to `style [1, style]` by cosine; each group chooses for itself.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the device fails.
    pub async fn nearest(&self, style: Tensor<2>) -> Result<Vec<usize>> {
        let dot = self.speakers.val().mul(style.clone()).sum_dim(1);
        let norms = norm(self.speakers.val()).mul(norm(style));
        let cosine = values(dot.div(norms)).await?;
        Ok(self.each_group(|rows| {
            let best = |best: usize, row| if cosine[row] > cosine[best] { row } else { best };
            rows.clone().fold(rows.start, best)
        }))
    }

    /// A uniformly drawn row of each group.
    pub fn random(&self, rng: &mut impl Rng) -> Vec<usize> {
        self.each_group(|rows| rng.random_range(rows))
    }

    /// `sum over g of weights[g] * emotions[rows[g]]`, `[1, model]`.
    pub fn mix(&self, rows: &[usize], weights: &[f32]) -> Tensor<2> {
        let emotions = self.emotions.val();
        let [_, width] = emotions.dims();
        let zero = Tensor::zeros([1, width], &emotions.device());
        rows.iter().zip(weights).fold(zero, |sum, (&row, &weight)| {
            sum.add(emotions.clone().slice([row..row + 1, 0..width]).mul_scalar(weight))
        })
    }

    fn each_group(&self, mut pick: impl FnMut(std::ops::Range<usize>) -> usize) -> Vec<usize> {
        let mut start = 0;
        let mut rows = Vec::with_capacity(self.groups.len());
        for &size in &self.groups {
            rows.push(pick(start..start + size));
            start += size;
        }
        rows
    }
}

/// Euclidean norm of each row, at least 1e-8 as PyTorch's `cosine_similarity` has it.
fn norm(x: Tensor<2>) -> Tensor<2> {
    x.powi_scalar(2).sum_dim(1).sqrt().clamp_min(1e-8)
}
