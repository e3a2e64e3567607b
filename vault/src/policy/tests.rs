//! The room's rules, over policy sets made for each.

mod city;
mod decisions;
mod door;
mod links;
mod slices;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::{Asker, Denied, DetokenizeScope, Policies, PolicyError, TokenizeScope};
use crate::identity::Proof;
use crate::model::{Catalogue, ClassName, Delivery, DomainName, Purpose, Registry, UnitName, View};

const SCHEMA: &str = include_str!("../../../policies/schema.cedarschema");
const CLASSES: &str = include_str!("../../../policies/classes.toml");
const UNITS: &str = include_str!("../../../policies/units.toml");

struct Room {
    folder: tempfile::TempDir,
    policies: Policies,
    registry: Registry,
}

fn write(folder: &Path, text: &str) {
    fs::write(folder.join("policies/only.cedar"), text).unwrap();
}

fn room(text: &str) -> Result<Room, PolicyError> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("policies")).unwrap();
    fs::write(folder.path().join("schema.cedarschema"), SCHEMA).unwrap();
    write(folder.path(), text);
    let catalogue = Arc::new(Catalogue::parse(CLASSES).unwrap());
    let registry = Registry::parse(UNITS, &catalogue).unwrap();
    let policies = Policies::load(folder.path(), catalogue, [UNITS.to_owned()])?;
    Ok(Room {
        folder,
        policies,
        registry,
    })
}

impl Room {
    fn view(&self, unit: &str, class: &str) -> Result<Option<View>, Denied> {
        let purpose = Purpose::parse("tax-assessment").unwrap();
        let domain = DomainName::parse("city").unwrap();
        let unit = self.registry.unit(&UnitName::parse(unit).unwrap()).unwrap();
        let asker = Asker {
            unit,
            gateway: None,
            proof: Proof::MutualTls,
            purpose: Some(&purpose),
            delivery: None,
        };
        let scope = DetokenizeScope {
            domain: &domain,
            purpose: &purpose,
            delivery: Delivery::Inline,
        };
        let grant = self
            .policies
            .detokenize_grant(&self.policies.live(), asker, scope)?;
        Ok(grant.view(&ClassName::parse(class).unwrap()))
    }

    fn tokenize(&self, unit: &str, class: &str) -> Result<(), Denied> {
        let domain = DomainName::parse("city").unwrap();
        let unit = self.registry.unit(&UnitName::parse(unit).unwrap()).unwrap();
        let asker = Asker {
            unit,
            gateway: None,
            proof: Proof::MutualTls,
            purpose: None,
            delivery: None,
        };
        let classes = BTreeSet::from([ClassName::parse(class).unwrap()]);
        let scope = TokenizeScope {
            domain: &domain,
            classes: &classes,
        };
        self.policies
            .tokenize_grant(&self.policies.live(), asker, scope)
            .map(drop)
    }
}

const PLAIN: &str =
    r#"@id("plain") permit(principal, action == Jinku::Action::"DetokenizePlain", resource);"#;
const MASKED: &str =
    r#"@id("masked") permit(principal, action == Jinku::Action::"DetokenizeMasked", resource);"#;
const TOKENIZE: &str =
    r#"@id("tokenize") permit(principal, action == Jinku::Action::"Tokenize", resource);"#;

// Invariant 9: no matching policy is a denial.
#[test]
fn an_empty_set_permits_nothing() {
    let room = room("").unwrap();
    assert_eq!(room.view("tax-bureau", "name"), Err(Denied::NotPermitted));
    assert_eq!(
        room.tokenize("tax-bureau", "name"),
        Err(Denied::NotPermitted)
    );
}

// Invariant 9: deny wins.
#[test]
fn a_forbid_wins_over_every_permit() {
    let forbid = r#"@id("no") forbid(principal == Jinku::Unit::"tax-bureau", action, resource);"#;
    let room = room(&format!("{PLAIN}\n{MASKED}\n{forbid}")).unwrap();
    assert_eq!(room.view("tax-bureau", "name"), Err(Denied::NotPermitted));
    assert_eq!(room.view("parking-office", "name"), Ok(Some(View::Plain)));
}

#[test]
fn the_strongest_permitted_view_is_granted() {
    assert_eq!(
        room(MASKED).unwrap().view("tax-bureau", "name"),
        Ok(Some(View::Masked))
    );
    let both = room(&format!("{MASKED}\n{PLAIN}")).unwrap();
    assert_eq!(both.view("tax-bureau", "name"), Ok(Some(View::Plain)));
}

#[test]
fn words_that_stand_nowhere_have_answers_of_their_own() {
    let room = room(TOKENIZE).unwrap();
    assert_eq!(room.tokenize("tax-bureau", "name"), Ok(()));
    assert_eq!(
        room.tokenize("tax-bureau", "no-such-class"),
        Err(Denied::UnknownClass)
    );
}

