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
    feat1: "`feat1.pt`: the speaker matrix of the emotion bank.",
    feat2: "`feat2.pt`: the emotion matrix of the emotion bank.",
    s2mel_v2: "`s2mel.pth` of IndexTTS-2: length regulator, DiT and the projection of GPT latents.",
    s2mel_v2_5: "`s2mel.pth` of IndexTTS-2.5: length regulator and DiT.",
    bigvgan: "`bigvgan_generator.pt`: the vocoder, with weight norm or without.",
}
