//! The words and names that a policy speaks of, read from its syntax tree.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Policy, PolicySet};
use serde_json::Value;

use super::PolicyError;

/// What one policy speaks of.
#[derive(Default)]
pub(super) struct PolicyWords {
    /// Texts that an attribute is compared with, by the attribute's name.
    texts: BTreeMap<String, BTreeSet<String>>,
    /// Numbers that an attribute is compared with.
    numbers: BTreeMap<String, BTreeSet<i64>>,
    /// Attributes that are read at all.
    attributes: BTreeSet<String>,
    /// Attributes that are compared with a pattern (`like`).
    patterns: BTreeSet<String>,
    /// Entities by type and name.
    entities: BTreeSet<(String, String)>,
}

impl PolicyWords {
    fn of(policy: &Policy) -> Result<Self, PolicyError> {
        let json = policy
            .to_json()
            .map_err(|error| PolicyError::Invalid(error.to_string()))?;
        let mut words = Self::default();
        for scope in ["principal", "resource"] {
            if let Some(entity) = json.get(scope).and_then(|scope| scope.get("entity")) {
                words.entity(entity);
            }
        }
        let conditions = json.get("conditions").and_then(Value::as_array);
        for condition in conditions.into_iter().flatten() {
            words.read(condition);
        }
        Ok(words)
    }

    /// The texts that this attribute is compared with.
    pub(super) fn texts(&self, attribute: &str) -> impl Iterator<Item = &str> {
        let texts = self.texts.get(attribute).into_iter().flatten();
        texts.map(String::as_str)
    }

    /// The numbers that this attribute is compared with.
    pub(super) fn numbers(&self, attribute: &str) -> impl Iterator<Item = i64> {
        self.numbers.get(attribute).into_iter().flatten().copied()
    }

    /// The names of entities of this type.
    pub(super) fn entities(&self, kind: &str) -> impl Iterator<Item = &str> {
        let entities = self.entities.iter();
        entities
            .filter(move |(known, _)| known == kind)
            .map(|(_, name)| name.as_str())
    }

    /// Whether the attribute is read.
    pub(super) fn reads(&self, attribute: &str) -> bool {
        self.attributes.contains(attribute)
    }

    /// Whether the attribute is compared with a pattern.
    pub(super) fn matches(&self, attribute: &str) -> bool {
        self.patterns.contains(attribute)
    }

    fn read(&mut self, tree: &Value) {
        match tree {
            Value::Array(parts) => parts.iter().for_each(|part| self.read(part)),
            Value::Object(parts) => {
                for (operator, operands) in parts {
                    self.operation(operator, operands);
                    self.read(operands);
                }
            }
            _ => {}
        }
    }

    fn operation(&mut self, operator: &str, operands: &Value) {
        match operator {
            "." | "has" => {
                if let Some(name) = operands.get("attr").and_then(Value::as_str) {
                    self.attributes.insert(name.to_owned());
                }
            }
            "like" => {
                let name = operands.get("left").and_then(attribute);
                self.patterns.extend(name.map(str::to_owned));
            }
            "Value" => {
                if let Some(entity) = operands.get("__entity") {
                    self.entity(entity);
                }
            }
            _ => {
                let (left, right) = (operands.get("left"), operands.get("right"));
                self.compared(left, right);
                self.compared(right, left);
            }
        }
    }

    fn compared(&mut self, named: Option<&Value>, literals: Option<&Value>) {
        let Some(name) = named.and_then(attribute) else {
            return;
        };
        for literal in literals.into_iter().flat_map(flat) {
            if let Some(text) = literal.as_str() {
                let texts = self.texts.entry(name.to_owned()).or_default();
                texts.insert(text.to_owned());
            } else if let Some(number) = literal.as_i64() {
                let numbers = self.numbers.entry(name.to_owned()).or_default();
                numbers.insert(number);
            }
        }
    }

    fn entity(&mut self, entity: &Value) {
        // A link's entities are written with their escape, others' without.
        let entity = entity.get("__entity").unwrap_or(entity);
        let text = |part: &str| entity.get(part).and_then(Value::as_str).map(str::to_owned);
        self.entities.extend(text("type").zip(text("id")));
    }
}

fn attribute(expression: &Value) -> Option<&str> {
    expression.get(".")?.get("attr")?.as_str()
}

/// A literal, or those of a set.
fn flat(expression: &Value) -> Vec<&Value> {
    if let Some(value) = expression.get("Value") {
        return vec![value];
    }
    let set = expression.get("Set").and_then(Value::as_array);
    set.into_iter().flatten().flat_map(flat).collect()
}

/// What the policies of a set speak of, by their ids.
pub(super) struct SetWords(BTreeMap<String, PolicyWords>);

impl SetWords {
    pub(super) fn of(policies: &PolicySet) -> Result<Self, PolicyError> {
        let read = |policy: &Policy| {
            let id: &str = policy.id().as_ref();
            Ok((id.to_owned(), PolicyWords::of(policy)?))
        };
        policies
            .policies()
            .map(read)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Each policy's id, and what it speaks of.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &PolicyWords)> {
        self.0.iter().map(|(id, words)| (id.as_str(), words))
    }

    /// What one policy speaks of.
    pub(super) fn policy(&self, id: &str) -> Option<&PolicyWords> {
        self.0.get(id)
    }

    /// Whether any policy reads the attribute.
    pub(super) fn read(&self, attribute: &str) -> bool {
        self.0.values().any(|words| words.reads(attribute))
    }

    /// The texts that any policy compares the attribute with.
    pub(super) fn texts(&self, attribute: &str) -> BTreeSet<String> {
        let words = self.0.values();
        let texts = words.flat_map(|words| words.texts(attribute));
        texts.map(str::to_owned).collect()
    }

    /// The entities of this type that any policy names.
    pub(super) fn entities(&self, kind: &str) -> BTreeSet<String> {
        let words = self.0.values();
        let names = words.flat_map(|words| words.entities(kind));
        names.map(str::to_owned).collect()
    }
}
