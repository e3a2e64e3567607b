//! Where the tokens live: the one file that reads the environment.

use std::path::PathBuf;

/// The directory of the token files: `JINKU_HSM_DIR`, else `$XDG_DATA_HOME/jinku-hsm`,
/// else `~/.local/share/jinku-hsm`. `None` when the environment names none of them.
pub fn token_directory() -> Option<PathBuf> {
    variable("JINKU_HSM_DIR")
        .or_else(|| variable("XDG_DATA_HOME").map(|home| home.join("jinku-hsm")))
        .or_else(|| variable("HOME").map(|home| home.join(".local/share/jinku-hsm")))
}

fn variable(name: &str) -> Option<PathBuf> {
    // Not `var`: a path need not be UTF-8, and must not be passed over if it is not.
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}
