//! Proposals, and that each is a configuration.

use std::fmt::Write as _;

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
}

#[test]
fn samples_of_xml_and_multipart_have_places_too() {
    let xml = br#"<?xml version="1.0"?><p:pay xmlns:p="urn:p" plain="1"><person id="A123456789">
        <p:tel>0912345678</p:tel><note>a <b>b</b></note><email><![CDATA[a@example.tw]]></email><name/></person></p:pay>"#;
    let boundary = crate::media::Boundary::new("x").unwrap();
    let part = |name: &str, content: &[u8]| {
        let head = format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
        [head.as_bytes(), content, b"\r\n"].concat()
    };
    let parts = [
        part("card", b"4111111111111111"),
        part("scan", b"\xff\xd8"),
        part("full name", "王".as_bytes()),
        b"--x--".to_vec(),
    ];
    let bodies = [
        (Format::Xml, xml.to_vec()),
        (Format::Multipart(boundary), parts.concat()),
    ];
    let found = samples(&bodies).unwrap();
    let expected = [
        ("Xml(\"/*:pay/person/*:tel\")", "mobile"),
        ("Xml(\"/*:pay/person/@id\")", "national-id"),
        ("Xml(\"/*:pay/person/email\")", "email"),
        ("Part(\"card\")", "pan"),
        ("Part(\"full name\")", "name"),
    ];
    let found_places = places(&found);
    let found_places: Vec<_> = found_places
        .iter()
        .map(|(place, class)| (place.as_str(), *class))
        .collect();
    assert_eq!(found_places, expected);
    let proposal = Proposal {
        name: "all".to_owned(),
        method: "POST".to_owned(),
        path: "/all".to_owned(),
        request: found,
        response: Vec::new(),
    };
    let settings = accepted(&fragment(&[proposal], "city"));
    // The rules take of the samples what the proposal was made of.
    let rules = settings.rules;
    for (format, body) in &bodies {
        let media = crate::media::Media {
            format: *format,
            ..crate::media::Media::JSON
        };
        let side = crate::error::Side::Request;
        let route = rules.route_for(None, side, media).unwrap();
        let preview = rules.preview(route, side, media, body).unwrap();
        let fields = if *format == Format::Xml { 3 } else { 2 };
        assert_eq!(preview.found.len(), fields);
    }
    assert!(samples(&[(Format::Xml, b"<a>".to_vec())]).is_err());
    assert!(samples(&[(Format::Other, b"a: 1".to_vec())]).is_err());
}

#[test]
fn openapi_in_yaml_describes_all_kinds_of_bodies() {
    let document = br#"
openapi: 3.0.3
info: { title: People, version: "1" }
paths:
  /people/{id}:
    put:
      requestBody:
        content:
          multipart/form-data:
            schema:
              type: object
              properties: { passport: { type: string }, photo: { type: string, format: binary } }
          application/xml:
            schema: { $ref: '#/components/schemas/Person' }
      responses:
        200:
          headers:
            X-Email: { schema: { type: string, format: email } }
          content:
            application/json:
              schema: &person { $ref: '#/components/schemas/Person' }
        201:
          content: { application/problem+json: { schema: *person } }
components:
  schemas:
    Person:
      type: object
      xml: { name: person, namespace: urn:people }
      properties:
        national_id: { type: string, xml: { attribute: true } }
        fullName: { type: string, xml: { name: full-name } }
        phones:
          type: array
          xml: { wrapped: true }
          items: { type: string, xml: { name: phone } }
        emails: { type: array, items: { type: string, format: email } }
"#;
    let proposals = openapi(document).unwrap();
    assert_eq!(proposals.len(), 1);
    let request = places(&proposals[0].request);
    for (place, class) in [
        ("Part(\"passport\")", "passport-no"),
        ("Xml(\"/*:person/@national_id\")", "national-id"),
        ("Xml(\"/*:person/*:full-name\")", "name"),
        ("Xml(\"/*:person/*:phones/*:phone\")", "mobile"),
        ("Xml(\"/*:person/*:emails\")", "email"),
    ] {
        assert!(
            request.contains(&(place.to_owned(), class)),
            "{place} in {request:?}"
        );
    }
    assert_eq!(request.len(), 5);
    let response = places(&proposals[0].response);
    assert!(
        response.contains(&("Header(\"x-email\")".to_owned(), "email")),
        "{response:?}"
    );
    assert!(
        response.contains(&("Json(\"$.phones[*]\")".to_owned(), "mobile")),
        "{response:?}"
    );
    accepted(&fragment(&proposals, "city"));
    let mut bomb = String::from("openapi: 3.0.0\na: &a [x,x,x,x,x,x,x,x]\n");
    for (new, old) in ('b'..='k').zip('a'..) {
        let eight = format!("*{old},").repeat(8);
        writeln!(bomb, "{new}: &{new} [{eight}]").unwrap();
    }
    bomb.push_str("paths: {}\n");
    for refused in [
        "{}",
        "openapi: 3.0.0",
        "a: [",
        "openapi: '2.0'\npaths: {}",
        &bomb,
    ] {
        assert!(openapi(refused.as_bytes()).is_err());
    }
}
