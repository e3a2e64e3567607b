//! All readable memory of a process, and what of some secrets is in it.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::secrets::Secret;

/// How much of a secret in a row counts as found: a word that passed over the stack is too much.
const WINDOW_BYTES: usize = 8;

/// The names of the secrets of which a word's bytes in a row are in the memory of a process.
pub(crate) fn search(process: u32, secrets: &[Secret]) -> BTreeSet<String> {
    let mut windows: HashMap<&[u8], &str> = HashMap::new();
    let mut begins = vec![false; 1 << 16];
    for secret in secrets {
        for window in secret.bytes.windows(WINDOW_BYTES) {
            windows.insert(window, &secret.name);
            begins[begin(window)] = true;
        }
    }
    let mut seen = BTreeSet::new();
    let mut bytes_read = 0;
    for bytes in mappings(process) {
        bytes_read += bytes.len();
        for window in bytes.windows(WINDOW_BYTES) {
            if begins[begin(window)]
                && let Some(name) = windows.get(window)
            {
                seen.insert((*name).to_owned());
            }
        }
    }
    assert!(
        bytes_read > 1_000_000,
        "only {bytes_read} bytes were readable"
    );
    seen
}

fn begin(window: &[u8]) -> usize {
    usize::from(u16::from_ne_bytes([window[0], window[1]]))
}

/// The writable mappings: what comes from a file and was never written holds no key.
fn mappings(process: u32) -> impl Iterator<Item = Vec<u8>> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let places: Vec<(u64, u64)> = maps
        .lines()
        .filter(|line| line.split(' ').nth(1).unwrap().starts_with("rw"))
        .map(|line| {
            let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
            let address = |text| u64::from_str_radix(text, 16).unwrap();
            (address(from), address(to))
        })
        .collect();
    places.into_iter().map(move |(from, to)| {
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        memory.read_exact_at(&mut bytes, from).unwrap();
        bytes
    })
}
