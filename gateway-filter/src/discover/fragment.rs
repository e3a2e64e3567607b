//! Owns the proposal's text: `[[route]]` tables for a person to read, change and accept.

use std::fmt::Write as _;

use super::{Candidate, Place, Proposal};
use crate::error::Side;

/// The tables, with the reasons as comments. What is proposed for answers is to be detokenized.
pub fn fragment(proposals: &[Proposal], domain: &str) -> String {
    let mut text = String::from(
        "# Proposed by `jinku-filter discover`. Read each line before you take it: what is not here was\n\
         # not recognised, which does not mean that nobody's data is in it.\n",
    );
    for proposal in proposals {
        // Writing to a `String` can't fail.
        let _ = write!(
            text,
            "\n[[route]]\nname = {}\nmethod = {}\npath = {}\ndomain = {}\n",
            quoted(&proposal.name),
            quoted(&proposal.method),
            quoted(&proposal.path),
            quoted(domain),
        );
        for candidate in &proposal.request {
            rule(&mut text, Side::Request, candidate);
        }
        for candidate in &proposal.response {
            rule(&mut text, Side::Response, candidate);
        }
    }
    text
}

fn rule(text: &mut String, side: Side, candidate: &Candidate) {
    let class = candidate.class;
    let (table, action) = match side {
        Side::Request => (
            "request",
            format!("class = \"{class}\"\naction = \"tokenize\""),
        ),
        Side::Response => ("response", "action = \"detokenize\"".to_owned()),
    };
    let (key, place) = match &candidate.place {
        Place::Json(place) => ("field", place),
        Place::Form(place) => ("form", place),
        Place::Csv(place) => ("csv", place),
        Place::Xml(place) => ("xml", place),
        Place::Part(place) => ("part", place),
        Place::Query(place) => ("query", place),
        Place::Segment(place) => ("segment", place),
        Place::Header(place) => ("header", place),
    };
    let _ = write!(
        text,
        "\n# {class}: {}\n[[route.{table}]]\n{key} = {}\n{action}\n",
        candidate.reason,
        quoted(place)
    );
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
