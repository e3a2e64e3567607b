//! What a slice of a set decides is what the whole set decides, failing policies and all.

use proptest::prelude::*;

use super::{Room, room};
use crate::identity::Proof;
use crate::model::{ClassName, DomainName, Purpose};
use crate::policy::entities::Question;
use crate::policy::{Asker, answers_yes};

const ACTIONS: [&str; 4] = [
    "DetokenizePlain",
    "DetokenizeMasked",
    "DisableToken",
    "Erase",
];
const CLASSES: [&str; 3] = ["name", "pan", "plate-no"];
const PURPOSES: [&str; 2] = ["tax-assessment", "curiosity"];

fn condition() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        4 => prop::sample::select(vec!["revenue", "care", "city", "nobody"])
            .prop_map(|group| format!("principal.groups.contains(\"{group}\")")),
        2 => prop::sample::select(PURPOSES.to_vec())
            .prop_map(|purpose| format!("context.purpose == \"{purpose}\"")),
        1 => Just("principal.clearance >= resource.level".to_owned()),
        1 => Just("principal.compartments.containsAll(resource.compartments)".to_owned()),
        // Overflows for every unit that is cleared at all: the policy fails where this is evaluated.
        1 => Just("principal.clearance * 9223372036854775807 < 0".to_owned()),
        1 => Just("[\"revenue\"].containsAll(principal.groups)".to_owned()),
    ];
    atom.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, b, c)| format!("(if {a} then {b} else {c})")),
        ]
    })
}

fn policy() -> impl Strategy<Value = String> {
    let principal = prop_oneof![
        3 => Just("principal"),
        1 => Just("principal == Jinku::Unit::\"tax-bureau\""),
        1 => Just("principal in Jinku::Unit::\"treasury\""),
        1 => Just("principal is Jinku::Unit"),
    ];
    let action = prop_oneof![
        2 => Just("action == Jinku::Action::\"DetokenizePlain\""),
        1 => Just("action in [Jinku::Action::\"DetokenizePlain\", Jinku::Action::\"DetokenizeMasked\"]"),
        1 => Just("action in [Jinku::Action::\"AdministerToken\", Jinku::Action::\"EraseToken\"]"),
        1 => Just("action in Jinku::Action::\"EraseToken\""),
    ];
    let resource = prop_oneof![
        2 => Just("resource"),
        1 => Just("resource == Jinku::DataClass::\"pan\""),
        1 => Just("resource is Jinku::DataClass"),
    ];
    let conditions = prop::collection::vec((any::<bool>(), condition()), 0..3);
    (any::<bool>(), principal, action, resource, conditions).prop_map(
        |(permits, principal, action, resource, conditions)| {
            let effect = if permits { "permit" } else { "forbid" };
            let conditions: Vec<String> = conditions
                .iter()
                .map(|(when, text)| {
                    let word = if *when { "when" } else { "unless" };
                    format!(" {word} {{ {text} }}")
                })
                .collect();
            let conditions = conditions.concat();
            format!("{effect}({principal}, {action}, {resource}){conditions};")
        },
    )
}

/// Every question of a few, asked of the slice and of the whole set.
fn same_answers(room: &Room) {
    let live = room.policies.live();
    let domain = room
        .policies
        .catalogue
        .domain(&DomainName::parse("city").unwrap())
        .unwrap();
    for unit in room.registry.units() {
        for action in ACTIONS {
            for purpose in PURPOSES.map(|purpose| Purpose::parse(purpose).unwrap()) {
                let asker = Asker {
                    unit,
                    gateway: None,
                    proof: Proof::MutualTls,
                    purpose: Some(&purpose),
                    delivery: action.starts_with("Detokenize").then_some("inline"),
                };
                let slice = live.slice(action, asker);
                for class in CLASSES.map(|class| ClassName::parse(class).unwrap()) {
                    let class = room.policies.catalogue.class(&class).unwrap();
                    let vocabulary = live.set.vocabulary();
                    let question =
                        Question::of_class(action, asker, domain, class, vocabulary).unwrap();
                    assert_eq!(
                        live.permits(&slice, asker, domain, class),
                        answers_yes(live.set.policies(), &question),
                        "{} {action} {} {purpose}",
                        unit.name,
                        class.name
                    );
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    // Invariant 9: what a slice leaves out could neither forbid nor fail.
    #[test]
    fn a_slice_answers_as_the_whole_set_does(policies in prop::collection::vec(policy(), 1..8)) {
        let named = policies.iter().enumerate();
        let named: Vec<String> = named.map(|(n, text)| format!("@id(\"p{n}\") {text}\n")).collect();
        let text = named.concat();
        // Cedar's validator refuses a few: those decide nothing anywhere.
        if let Ok(room) = room(&text) {
            same_answers(&room);
        }
    }
}

#[test]
fn a_slice_holds_what_can_decide_and_not_much_more() {
    let groups = (0..500).map(|n| {
        format!(
            "@id(\"g{n}\") permit(principal, action == Jinku::Action::\"DetokenizePlain\", resource) \
             when {{ principal.groups.contains(\"group-{n}\") && context.purpose == \"p\" }};\n"
        )
    });
    let units = (0..500).map(|n| {
        format!(
            "@id(\"u{n}\") permit(principal == Jinku::Unit::\"unit-{n}\", \
             action == Jinku::Action::\"DetokenizePlain\", resource);\n"
        )
    });
    let mut text: String = groups.chain(units).collect();
    text.push_str(
        "@id(\"all\") forbid(principal, action == Jinku::Action::\"DetokenizePlain\", resource);\n",
    );
    text.push_str(
        "@id(\"mine\") permit(principal == Jinku::Unit::\"tax-bureau\", \
         action == Jinku::Action::\"DetokenizePlain\", resource);\n",
    );
    text.push_str(
        "@id(\"ours\") permit(principal, action == Jinku::Action::\"DetokenizePlain\", resource) \
         when { principal.groups.contains(\"revenue\") || principal.groups.contains(\"x\") };\n",
    );
    let room = room(&text).unwrap();
    let unit = crate::model::UnitName::parse("tax-bureau").unwrap();
    let unit = room.registry.unit(&unit).unwrap();
    let live = room.policies.live();
    let ids: Vec<&str> = live
        .set
        .slices()
        .ids("DetokenizePlain", unit)
        .map(AsRef::as_ref)
        .collect();
    assert_eq!(ids.len(), 3, "{ids:?}");
    assert_eq!(live.set.slices().ids("Erase", unit).count(), 0);
}
