//! A policy set at rest: read, parsed, validated against its schema, and named by digest.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cedar_policy::{Effect, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use ring::digest::{Context, SHA256};

use super::Digest;

/// Largest policy or schema file, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Why a policy set was refused. The last good one stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A file or directory can't be read.
    #[error("`{path}` can't be read: {cause}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The schema is not a Cedar schema.
    #[error("`{path}` is not a Cedar schema: {cause}")]
    Schema {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        cause: String,
    },
    /// A file does not hold Cedar policies.
    #[error("`{path}` does not hold Cedar policies: {cause}")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        cause: String,
    },
    /// A policy has no `@id`, or one that another policy has.
    #[error("a policy in `{path}` has no `@id`, or one that stands already")]
    Id {
        /// Which file.
        path: PathBuf,
    },
    /// A policy has slots. Nothing here fills them, so it would decide nothing, forbids included.
    #[error("`{path}` holds a policy with slots (`?principal`, `?resource`): name whom it means")]
    Slots {
        /// Which file.
        path: PathBuf,
    },
    /// A policy speaks of what the schema does not know.
    #[error("the policies don't fit the schema: {0}")]
    Invalid(String),
    /// A policy test can't be read.
    #[error("`{path}` is not a policy test: {cause}")]
    Test {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        cause: String,
    },
}

/// A validated set.
pub(super) struct PolicySetAtRest {
    schema: Arc<Schema>,
    policies: Arc<PolicySet>,
    /// Of its files, and what they stand on.
    files: Digest,
    digest: Digest,
}

impl PolicySetAtRest {
    /// Reads `schema.cedarschema` and `policies/*.cedar`, in the order of their names.
    pub(super) fn read(directory: &Path, ground: &[String]) -> Result<Self, PolicyError> {
        let mut digest = Context::new(&SHA256);
        for text in ground {
            enter(&mut digest, text.as_bytes());
        }
        let path = directory.join("schema.cedarschema");
        let text = digested(&path, &mut digest)?;
        let (schema, _) =
            Schema::from_cedarschema_str(&text).map_err(|error| PolicyError::Schema {
                path,
                cause: error.to_string(),
            })?;
        let mut policies = PolicySet::new();
        for path in files(&directory.join("policies"), "cedar")? {
            let text = digested(&path, &mut digest)?;
            add(&mut policies, &text, &path)?;
        }
        let result = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        if !result.validation_passed() {
            let causes: Vec<String> = result
                .validation_errors()
                .map(ToString::to_string)
                .collect();
            return Err(PolicyError::Invalid(causes.join("; ")));
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.finish().as_ref());
        Ok(Self {
            schema: schema.into(),
            policies: policies.into(),
            files: bytes,
            digest: bytes,
        })
    }

    /// The same set over a registry of units: its digest covers both.
    pub(super) fn over(&self, units: Digest) -> Self {
        let mut both = Context::new(&SHA256);
        enter(&mut both, &self.files);
        enter(&mut both, &units);
        let mut digest = [0; 32];
        digest.copy_from_slice(both.finish().as_ref());
        Self {
            schema: Arc::clone(&self.schema),
            policies: Arc::clone(&self.policies),
            files: self.files,
            digest,
        }
    }

    /// Whether a policy that forbids has this word in it. One that can't be looked through might.
    pub(super) fn forbids_by(&self, word: &str) -> bool {
        let forbids = |policy: &&Policy| policy.effect() == Effect::Forbid;
        let mut forbids = self.policies.policies().filter(forbids);
        forbids.any(|policy| policy.to_json().map_or(true, |tree| has(&tree, word)))
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    pub(super) fn policies(&self) -> &PolicySet {
        &self.policies
    }

    pub(super) fn digest(&self) -> Digest {
        self.digest
    }
}

/// Each policy is known by its `@id`, so that a person finds the one that decided.
fn add(policies: &mut PolicySet, text: &str, path: &Path) -> Result<(), PolicyError> {
    let parsed: PolicySet =
        text.parse()
            .map_err(|error: cedar_policy::ParseErrors| PolicyError::Syntax {
                path: path.to_owned(),
                cause: error.to_string(),
            })?;
    let missing = || PolicyError::Id {
        path: path.to_owned(),
    };
    // `policies()` passes over templates: a forbid among them would be lost without a word.
    if parsed.num_of_templates() > 0 {
        return Err(PolicyError::Slots {
            path: path.to_owned(),
        });
    }
    for policy in parsed.policies() {
        let id = policy
            .annotation("id")
            .filter(|id| !id.is_empty())
            .ok_or_else(missing)?;
        policies
            .add(policy.new_id(PolicyId::new(id)))
            .map_err(|_| missing())?;
    }
    Ok(())
}

/// Whether a text of a policy's tree is this word, however it was spelled in the file.
fn has(tree: &serde_json::Value, word: &str) -> bool {
    match tree {
        serde_json::Value::String(text) => text == word,
        serde_json::Value::Array(all) => all.iter().any(|one| has(one, word)),
        serde_json::Value::Object(all) => all.values().any(|one| has(one, word)),
        _ => false,
    }
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
    let failed = |cause| PolicyError::File {
        path: path.to_owned(),
        cause,
    };
    if fs::metadata(path).map_err(failed)?.len() > FILE_BYTES_MAX {
        return Err(failed(std::io::Error::other("larger than 1 MiB")));
    }
    fs::read_to_string(path).map_err(failed)
}

/// Name and contents enter the digest behind their lengths: no two sets have one input.
fn digested(path: &Path, digest: &mut Context) -> Result<String, PolicyError> {
    let text = text(path)?;
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    for part in [name, text.as_bytes()] {
        enter(digest, part);
    }
    Ok(text)
}

fn enter(digest: &mut Context, part: &[u8]) {
    digest.update(&(part.len() as u64).to_be_bytes());
    digest.update(part);
}
