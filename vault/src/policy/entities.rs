//! The one translation of our words into Cedar's: a unit, a class, a context.

use std::collections::HashMap;

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
    Schema,
};

use super::carry::{self, Carriage};
use super::{Asker, PolicyError};
use crate::model::{DataClass, Domain, Grant, KeyRecord, Proposal, Unit};

/// A request and the entities it speaks of.
pub(super) struct Question {
    pub(super) request: Request,
    pub(super) entities: Entities,
}

/// A schema, and each of its actions with the groups it is in: what a question is asked with.
///
/// A question holds the one action it is about: to put all of the schema's beside it would cost more than to
/// decide.
pub(super) struct Vocabulary {
    schema: Schema,
    actions: HashMap<String, Entities>,
}

impl Vocabulary {
    pub(super) fn of(schema: Schema) -> Result<Self, PolicyError> {
        let invalid = |error: cedar_policy::entities_errors::EntitiesError| {
            PolicyError::Invalid(error.to_string())
        };
        let all = schema.action_entities().map_err(invalid)?;
        let mut actions = HashMap::new();
        for action in all.iter() {
            let groups = all.ancestors(&action.uid()).into_iter().flatten();
            let groups = groups.filter_map(|group| all.get(group).cloned());
            let with_groups = groups.chain([action.clone()]);
            let entities = Entities::from_entities(with_groups, None).map_err(invalid)?;
            actions.insert(action.uid().id().unescaped().to_owned(), entities);
        }
        Ok(Self { schema, actions })
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }
}

impl Question {
    /// May the asker do this to values of the class? `None` where the schema does not know these words: then nothing is permitted.
    pub(super) fn of_class(
        action: &str,
        asker: Asker<'_>,
        domain: &Domain,
        class: &DataClass,
        vocabulary: &Vocabulary,
    ) -> Option<Self> {
        let resource = uid("Jinku::DataClass", class.name.as_str())?;
        Self::new(
            action,
            asker,
            resource,
            data_class(class, domain),
            vocabulary,
        )
    }

    /// May the asker do this to the key, or, without one, to the key service?
    pub(super) fn of_key(
        action: &str,
        asker: Asker<'_>,
        key: Option<&KeyRecord>,
        vocabulary: &Vocabulary,
    ) -> Option<Self> {
        let (resource, attributes) = match key {
            Some(record) => (
                uid("Jinku::Key", record.id.as_str())?,
                key_attributes(record),
            ),
            None => (uid("Jinku::KeyService", "keys")?, Attributes::new()),
        };
        Self::new(action, asker, resource, attributes, vocabulary)
    }

    /// May the asker do this to the unit?
    pub(super) fn of_unit(
        action: &str,
        asker: Asker<'_>,
        target: &Unit,
        vocabulary: &Vocabulary,
    ) -> Option<Self> {
        let resource = uid("Jinku::Unit", target.name.as_str())?;
        Self::new(action, asker, resource, unit(target), vocabulary)
    }

    /// May the asker do this to the grant?
    pub(super) fn of_grant(
        action: &str,
        asker: Asker<'_>,
        grant: &Grant,
        vocabulary: &Vocabulary,
    ) -> Option<Self> {
        let resource = uid("Jinku::Grant", &grant.id.to_string())?;
        Self::new(
            action,
            asker,
            resource,
            grant_attributes(grant)?,
            vocabulary,
        )
    }

    /// May the asker do this to the policy sets of the installation?
    pub(super) fn of_policies(
        action: &str,
        asker: Asker<'_>,
        vocabulary: &Vocabulary,
    ) -> Option<Self> {
        let resource = uid("Jinku::PolicyService", "policies")?;
        Self::new(action, asker, resource, Attributes::new(), vocabulary)
    }

    /// May the asker do this to the proposal, which would make a unit what `wished` is?
    pub(super) fn of_proposal(
        action: &str,
        asker: Asker<'_>,
        proposal: &Proposal,
        wished: &Unit,
        vocabulary: &Vocabulary,
    ) -> Option<Self> {
        let resource = uid("Jinku::UnitProposal", &proposal.id.to_string())?;
        let owner = uid("Jinku::Unit", proposal.by.as_str())?;
        let mut attributes = unit(wished);
        for (name, value) in [
            ("act", string(proposal.act.as_str())),
            ("name", string(proposal.unit.as_str())),
            ("owner", RestrictedExpression::new_entity_uid(owner)),
        ] {
            attributes.insert(name.to_owned(), value);
        }
        Self::new(action, asker, resource, attributes, vocabulary)
    }

    /// May the asker do this to the registry of units?
    pub(super) fn of_registry(
        action: &str,
        asker: Asker<'_>,
        vocabulary: &Vocabulary,
    ) -> Option<Self> {
        let resource = uid("Jinku::UnitRegistry", "units")?;
        Self::new(action, asker, resource, Attributes::new(), vocabulary)
    }

