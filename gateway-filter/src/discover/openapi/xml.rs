//! Owns the `xml` words of schemas (`OpenAPI` 3.1, XML Object): where a property is in an XML body.

use serde_json::Value;

use super::super::{Candidate, Place};
use super::{DEPTH_MAX, Reader, candidate, is_leaf};

impl<'d> Reader<'d> {
    /// What a schema describes of XML documents. A namespace at the root holds for all of it.
    pub(super) fn xml(&self, schema: &'d Value, found: &mut Vec<Candidate>) {
        let named = schema["$ref"].as_str().and_then(|to| to.rsplit('/').next());
        let resolved = self.resolved(schema);
        let any = match resolved["xml"]["namespace"].as_str() {
            Some(_) => "*:",
            None => "",
        };
        let root = resolved["xml"]["name"].as_str().or(named);
        let root = root.map_or_else(|| "/*".to_owned(), |name| format!("/{any}{name}"));
        let around = Around { any, depth: 0 };
        self.members(resolved, &root, around, found);
    }

    fn members(
        &self,
        schema: &'d Value,
        path: &str,
        around: Around<'_>,
        found: &mut Vec<Candidate>,
    ) {
        if around.depth > DEPTH_MAX {
            return;
        }
        for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
            let inner = self.resolved(inner);
            let name = inner["xml"]["name"].as_str().unwrap_or(key);
            if inner["xml"]["attribute"] == true {
                let place = Place::Xml(format!("{path}/@{name}"));
                add(found, candidate(place, key, inner));
                continue;
            }
            self.element(inner, path, (key, name), around, found);
        }
        for several in ["allOf", "anyOf", "oneOf"] {
            for inner in schema[several].as_array().into_iter().flatten() {
                self.members(self.resolved(inner), path, around.deeper(), found);
            }
        }
    }

    /// An element, or the elements of an array: in one of its own where it is `wrapped`.
    fn element(
        &self,
        schema: &'d Value,
        path: &str,
        (key, name): (&str, &str),
        around: Around<'_>,
        found: &mut Vec<Candidate>,
    ) {
        let any = around.any;
        let items = &schema["items"];
        if items.is_object() {
            let items = self.resolved(items);
            let item = items["xml"]["name"].as_str().unwrap_or(name);
            let path = if schema["xml"]["wrapped"] == true {
                format!("{path}/{any}{name}/{any}{item}")
            } else {
                format!("{path}/{any}{item}")
            };
            return self.element_at(items, &path, key, around, found);
        }
        self.element_at(schema, &format!("{path}/{any}{name}"), key, around, found);
    }

    fn element_at(
        &self,
        schema: &'d Value,
        path: &str,
        key: &str,
        around: Around<'_>,
        found: &mut Vec<Candidate>,
    ) {
        if is_leaf(schema) {
            add(found, candidate(Place::Xml(path.to_owned()), key, schema));
        }
        self.members(schema, path, around.deeper(), found);
    }
}

/// What holds for all elements within.
#[derive(Clone, Copy)]
struct Around<'a> {
    /// `*:` where the document has a namespace.
    any: &'a str,
    depth: usize,
}

impl Around<'_> {
    fn deeper(self) -> Self {
        Self {
            depth: self.depth + 1,
            ..self
        }
    }
}

fn add(found: &mut Vec<Candidate>, new: Option<Candidate>) {
    found.extend(new.filter(|new| !found.contains(new)));
}
