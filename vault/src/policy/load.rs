//! A policy set at rest: parsed, its templates linked, validated against its schema, and named by digest.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cedar_policy::{Effect, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use ring::digest::{Context, SHA256};

use super::entities::Vocabulary;
use super::slice::Slices;
use super::texts::PolicyTexts;
use super::{Digest, links};

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
    /// A forbid has slots, and no link fills them: it would forbid nothing.
    #[error(
        "`{0}` forbids with slots (`?principal`, `?resource`) that no link of `links.toml` fills: link it, or name whom it means"
    )]
    Slots(String),
    /// `links.toml` can't be followed.
    #[error("`links.toml` can't be followed: {0}")]
    Links(String),
    /// A policy speaks of what the schema does not know.
    #[error("the policies don't fit the schema: {0}")]
    Invalid(String),
    /// The set is too large.
    #[error("a policy set has at most 1,000 files and 16 MiB")]
    TooLarge,
    /// A kept set's bytes are not those of a set.
    #[error("the kept policy set can't be read: the database was altered")]
    Bundle,
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
    parts: Arc<Parts>,
    /// Of its files, what they stand on, and the registry that it is over.
    digest: Digest,
}

/// What does not change with the registry.
struct Parts {
    vocabulary: Vocabulary,
    policies: PolicySet,
    slices: Slices,
    texts: PolicyTexts,
    /// Of its files, and what they stand on.
    files: Digest,
}

impl PolicySetAtRest {
    /// Makes a set of its texts. `directory` is for messages; `ground` enters the digest.
    pub(super) fn build(
        directory: &Path,
        texts: PolicyTexts,
        ground: &[String],
    ) -> Result<Self, PolicyError> {
        let (schema, _) =
            Schema::from_cedarschema_str(&texts.schema).map_err(|error| PolicyError::Schema {
                path: directory.join("schema.cedarschema"),
                cause: error.to_string(),
            })?;
        let mut policies = PolicySet::new();
        for (name, text) in &texts.policies {
            add(&mut policies, text, &directory.join("policies").join(name))?;
        }
        if let Some(text) = &texts.links {
            links::link(&mut policies, text)?;
        }
        no_forbid_is_lost(&policies)?;
        let result = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        if !result.validation_passed() {
            let causes: Vec<String> = result
                .validation_errors()
                .map(ToString::to_string)
                .collect();
            return Err(PolicyError::Invalid(causes.join("; ")));
        }
        let digest = texts.digest_on(ground);
        let slices = Slices::of(&policies, &schema)?;
        Ok(Self {
            parts: Arc::new(Parts {
                vocabulary: Vocabulary::of(schema)?,
                policies,
                slices,
                texts,
                files: digest,
            }),
            digest,
        })
    }

    /// The same set over a registry of units: its digest covers both.
    pub(super) fn over(&self, units: Digest) -> Self {
        let mut both = Context::new(&SHA256);
        both.update(b"jinku/v1 policy set over units");
        both.update(&self.parts.files);
        both.update(&units);
        let mut digest = [0; 32];
        digest.copy_from_slice(both.finish().as_ref());
        Self {
            parts: Arc::clone(&self.parts),
            digest,
        }
    }

    /// Whether a policy that forbids has this word in it. One that can't be looked through might.
    pub(super) fn forbids_by(&self, word: &str) -> bool {
        let forbids = |policy: &&Policy| policy.effect() == Effect::Forbid;
        let mut forbids = self.parts.policies.policies().filter(forbids);
        forbids.any(|policy| policy.to_json().map_or(true, |tree| has(&tree, word)))
    }

    /// The schema, and what every question stands on.
    pub(super) fn vocabulary(&self) -> &Vocabulary {
        &self.parts.vocabulary
    }

    /// All policies.
    pub(super) fn policies(&self) -> &PolicySet {
        &self.parts.policies
    }

    /// The policies that can decide about one unit and action.
    pub(super) fn slices(&self) -> &Slices {
        &self.parts.slices
    }

    /// What it was made of.
    pub(super) fn texts(&self) -> &PolicyTexts {
        &self.parts.texts
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
    for policy in parsed.policies() {
        let id = named(policy.annotation("id")).ok_or_else(missing)?;
        policies.add(policy.new_id(id)).map_err(|_| missing())?;
    }
    for template in parsed.templates() {
        let id = named(template.annotation("id")).ok_or_else(missing)?;
        policies
            .add_template(template.new_id(id))
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

fn named(id: Option<&str>) -> Option<PolicyId> {
    id.filter(|id| !id.is_empty()).map(PolicyId::new)
}

// INVARIANT 9: a forbid whose slots nobody fills would be lost without a word.
fn no_forbid_is_lost(policies: &PolicySet) -> Result<(), PolicyError> {
    let used: HashSet<&str> = policies
        .policies()
        .filter_map(|policy| policy.template_id())
        .map(AsRef::as_ref)
        .collect();
    for template in policies.templates() {
        let id: &str = template.id().as_ref();
        let narrowed = |known: &&str| {
            known
                .strip_prefix(id)
                .is_some_and(|rest| rest.starts_with(" for "))
        };
        if template.effect() == Effect::Forbid && !used.contains(id) && !used.iter().any(narrowed) {
            return Err(PolicyError::Slots(id.to_owned()));
        }
    }
    Ok(())
}
