//! Random bodies of every kind: the fields' values come to the vault as they are meant, and every
//! byte outside the fields stays. A body is made of pieces, so it is known what should come out.

use std::fmt::Write as _;
use std::io::Read as _;

use proptest::prelude::*;

use super::{BOUNDARY, asked, headers, send_bytes};
use crate::city::MemoryVault;

/// A piece of a body.
#[derive(Debug, Clone)]
enum Piece {
    /// It stays.
    Raw(String),
    /// A field: its spelling, its value, and what stands around its token.
    Field {
        raw: String,
        value: String,
        around: &'static str,
    },
}

use Piece::Raw;

fn raw(text: &str) -> Piece {
    Raw(text.to_owned())
}

/// Sends the pieces' text and compares with what the pieces say.
fn check(content_type: &str, class: &str, pieces: &[Piece]) -> Result<(), TestCaseError> {
    let (mut body, mut expected, mut values) = (String::new(), String::new(), Vec::new());
    for piece in pieces {
        match piece {
            Piece::Field { raw, value, around } if !value.is_empty() => {
                body.push_str(raw);
                let token = format!("{around}tok-{class}-{}{around}", values.len());
                expected.push_str(&token);
                values.push((class.to_owned(), value.clone()));
            }
            Piece::Field { raw, .. } | Raw(raw) => {
                body.push_str(raw);
                expected.push_str(raw);
            }
        }
    }
    let vault = MemoryVault::default();
    let headers = headers(content_type, &[]);
    let sent = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(send_bytes(&vault, "/intake/x", &headers, body.as_bytes()));
    let sent = sent.map_err(|error| TestCaseError::fail(format!("{error}: {body}")))?;
    let sent = String::from_utf8(sent.into_bytes().to_vec()).unwrap();
    prop_assert_eq!(sent, expected, "{}", body);
    prop_assert_eq!(asked(&vault), values);
    Ok(())
}

/// A text with what needs care in every format.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9]{0,6}",
        "[ -~]{0,8}",
        "[ -~金é\u{1F600}]{0,6}",
        prop::sample::select(vec![
            "\"", "\"\"", "a,b", "&", "a\nb", "]]", "--b", "%41", "+"
        ])
        .prop_map(str::to_owned),
    ]
}

fn form_spelled(value: &str, how: &[u8]) -> String {
    let mut spelled = String::new();
    for (at, byte) in value.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric();
        match (
            byte,
            how.get(at % how.len().max(1)).copied().unwrap_or(0) % 3,
        ) {
            (b' ', 0) => spelled.push('+'),
            (_, 1 | 0) if plain => spelled.push(char::from(byte)),
            (_, 2) => write!(spelled, "%{byte:02x}").unwrap(),
            _ => write!(spelled, "%{byte:02X}").unwrap(),
        }
    }
    spelled
}

fn form() -> impl Strategy<Value = Vec<Piece>> {
    let pair = (any::<bool>(), "[a-z]{1,3}", text(), any::<[u8; 4]>());
    prop::collection::vec(pair, 0..6).prop_map(|pairs| {
        let mut pieces = Vec::new();
        for (at, (is_field, name, value, how)) in pairs.into_iter().enumerate() {
            if at > 0 {
                pieces.push(raw("&"));
            }
            let spelled = form_spelled(&value, &how);
            if is_field {
                pieces.push(raw(if how[0] % 2 == 0 { "id=" } else { "%69d=" }));
                pieces.push(Piece::Field {
                    raw: spelled,
                    value,
                    around: "",
                });
            } else {
                pieces.push(Raw(format!("{name}x={spelled}")));
            }
        }
        pieces
    })
}

fn csv_cell(value: &str, quotes: Option<()>) -> (String, &'static str) {
    let needs = value.contains([',', '"', '\n', '\r']);
    if quotes.is_some() || needs {
        (format!("\"{}\"", value.replace('"', "\"\"")), "\"")
    } else {
        (value.to_owned(), "")
    }
}

fn csv() -> impl Strategy<Value = Vec<Piece>> {
    // A backslash before a quote is refused.
    let text = || text().prop_map(|text| text.replace('\\', "/"));
    let row = (text(), text(), any::<[bool; 3]>());
    (prop::collection::vec(row, 0..6), any::<bool>()).prop_map(|(rows, last)| {
        let mut pieces = vec![raw("name,\"id\",x\r\n")];
        let count = rows.len();
        for (at, (name, id, quoted)) in rows.into_iter().enumerate() {
            pieces.push(Raw(csv_cell(&name, quoted[0].then_some(())).0 + ","));
            let (spelled, around) = csv_cell(&id, quoted[1].then_some(()));
            pieces.push(Piece::Field {
                raw: spelled,
                value: id,
                around,
            });
            pieces.push(raw(",7"));
            if last || at + 1 < count {
                pieces.push(raw(if quoted[2] { "\r\n" } else { "\n" }));
            }
        }
        pieces
    })
}

fn xml_spelled(value: &str, how: u8) -> String {
    let mut spelled = String::new();
    for next in value.chars() {
        match (next, how % 3) {
            ('<', 0) => spelled.push_str("&lt;"),
            ('&', 0) => spelled.push_str("&amp;"),
            ('<' | '&' | '>' | '"' | '\'', _) => {
                write!(spelled, "&#x{:x};", u32::from(next)).unwrap();
            }
            ('\n', 1) => spelled.push_str("&#10;"),
            (next, 2) if !next.is_ascii() => write!(spelled, "&#{};", u32::from(next)).unwrap(),
            (plain, _) => spelled.push(plain),
        }
    }
    spelled
}

