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

#[cfg(test)]
mod tests {
    use super::super::{openapi, samples};
    use super::*;
    use crate::media::Format;
    use crate::settings::Settings;

    const AROUND: &str = "[vault]\nurl = \"https://127.0.0.1:1\"\nca = \"ca.pem\"\n";

    fn accepted(fragment: &str) -> Settings {
        Settings::parse(&format!("{AROUND}{fragment}"), std::path::Path::new("")).unwrap()
    }

    fn places(candidates: &[Candidate]) -> Vec<(String, &str)> {
        candidates
            .iter()
            .map(|candidate| (format!("{:?}", candidate.place), candidate.class))
            .collect()
    }

    #[test]
    fn a_proposal_from_samples_is_a_configuration() {
        let json = br#"{"payer":{"national_id":"A123456789","name":"x","ref-no":"A123456789"},
            "items":[{"n":4111111111111111},{"n":5555555555554444}],"count":"12345675","memo":"A1"}"#;
        let found = samples(&[
            (Format::Json, json.to_vec()),
            (Format::Form, b"tel=0912345678&x=1".to_vec()),
            (
                Format::Csv { header: None },
                b"when,birthday\n2020-01-01,1990-01-01\n".to_vec(),
            ),
        ])
        .unwrap();
        assert_eq!(
            places(&found),
            [
                ("Json(\"$.items[*].n\")".to_owned(), "pan"),
                ("Json(\"$.payer.name\")".to_owned(), "name"),
                ("Json(\"$.payer.national_id\")".to_owned(), "national-id"),
                ("Json(\"$.payer['ref-no']\")".to_owned(), "national-id"),
                ("Form(\"tel\")".to_owned(), "mobile"),
                ("Csv(\"birthday\")".to_owned(), "birth-date"),
            ]
        );
        let proposal = Proposal {
            name: "pay \"ments\"".to_owned(),
            method: "POST".to_owned(),
            path: "/payments".to_owned(),
            request: found,
            response: Vec::new(),
        };
        let text = fragment(&[proposal], "city");
        assert!(text.contains("# national-id: 1 of 1 values pass the check digit"));
        assert!(!text.contains("A123456789"), "a value in the proposal");
        let settings = accepted(&text);
        assert_eq!(settings.rules.routes()[0].name(), "pay \"ments\"");
    }

    #[test]
    fn a_proposal_from_openapi_is_a_configuration() {
        let document = br##"{"openapi":"3.1.0","paths":{"/people/{national_id}":{
            "parameters":[{"name":"national_id","in":"path"}],
            "get":{"operationId":"person","parameters":[{"$ref":"#/components/parameters/P"}],
              "responses":{"200":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Person"}}}},
                           "404":{"content":{"application/json":{"schema":{"type":"object","properties":{"email":{"type":"string"}}}}}}}},
            "post":{"requestBody":{"content":{"application/x-www-form-urlencoded":{"schema":{"properties":{"contact":{"type":"string","format":"email"}}}}}},
              "responses":{}}}},
          "components":{"parameters":{"P":{"name":"phone","in":"query","schema":{"type":"string"}}},
            "schemas":{"Person":{"type":"object","properties":{"full_name":{"type":"string"},
              "children":{"type":"array","items":{"$ref":"#/components/schemas/Person"}}}}}}}"##;
        let proposals = openapi(document).unwrap();
        assert_eq!(proposals.len(), 2);
        assert_eq!(
            places(&proposals[0].request),
            [
                ("Segment(\"national_id\")".to_owned(), "national-id"),
                ("Query(\"phone\")".to_owned(), "mobile")
            ]
        );
        let answer = places(&proposals[0].response);
        assert_eq!(answer[0].1, "name");
        assert!(answer.contains(&("Json(\"$.children[*].full_name\")".to_owned(), "name")));
        assert_eq!(proposals[1].request[1].class, "email");
        accepted(&fragment(&proposals, "city"));
        assert!(openapi(b"{}").is_err() && openapi(b"openapi: 3.0.0").is_err());
    }
}
