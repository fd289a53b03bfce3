//! The vocoder in the form that the CPU kernels take: packed convolutions and fused activations.
use burn::nn::conv::Conv1d;
use burn::prelude::*;

use super::{BigVgan, ResidualBlock, finish};
use crate::kernels::{PackedConv, PackedConvTranspose, WeightType, alias_free_snake};
use crate::nn::snake::{AliasFreeSnake, Resampler};

/// [`BigVgan`] with the same parameters in another order; the results agree to rounding.
#[derive(Module, Debug)]
pub struct PackedBigVgan {
    conv_pre: PackedConv,
    upsamples: Vec<PackedConvTranspose>,
    blocks: Vec<PackedBlock>,
    activation_post: AliasFreeSnake,
    conv_post: PackedConv,
    tanh_at_final: bool,
}

#[derive(Module, Debug)]
struct PackedBlock {
    dilated: Vec<PackedConv>,
    plain: Vec<PackedConv>,
    activations: Vec<AliasFreeSnake>,
}

impl PackedBigVgan {
    /// Takes the parameters over one by one, so that they are never held twice. In half precision convolutions are kept as
    /// f16; snakes and biases stay f32.
    pub fn new(model: BigVgan, kept: WeightType) -> Self {
        Self {
            conv_pre: PackedConv::new(model.conv_pre, kept),
            upsamples: model.upsamples.into_iter().map(|conv| PackedConvTranspose::new(conv, kept)).collect(),
            blocks: model.blocks.into_iter().map(|block| PackedBlock::new(block, kept)).collect(),
            activation_post: model.activation_post,
            conv_post: PackedConv::new(model.conv_post, kept),
            tanh_at_final: model.tanh_at_final,
        }
    }

    /// As [`BigVgan::forward`].
    pub fn forward(&self, mel: Tensor<3>) -> Tensor<3> {
        let resampler = Resampler::new(&mel.device());
        let per_stage = self.blocks.len() / self.upsamples.len();
        let mut x = self.conv_pre.forward(mel);
        for (upsample, blocks) in self.upsamples.iter().zip(self.blocks.chunks_exact(per_stage)) {
            let y = upsample.forward(x);
            let outputs = blocks.iter().map(|block| block.forward(y.clone(), &resampler));
            x = outputs.reduce(|sum, y| sum + y).unwrap_or(y.clone()) / per_stage as f64;
        }
        let x = alias_free_snake(&self.activation_post, x, &resampler);
        finish(self.conv_post.forward(x), self.tanh_at_final)
    }
}

impl PackedBlock {
    fn new(block: ResidualBlock, kept: WeightType) -> Self {
        let pack = |convs: Vec<Conv1d>| convs.into_iter().map(|conv| PackedConv::new(conv, kept)).collect();
        Self { dilated: pack(block.dilated), plain: pack(block.plain), activations: block.activations }
    }

    fn forward(&self, mut x: Tensor<3>, resampler: &Resampler) -> Tensor<3> {
        let convs = self.dilated.iter().zip(&self.plain);
        for ((dilated, plain), activations) in convs.zip(self.activations.chunks_exact(2)) {
            let y = dilated.forward(alias_free_snake(&activations[0], x.clone(), resampler));
            let y = alias_free_snake(&activations[1], y, resampler);
            x = plain.forward_add(y, x);
        }
        x
    }
}
