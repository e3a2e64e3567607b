//! Owns the looking at samples: collects the values of each place, and judges them together.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::detect::{DETECTORS, Weight};
use super::{Candidate, DiscoverError, Place, hints};
use crate::body::csv::{self, Column, Place as ColumnPlace};
use crate::body::{form, multipart, xml};
use crate::field::Spelling;
use crate::media::{Boundary, Format};
use crate::scan::Bounds;
use crate::scan::tape::{Kind, ROOT, Tape};

/// Samples are a person's own files: large ones are welcome.
const BOUNDS: Bounds = Bounds {
    depth_max: 256,
    nodes_max: 10_000_000,
    fields_max: 10_000_000,
};
/// Of a hundred values, so many have to fit.
const PERCENT_MIN: usize = 80;

/// How the values of one place look.
#[derive(Default)]
struct Looks {
    values: usize,
    fits: [usize; DETECTORS.len()],
    /// The name that the place ends with.
    name: String,
}

impl Looks {
    fn see(&mut self, value: &str) {
        let value = value.trim();
        if value.is_empty() {
            return;
        }
        self.values += 1;
        for (detector, fits) in DETECTORS.iter().zip(&mut self.fits) {
            *fits += usize::from((detector.fits)(value));
        }
    }

    /// The class they look like, and why.
    fn judgement(&self) -> Option<(&'static str, String)> {
        let hint = hints::class(&self.name);
        let enough = |fits: usize| fits > 0 && fits * 100 >= self.values * PERCENT_MIN;
        let found = DETECTORS.iter().zip(self.fits).find(|(detector, fits)| {
            let agreed = detector.weight == Weight::Strong || hint == Some(detector.class);
            agreed && enough(*fits)
        });
        match (found, hint) {
            (Some((detector, fits)), _) => Some((
                detector.class,
                format!("{fits} of {} values {}", self.values, detector.says),
            )),
            (None, Some(class)) if self.values > 0 => {
                Some((class, "by its name alone: look at it".to_owned()))
            }
            (None, _) => None,
        }
    }
}

/// What the samples, bodies of these formats, look like.
pub fn samples(bodies: &[(Format, Vec<u8>)]) -> Result<Vec<Candidate>, DiscoverError> {
    let mut looks: BTreeMap<Place, Looks> = BTreeMap::new();
    for (format, body) in bodies {
        match format {
            Format::Json => json(body, &mut looks)?,
            Format::JsonLines => {
                for line in body.split(|byte| *byte == b'\n') {
                    if !line.trim_ascii().is_empty() {
                        json(line, &mut looks)?;
                    }
                }
            }
            Format::Form => a_form(body, &mut looks)?,
            Format::Csv { .. } => a_csv(body, &mut looks)?,
            Format::Xml => an_xml(body, &mut looks)?,
            Format::Multipart(boundary) => a_multipart(body, boundary, &mut looks)?,
            Format::Other => return Err(DiscoverError::Format),
        }
    }
    let candidate = |(place, looks): (Place, Looks)| {
        let (class, reason) = looks.judgement()?;
        Some(Candidate {
            place,
            class,
            reason,
        })
    };
    Ok(looks.into_iter().filter_map(candidate).collect())
}

fn json(body: &[u8], looks: &mut BTreeMap<Place, Looks>) -> Result<(), DiscoverError> {
    let tape = Tape::read(body, &BOUNDS)?;
    let mut open = vec![(ROOT, "$".to_owned(), String::new())];
    while let Some((node, path, name)) = open.pop() {
        match tape.kind(node) {
            Kind::Text { .. } | Kind::Number => {
                let seen = looks.entry(Place::Json(path)).or_default();
                seen.name = name;
                seen.see(&tape.text(node));
            }
            Kind::Array | Kind::Object => {
                for child in tape.children(node) {
                    let (step, name) = match child.key {
                        Some(key) => (member(&tape.text(key)), tape.text(key)),
                        None => ("[*]".to_owned(), Cow::Borrowed(name.as_str())),
                    };
                    open.push((child.node, format!("{path}{step}"), name.into_owned()));
                }
            }
            Kind::Null | Kind::True | Kind::False | Kind::Key { .. } => {}
        }
    }
    Ok(())
}

/// A segment of a path: `.name`, or quoted where the name is unusual.
pub(super) fn member(name: &str) -> String {
    let first = |next: char| next.is_ascii_alphabetic() || next == '_' || !next.is_ascii();
    let plain = name.chars().next().is_some_and(first)
        && name
            .chars()
            .all(|next| first(next) || next.is_ascii_digit());
    if plain {
        return format!(".{name}");
    }
    let mut quoted = String::new();
    for next in name.chars() {
        match next {
            '\'' | '\\' => {
                quoted.push('\\');
                quoted.push(next);
            }
            control if control < ' ' => {
                // Writing to a `String` can't fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            plain => quoted.push(plain),
        }
    }
    format!("['{quoted}']")
}

fn a_form(body: &[u8], looks: &mut BTreeMap<Place, Looks>) -> Result<(), DiscoverError> {
    let mut names: Vec<String> = Vec::new();
    let numbered = |name: &str| {
        let place = names.iter().position(|found| found == name);
        Some(place.unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        }))
    };
    let fields = form::pairs(body, 0..body.len(), numbered, Spelling::Form, &BOUNDS)?;
    for field in fields {
        let name = names.get(field.rule).cloned().unwrap_or_default();
        let seen = looks.entry(Place::Form(name.clone())).or_default();
        seen.name = name;
        seen.see(&field.value);
    }
    Ok(())
}

fn a_csv(body: &[u8], looks: &mut BTreeMap<Place, Looks>) -> Result<(), DiscoverError> {
    let names = csv::header(body, &BOUNDS).unwrap_or_default();
    let columns: Vec<Column> = (1..=names.len())
        .map(|number| Column {
            rule: number - 1,
            place: ColumnPlace::At(number),
        })
        .collect();
    for field in csv::select(body, &columns, Some(true), &BOUNDS)? {
        let name = names.get(field.rule).cloned().unwrap_or_default();
        let seen = looks.entry(Place::Csv(name.clone())).or_default();
        seen.name = name;
        seen.see(&field.value);
    }
    Ok(())
}

fn an_xml(body: &[u8], looks: &mut BTreeMap<Place, Looks>) -> Result<(), DiscoverError> {
    for leaf in xml::leaves(body, &BOUNDS)? {
        let seen = looks.entry(Place::Xml(leaf.path)).or_default();
        seen.name = leaf.name;
        seen.see(&leaf.text);
    }
    Ok(())
}

fn a_multipart(
    body: &[u8],
    boundary: &Boundary,
    looks: &mut BTreeMap<Place, Looks>,
) -> Result<(), DiscoverError> {
    for part in multipart::read(body, boundary, &BOUNDS)? {
        // A picture is no text, and no class looks like one.
        let Ok(text) = std::str::from_utf8(&body[part.content]) else {
            continue;
        };
        let seen = looks.entry(Place::Part(part.name.clone())).or_default();
        seen.name = part.name;
        seen.see(text);
    }
    Ok(())
}
