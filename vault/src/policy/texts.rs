//! The texts of a policy set: read from its directory, named by digest, kept as one bundle.

use std::fs;
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};

use super::{Digest, PolicyError};

/// Largest policy or schema file, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Largest `links.toml`, in bytes: some 20,000 links.
const LINKS_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Most policy files of a set.
const FILES_MAX: usize = 1_000;
/// Largest set, in bytes.
const SET_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a policy set is made of, as it is written.
#[derive(Clone, Eq, PartialEq)]
pub struct PolicyTexts {
    pub(super) schema: String,
    /// File names with their texts, by name.
    pub(super) policies: Vec<(String, String)>,
    /// `links.toml`, where the set has one.
    pub(super) links: Option<String>,
}

impl PolicyTexts {
    /// Reads `schema.cedarschema`, `policies/*.cedar` and `links.toml` below `directory`.
    ///
    /// A file has at most 1 MiB (`links.toml` 4 MiB), a set at most 1,000 files and 16 MiB.
    pub fn read(directory: &Path) -> Result<Self, PolicyError> {
        let schema = text(&directory.join("schema.cedarschema"))?;
        let folder = directory.join("policies");
        let paths = files(&folder, "cedar")?;
        if paths.len() > FILES_MAX {
            return Err(PolicyError::TooLarge);
        }
        let mut policies = Vec::with_capacity(paths.len());
        for path in paths {
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| PolicyError::File {
                path: path.clone(),
                cause: std::io::Error::other("its name is not UTF-8"),
            })?;
            policies.push((name.to_owned(), text(&path)?));
        }
        let path = directory.join("links.toml");
        let links = path
            .exists()
            .then(|| bounded(&path, LINKS_BYTES_MAX))
            .transpose()?;
        let texts = Self {
            schema,
            policies,
            links,
        };
        if texts.bytes() > SET_BYTES_MAX {
            return Err(PolicyError::TooLarge);
        }
        Ok(texts)
    }

    /// SHA-256 over the set's own files: what a second person approves.
    pub fn digest(&self) -> Digest {
        self.digest_on(&["jinku/v1 policy set".to_owned()])
    }

    /// SHA-256 over what the set stands on, and its own files: what every entry carries.
    pub(super) fn digest_on(&self, ground: &[String]) -> Digest {
        let mut digest = Context::new(&SHA256);
        // Each part behind its length: no two sets have one input.
        let mut enter = |part: &str| {
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        };
        for text in ground {
            enter(text);
        }
        for (name, text) in self.files() {
            enter(name);
            enter(text);
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.finish().as_ref());
        bytes
    }

    /// All of it as bytes, to be kept: each file's name and text behind their lengths (8 bytes, big-endian).
    pub fn bundle(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes());
        for (name, text) in self.files() {
            for part in [name, text] {
                bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
                bytes.extend_from_slice(part.as_bytes());
            }
        }
        bytes
    }

    /// Reads back what [`PolicyTexts::bundle`] wrote.
    pub fn unbundle(bytes: &[u8]) -> Result<Self, PolicyError> {
        let mut rest = bytes;
        let (mut schema, mut policies, mut links) = (None, Vec::new(), None);
        while !rest.is_empty() {
            let name = part(&mut rest).ok_or(PolicyError::Bundle)?;
            let text = part(&mut rest).ok_or(PolicyError::Bundle)?;
            match name.as_str() {
                SCHEMA => schema = Some(text),
                LINKS => links = Some(text),
                _ => policies.push((name, text)),
            }
        }
        let texts = Self {
            schema: schema.ok_or(PolicyError::Bundle)?,
            policies,
            links,
        };
        // One spelling only: whatever else these bytes may be, it is not this set's bundle.
        if texts.bundle() == bytes {
            Ok(texts)
        } else {
            Err(PolicyError::Bundle)
        }
    }

    /// The files in the order of their digest. No policy file has another's name: it ends in `.cedar`.
    fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        let schema = std::iter::once((SCHEMA, self.schema.as_str()));
        let policies = self.policies.iter();
        let policies = policies.map(|(name, text)| (name.as_str(), text.as_str()));
        let links = self.links.iter().map(|text| (LINKS, text.as_str()));
        schema.chain(policies).chain(links)
    }

    fn bytes(&self) -> usize {
        let parts = self.files();
        parts.map(|(name, text)| name.len() + text.len() + 16).sum()
    }
}

const SCHEMA: &str = "schema.cedarschema";
const LINKS: &str = "links.toml";

fn part(rest: &mut &[u8]) -> Option<String> {
    let (length, after) = rest.split_at_checked(8)?;
    let length = u64::from_be_bytes(length.try_into().ok()?);
    let (text, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    String::from_utf8(text.to_vec()).ok()
}

/// The files of a folder with this extension, by name.
pub(super) fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, PolicyError> {
    let failed = |cause| PolicyError::File {
        path: folder.to_owned(),
        cause,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|end| end == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Reads a bounded text file.
pub(super) fn text(path: &Path) -> Result<String, PolicyError> {
    bounded(path, FILE_BYTES_MAX)
}

fn bounded(path: &Path, bytes_max: u64) -> Result<String, PolicyError> {
    let failed = |cause| PolicyError::File {
        path: path.to_owned(),
        cause,
    };
    if fs::metadata(path).map_err(failed)?.len() > bytes_max {
        let mib = bytes_max / 1024 / 1024;
        return Err(failed(std::io::Error::other(format!(
            "larger than {mib} MiB"
        ))));
    }
    fs::read_to_string(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(policies: Vec<(String, String)>, links: Option<String>) -> PolicyTexts {
        PolicyTexts {
            schema: "namespace Jinku {}".to_owned(),
            policies,
            links,
        }
    }

    #[test]
    fn a_bundle_cut_short_or_longer_is_refused() {
        let whole = texts(vec![("a.cedar".to_owned(), "x".to_owned())], None).bundle();
        for cut in 0..whole.len() {
            // A cut between two files leaves another set, with another digest.
            let read = PolicyTexts::unbundle(&whole[..cut]);
            assert!(read.map_or(true, |read| read.bundle() != whole), "{cut}");
        }
        let longer = [whole.as_slice(), &[0; 8]].concat();
        assert!(PolicyTexts::unbundle(&longer).is_err());
        assert!(PolicyTexts::unbundle(&[255; 16]).is_err());
    }

    proptest! {
        #[test]
        fn what_is_bundled_comes_back(
            policies in prop::collection::btree_map("[a-z]{1,8}\\.cedar", "\\PC{0,40}", 0..5),
            links in prop::option::of("\\PC{0,40}"),
        ) {
            let written = texts(policies.into_iter().collect(), links);
            let read = PolicyTexts::unbundle(&written.bundle()).unwrap();
            prop_assert!(read == written);
            prop_assert_eq!(read.digest(), written.digest());
        }

        #[test]
        fn arbitrary_bytes_are_refused_or_read_back(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(read) = PolicyTexts::unbundle(&bytes) {
                prop_assert_eq!(read.bundle(), bytes);
            }
        }
    }
}
