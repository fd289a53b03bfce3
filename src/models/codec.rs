//! The semantic codec: content features to codes (2.0) and codes to content features (both versions).
//!
//! Source: network specification 3. Each version uses one half only, so each half is a network of its own.
use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use crate::nn::convnext::{Backbone, BackboneConfig};
use crate::nn::linear::{Linear, LinearConfig, TimeConv};

/// Shortest vector that can be normalised, as PyTorch's `normalize` has it.
const SHORTEST: f32 = 1e-12;

/// Sizes of the codec; both halves have the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodecSizes {
    pub codebook_size: usize,
    pub codebook_dim: usize,
    /// Channels of the content features.
    pub hidden_size: usize,
    /// Channels inside the backbone.
    pub width: usize,
    pub feed_forward: usize,
    pub blocks: usize,
}

/// Configuration of [`SemanticCodec`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SemanticCodecConfig(pub CodecSizes);

/// Configuration of [`CodecDecoder`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CodecDecoderConfig(pub CodecSizes);

/// The encoder side, used by 2.0: quantises content features and embeds codes.
#[derive(Module, Debug)]
pub struct SemanticCodec {
    encoder: Backbone,
    quantizer_input: Linear,
    quantizer: Codebook,
}

/// The decoder side, used by 2.5: turns codes at 25 Hz into content features at 50 Hz.
#[derive(Module, Debug)]
pub struct CodecDecoder {
    decoder: Backbone,
    quantizer: Codebook,
    up: TimeConv,
}

/// Code vectors and their projection to content features.
#[derive(Module, Debug)]
struct Codebook {
    codebook: Param<Tensor<2>>,
    output: Linear,
}

impl CodecSizes {
    fn backbone(&self, device: &Device) -> Backbone {
        let Self { hidden_size: channels, width, feed_forward, blocks, .. } = *self;
        BackboneConfig { channels, width, feed_forward, blocks }.init(device)
    }

    fn codebook(&self, device: &Device) -> Codebook {
        Codebook {
            codebook: Initializer::Zeros.init([self.codebook_size, self.codebook_dim], device),
            output: LinearConfig::new(self.codebook_dim, self.hidden_size).init(device),
        }
    }
}

impl SemanticCodecConfig {
    pub fn init(&self, device: &Device) -> SemanticCodec {
        SemanticCodec {
            encoder: self.0.backbone(device),
            quantizer_input: LinearConfig::new(self.0.hidden_size, self.0.codebook_dim).init(device),
            quantizer: self.0.codebook(device),
        }
    }
}

impl CodecDecoderConfig {
    pub fn init(&self, device: &Device) -> CodecDecoder {
        let hidden = self.0.hidden_size;
        CodecDecoder {
            decoder: self.0.backbone(device),
            quantizer: self.0.codebook(device),
            up: LinearConfig::new(hidden, hidden).init_same_conv(3, 1, device),
        }
    }
}

impl SemanticCodec {
    /// Codes `[batch, time]` and their content features `[batch, time, hidden]` for features `[batch, time, hidden]`.
    pub fn quantize(&self, x: Tensor<3>) -> (Tensor<2, Int>, Tensor<3>) {
        let codes = self.quantizer.nearest(self.project(self.encode(x)));
        let vectors = self.embed(codes.clone());
        (codes, vectors)
    }

    /// Features before quantisation, `[batch, time, hidden]`.
    pub fn encode(&self, x: Tensor<3>) -> Tensor<3> {
        self.encoder.forward(x)
    }

    /// Encoded features in the codebook's space, `[batch, time, codebook_dim]`.
    pub fn project(&self, encoded: Tensor<3>) -> Tensor<3> {
        self.quantizer_input.forward(encoded)
    }

    /// Content features `[batch, time, hidden]` of codes `[batch, time]`, each below [`Self::codebook_size`].
    pub fn embed(&self, codes: Tensor<2, Int>) -> Tensor<3> {
        self.quantizer.embed(codes)
    }

    /// Number of codes.
    pub fn codebook_size(&self) -> usize {
        self.quantizer.size()
    }
}

impl CodecDecoder {
    /// Content features `[batch, 2 * time, hidden]` of codes `[batch, time]`, each below [`Self::codebook_size`].
    pub fn decode(&self, codes: Tensor<2, Int>) -> Tensor<3> {
        let x = self.decoder.forward(self.embed(codes));
        let [batch, time, hidden] = x.dims();
        let doubled = x.unsqueeze_dim::<4>(2).repeat_dim(2, 2).reshape([batch, 2 * time, hidden]);
        self.up.forward(doubled)
    }

    /// Embedded codes before decoding, `[batch, time, hidden]`.
    pub fn embed(&self, codes: Tensor<2, Int>) -> Tensor<3> {
        self.quantizer.embed(codes)
    }

    /// Number of codes.
    pub fn codebook_size(&self) -> usize {
        self.quantizer.size()
    }
}

impl Codebook {
    fn size(&self) -> usize {
        self.codebook.val().dims()[0]
    }

    /// Searched by direction, but looked up as stored: `[batch, time, codebook_dim]` to `[batch, time]`.
    fn nearest(&self, x: Tensor<3>) -> Tensor<2, Int> {
        // Of unit vectors the nearest has the largest product.
        let rows = unit(self.codebook.val()).transpose();
        unit(x).matmul(rows.unsqueeze()).argmax(2).squeeze_dim(2)
    }

    fn embed(&self, codes: Tensor<2, Int>) -> Tensor<3> {
        let [batch, time] = codes.dims();
        let rows = self.codebook.val().select(0, codes.reshape([batch * time]));
        let dim = rows.dims()[1];
        self.output.forward(rows.reshape([batch, time, dim]))
    }
}

fn unit<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let length = x.clone().powi_scalar(2).sum_dim(D - 1).sqrt().clamp_min(SHORTEST);
    x / length
}
