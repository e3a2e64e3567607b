//! All memory that a living process wrote to, read from outside while it stands still, and what of some
//! secrets is in it. `/proc/<pid>/mem` shows more than a core would: also what is left out of dumps.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use tests::Program;

const PAGE_BYTES: usize = 4096;
/// What of each window is looked up.
const WORD_BYTES: usize = 8;
/// Bits of a window's hash.
const FILTER_BITS: u32 = 20;
/// `CAP_SYS_PTRACE`, in the mask of a process's capabilities.
const MAY_READ_OTHERS: u64 = 1 << 19;

/// Bytes that are searched for.
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// How many in a row count as found: 8 or more.
    pub(crate) window: usize,
}

impl Wanted {
    /// Eight bytes in a row of random ones: never a coincidence.
    pub(crate) fn raw(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
            window: 8,
        }
    }

    /// Sixteen characters in a row of a spelling in hexadecimal or base64.
    pub(crate) fn spelled(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            bytes: text.into().into_bytes(),
            window: 16,
        }
    }
}

/// Where something was found.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Place {
    /// The mapping's name; empty for anonymous memory.
    pub(crate) mapping: String,
    /// It can't be swapped out, and is left out of dumps and of forks.
    pub(crate) is_guarded: bool,
}

/// What was found, and where.
pub(crate) type Found = BTreeMap<String, BTreeSet<Place>>;

struct Mapping {
    from: u64,
    to: u64,
    place: Place,
}

/// Where the wanted bytes are in the memory of a program. `None` if the kernel lets us read no other
/// process that forbids it: that takes `CAP_SYS_PTRACE`.
pub(crate) fn search(program: &Program, wanted: &[Wanted]) -> Option<Found> {
    let process = program.id();
    let memory = match File::open(format!("/proc/{process}/mem")) {
        Ok(memory) => memory,
        Err(error) if error.kind() == ErrorKind::PermissionDenied && !may_read_others() => {
            eprintln!("the image was not searched: run the tests with CAP_SYS_PTRACE");
            return None;
        }
        Err(error) => panic!("the vault's memory can't be read: {error}"),
    };
    let index = Index::of(wanted);
    let (mut found, mut bytes_read) = (Found::new(), 0);
    program.signal("STOP");
    wait_until_stopped(process);
    for mapping in mappings(process) {
        let mut bytes = vec![0; usize::try_from(mapping.to - mapping.from).unwrap()];
        memory.read_exact_at(&mut bytes, mapping.from).unwrap();
        bytes_read += bytes.len();
        index.search(&bytes, |name| {
            let places = found.entry(name.to_owned()).or_default();
            places.insert(mapping.place.clone());
        });
    }
    program.signal("CONT");
    assert!(
        bytes_read > 1_000_000,
        "only {bytes_read} bytes were readable"
    );
    Some(found)
}

/// The windows of what is wanted, by their first word.
struct Index<'a> {
    filter: Vec<bool>,
    windows: HashMap<u64, Vec<(&'a [u8], &'a str)>>,
}

impl<'a> Index<'a> {
    fn of(wanted: &'a [Wanted]) -> Self {
        let mut index = Self {
            filter: vec![false; 1 << FILTER_BITS],
            windows: HashMap::new(),
        };
        for Wanted {
            name,
            bytes,
            window,
        } in wanted
        {
            assert!(bytes.len() >= *window, "{name} is too short to be found");
            for window in bytes.windows(*window) {
                let word = word(window);
                index.filter[slot(word)] = true;
                index.windows.entry(word).or_default().push((window, name));
            }
        }
        index
    }

    fn search(&self, bytes: &[u8], mut seen: impl FnMut(&str)) {
        let last = bytes.len() - WORD_BYTES;
        for page in (0..bytes.len()).step_by(PAGE_BYTES) {
            // A window that ends in the next page begins in this one's last word.
            let end = (page + PAGE_BYTES + WORD_BYTES).min(bytes.len());
            if bytes[page..end] == [0; PAGE_BYTES + WORD_BYTES][..end - page] {
                continue;
            }
            for at in page..(page + PAGE_BYTES).min(last + 1) {
                let word = word(&bytes[at..]);
                if !self.filter[slot(word)] {
                    continue;
                }
                let windows = self.windows.get(&word).map_or(&[][..], Vec::as_slice);
                for (window, name) in windows {
                    if bytes[at..].starts_with(window) {
                        seen(name);
                    }
                }
            }
        }
    }
}

fn word(bytes: &[u8]) -> u64 {
    u64::from_ne_bytes(bytes[..WORD_BYTES].try_into().unwrap())
}

fn slot(word: u64) -> usize {
    (word.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - FILTER_BITS)) as usize
}

/// Everything that can be written, or was before it was protected. The rest is as its file is.
fn mappings(process: u32) -> Vec<Mapping> {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps")).unwrap();
    let mut mappings = Vec::new();
    let (mut head, mut is_written) = (None, false);
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let first = words.next().unwrap();
        let range = first.split_once('-').filter(|_| !first.ends_with(':'));
        if let Some((from, to)) = range {
            let rights = words.next().unwrap();
            is_written = rights.starts_with("rw");
            let address = |text| u64::from_str_radix(text, 16).unwrap();
            let name = words.nth(3).unwrap_or_default().to_owned();
            let is_readable = rights.starts_with('r') && !name.starts_with("[v");
            head = is_readable.then(|| (address(from), address(to), name));
        } else if first == "Anonymous:" {
            is_written |= words.next() != Some("0");
        } else if first == "VmFlags:"
            && let Some((from, to, mapping)) = head.take().filter(|_| is_written)
        {
            let flags: Vec<&str> = words.collect();
            let is_guarded = ["lo", "dd", "wf"].iter().all(|flag| flags.contains(flag));
            mappings.push(Mapping {
                from,
                to,
                place: Place {
                    mapping,
                    is_guarded,
                },
            });
        }
    }
    mappings
}

fn wait_until_stopped(process: u32) {
    let started = Instant::now();
    loop {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        if status.contains("State:\tT") {
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "it does not stop"
        );
        std::thread::yield_now();
    }
}

fn may_read_others() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    u64::from_str_radix(mask.unwrap().trim(), 16).unwrap() & MAY_READ_OTHERS != 0
}
