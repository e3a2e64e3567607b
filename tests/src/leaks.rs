//! The search for what must not lie on disk.

use std::path::Path;

/// Every file below `folder` whose bytes hold one of the secrets, or its hexadecimal spelling.
pub fn leaks(folder: &Path, secrets: &[String]) -> Vec<String> {
    let named = secrets
        .iter()
        .map(|secret| (secret.as_str(), secret.as_bytes()));
    byte_leaks(folder, &named.collect::<Vec<_>>())
}

/// The same for bytes, each with a name.
pub fn byte_leaks(folder: &Path, secrets: &[(&str, &[u8])]) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // A server's socket lies there, and holds nothing.
            if !path.is_file() {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            for (name, secret) in secrets {
                let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
                for spelling in [secret, hex.as_bytes()] {
                    let mut windows = bytes.windows(spelling.len());
                    if windows.any(|window| window == spelling) {
                        found.push(format!("{} holds {name}", path.display()));
                    }
                }
            }
        }
    }
    found
}
