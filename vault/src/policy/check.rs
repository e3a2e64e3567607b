//! Policy tests: `tests/*.toml` beside the policies, each case a request and what is expected of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use kms::{KeyId, KeyKind};
use serde::Deserialize;

use super::cache::Classes;
use super::entities::Question;
use super::texts::{files, text};
use super::{
    Asker, Denied, DetokenizeScope, Policies, PolicyError, TICKET, TokenizeScope, carry, guard_act,
    key_act, policy_act, token_act, unit_act,
};
use crate::identity::Proof;
use crate::model::{
    Catalogue, ClassName, Delivery, DomainName, GatewayName, KeyRecord, Purpose, Registry, Tags,
    UnitName, VAULT,
};

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
    /// `tokenize` or `detokenize` of a class in a domain; else an action of the schema on a key.
    action: String,
    domain: Option<DomainName>,
    class: Option<ClassName>,
    key: Option<CaseKey>,
    /// The unit that something is done to.
    target: Option<UnitName>,
    purpose: Option<Purpose>,
    /// Of a detokenize: `inline` where it is not said, `sealed`, or `ticket`.
    #[serde(default)]
    delivery: CaseDelivery,
    /// `permitted` (tokenize, keys), a view (detokenize), or `denied`.
    expect: String,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum CaseDelivery {
    #[default]
    Inline,
    Sealed,
    Ticket,
}

/// A key that a case speaks of; without one it speaks of the key service.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseKey {
    kind: String,
    /// The unit that made it; without one it is the vault's own.
    owner: Option<UnitName>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// Validates the set below `directory`, and runs its tests.
pub fn check(
    directory: &Path,
    catalogue: Arc<Catalogue>,
    registry: &Registry,
) -> Result<CheckReport, PolicyError> {
    run(
        directory,
        &Policies::load(directory, catalogue, Vec::new())?,
        registry,
    )
}

/// The purposes that the tests below `directory` speak of.
pub(super) fn purposes(directory: &Path) -> Result<BTreeSet<String>, PolicyError> {
    let mut purposes = BTreeSet::new();
    let folder = directory.join("tests");
    // A set that is only compared with another needs no tests.
    if !folder.exists() {
        return Ok(purposes);
    }
    for path in files(&folder, "toml")? {
        let spoken = cases(&path)?.into_iter().filter_map(|case| case.purpose);
        purposes.extend(spoken.map(|purpose| purpose.to_string()));
    }
    Ok(purposes)
}

fn cases(path: &Path) -> Result<Vec<Case>, PolicyError> {
    let cases: Cases = toml::from_str(&text(path)?).map_err(|error| PolicyError::Test {
        path: path.to_owned(),
        cause: error.to_string(),
    })?;
    Ok(cases.case)
}