#[test]
fn a_policy_that_does_not_fit_the_schema_is_refused() {
    let wrong = r#"@id("w") permit(principal, action, resource) when { principal.nonsense == 1 };"#;
    assert!(matches!(room(wrong), Err(PolicyError::Invalid(_))));
    assert!(matches!(
        room("permit(principal, action"),
        Err(PolicyError::Syntax { .. })
    ));
    assert!(matches!(
        room(&PLAIN.replace("@id(\"plain\")", "")),
        Err(PolicyError::Id { .. })
    ));
    assert!(matches!(
        room(&format!("{PLAIN}{PLAIN}")),
        Err(PolicyError::Id { .. })
    ));
}

// Invariant 9: where no link fills a template's slots, a forbid in it would be lost.
#[test]
fn a_forbid_with_slots_that_nobody_fills_is_refused() {
    let slots = r#"@id("no") forbid(principal == ?principal, action, resource);"#;
    assert!(matches!(
        room(&format!("{PLAIN}{slots}")),
        Err(PolicyError::Slots(_))
    ));
}

// Invariant 9: a forbid that fails to evaluate (here an overflow) might have been the one that holds.
#[test]
fn a_policy_that_fails_to_evaluate_denies() {
    let fails = r#"@id("no") forbid(principal is Jinku::Unit, action, resource)
        when { principal.clearance * 9223372036854775807 < 0 };"#;
    let room = room(&format!("{PLAIN}{fails}")).unwrap();
    assert_eq!(room.view("tax-bureau", "name"), Err(Denied::NotPermitted));
    // Clearance 0 does not overflow.
    assert_eq!(room.view("service-counter", "name"), Ok(Some(View::Plain)));
}

#[test]
fn an_unknown_attribute_leaves_the_last_good_set() {
    let room = room(PLAIN).unwrap();
    write(
        room.folder.path(),
        r#"@id("w") permit(principal, action, resource) when { principal.nonsense == 1 };"#,
    );
    assert!(matches!(
        room.policies.reload(),
        Err(PolicyError::Invalid(_))
    ));
    assert_eq!(room.view("tax-bureau", "name"), Ok(Some(View::Plain)));
}

#[test]
fn the_digest_tells_file_names_and_borders_apart() {
    let room = room(PLAIN).unwrap();
    let policies = room.folder.path().join("policies");
    let first = room.policies.digest();
    assert_eq!(room.policies.reload().unwrap(), first);

    fs::rename(policies.join("only.cedar"), policies.join("other.cedar")).unwrap();
    let renamed = room.policies.reload().unwrap();
    assert_ne!(renamed, first);

    // Strung together without lengths, these two sets are the same bytes.
    fs::write(policies.join("other.cedar"), format!("{PLAIN}//")).unwrap();
    fs::write(policies.join("rest.cedar"), "").unwrap();
    let two = room.policies.reload().unwrap();
    fs::write(policies.join("other.cedar"), format!("{PLAIN}//rest.cedar")).unwrap();
    fs::remove_file(policies.join("rest.cedar")).unwrap();
    assert_ne!(room.policies.reload().unwrap(), two);
}

// Invariant 9: an unreadable set is refused and the last good one stays.
#[test]
fn the_last_good_set_stays_when_a_reload_fails() {
    let room = room(PLAIN).unwrap();
    let digest = room.policies.digest();
    write(room.folder.path(), "permit(");
    assert!(room.policies.reload().is_err());
    assert_eq!(room.policies.digest(), digest);
    assert_eq!(room.view("tax-bureau", "name"), Ok(Some(View::Plain)));
}

#[test]
fn a_reload_forgets_decisions_and_changes_the_digest() {
    let room = room(PLAIN).unwrap();
    let digest = room.policies.digest();
    assert_eq!(room.view("tax-bureau", "name"), Ok(Some(View::Plain)));
    write(room.folder.path(), MASKED);
    assert_ne!(room.policies.reload().unwrap(), digest);
    assert_eq!(room.view("tax-bureau", "name"), Ok(Some(View::Masked)));
}

#[test]
fn a_raised_clearance_changes_the_digest() {
    let room = room(PLAIN).unwrap();
    let raised = UNITS.replace("clearance = \"internal\"", "clearance = \"restricted\"");
    assert_ne!(raised, UNITS);
    let catalogue = Arc::new(Catalogue::parse(CLASSES).unwrap());
    let other = Policies::load(room.folder.path(), catalogue, [raised]).unwrap();
    assert_ne!(other.digest(), room.policies.digest());
}
