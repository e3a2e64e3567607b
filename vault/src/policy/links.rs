//! `links.toml`: which template serves which unit, on which class, for which purpose.
//!
//! Cedar fills the slots `?principal` and `?resource`. A purpose is no slot of Cedar's: a link that names one is of a
//! template that says `when { context.purpose == … }` beside, made here once for each such pair.

use std::collections::HashMap;

use cedar_policy::{PolicyId, PolicySet, SlotId, Template};
use serde::Deserialize;
use serde_json::json;

use super::PolicyError;
use super::entities::uid;
use crate::model::{ClassName, Purpose, UnitName};

/// Most links of a set.
const LINKS_MAX: usize = 20_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLinks {
    #[serde(default)]
    link: Vec<Link>,
}

/// One use of a template.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    /// The policy that comes of it: among all `@id`s of the set.
    id: String,
    /// The template's `@id`.
    template: String,
    /// What stands for `?principal`.
    unit: Option<UnitName>,
    /// What stands for `?resource`.
    class: Option<ClassName>,
    /// Nothing but this purpose.
    purpose: Option<Purpose>,
    /// Why, for people.
    #[serde(default)]
    #[expect(dead_code, reason = "it is part of the text that is approved")]
    note: String,
}

/// Links the templates of a set as `text` says.
pub(super) fn link(policies: &mut PolicySet, text: &str) -> Result<(), PolicyError> {
    let raw: RawLinks =
        toml::from_str(text).map_err(|error| PolicyError::Links(error.to_string()))?;
    if raw.link.len() > LINKS_MAX {
        return Err(PolicyError::Links(format!(
            "there are more than {LINKS_MAX} links"
        )));
    }
    raw.link
        .iter()
        .try_for_each(|link| link.enter(policies).map_err(|cause| link.refused(&cause)))
}

impl Link {
    fn refused(&self, cause: &str) -> PolicyError {
        PolicyError::Links(format!("link `{}`: {cause}", self.id))
    }

    fn enter(&self, policies: &mut PolicySet) -> Result<(), String> {
        if self.id.is_empty() {
            return Err("it needs an `id`".to_owned());
        }
        let template = policies
            .template(&PolicyId::new(&self.template))
            .ok_or_else(|| format!("there is no template `{}`", self.template))?;
        let id = match &self.purpose {
            None => template.id().clone(),
            Some(purpose) => {
                let id = PolicyId::new(format!("{} for {purpose}", self.template));
                if policies.template(&id).is_none() {
                    let narrowed = narrowed(template, &id, purpose)?;
                    policies
                        .add_template(narrowed)
                        .map_err(|error| error.to_string())?;
                }
                id
            }
        };
        let filled = self.filled()?;
        policies
            .link(id, PolicyId::new(&self.id), filled)
            .map_err(|error| error.to_string())
    }

    /// What the slots are filled with. Cedar refuses one too many or too few.
    fn filled(&self) -> Result<HashMap<SlotId, cedar_policy::EntityUid>, String> {
        let mut filled = HashMap::new();
        let entity = |kind, name| uid(kind, name).ok_or("it names no entity".to_owned());
        if let Some(unit) = &self.unit {
            filled.insert(SlotId::principal(), entity("Jinku::Unit", unit.as_str())?);
        }
        if let Some(class) = &self.class {
            filled.insert(
                SlotId::resource(),
                entity("Jinku::DataClass", class.as_str())?,
            );
        }
        Ok(filled)
    }
}

/// The template with one more condition, the last: nothing that it decides without is decided otherwise.
fn narrowed(template: &Template, id: &PolicyId, purpose: &Purpose) -> Result<Template, String> {
    let mut json = template.to_json().map_err(|error| error.to_string())?;
    let purpose = json!({ "kind": "when", "body": { "==": {
        "left": { ".": { "left": { "Var": "context" }, "attr": "purpose" } },
        "right": { "Value": purpose.as_str() },
    } } });
    let conditions = json
        .get_mut("conditions")
        .and_then(|list| list.as_array_mut());
    conditions
        .ok_or("its template has no list of conditions")?
        .push(purpose);
    Template::from_json(Some(id.clone()), json).map_err(|error| error.to_string())
}
