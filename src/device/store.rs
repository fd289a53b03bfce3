//! Where GPU backends keep what they have compiled and measured.
use cubecl::config::cache::CacheConfig;
use cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};

/// Name of the database in CubeCL's directory.
const NAME: &str = "indextts";

/// Makes CubeCL keep tuning results and compiled kernels in the user's cache directory, whichever directory the program
/// is started in. What a `cubecl.toml`, a `burn.toml` or CubeCL's environment variables say instead is left alone. Has
/// an effect before the first GPU is opened only.
pub(super) fn configure() {
    let mut config = CubeClRuntimeConfig::from_current_dir();
    let unnamed = CubeClRuntimeConfig::default().environment.name;
    if config.environment.name == unnamed && matches!(config.environment.path, CacheConfig::Target) {
        config.environment.name = NAME.into();
        config.environment.path = CacheConfig::Global;
        #[cfg(feature = "kernel-store")]
        {
            config.compilation.cache = true;
        }
    }
    CubeClRuntimeConfig::try_set(config.override_from_env());
}

/// The database of kernels. A build without the feature `kernel-store` has none.
pub fn path() -> Option<std::path::PathBuf> {
    configure();
    cfg!(feature = "kernel-store").then(cubecl::environment::path)
}
