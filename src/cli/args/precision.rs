//! Types that weights are kept in.
use clap::{Args as ClapArgs, ValueEnum};
use indextts::{Bits, Device, Precision, WeightType};

/// Speed and memory
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Speed and memory")]
pub struct PrecisionArgs {
    /// `fast` is `--weights bf16 --quantize q8 --steps 15`, on a GPU `--weights f16 --steps 15`; what is given besides wins
    #[arg(long, value_enum, default_value_t = ProfileArg::Faithful)]
    pub profile: ProfileArg,

    /// How weights are kept in memory: f32 is exact, f16 and bf16 take half of it. On the CPU bf16 is fastest where the
    /// processor multiplies it; a GPU multiplies in this type, norms, softmax and sampling stay f32
    #[arg(long, value_enum, visible_alias = "dtype")]
    pub weights: Option<WeightsArg>,

    /// Keep the weights of the GPT, and of the text-to-emotion model, in 8 or 4 bits, and what hears the clip (w2v-bert, the
    /// GPT's encoders) in 8, on the CPU; a model that is stored so keeps them there
    #[arg(long, value_enum)]
    pub quantize: Option<QuantizeArg>,

    /// Read all weights into memory, even those that the CPU can use where their file lies: for files that somebody may write
    /// into while the program runs, and for slow network drives
    #[arg(long)]
    pub no_mmap: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProfileArg {
    /// The reference's results
    Faithful,
    /// Several times faster, hardly different
    Fast,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WeightsArg {
    F32,
    F16,
    Bf16,
}

impl From<WeightsArg> for WeightType {
    fn from(arg: WeightsArg) -> Self {
        match arg {
            WeightsArg::F32 => Self::F32,
            WeightsArg::F16 => Self::F16,
            WeightsArg::Bf16 => Self::Bf16,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QuantizeArg {
    None,
    Q8,
    Q4,
}

impl PrecisionArgs {
    /// Steps of the flow matching that the profile asks for.
    pub fn steps(&self) -> Option<usize> {
        (self.profile == ProfileArg::Fast).then_some(15)
    }

    pub fn precision(&self, device: &Device) -> Precision {
        let mut precision = match self.profile {
            ProfileArg::Faithful => Precision::default(),
            ProfileArg::Fast => Precision::fast(device),
        };
        precision.copied = self.no_mmap;
        if let Some(weights) = self.weights {
            precision.weights = weights.into();
        }
        match self.quantize {
            Some(QuantizeArg::None) => precision.gpt = None,
            Some(QuantizeArg::Q8) => precision.gpt = Some(Bits::Eight),
            Some(QuantizeArg::Q4) => precision.gpt = Some(Bits::Four),
            None => {}
        }
        precision
    }
}
