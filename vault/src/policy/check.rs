//! Policy tests: `tests/*.toml` beside the policies, each case a request and what is expected of it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::load::{files, text};
use super::{Asker, Denied, DetokenizeScope, Policies, PolicyError, TokenizeScope};
use crate::identity::Proof;
use crate::model::{Catalogue, ClassName, DomainName, GatewayName, Purpose, Registry, UnitName};

/// What came of a run.
pub struct CheckReport {
    /// Cases that came out as expected.
    pub passed: usize,
    /// The others.
    pub failed: Vec<FailedCase>,
}

/// A case that came out otherwise.
pub struct FailedCase {
    name: String,
    expected: String,
    found: String,
}

impl fmt::Display for FailedCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: expected {}, found {}",
            self.name, self.expected, self.found
        )
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    unit: UnitName,
    gateway: Option<GatewayName>,
    action: Verb,
    domain: DomainName,
    class: ClassName,
    purpose: Option<Purpose>,
    /// `permitted` (tokenize), a view (detokenize), or `denied`.
    expect: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Verb {
    Tokenize,
    Detokenize,
}

/// Validates the set below `directory`, and runs its tests.
pub fn check(
    directory: &Path,
    catalogue: Arc<Catalogue>,
    registry: &Registry,
) -> Result<CheckReport, PolicyError> {
    let policies = Policies::load(directory, catalogue, Vec::new())?;
    let mut report = CheckReport {
        passed: 0,
        failed: Vec::new(),
    };
    for path in files(&directory.join("tests"), "toml")? {
        let failed = |cause: String| PolicyError::Test {
            path: path.clone(),
            cause,
        };
        let cases: Cases =
            toml::from_str(&text(&path)?).map_err(|error| failed(error.to_string()))?;
        for case in cases.case {
            let found = answer(&policies, registry, &case).ok_or_else(|| {
                failed(format!(
                    "`{}` names an unknown unit, gateway or no purpose",
                    case.name
                ))
            })?;
            if found == case.expect {
                report.passed += 1;
            } else {
                let Case {
                    name,
                    expect: expected,
                    ..
                } = case;
                report.failed.push(FailedCase {
                    name,
                    expected,
                    found,
                });
            }
        }
    }
    Ok(report)
}

fn answer(policies: &Policies, registry: &Registry, case: &Case) -> Option<String> {
    let gateway = match &case.gateway {
        Some(name) => Some(registry.gateway(name)?.as_ref()),
        None => None,
    };
    let proof = if gateway.is_some() {
        Proof::AccessToken
    } else {
        Proof::MutualTls
    };
    let unit = registry.unit(&case.unit)?.as_ref();
    let live = policies.live();
    match case.action {
        Verb::Tokenize => {
            let asker = Asker {
                unit,
                gateway,
                proof,
                purpose: None,
            };
            let classes = BTreeSet::from([case.class.clone()]);
            let scope = TokenizeScope {
                domain: &case.domain,
                classes: &classes,
            };
            let grant = policies.tokenize_grant(&live, asker, scope);
            Some(grant.map_or_else(word, |_| "permitted".to_owned()))
        }
        Verb::Detokenize => {
            let purpose = case.purpose.as_ref()?;
            let asker = Asker {
                unit,
                gateway,
                proof,
                purpose: Some(purpose),
            };
            let scope = DetokenizeScope {
                domain: &case.domain,
                purpose,
            };
            let view = policies.detokenize_grant(&live, asker, scope);
            let view = view.map(|grant| grant.view(&case.class));
            Some(view.map_or_else(word, |view| {
                view.map_or_else(|| "denied".to_owned(), |view| view.to_string())
            }))
        }
    }
}

fn word(denied: Denied) -> String {
    match denied {
        Denied::NotPermitted => "denied",
        Denied::UnknownDomain => "unknown-domain",
        Denied::UnknownClass => "unknown-class",
    }
    .to_owned()
}
