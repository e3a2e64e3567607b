//! Delegation: whether a gateway may carry a unit's requests. The unit's own proof is looked at before; this says
//! who else may bring it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::{Digest, Live, Policies, Slice};
use crate::identity::{Caller, Proof};
use crate::model::{Gateway, GatewayName, RouteName, Unit};

use super::entities::Question;

/// The action, as the Cedar schema names it.
pub(super) const ACTION: &str = "Carry";
/// Decisions kept at once; beyond it the cache begins anew.
const ENTRIES_MAX: usize = 4_096;

/// No policy lets this gateway carry this unit, or one forbids it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("policy does not permit this gateway to carry this unit's requests")]
pub struct NotCarried {
    /// Digest of the policy set that said so.
    pub policy: Digest,
}

/// Who carries whom, how the unit proved itself, and on which of the gateway's routes.
#[derive(Clone, Copy)]
pub(super) struct Carriage<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) unit: &'a Unit,
    pub(super) proof: Proof,
    pub(super) route: Option<&'a RouteName>,
}

/// Decisions of one policy set: every fact that one depends on is in its key.
#[derive(Default)]
pub(super) struct Carriages(Mutex<HashMap<Key, bool>>);

/// Of the unit the digest of its document: one that is changed is asked about anew. Of a gateway Cedar sees its name only.
type Key = (GatewayName, [u8; 32], Proof, Option<RouteName>);

impl Policies {
    /// May the gateway that carries the caller do so? Of a caller that nobody carries nothing is asked.
    ///
    /// `route` is the gateway's word: which of its own routes the request came by.
    pub fn may_carry(&self, caller: &Caller, route: Option<&RouteName>) -> Result<(), NotCarried> {
        let Some(gateway) = caller.gateway() else {
            return Ok(());
        };
        self.carries(Carriage {
            gateway,
            unit: caller.unit(),
            proof: caller.proof(),
            route,
        })
    }

    pub(super) fn carries(&self, carriage: Carriage<'_>) -> Result<(), NotCarried> {
        let live = self.live();
        let key = (
            carriage.gateway.name.clone(),
            carriage.unit.document.digest(),
            carriage.proof,
            carriage.route.cloned(),
        );
        // INVARIANT 9: a set that does not know the action permits nothing of it.
        let decide = || {
            let slice = live.carriage(carriage.unit);
            slice.answers_yes(|| Question::of_carriage(carriage, live.set.vocabulary()))
        };
        if live.cache.carriages.decided(key, decide) {
            Ok(())
        } else {
            Err(NotCarried {
                policy: live.set.digest(),
            })
        }
    }
}

impl Live {
    /// The policies that can decide who carries the unit. None of those that are left out for its name or groups
    /// is about a gateway: what they ask of a principal no gateway has.
    fn carriage(&self, unit: &Unit) -> Slice {
        Slice {
            action: ACTION,
            policies: self.set.slices().slice(ACTION, unit),
        }
    }
}

impl Carriages {
    /// Deciding happens outside the lock: nobody waits for Cedar.
    fn decided(&self, key: Key, decide: impl FnOnce() -> bool) -> bool {
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept().get(&key) {
            return *known;
        }
        let decided = decide();
        let mut kept = kept();
        if kept.len() >= ENTRIES_MAX {
            kept.clear();
        }
        kept.insert(key, decided);
        decided
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::model::{Catalogue, Registry, UnitDocument, UnitName};

    const CITY: &str = "policies/60-delegation.cedar";

    fn shipped() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies")
    }

    struct Room {
        folder: tempfile::TempDir,
        policies: Policies,
        registry: Registry,
    }

    impl Room {
        fn carried(&self, unit: &str, route: Option<&str>) -> bool {
            let gateway = GatewayName::parse("city-gateway").unwrap();
            let route = route.map(|route| RouteName::parse(route).unwrap());
            let carriage = Carriage {
                gateway: self.registry.gateway(&gateway).unwrap(),
                unit: self.registry.unit(&UnitName::parse(unit).unwrap()).unwrap(),
                proof: Proof::AccessToken,
                route: route.as_ref(),
            };
            self.policies.carries(carriage).is_ok()
        }

        fn rewrite(&self, text: &str) {
            std::fs::write(self.folder.path().join(CITY), text).unwrap();
            self.policies.reload().unwrap();
        }
    }

    fn room() -> Room {
        let read = |name: &str| std::fs::read_to_string(shipped().join(name)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("policies")).unwrap();
        for name in ["schema.cedarschema", CITY] {
            std::fs::write(folder.path().join(name), read(name)).unwrap();
        }
        let catalogue = Arc::new(Catalogue::parse(&read("classes.toml")).unwrap());
        let registry = Registry::parse(&read("units.toml"), &catalogue).unwrap();
        let policies = Policies::load(folder.path(), catalogue, Vec::new()).unwrap();
        Room {
            folder,
            policies,
            registry,
        }
    }

    #[test]
    fn the_shipped_policy_lets_the_citys_gateway_carry_the_city() {
        let room = room();
        for unit in room.registry.units() {
            assert!(room.carried(unit.name.as_str(), None), "{}", unit.name);
        }
    }

    // Invariant 9: no matching policy is a denial, and deny wins.
    #[test]
    fn a_new_set_decides_at_once_and_nothing_is_carried_without_a_policy() {
        let room = room();
        assert!(room.carried("tax-bureau", None));
        room.rewrite(
            r#"@id("route") permit (principal, action == Jinku::Action::"Carry", resource)
               when { context has route && context.route == "tax" };
               @id("not") forbid (principal, action == Jinku::Action::"Carry", resource == Jinku::Unit::"treasury");"#,
        );
        assert!(!room.carried("tax-bureau", None));
        assert!(room.carried("tax-bureau", Some("tax")));
        assert!(!room.carried("tax-bureau", Some("other")));
        assert!(!room.carried("treasury", Some("tax")));
        room.rewrite("");
        assert!(!room.carried("tax-bureau", Some("tax")));
    }

    #[test]
    fn a_unit_that_was_changed_is_asked_about_anew() {
        let mut room = room();
        room.rewrite(
            r#"@id("city") permit (principal, action == Jinku::Action::"Carry", resource)
               when { resource.groups.contains("city") };"#,
        );
        let document = |groups: &str| {
            let text = format!(
                r#"{{"name":"later","title_zh":"","title_en":"","clearance":"public","token_subject":"l","groups":[{groups}]}}"#
            );
            UnitDocument::parse(&text).unwrap()
        };
        let read = |name: &str| std::fs::read_to_string(shipped().join(name)).unwrap();
        let catalogue = Catalogue::parse(&read("classes.toml")).unwrap();
        let mut with = |groups: &str, revision| {
            let unit = Unit::registered(&document(groups), revision, &catalogue).unwrap();
            room.registry = room.registry.with(Arc::new(unit)).unwrap();
            room.carried("later", None)
        };
        assert!(with("\"city\"", 1));
        assert!(!with("", 2));
        assert!(with("\"city\"", 3));
    }

    #[test]
    fn a_schema_that_knows_no_carrying_lets_nobody_be_carried() {
        let room = room();
        let schema = room.folder.path().join("schema.cedarschema");
        let text = std::fs::read_to_string(&schema).unwrap();
        std::fs::write(&schema, text.replace("action Carry ", "action Bear ")).unwrap();
        room.rewrite("");
        assert!(!room.carried("tax-bureau", None));
    }
}
