//! Where tokens and sockets are and whose habits they have: the one file that reads the environment.

use std::path::{Path, PathBuf};

/// The directory of the token files: `JINKU_HSM_DIR`, else `$XDG_DATA_HOME/jinku-hsm`,
/// else `~/.local/share/jinku-hsm`. `None` when the environment names none of them.
pub fn token_directory() -> Option<PathBuf> {
    variable("JINKU_HSM_DIR")
        .or_else(|| variable("XDG_DATA_HOME").map(|home| home.join("jinku-hsm")))
        .or_else(|| variable("HOME").map(|home| home.join(".local/share/jinku-hsm")))
}

/// The directory of the counters against a rollback of PIN tries: `JINKU_HSM_COUNTER_DIR`.
/// `None` means: beside the token files.
pub fn counter_directory() -> Option<PathBuf> {
    variable("JINKU_HSM_COUNTER_DIR")
}

/// The vendor profile: `JINKU_HSM_PROFILE`.
pub fn profile_name() -> Option<String> {
    variable("JINKU_HSM_PROFILE").map(|name| name.to_string_lossy().into_owned())
}

/// The server's socket: `JINKU_HSM_SOCKET`, else `hsm.sock` in the given directory.
pub fn socket_path(directory: Option<&Path>) -> Option<PathBuf> {
    variable("JINKU_HSM_SOCKET").or_else(|| Some(directory?.join("hsm.sock")))
}

fn variable(name: &str) -> Option<PathBuf> {
    // Not `var`: a path need not be UTF-8, and must not be passed over if it is not.
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}
