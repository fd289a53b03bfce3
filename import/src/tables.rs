//! The key tables, one per official file: data in `tables/*.toml`, parsed on use.
use crate::{Result, Table};

macro_rules! tables {
    ($($name:ident: $about:literal),* $(,)?) => {
        $(#[doc = $about]
        pub fn $name() -> Result<Table> {
            Table::parse(include_str!(concat!("../tables/", stringify!($name), ".toml")))
        })*
    };
}

tables! {
    campplus: "CAMPPlus.",
    codec_v2_5: "The codec of 2.5, its decoder side.",
    semantic_codec: "The semantic codec of 2.0, its encoder side.",
    w2v_bert: "w2v-bert-2.0, the layers that are used.",
    w2v_stats: "Mean and variance of w2v-bert features.",
    gpt_v2: "`gpt.pth` of IndexTTS-2.",
    gpt_v2_5: "`gpt.pth` of IndexTTS-2.5.",
    feat1: "`feat1.pt`: the speaker matrix of the emotion bank.",
    feat2: "`feat2.pt`: the emotion matrix of the emotion bank.",
    qwen: "The text-to-emotion model.",
    s2mel_v2: "`s2mel.pth` of IndexTTS-2: length regulator, DiT and the projection of GPT latents.",
    s2mel_v2_5: "`s2mel.pth` of IndexTTS-2.5: length regulator and DiT.",
    bigvgan: "`bigvgan_generator.pt`: the vocoder, with weight norm or without.",
}
