//! Owns the making of routes: `[[route]]` tables to [`Route`]s, in the file's order.

use std::sync::Arc;

use super::field::{Around, plan};
use super::jose::payload;
use super::raw::RawRoute;
use super::signing::Shelf;
use super::{BODY_BYTES_CEILING, RouteFault, SettingsError};
use crate::error::Side;
use crate::route::{ProofBeyond, Route, Target};

pub(super) fn routes(
    raw: Vec<RawRoute>,
    body_bytes_max: usize,
    shelf: &Shelf,
) -> Result<Vec<Arc<Route>>, SettingsError> {
    if raw.is_empty() {
        return Err(SettingsError::NoRoute);
    }
    let mut routes: Vec<Arc<Route>> = Vec::with_capacity(raw.len());
    for raw in raw {
        let name = raw.name.clone();
        let route = route(raw, body_bytes_max, &routes, shelf)
            .map_err(|fault| SettingsError::Route { route: name, fault })?;
        routes.push(Arc::new(route));
    }
    Ok(routes)
}

fn route(
    raw: RawRoute,
    body_bytes_max: usize,
    earlier: &[Arc<Route>],
    shelf: &Shelf,
) -> Result<Route, RouteFault> {
    let name_taken = earlier.iter().any(|route| route.name() == raw.name);
    if raw.name.trim().is_empty() || name_taken {
        return Err(RouteFault::Name);
    }
    let target = Target::parse(&raw.host, &raw.method, &raw.path)?;
    let around = |side| Around {
        side,
        target: &target,
        namespaces: &raw.namespaces,
    };
    let of = |side, raw: Option<_>| raw.map(|raw| payload(side, raw)).transpose();
    let whole = of("request_payload", raw.request_payload)?;
    let request = plan(&around(Side::Request), raw.request, whole)?;
    let whole = of("response_payload", raw.response_payload)?;
    let response = plan(&around(Side::Response), raw.response, whole)?;
    let signing = |side| {
        let rules = (raw.verify.as_slice(), raw.sign.as_slice());
        shelf.signing(side, rules, &raw.receipt)
    };
    let (on_request, on_response) = (signing(Side::Request)?, signing(Side::Response)?);
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
    route.request = request;
    route.response = response;
    (route.request_signing, route.response_signing) = (on_request, on_response);
    Ok(route)
}

pub(super) fn filled(key: &'static str, text: String) -> Result<String, RouteFault> {
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
