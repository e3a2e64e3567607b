//! Which policies can decide about a unit and an action: the others are left out before Cedar evaluates.
//!
//! What is left out would not be satisfied and would not fail. Cedar evaluates a policy's scope first, then its
//! conditions from the left, and stops at the first that is false. So a policy can't matter where its scope names
//! another action or unit, or where its condition begins by asking for a group that the unit is not in.

use std::collections::{BTreeSet, HashMap};

use cedar_policy::{
    ActionConstraint, EntityUid, Policy, PolicyId, PolicySet, PrincipalConstraint, Schema,
};
use serde_json::Value;

use super::PolicyError;
use crate::model::Unit;

/// The policies of a set, by what they need.
pub(super) struct Slices {
    policies: Vec<Policy>,
    by_action: HashMap<String, Bucket>,
}

/// The policies that speak of one action, by place.
#[derive(Default)]
struct Bucket {
    /// They may decide about any unit.
    open: Vec<usize>,
    /// They need the unit to be in a group.
    by_group: HashMap<String, Vec<usize>>,
    /// They name the unit.
    by_unit: HashMap<String, Vec<usize>>,
}

/// What a policy needs of a unit.
enum Need {
    Nothing,
    Unit(String),
    /// To be in one of these groups.
    Groups(BTreeSet<String>),
}

impl Slices {
    pub(super) fn of(policies: &PolicySet, schema: &Schema) -> Result<Self, PolicyError> {
        let invalid = |cause: String| PolicyError::Invalid(cause);
        let actions = schema
            .action_entities()
            .map_err(|error| invalid(error.to_string()))?;
        let mut slices = Self {
            policies: Vec::new(),
            by_action: HashMap::new(),
        };
        for policy in policies.policies() {
            let json = policy
                .to_json()
                .map_err(|error| invalid(error.to_string()))?;
            let need = need(policy, &json);
            // A link becomes a policy of its own: a slice of a set has no templates.
            let policy = if policy.is_static() {
                policy.clone()
            } else {
                let id = Some(policy.id().clone());
                Policy::from_json(id, json).map_err(|error| invalid(error.to_string()))?
            };
            let place = slices.policies.len();
            for entity in actions.iter() {
                let action = entity.uid();
                let within = |group: &EntityUid| actions.is_ancestor_of(group, &action);
                let speaks = match policy.action_constraint() {
                    ActionConstraint::Any => true,
                    ActionConstraint::Eq(named) => named == action,
                    ActionConstraint::In(named) => {
                        named.iter().any(|named| *named == action || within(named))
                    }
                };
                if speaks {
                    let name = action.id().unescaped().to_owned();
                    slices.by_action.entry(name).or_default().add(place, &need);
                }
            }
            slices.policies.push(policy);
        }
        Ok(slices)
    }

    /// The policies that can decide whether the unit may do `action`: with them alone Cedar says what it
    /// says with all.
    pub(super) fn slice(&self, action: &str, unit: &Unit) -> PolicySet {
        self.narrow(action, unit, |_| true)
    }

    /// Those of them that are as `wanted`.
    pub(super) fn narrow(
        &self,
        action: &str,
        unit: &Unit,
        wanted: impl Fn(&Policy) -> bool,
    ) -> PolicySet {
        let mut slice = PolicySet::new();
        for place in self.places(action, unit) {
            if let Some(policy) = self.policies.get(place).filter(|policy| wanted(policy)) {
                // Ids are distinct in the whole set, so in a part of it.
                let _ = slice.add(policy.clone());
            }
        }
        slice
    }

    /// The policies that a slice is made of.
    pub(super) fn ids(&self, action: &str, unit: &Unit) -> impl Iterator<Item = &PolicyId> {
        let places = self.places(action, unit).into_iter();
        places.filter_map(|place| self.policies.get(place).map(Policy::id))
    }

    fn places(&self, action: &str, unit: &Unit) -> BTreeSet<usize> {
        let Some(bucket) = self.by_action.get(action) else {
            return BTreeSet::new();
        };
        let named = bucket.by_unit.get(unit.name.as_str());
        let groups = unit.groups.iter();
        let grouped = groups.filter_map(|group| bucket.by_group.get(group));
        let parts = grouped.chain(named).flatten();
        parts.chain(&bucket.open).copied().collect()
    }
}

impl Bucket {
    fn add(&mut self, place: usize, need: &Need) {
        match need {
            Need::Nothing => self.open.push(place),
            Need::Unit(unit) => self.by_unit.entry(unit.clone()).or_default().push(place),
            Need::Groups(groups) => {
                for group in groups {
                    self.by_group.entry(group.clone()).or_default().push(place);
                }
            }
        }
    }
}

fn need(policy: &Policy, json: &Value) -> Need {
    if let PrincipalConstraint::Eq(unit) = policy.principal_constraint()
        && unit.type_name().to_string() == "Jinku::Unit"
    {
        return Need::Unit(unit.id().unescaped().to_owned());
    }
    let first = json.get("conditions").and_then(|list| list.get(0));
    let first = first.filter(|first| first.get("kind").is_some_and(|kind| kind == "when"));
    match first.and_then(|first| first.get("body")).and_then(groups) {
        Some(groups) => Need::Groups(groups),
        None => Need::Nothing,
    }
}

/// Groups of which the unit must be in one, or the expression is false and fails nowhere. `None` where it may be
/// otherwise.
fn groups(expression: &Value) -> Option<BTreeSet<String>> {
    let (operator, operands) = expression.as_object()?.iter().next()?;
    let (left, right) = (operands.get("left")?, operands.get("right"));
    match operator.as_str() {
        "contains" => {
            let attribute = left.get(".")?;
            let asks = attribute.get("attr")? == "groups"
                && attribute.get("left")?.get("Var")? == "principal";
            let group = right?.get("Value")?.as_str().filter(|_| asks)?;
            Some(BTreeSet::from([group.to_owned()]))
        }
        // What stands right of a false left side is not evaluated.
        "&&" => groups(left),
        "||" => Some(groups(left)?.into_iter().chain(groups(right?)?).collect()),
        _ => None,
    }
}
