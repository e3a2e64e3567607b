//! What the filter takes, other parsers read in the same way: damaged and random bodies of each kind
//! against the crates `csv`, `form_urlencoded` and `roxmltree`. They may take more; never otherwise.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::csv::{Column, Place};
use super::xml::{XmlPath, XmlRule};
use super::{Named, csv as a_csv, form, xml};
use crate::field::Field;
use crate::scan::Bounds;

const BOUNDS: Bounds = Bounds {
    depth_max: 64,
    nodes_max: 100_000,
    fields_max: 1_000,
};

fn values(fields: Vec<Field<'_>>) -> Vec<String> {
    fields
        .into_iter()
        .map(|field| field.value.into_owned())
        .collect()
}

/// Random bodies of these pieces.
fn made_of(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(pieces), 0..14).prop_map(|pieces| pieces.concat())
}

const CSV: &[&str] = &[
    "a", "b c", ",", ",", "\"", "\"\"", "\n", "\r\n", "\r", " ", "é", ";", "\\",
];
const FORM: &[&str] = &[
    "id",
    "=",
    "&",
    "%41",
    "%6",
    "%",
    "+",
    ";",
    "x",
    "i%64",
    "%E9%87%91",
    "é",
    " ",
    "\"",
    "<",
];
const XML: &[&str] = &[
    "<id>",
    "</id>",
    "<id>1</id>",
    "<id>a&amp;b</id>",
    "<a>",
    "</a>",
    "<a x='1'>",
    "<a x=\"1\" x='2'/>",
    "<id/>",
    "&lt;",
    "&#65;",
    "&#x0;",
    "&x;",
    "<![CDATA[",
    "]]>",
    "<id><![CDATA[<]]>z</id>",
    "<!--",
    "-->",
    "text",
    " ",
    "\r\n",
    "<?pi ?>",
    "<?xml version='1.0'?>",
    "<!DOCTYPE a>",
    "<p:id xmlns:p='u'>2</p:id>",
    "<q:id/>",
    "<a xmlns='u'>",
    "'",
    "\"",
    "<",
    ">",
    "&",
    "金",
    "<id y = '<'>",
    "<id>x\r\ny</id>",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn csv_cells_are_those_that_the_crate_csv_reads(body in made_of(CSV)) {
        let first = [Column { rule: 0, place: Place::At(1) }];
        let Ok(ours) = a_csv::select(body.as_bytes(), &first, Some(false), &BOUNDS) else {
            return Ok(());
        };
        let mut reader = ::csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(false)
            .from_reader(body.as_bytes());
        let mut theirs = Vec::new();
        for row in reader.records() {
            let row = row.map_err(|error| TestCaseError::fail(error.to_string()))?;
            theirs.extend(row.get(0).filter(|cell| !cell.is_empty()).map(str::to_owned));
        }
        prop_assert_eq!(values(ours), theirs, "{:?}", body);
    }

    #[test]
    fn form_values_are_those_that_the_crate_form_urlencoded_reads(body in made_of(FORM)) {
        let rules = [Named { rule: 0, name: "id".to_owned() }];
        let Ok(ours) = form::select(body.as_bytes(), &rules, &BOUNDS) else {
            return Ok(());
        };
        let theirs: Vec<String> = form_urlencoded::parse(body.as_bytes())
            .filter(|(name, value)| name == "id" && !value.is_empty())
            .map(|(_, value)| value.into_owned())
            .collect();
        prop_assert_eq!(values(ours), theirs, "{:?}", body);
    }

    #[test]
    fn xml_texts_are_those_that_the_crate_roxmltree_reads(inner in made_of(XML), bare in 0..4u8) {
        let body = if bare == 0 { inner } else { format!("<r>{inner}</r>") };
        let path = XmlPath::parse("//id", &BTreeMap::new()).unwrap();
        let rules = [XmlRule { rule: 0, path, takes_all: false }];
        let Ok(ours) = xml::select(body.as_bytes(), &rules, &BOUNDS) else {
            return Ok(());
        };
        let tree = roxmltree::Document::parse(&body)
            .map_err(|error| TestCaseError::fail(format!("{error}: {body:?}")))?;
        let text = |node: roxmltree::Node<'_, '_>| -> String {
            node.children().filter_map(|child| child.text()).collect()
        };
        let theirs: Vec<String> = tree
            .descendants()
            .filter(|node| node.tag_name().name() == "id" && node.tag_name().namespace().is_none())
            .map(text)
            .filter(|text| !text.is_empty())
            .collect();
        prop_assert_eq!(values(ours), theirs, "{:?}", body);
    }
}
