//! The one translation of our words into Cedar's: a unit, a class, a context.

use std::collections::HashMap;

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
    Schema,
};

use super::Asker;
use crate::model::{DataClass, Domain, Unit};

/// A request and the entities it speaks of.
pub(super) struct Question {
    pub(super) request: Request,
    pub(super) entities: Entities,
}

impl Question {
    /// `None` where the schema does not know these words: then nothing is permitted.
    pub(super) fn new(
        action: &str,
        asker: Asker<'_>,
        domain: &Domain,
        class: &DataClass,
        schema: &Schema,
    ) -> Option<Self> {
        let principal = uid("Jinku::Unit", asker.unit.name.as_str())?;
        let resource = uid("Jinku::DataClass", class.name.as_str())?;
        let entities = Entities::from_entities(
            [
                Entity::new(principal.clone(), unit(asker.unit), [].into()).ok()?,
                Entity::new(resource.clone(), data_class(class, domain), [].into()).ok()?,
            ],
            Some(schema),
        );
        let action = uid("Jinku::Action", action)?;
        let request =
            Request::new(principal, action, resource, context(asker)?, Some(schema)).ok()?;
        Some(Self {
            request,
            entities: entities.ok()?,
        })
    }
}

fn uid(kind: &str, id: &str) -> Option<EntityUid> {
    let kind: EntityTypeName = kind.parse().ok()?;
    Some(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

type Attributes = HashMap<String, RestrictedExpression>;

fn unit(unit: &Unit) -> Attributes {
    Attributes::from([
        (
            "clearance".to_owned(),
            RestrictedExpression::new_long(unit.clearance.0.into()),
        ),
        (
            "compartments".to_owned(),
            strings(unit.compartments.iter().map(ToString::to_string)),
        ),
        ("groups".to_owned(), strings(unit.groups.iter().cloned())),
    ])
}

fn data_class(class: &DataClass, domain: &Domain) -> Attributes {
    Attributes::from([
        (
            "level".to_owned(),
            RestrictedExpression::new_long(class.level.0.into()),
        ),
        (
            "compartments".to_owned(),
            strings(class.compartments.iter().map(ToString::to_string)),
        ),
        ("domain".to_owned(), string(domain.name.as_str())),
    ])
}

fn context(asker: Asker<'_>) -> Option<Context> {
    let mut pairs = vec![("proof".to_owned(), string(asker.proof.as_str()))];
    if let Some(gateway) = asker.gateway {
        pairs.push(("gateway".to_owned(), string(gateway.name.as_str())));
    }
    if let Some(purpose) = asker.purpose {
        pairs.push(("purpose".to_owned(), string(purpose.as_str())));
    }
    Context::from_pairs(pairs).ok()
}

fn string(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn strings(texts: impl Iterator<Item = String>) -> RestrictedExpression {
    RestrictedExpression::new_set(texts.map(RestrictedExpression::new_string))
}