/// Runs the tests below `directory` against policies that are loaded.
pub(super) fn run(
    directory: &Path,
    policies: &Policies,
    registry: &Registry,
) -> Result<CheckReport, PolicyError> {
    let mut report = CheckReport {
        passed: 0,
        failed: Vec::new(),
    };
    for path in files(&directory.join("tests"), "toml")? {
        let failed = |cause: String| PolicyError::Test {
            path: path.clone(),
            cause,
        };
        for case in cases(&path)? {
            let found = answer(policies, registry, &case).ok_or_else(|| {
                failed(format!(
                    "`{}` names an unknown unit, gateway, kind of key or action, or no purpose",
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
    let asker = Asker {
        unit: registry.unit(&case.unit)?.as_ref(),
        gateway,
        proof,
        purpose: case.purpose.as_ref(),
        delivery: None,
    };
    match case.action.as_str() {
        "tokenize" => tokenized(policies, asker, case),
        "detokenize" => detokenized(policies, asker, case),
        carry::ACTION => carried(policies, asker),
        action => acted(policies, registry, asker, case, action),
    }
}

/// The case's gateway carries its unit.
fn carried(policies: &Policies, asker: Asker<'_>) -> Option<String> {
    let carriage = carry::Carriage {
        gateway: asker.gateway?,
        unit: asker.unit,
        proof: asker.proof,
        route: None,
    };
    let carried = policies.carries(carriage);
    Some(carried.map_or_else(|_| word(Denied::NotPermitted), |()| "permitted".to_owned()))
}

fn tokenized(policies: &Policies, asker: Asker<'_>, case: &Case) -> Option<String> {
    let classes = BTreeSet::from([case.class.clone()?]);
    let scope = TokenizeScope {
        domain: case.domain.as_ref()?,
        classes: &classes,
    };
    let asker = Asker {
        purpose: None,
        ..asker
    };
    let grant = policies.tokenize_grant(&policies.live(), asker, scope);
    Some(grant.map_or_else(word, |_| "permitted".to_owned()))
}

fn detokenized(policies: &Policies, asker: Asker<'_>, case: &Case) -> Option<String> {
    let (domain, purpose) = (case.domain.as_ref()?, case.purpose.as_ref()?);
    let class = case.class.as_ref()?;
    let delivery = match case.delivery {
        CaseDelivery::Inline => Delivery::Inline,
        CaseDelivery::Sealed => Delivery::Sealed,
        // What the unit could see of the class is what its right to make a ticket rests on.
        CaseDelivery::Ticket => {
            let views = policies.views(&policies.live(), asker.to_see(TICKET), domain);
            return Some(views.map_or_else(word, |views| {
                let view = views.get(class);
                view.map_or_else(|| "denied".to_owned(), ToString::to_string)
            }));
        }
    };
    let scope = DetokenizeScope {
        domain,
        purpose,
        delivery,
    };
    let view = policies.detokenize_grant(&policies.live(), asker, scope);
    let view = view.map(|grant| grant.view(class));
    Some(view.map_or_else(word, |view| {
        view.map_or_else(|| "denied".to_owned(), |view| view.to_string())
    }))
}

/// An act of the guard on a unit, or on a class. What is asked of grants needs one, and is no case.
fn guarded(
    policies: &Policies,
    registry: &Registry,
    asker: Asker<'_>,
    case: &Case,
    action: &'static str,
) -> Option<String> {
    let live = policies.live();
    let granted = if let Some(unit) = &case.target {
        live.permits_on_unit(action, asker, registry.unit(unit)?)
    } else {
        let classes = BTreeSet::from([case.class.clone()?]);
        let domain = case.domain.as_ref()?;
        policies.grants_on_classes(&live, action, asker, (domain, &classes))
    };
    Some(granted.map_or_else(word, |()| "permitted".to_owned()))
}

fn acted(
    policies: &Policies,
    registry: &Registry,
    asker: Asker<'_>,
    case: &Case,
    action: &str,
) -> Option<String> {
    if let Some(action) = token_act::ACTIONS.iter().find(|known| **known == action) {
        return acted_on_tokens(policies, asker, case, action);
    }
    if let Some(action) = unit_act::ACTIONS.iter().find(|known| **known == action) {
        let target = case.target.as_ref().map(|name| registry.unit(name));
        let target = target.map_or(Some(None), |found| found.map(Some))?;
        let granted = policies.permits_unit_act(action, asker, target)?;
        return Some(granted.map_or_else(word, |()| "permitted".to_owned()));
    }
    if let Some(action) = guard_act::ACTIONS.iter().find(|known| **known == action) {
        return guarded(policies, registry, asker, case, action);
    }
    if let Some(action) = policy_act::ACTIONS.iter().find(|known| **known == action) {
        let live = policies.live();
        let question = || Question::of_policies(action, asker, live.set.vocabulary());
        let granted = live.permitted(action, asker, question);
        return Some(granted.map_or_else(word, |()| "permitted".to_owned()));
    }
    let action = key_act::ACTIONS.iter().find(|known| **known == action)?;
    let key = match &case.key {
        Some(key) => Some(key.record()?),
        None => None,
    };
    let grant = policies.live().grants_act(action, asker, key.as_ref());
    Some(grant.map_or_else(word, |()| "permitted".to_owned()))
}

fn acted_on_tokens(
    policies: &Policies,
    asker: Asker<'_>,
    case: &Case,
    action: &'static str,
) -> Option<String> {
    let (domain, class) = (case.domain.as_ref()?, case.class.as_ref()?);
    // A purpose is mandatory: a case without one asks nothing.
    case.purpose.as_ref()?;
    let grant = policies.token_classes(&policies.live(), asker, action, domain);
    let permitted = |(classes, _): (Classes, bool)| {
        if classes.contains(class) {
            "permitted".to_owned()
        } else {
            word(Denied::NotPermitted)
        }
    };
    Some(grant.map_or_else(word, permitted))
}

impl CaseKey {
    fn record(&self) -> Option<KeyRecord> {
        let owner = self.owner.as_ref().map_or(VAULT, UnitName::as_str);
        let mut record = KeyRecord::wished(
            KeyId::random().ok()?,
            KeyKind::parse(&self.kind).ok()?,
            owner.to_owned(),
        );
        record.tags = Tags::parse(self.tags.clone()).ok()?;
        Some(record)
    }
}

fn word(denied: Denied) -> String {
    match denied {
        Denied::NotPermitted => "denied",
        Denied::UnknownDomain => "unknown-domain",
        Denied::UnknownClass => "unknown-class",
        Denied::UnknownKey => "unknown-key",
        Denied::UnknownUnit => "unknown-unit",
        Denied::UnknownProposal => "unknown-proposal",
        Denied::UnknownGrant => "unknown-grant",
    }
    .to_owned()
}
