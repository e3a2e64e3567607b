//! Owns the making of plans: `[[route.request]]` and `[[route.response]]` tables to what the rules
//! take and what becomes of it.

use std::collections::BTreeMap;

use http::header::HeaderName;

use super::RouteFault;
use super::jose;
use super::raw::{RawAction, RawColumn, RawField, RawNumbers};
use super::route::filled;
use crate::body::Named;
use crate::body::address::Place;
use crate::body::csv::{Column, Place as ColumnPlace};
use crate::body::xml::{XmlPath, XmlRule};
use crate::error::Side;
use crate::jose::Payload;
use crate::path::Path;
use crate::route::{Act, Mask, Plan, Target};
use crate::scan::{Selection, Takes};

/// Most field rules of one direction: each costs a little at every node of a body.
const RULES_MAX: usize = 64;

/// Headers that frame the message, route it, or prove who sends it.
const NO_FIELD: [&str; 13] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "jinku-purpose",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What a field's table stands in.
pub(super) struct Around<'r> {
    pub(super) side: Side,
    pub(super) target: &'r Target,
    pub(super) namespaces: &'r BTreeMap<String, String>,
}

pub(super) fn plan(
    around: &Around<'_>,
    fields: Vec<RawField>,
    payload: Option<Payload>,
) -> Result<Option<Plan>, RouteFault> {
    let side = match around.side {
        Side::Request => "request",
        Side::Response => "response",
    };
    if fields.is_empty() && payload.is_none() {
        return Ok(None);
    }
    if fields.len() > RULES_MAX {
        return Err(RouteFault::TooManyRules {
            side,
            rules_max: RULES_MAX,
        });
    }
    let does = |action| fields.iter().any(|field| field.action == action);
    if does(RawAction::Tokenize) && does(RawAction::Detokenize) {
        return Err(RouteFault::Mixed(side));
    }
    let mut plan = Plan {
        payload,
        ..Plan::default()
    };
    for field in fields {
        let rule = plan.acts.len();
        let (text, is_json) = place(&mut plan, around, rule, &field)?;
        if field.numbers.is_some() && (!is_json || field.action == RawAction::Drop) {
            return Err(RouteFault::Unused {
                field: text,
                setting: "numbers",
            });
        }
        plan.places.push(text.clone());
        plan.acts.push(act(field, text)?);
    }
    Ok(Some(plan))
}

