//! Owns the making of routes: `[[route]]` tables to [`Route`]s, in the file's order.

use std::sync::Arc;

use super::raw::{RawAction, RawField, RawRoute};
use super::{BODY_BYTES_CEILING, RouteFault, SettingsError};
use crate::path::Path;
use crate::route::{Action, Plan, ProofBeyond, Route, Target};

/// Most field rules of one direction: each costs a little at every node of a body.
const RULES_MAX: usize = 64;

pub(super) fn routes(
    raw: Vec<RawRoute>,
    body_bytes_max: usize,
) -> Result<Vec<Arc<Route>>, SettingsError> {
    if raw.is_empty() {
        return Err(SettingsError::NoRoute);
    }
    let mut routes: Vec<Arc<Route>> = Vec::with_capacity(raw.len());
    for raw in raw {
        let name = raw.name.clone();
        let route = route(raw, body_bytes_max, &routes)
            .map_err(|fault| SettingsError::Route { route: name, fault })?;
        routes.push(Arc::new(route));
    }
    Ok(routes)
}

fn route(
    raw: RawRoute,
    body_bytes_max: usize,
    earlier: &[Arc<Route>],
) -> Result<Route, RouteFault> {
    let name_taken = earlier.iter().any(|route| route.name() == raw.name);
    if raw.name.trim().is_empty() || name_taken {
        return Err(RouteFault::Name);
    }
    let target = Target::parse(&raw.host, &raw.method, &raw.path)?;
    let mut route = Route::new(raw.name, target, filled("domain", raw.domain)?);
    if let Some(hiding) = earlier.iter().find(|earlier| earlier.shadows(&route)) {
        return Err(RouteFault::Shadowed(hiding.name().to_owned()));
    }
    route.purpose = raw
        .purpose
        .map(|purpose| filled("purpose", purpose))
        .transpose()?;
    route.body_bytes_max = match raw.body_bytes_max {
        Some(own) => own_limit(own)?,
        None => body_bytes_max,
    };
    if raw.forward_authorization {
        route.proof = ProofBeyond::Forwarded;
    }
    route.request = plan("request", raw.request)?;
    route.response = plan("response", raw.response)?;
    Ok(route)
}

fn filled(key: &'static str, text: String) -> Result<String, RouteFault> {
    if text.trim().is_empty() {
        Err(RouteFault::Empty(key))
    } else {
        Ok(text)
    }
}

fn own_limit(bytes: u64) -> Result<usize, RouteFault> {
    usize::try_from(bytes)
        .ok()
        .filter(|_| (1..=BODY_BYTES_CEILING).contains(&bytes))
        .ok_or(RouteFault::BodyLimit(BODY_BYTES_CEILING))
}

fn plan(side: &'static str, fields: Vec<RawField>) -> Result<Option<Plan>, RouteFault> {
    let Some(action) = fields.first().map(|field| field.action) else {
        return Ok(None);
    };
    if fields.iter().any(|field| field.action != action) {
        return Err(RouteFault::Mixed(side));
    }
    if fields.len() > RULES_MAX {
        return Err(RouteFault::TooManyRules {
            side,
            rules_max: RULES_MAX,
        });
    }
    let paths = paths(&fields)?;
    let action = match action {
        RawAction::Tokenize => Action::Tokenize {
            classes: fields.into_iter().map(class).collect::<Result<_, _>>()?,
        },
        RawAction::Detokenize => detokenize(&fields)?,
    };
    Ok(Some(Plan { action, paths }))
}

fn paths(fields: &[RawField]) -> Result<Vec<Path>, RouteFault> {
    let mut paths: Vec<Path> = Vec::with_capacity(fields.len());
    for field in fields {
        let path: Path = field.field.parse()?;
        if paths.iter().any(|earlier| earlier.selects_same_as(&path)) {
            return Err(RouteFault::FieldRepeated(field.field.clone()));
        }
        paths.push(path);
    }
    Ok(paths)
}

fn class(field: RawField) -> Result<String, RouteFault> {
    filled(
        "class",
        field.class.ok_or(RouteFault::ClassMissing(field.field))?,
    )
}

fn detokenize(fields: &[RawField]) -> Result<Action, RouteFault> {
    match fields.iter().find(|field| field.class.is_some()) {
        Some(field) => Err(RouteFault::ClassUnused(field.field.clone())),
        None => Ok(Action::Detokenize),
    }
}