    /// May the gateway carry the unit?
    pub(super) fn of_carriage(carriage: Carriage<'_>, vocabulary: &Vocabulary) -> Option<Self> {
        let principal = uid("Jinku::Gateway", carriage.gateway.name.as_str())?;
        let resource = uid("Jinku::Unit", carriage.unit.name.as_str())?;
        let entities = [
            Entity::new(principal.clone(), Attributes::new(), [].into()).ok()?,
            Entity::new(resource.clone(), unit(carriage.unit), [].into()).ok()?,
        ];
        let mut pairs = vec![("proof".to_owned(), string(carriage.proof.as_str()))];
        if let Some(route) = carriage.route {
            pairs.push(("route".to_owned(), string(route.as_str())));
        }
        let schema = Some(&vocabulary.schema);
        let actions = vocabulary.actions.get(carry::ACTION)?.clone();
        let entities = actions.add_entities(entities, schema).ok()?;
        let action = uid("Jinku::Action", carry::ACTION)?;
        let context = Context::from_pairs(pairs).ok()?;
        let request = Request::new(principal, action, resource, context, schema).ok()?;
        Some(Self { request, entities })
    }

    fn new(
        action: &str,
        asker: Asker<'_>,
        resource: EntityUid,
        attributes: Attributes,
        vocabulary: &Vocabulary,
    ) -> Option<Self> {
        let principal = uid("Jinku::Unit", asker.unit.name.as_str())?;
        let mut entities = vec![Entity::new(principal.clone(), unit(asker.unit), [].into()).ok()?];
        // A unit may ask about itself: it is one entity then.
        if resource != principal {
            entities.push(Entity::new(resource.clone(), attributes, [].into()).ok()?);
        }
        let schema = Some(&vocabulary.schema);
        let actions = vocabulary.actions.get(action)?.clone();
        let entities = actions.add_entities(entities, schema);
        let action = uid("Jinku::Action", action)?;
        let request = Request::new(principal, action, resource, context(asker)?, schema).ok()?;
        Some(Self {
            request,
            entities: entities.ok()?,
        })
    }
}

pub(super) fn uid(kind: &str, id: &str) -> Option<EntityUid> {
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

fn key_attributes(key: &KeyRecord) -> Attributes {
    let tag = |(name, value): (&String, &String)| format!("{name}={value}");
    let mut attributes = Attributes::from([
        ("kind".to_owned(), string(key.kind.as_str())),
        ("usage".to_owned(), string(key.kind.usage().as_str())),
        ("origin".to_owned(), string(key.origin.as_str())),
        (
            "aliases".to_owned(),
            strings(key.aliases.iter().map(ToString::to_string)),
        ),
        ("tags".to_owned(), strings(key.tags.pairs().iter().map(tag))),
        (
            "own".to_owned(),
            RestrictedExpression::new_bool(key.is_own()),
        ),
    ]);
    if let Some(owner) = uid("Jinku::Unit", &key.owner).filter(|_| !key.is_own()) {
        let owner = RestrictedExpression::new_entity_uid(owner);
        attributes.insert("owner".to_owned(), owner);
    }
    attributes
}

fn grant_attributes(grant: &Grant) -> Option<Attributes> {
    let terms = &grant.terms;
    let owner = uid("Jinku::Unit", terms.unit.as_str())?;
    Some(Attributes::from([
        (
            "owner".to_owned(),
            RestrictedExpression::new_entity_uid(owner),
        ),
        ("domain".to_owned(), string(terms.domain.as_str())),
        ("purpose".to_owned(), string(terms.purpose.as_str())),
        (
            "classes".to_owned(),
            strings(terms.classes.iter().map(ToString::to_string)),
        ),
        (
            "values_max".to_owned(),
            RestrictedExpression::new_long(i64::try_from(terms.values_max).ok()?),
        ),
    ]))
}

fn context(asker: Asker<'_>) -> Option<Context> {
    let mut pairs = vec![("proof".to_owned(), string(asker.proof.as_str()))];
    if let Some(gateway) = asker.gateway {
        pairs.push(("gateway".to_owned(), string(gateway.name.as_str())));
    }
    if let Some(purpose) = asker.purpose {
        pairs.push(("purpose".to_owned(), string(purpose.as_str())));
    }
    if let Some(delivery) = asker.delivery {
        pairs.push(("delivery".to_owned(), string(delivery)));
    }
    Context::from_pairs(pairs).ok()
}

fn string(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn strings(texts: impl Iterator<Item = String>) -> RestrictedExpression {
    RestrictedExpression::new_set(texts.map(RestrictedExpression::new_string))
}