/// Where a field is, as it is written.
enum At<'f> {
    Json(&'f str),
    Form(&'f str),
    Csv(&'f RawColumn),
    Xml(&'f str),
    Part(&'f str),
    Query(&'f str),
    Segment(&'f str),
    Header(&'f str),
}

impl<'f> At<'f> {
    /// The one place that the table gives.
    fn of(field: &'f RawField) -> Result<Self, RouteFault> {
        let places = [
            field.field.as_deref().map(Self::Json),
            field.form.as_deref().map(Self::Form),
            field.csv.as_ref().map(Self::Csv),
            field.xml.as_deref().map(Self::Xml),
            field.part.as_deref().map(Self::Part),
            field.query.as_deref().map(Self::Query),
            field.segment.as_deref().map(Self::Segment),
            field.header.as_deref().map(Self::Header),
        ];
        let mut given = places.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(RouteFault::Place),
        }
    }
}

/// Puts the rule where its format looks for it; yields the place's text, and whether it is JSON.
fn place(
    plan: &mut Plan,
    around: &Around<'_>,
    rule: usize,
    field: &RawField,
) -> Result<(String, bool), RouteFault> {
    let named = |name: &str| Named {
        rule,
        name: name.to_owned(),
    };
    match At::of(field)? {
        At::Json(text) => {
            let selection = json(rule, text, field, &plan.json)?;
            plan.json.push(selection);
            Ok((text.to_owned(), true))
        }
        At::Form(name) => unique(&mut plan.form, named(name)),
        At::Csv(column) => csv(plan, rule, column),
        At::Xml(text) => xml(plan, around, (rule, field), text),
        At::Part(name) => unique(&mut plan.parts, named(name)),
        At::Query(name) => {
            requests_only(around, "query")?;
            unique(&mut plan.query, named(name))
        }
        At::Segment(name) => {
            requests_only(around, "segment")?;
            segment(plan, around, (rule, field), name)
        }
        At::Header(name) => header(plan, rule, name),
    }
}

fn xml(
    plan: &mut Plan,
    around: &Around<'_>,
    (rule, field): (usize, &RawField),
    text: &str,
) -> Result<(String, bool), RouteFault> {
    let path = XmlPath::parse(text, around.namespaces).map_err(|fault| RouteFault::Xml {
        path: text.to_owned(),
        fault,
    })?;
    let mut earlier = plan.xml.iter().map(|earlier| &earlier.path);
    if earlier.any(|earlier| earlier.selects_same_as(&path)) {
        return Err(RouteFault::FieldRepeated(text.to_owned()));
    }
    plan.xml.push(XmlRule {
        rule,
        path,
        takes_all: field.action == RawAction::Drop,
    });
    Ok((text.to_owned(), false))
}

fn json(
    rule: usize,
    text: &str,
    field: &RawField,
    earlier: &[Selection],
) -> Result<Selection, RouteFault> {
    let path: Path = text.parse()?;
    if earlier
        .iter()
        .any(|earlier| earlier.path.selects_same_as(&path))
    {
        return Err(RouteFault::FieldRepeated(text.to_owned()));
    }
    let drops = field.action == RawAction::Drop;
    if drops && path.is_root() {
        return Err(RouteFault::DropWhole(text.to_owned()));
    }
    let takes = match field.numbers {
        _ if drops => Takes::All,
        None | Some(RawNumbers::Refuse) => Takes::Text,
        Some(RawNumbers::Keep) => Takes::Numbers,
        Some(RawNumbers::Text) => Takes::NumbersAsText,
    };
    Ok(Selection { rule, path, takes })
}

fn unique(rules: &mut Vec<Named>, rule: Named) -> Result<(String, bool), RouteFault> {
    let name = filled("name of the field", rule.name.clone())?;
    if rules.iter().any(|earlier| earlier.name == name) {
        return Err(RouteFault::FieldRepeated(name));
    }
    rules.push(rule);
    Ok((name, false))
}

fn csv(plan: &mut Plan, rule: usize, column: &RawColumn) -> Result<(String, bool), RouteFault> {
    let (place, text) = match column {
        RawColumn::At(0) => return Err(RouteFault::Column),
        RawColumn::At(number) => (ColumnPlace::At(*number), number.to_string()),
        RawColumn::Named(name) => (
            ColumnPlace::Named(filled("csv", name.clone())?),
            name.clone(),
        ),
    };
    if plan.csv.iter().any(|earlier| earlier.place == place) {
        return Err(RouteFault::FieldRepeated(text));
    }
    plan.csv.push(Column { rule, place });
    Ok((text, false))
}

fn segment(
    plan: &mut Plan,
    around: &Around<'_>,
    (rule, field): (usize, &RawField),
    name: &str,
) -> Result<(String, bool), RouteFault> {
    if field.action == RawAction::Drop {
        return Err(RouteFault::DropWhole(name.to_owned()));
    }
    let segment = around
        .target
        .place(name)
        .ok_or_else(|| RouteFault::Segment(name.to_owned()))?;
    if plan
        .segments
        .iter()
        .any(|earlier| earlier.segment == segment)
    {
        return Err(RouteFault::FieldRepeated(name.to_owned()));
    }
    plan.segments.push(Place { rule, segment });
    Ok((name.to_owned(), false))
}

fn header(plan: &mut Plan, rule: usize, text: &str) -> Result<(String, bool), RouteFault> {
    let name: HeaderName = text
        .parse()
        .ok()
        .filter(|name: &HeaderName| !NO_FIELD.contains(&name.as_str()))
        .ok_or_else(|| RouteFault::Header(text.to_owned()))?;
    if plan.headers.iter().any(|(_, earlier)| *earlier == name) {
        return Err(RouteFault::FieldRepeated(text.to_owned()));
    }
    plan.headers.push((rule, name));
    Ok((text.to_owned(), false))
}

fn requests_only(around: &Around<'_>, place: &'static str) -> Result<(), RouteFault> {
    match around.side {
        Side::Request => Ok(()),
        Side::Response => Err(RouteFault::RequestOnly(place)),
    }
}

fn act(field: RawField, text: String) -> Result<Act, RouteFault> {
    let unused = |setting| RouteFault::Unused {
        field: text.clone(),
        setting,
    };
    if field.mask.is_some() && field.action != RawAction::Mask {
        return Err(unused("mask"));
    }
    let jwe = matches!(field.action, RawAction::Encrypt | RawAction::Decrypt);
    if field.key.is_some() && !jwe {
        return Err(unused("key"));
    }
    if field.alg.is_some() && !jwe {
        return Err(unused("alg"));
    }
    match (field.action, field.class) {
        (RawAction::Tokenize, None) => Err(RouteFault::ClassMissing(text)),
        (RawAction::Tokenize, Some(class)) => Ok(Act::Tokenize {
            class: filled("class", class)?,
        }),
        (RawAction::Detokenize, Some(_)) => Err(RouteFault::ClassUnused(text)),
        (RawAction::Mask | RawAction::Drop | RawAction::Encrypt | RawAction::Decrypt, Some(_)) => {
            Err(unused("class"))
        }
        (RawAction::Detokenize, None) => Ok(Act::Detokenize),
        (RawAction::Drop, None) => Ok(Act::Drop),
        (RawAction::Mask, None) => {
            if field.numbers == Some(RawNumbers::Keep) {
                return Err(unused("numbers"));
            }
            let mask = field.mask.ok_or(RouteFault::MaskMissing(text))?;
            Ok(Act::Mask(Mask {
                keep_first: mask.keep_first,
                keep_last: mask.keep_last,
                with: mask.with,
            }))
        }
        // A JWE is a text: what takes its place is one too, and it can't stand where a number is.
        (RawAction::Encrypt, None) if field.numbers == Some(RawNumbers::Keep) => {
            Err(unused("numbers"))
        }
        (RawAction::Decrypt, None) if field.numbers.is_some() => Err(unused("numbers")),
        (action @ (RawAction::Encrypt | RawAction::Decrypt), None) => {
            let name = field.key.ok_or(RouteFault::KeyMissing(text))?;
            let key = jose::key(name, field.alg.as_deref())?;
            Ok(match action {
                RawAction::Decrypt => Act::Decrypt(key),
                _ => Act::Encrypt(key),
            })
        }
    }
}
