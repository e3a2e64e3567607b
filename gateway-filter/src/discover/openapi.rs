//! Owns the reading of an `OpenAPI` 3 document (JSON or YAML): operations, parameters and schemas. It has no
//! values, so names and formats speak.

mod xml;

use serde_json::Value;

use super::samples::member;
use super::{Candidate, DiscoverError, Place, Proposal, hints};

/// Deepest schema that is followed: one that holds itself has no end.
const DEPTH_MAX: usize = 12;
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "options", "head"];

/// A route for each operation in which a field looks like a class.
pub fn openapi(document: &[u8]) -> Result<Vec<Proposal>, DiscoverError> {
    let document = parsed(document).ok_or(DiscoverError::OpenApi)?;
    let version = document["openapi"].as_str().unwrap_or_default();
    let paths = document["paths"].as_object();
    let (true, Some(paths)) = (version.starts_with("3."), paths) else {
        return Err(DiscoverError::OpenApi);
    };
    let mut proposals = Vec::new();
    for (path, item) in paths {
        for method in METHODS {
            let Some(operation) = item.get(method) else {
                continue;
            };
            let reader = Reader {
                document: &document,
            };
            let proposal = reader.operation(path, method, item, operation);
            if !(proposal.request.is_empty() && proposal.response.is_empty()) {
                proposals.push(proposal);
            }
        }
    }
    Ok(proposals)
}

/// JSON, else YAML: its library bounds what aliases may grow to.
fn parsed(document: &[u8]) -> Option<Value> {
    serde_json::from_slice(document)
        .ok()
        .or_else(|| serde_saphyr::from_slice(document).ok())
}

struct Reader<'d> {
    document: &'d Value,
}

impl<'d> Reader<'d> {
    fn operation(
        &self,
        path: &str,
        method: &str,
        item: &'d Value,
        operation: &'d Value,
    ) -> Proposal {
        let name = match operation["operationId"].as_str() {
            Some(id) => id.to_owned(),
            None => format!("{method} {path}"),
        };
        let mut request = Vec::new();
        for holder in [item, operation] {
            for parameter in holder["parameters"].as_array().into_iter().flatten() {
                request.extend(self.parameter(parameter));
            }
        }
        self.content(self.resolved(&operation["requestBody"]), &mut request);
        let mut response = Vec::new();
        for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
            if status.starts_with('2') || status == "default" {
                let answer = self.resolved(answer);
                self.headers(answer, &mut response);
                self.content(answer, &mut response);
            }
        }
        response.sort_by(|one, other| one.place.cmp(&other.place));
        response.dedup();
        Proposal {
            name,
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            request,
            response,
        }
    }

    fn parameter(&self, parameter: &'d Value) -> Option<Candidate> {
        let parameter = self.resolved(parameter);
        let name = parameter["name"].as_str()?;
        let place = match parameter["in"].as_str()? {
            "query" => Place::Query(name.to_owned()),
            "path" => Place::Segment(name.to_owned()),
            "header" => Place::Header(name.to_ascii_lowercase()),
            _ => return None,
        };
        candidate(place, name, self.resolved(&parameter["schema"]))
    }

    fn headers(&self, answer: &'d Value, found: &mut Vec<Candidate>) {
        for (name, header) in answer["headers"].as_object().into_iter().flatten() {
            let place = Place::Header(name.to_ascii_lowercase());
            let schema = self.resolved(&self.resolved(header)["schema"]);
            found.extend(candidate(place, name, schema));
        }
    }

    fn content(&self, holder: &'d Value, found: &mut Vec<Candidate>) {
        for (media, content) in holder["content"].as_object().into_iter().flatten() {
            let schema = &content["schema"];
            match media.as_str() {
                "application/x-www-form-urlencoded" => self.named(schema, Place::Form, found),
                "multipart/form-data" => self.named(schema, Place::Part, found),
                xml if xml.ends_with("/xml") || xml.ends_with("+xml") => self.xml(schema, found),
                json if json == "application/json" || json.ends_with("+json") => {
                    self.schema(schema, "$", "", 0, found);
                }
                _ => {}
            }
        }
    }

    /// The properties of a body that is pairs of names and texts.
    fn named(&self, schema: &'d Value, place: fn(String) -> Place, found: &mut Vec<Candidate>) {
        let properties = &self.resolved(schema)["properties"];
        for (name, schema) in properties.as_object().into_iter().flatten() {
            found.extend(candidate(place(name.clone()), name, self.resolved(schema)));
        }
    }

    fn schema(
        &self,
        schema: &'d Value,
        path: &str,
        name: &str,
        depth: usize,
        found: &mut Vec<Candidate>,
    ) {
        if depth > DEPTH_MAX {
            return;
        }
        let schema = self.resolved(schema);
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}{}", member(name));
            self.schema(inner, &path, name, depth + 1, found);
        }
        if schema["items"].is_object() {
            self.schema(
                &schema["items"],
                &format!("{path}[*]"),
                name,
                depth + 1,
                found,
            );
        }
        for several in ["allOf", "anyOf", "oneOf"] {
            for inner in schema[several].as_array().into_iter().flatten() {
                self.schema(inner, path, name, depth + 1, found);
            }
        }
        if is_leaf(schema) {
            let new = candidate(Place::Json(path.to_owned()), name, schema);
            found.extend(new.filter(|new| !found.contains(new)));
        }
    }

    /// What a local `$ref` points to, else the value itself.
    fn resolved(&self, value: &'d Value) -> &'d Value {
        let mut value = value;
        for _ in 0..DEPTH_MAX {
            let pointer = value["$ref"]
                .as_str()
                .and_then(|text| text.strip_prefix('#'));
            match pointer.and_then(|pointer| self.document.pointer(pointer)) {
                Some(target) => value = target,
                None => break,
            }
        }
        value
    }
}

/// A text or a number.
fn is_leaf(schema: &Value) -> bool {
    matches!(schema["type"].as_str(), Some("string" | "integer"))
        || schema["type"]
            .as_array()
            .is_some_and(|types| types.contains(&"string".into()))
}

fn candidate(place: Place, name: &str, schema: &Value) -> Option<Candidate> {
    let (class, reason) = match schema["format"].as_str() {
        Some("email" | "idn-email") => ("email", "its format is email"),
        _ => (hints::class(name)?, "by its name: look at it"),
    };
    Some(Candidate {
        place,
        class,
        reason: reason.to_owned(),
    })
}