fn xml() -> impl Strategy<Value = Vec<Piece>> {
    let element = (any::<bool>(), "[a-h]{1,4}", text(), any::<u8>());
    prop::collection::vec(element, 0..6).prop_map(|elements| {
        let mut pieces = vec![raw("<?xml version='1.0'?>\n<r>")];
        for (is_field, name, value, how) in elements {
            let cdata = how % 5 == 0 && !value.contains("]]") && !value.is_empty();
            let spelled = if cdata {
                format!("<![CDATA[{value}]]>")
            } else {
                xml_spelled(&value, how)
            };
            let depth = usize::from(how % 4);
            pieces.push(Raw("<d a=\"1\">".repeat(depth)));
            if is_field {
                pieces.push(raw("<id x = '>'\n>"));
                pieces.push(Piece::Field {
                    raw: spelled,
                    value,
                    around: "",
                });
                pieces.push(raw("</id >"));
            } else {
                pieces.push(Raw(format!("<{name}>{spelled}</{name}><!-- id --><id/>")));
            }
            pieces.push(Raw("</d>".repeat(depth)));
        }
        pieces.push(raw("</r>\n"));
        pieces
    })
}

fn multipart() -> impl Strategy<Value = Vec<Piece>> {
    let part = (any::<bool>(), "[a-h]{1,4}", text(), any::<bool>());
    prop::collection::vec(part, 0..5).prop_map(|parts| {
        let mut pieces = Vec::new();
        for (is_field, name, value, file) in parts {
            let name = if is_field { "id" } else { name.as_str() };
            let file = if file {
                "; filename=\"a;b.txt\"\r\ncontent-type: text/plain"
            } else {
                ""
            };
            pieces.push(Raw(format!(
                "--b1\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n"
            )));
            if is_field {
                pieces.push(Piece::Field {
                    raw: value.clone(),
                    value,
                    around: "",
                });
            } else {
                pieces.push(Raw(value));
            }
            pieces.push(raw("\r\n"));
        }
        pieces.push(raw("--b1--\r\n"));
        pieces
    })
}

fn json_document() -> impl Strategy<Value = Vec<Piece>> {
    let member = (any::<bool>(), "[a-h]{1,4}", text(), "[ \t]{0,2}");
    prop::collection::vec(member, 0..5).prop_map(|members| {
        let mut pieces = vec![raw("[")];
        for (at, (is_field, name, value, blank)) in members.into_iter().enumerate() {
            if at > 0 {
                pieces.push(Raw(format!("{blank},")));
            }
            let literal = serde_json::to_string(&value).unwrap();
            if is_field && !value.is_empty() {
                pieces.push(Raw(format!("{{\"i\\u0064\" :{blank}")));
                pieces.push(Piece::Field {
                    raw: literal,
                    value,
                    around: "\"",
                });
                pieces.push(raw(",\"n\":1E+2}"));
            } else {
                pieces.push(Raw(format!("{{\"{name}\":{blank}{literal}, \"n\":-0.0}}")));
            }
        }
        pieces.push(raw("]"));
        pieces
    })
}

fn lines() -> impl Strategy<Value = Vec<Piece>> {
    let line = (
        json_document(),
        prop::sample::select(vec!["\n", "\r\n", "\n\n"]),
    );
    prop::collection::vec(line, 0..4).prop_map(|lines| {
        let mut pieces = Vec::new();
        for (document, end) in lines {
            pieces.extend(document);
            pieces.push(raw(end));
        }
        pieces
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_forms_other_bytes_stay(pieces in form()) {
        check("application/x-www-form-urlencoded", "form", &pieces)?;
    }

    #[test]
    fn a_csv_bodys_other_bytes_stay(pieces in csv()) {
        check("text/csv; charset=utf-8", "csv", &pieces)?;
    }

    #[test]
    fn an_xml_documents_other_bytes_stay(pieces in xml()) {
        check("text/xml", "xml", &pieces)?;
    }

    #[test]
    fn a_multipart_bodys_other_bytes_stay(pieces in multipart()) {
        check(BOUNDARY, "part", &pieces)?;
    }

    #[test]
    fn json_lines_other_bytes_stay(pieces in lines()) {
        check("application/jsonl", "json", &pieces)?;
    }

    #[test]
    fn a_json_documents_other_bytes_stay(pieces in json_document()) {
        check("application/json", "json", &pieces)?;
    }
}

#[tokio::test]
async fn an_encoded_body_is_decoded_and_encoded_again() {
    let plain = br#"{"id":"A1","n":12345678901234567890}"#;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut gzip, plain).unwrap();
    let packed = gzip.finish().unwrap();
    let vault = MemoryVault::default();
    let headers = headers("application/json", &[("content-encoding", "gzip")]);
    let sent = send_bytes(&vault, "/intake/x", &headers, &packed).await;
    let mut text = String::new();
    flate2::read::GzDecoder::new(sent.unwrap().into_bytes().as_ref())
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, r#"{"id":"tok-json-0","n":12345678901234567890}"#);
}
