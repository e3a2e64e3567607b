//! Templates and their links: what comes of them, and what is refused.

use std::fs;

use super::{PLAIN, Room, room};
use crate::model::{ClassName, Delivery, DomainName, Purpose, UnitName, View};
use crate::policy::{Asker, DetokenizeScope, PolicyError};

const TEMPLATE: &str = r#"@id("sees") permit(principal == ?principal,
    action == Jinku::Action::"DetokenizePlain", resource == ?resource);"#;

fn linked(text: &str, links: &str) -> Result<Room, PolicyError> {
    let room = room(text)?;
    fs::write(room.folder.path().join("links.toml"), links).unwrap();
    room.policies.reload()?;
    Ok(room)
}

fn link(id: &str, more: &str) -> String {
    format!("[[link]]\nid = \"{id}\"\ntemplate = \"sees\"\n{more}\n")
}

impl Room {
    fn sees(&self, unit: &str, class: &str, purpose: &str) -> Option<View> {
        let purpose = Purpose::parse(purpose).unwrap();
        let unit = self.registry.unit(&UnitName::parse(unit).unwrap()).unwrap();
        let asker = Asker {
            unit,
            gateway: None,
            proof: crate::identity::Proof::MutualTls,
            purpose: Some(&purpose),
            delivery: None,
        };
        let scope = DetokenizeScope {
            domain: &DomainName::parse("city").unwrap(),
            purpose: &purpose,
            delivery: Delivery::Inline,
        };
        let live = self.policies.live();
        let grant = self.policies.detokenize_grant(&live, asker, scope).ok()?;
        grant.view(&ClassName::parse(class).unwrap())
    }
}

#[test]
fn a_link_permits_its_unit_its_class_for_its_purpose() {
    let links = link(
        "one",
        "unit = \"treasury\"\nclass = \"name\"\npurpose = \"refund\"\nnote = \"n\"",
    ) + &link("two", "unit = \"treasury\"\nclass = \"pan\"")
        + &link(
            "three",
            "unit = \"tax-bureau\"\nclass = \"name\"\npurpose = \"refund\"",
        );
    let room = linked(TEMPLATE, &links).unwrap();
    assert_eq!(room.sees("treasury", "name", "refund"), Some(View::Plain));
    assert_eq!(room.sees("treasury", "name", "other"), None);
    assert_eq!(room.sees("treasury", "pan", "other"), Some(View::Plain));
    assert_eq!(room.sees("tax-bureau", "name", "refund"), Some(View::Plain));
    assert_eq!(room.sees("tax-bureau", "pan", "refund"), None);
    assert_eq!(room.sees("health-bureau", "name", "refund"), None);
}

#[test]
fn links_are_in_the_digest() {
    let room = linked(TEMPLATE, "").unwrap();
    let (set, whole) = (room.policies.set_digest(), room.policies.digest());
    let links = link("one", "unit = \"treasury\"\nclass = \"name\"");
    fs::write(room.folder.path().join("links.toml"), links).unwrap();
    assert_ne!(room.policies.reload().unwrap(), whole);
    assert_ne!(room.policies.set_digest(), set);
}

#[test]
fn a_link_that_can_t_be_followed_is_refused_by_its_name() {
    let good = "unit = \"treasury\"\nclass = \"name\"";
    for (what, links) in [
        (
            "no template",
            link("x", good).replace("\"sees\"", "\"other\""),
        ),
        ("a slot is empty", link("x", "unit = \"treasury\"")),
        ("a name stands twice", link("x", good) + &link("x", good)),
        ("a policy's name", link("plain", good)),
        ("no name", link("", good)),
        (
            "a key that nobody knows",
            link("x", &format!("{good}\nuntil = 3")),
        ),
        (
            "not a name",
            link("x", "unit = \"Tax Bureau\"\nclass = \"name\""),
        ),
    ] {
        let text = format!("{PLAIN}{TEMPLATE}");
        assert!(
            matches!(linked(&text, &links), Err(PolicyError::Links(_))),
            "{what}"
        );
    }
}

// Invariant 9: a link's forbid holds like any other, and a forbid that no link fills is refused.
#[test]
fn a_forbid_with_slots_holds_where_it_is_linked_and_is_refused_where_it_is_not() {
    let forbid = r#"@id("sees") forbid(principal == ?principal, action, resource == ?resource);"#;
    let links = link("x", "unit = \"treasury\"\nclass = \"name\"");
    let room = linked(
        &format!("{PLAIN}{}", TEMPLATE.replace("sees", "unused")),
        "",
    )
    .unwrap();
    assert_eq!(room.sees("treasury", "name", "p"), Some(View::Plain));
    fs::write(room.folder.path().join("links.toml"), links).unwrap();
    super::write(room.folder.path(), &format!("{PLAIN}{forbid}"));
    room.policies.reload().unwrap();
    assert_eq!(room.sees("treasury", "name", "p"), None);
    assert_eq!(room.sees("tax-bureau", "name", "p"), Some(View::Plain));
    fs::write(room.folder.path().join("links.toml"), "").unwrap();
    assert!(matches!(room.policies.reload(), Err(PolicyError::Slots(_))));
}
