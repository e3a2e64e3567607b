//! Bad input, row by row: what two programs could read in different ways, or what would cost too much,
//! does not go on. Each row names the body's type, the body, and the typed answer.

use std::fmt::Write as _;

use gateway_filter::Problem;

use super::{BOUNDARY, headers, send_bytes};
use crate::city::MemoryVault;

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";
const FORM: &str = "application/x-www-form-urlencoded";
const CSV: &str = "text/csv";
const XML: &str = "application/xml";

type Row = (&'static str, &'static [u8], u16, &'static str);

const ROWS: &[Row] = &[
    // Two readings of one document.
    (JSON, br#"{"id":"a","id":"b"}"#, 400, "json-duplicate-key"),
    (JSON, br#"{"id":"a","i\u0064":"b"}"#, 400, "json-duplicate-key"),
    (JSON, br#"{"a":1,"a":2}"#, 400, "json-duplicate-key"),
    (JSON, br#"{"id":"\ud800"}"#, 400, "json-invalid"),
    (JSON, br#"{"id":"\udc00\ud800"}"#, 400, "json-invalid"),
    (JSON, br#"{"\ud800":1}"#, 400, "json-invalid"),
    (JSON, b"{\"id\":\"a\0b\"}", 400, "json-invalid"),
    (JSON, b"{\"id\":\"a\"}\0", 400, "json-invalid"),
    (JSON, b"\0{\"id\":\"a\"}", 400, "json-invalid"),
    (JSON, b"{\"id\":\"\xc0\xaf\"}", 400, "body-not-utf8"),
    (JSON, b"{\"id\":\"\xe0\x80\xaf\"}", 400, "body-not-utf8"),
    (JSON, b"{\"id\":\"\xed\xa0\x80\"}", 400, "body-not-utf8"),
    (JSON, b"{\"id\":\"\xf4\x90\x80\x80\"}", 400, "body-not-utf8"),
    (JSON, b"\xff\xfe{\x00}\x00", 400, "body-not-utf8"),
    (JSON, b"\xef\xbb\xbf{\"id\":\"a\"}", 400, "json-invalid"),
    (JSON, br#"{"id":"a"}{"id":"b"}"#, 400, "json-invalid"),
    (JSON, br#"{"id":"a",}"#, 400, "json-invalid"),
    (JSON, br#"{"id":"a"//
}"#, 400, "json-invalid"),
    (JSON, br"{'id':'a'}", 400, "json-invalid"),
    (JSON, br#"{id:"a"}"#, 400, "json-invalid"),
    (JSON, br#"{"n":NaN,"id":"a"}"#, 400, "json-invalid"),
    (JSON, br#"{"n":01,"id":"a"}"#, 400, "json-invalid"),
    (JSON, br#"{"id":"a""#, 400, "json-invalid"),
    (JSON, br#"{"id":7}"#, 422, "field-not-a-string"),
    (JSON, br#"{"id":["a"]}"#, 422, "field-not-a-string"),
    (LINES, b"{\"id\":\"a\"}\n{\"id\":\"b\"", 400, "json-invalid"),
    (LINES, b"{\"id\":\n\"a\"}", 400, "json-invalid"),
    (LINES, b"{\"id\":\"a\",\"id\":\"b\"}\n", 400, "json-duplicate-key"),
    (FORM, b"a=1;id=2", 400, "form-invalid"),
    (FORM, b"id=%4", 400, "form-invalid"),
    (FORM, b"id=%zz", 400, "form-invalid"),
    (FORM, b"id=%ff", 400, "form-invalid"),
    (FORM, b"id%00x=1", 400, "form-invalid"),
    (FORM, b"id=a b", 400, "form-invalid"),
    (FORM, br#"{"id":"A1"}"#, 400, "form-invalid"),
    (FORM, br#"{"id":"A1=","x":1}"#, 400, "form-invalid"),
    (FORM, br#"a=1&{"id":"A1"}"#, 400, "form-invalid"),
    (FORM, b"<id>A1</id>", 400, "form-invalid"),
    (FORM, b"id=1\r\n&id=2", 400, "form-invalid"),
    (CSV, b"name;id\nLi;1", 400, "csv-invalid"),
    (CSV, b"Li,1\nWang,2", 400, "csv-invalid"),
    (CSV, b"id,id\n1,2", 400, "csv-invalid"),
    (CSV, b"name,id\nLi", 400, "csv-invalid"),
    (CSV, b"name,id\nLi,1,2", 400, "csv-invalid"),
    (CSV, b"name,id\nL\"i,1", 400, "csv-invalid"),
    (CSV, b"name,id\n\"Li\"x,1", 400, "csv-invalid"),
    (CSV, b"name,id\n\"Li,1", 400, "csv-invalid"),
    (CSV, b"name,id\rLi,1", 400, "csv-invalid"),
    (CSV, b"name,id\nLi\0,1", 400, "csv-invalid"),
    (CSV, b"name,id\n\xff,1", 400, "csv-invalid"),
    (CSV, b"id,x\n\"a\\\",b\",1", 400, "csv-invalid"),
    (CSV, b"id,x\n\"a\\\"\",b\",1", 400, "csv-invalid"),
    (CSV, b"x,id\n\"a\\\",b", 400, "csv-invalid"),
    ("text/csv; header=absent", b"name,id\nLi,1", 400, "csv-invalid"),
    (BOUNDARY, b"", 0, ""),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\nx", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\nx\r\n--b1", 400, "multipart-invalid"),
    (BOUNDARY, b"x\r\n--b1\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\nx\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\nx\r\n--b1--\r\nmore", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\nContent-Disposition: form-data; name=\"id\"\n\nx\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\n--b1\nContent-Disposition: form-data; name=\"id\"\r\n\r\ny\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\n--b1\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\ny\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx--b1\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\ny\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name=\"a\"; name=\"id\"\r\n\r\nx\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name=\"a\"; name*=utf-8''id\r\n\r\nx\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name=\"i\\d\"\r\n\r\nx\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name=\"other\"; foo; name=\"id\"\r\n\r\nx\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name=id ; x=1\r\n\r\nx\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; x=\"\\\";a=\";name=id;b=\";name=other;c=x\"\r\n\r\nx\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name= \"id\"\r\n\r\nx\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name =\"id\"\r\n\r\nx\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name='id'\r\n\r\nx\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name=i d\r\n\r\nx\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name=\"a\"; filename=\"\\\"; name=\"id\"\r\n\r\nx\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data;\r\n name=\"id\"\r\n\r\nx\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Type: text/plain\r\n\r\nx\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name=\"id\"\r\nContent-Transfer-Encoding: base64\r\n\r\neA==\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name=\"id\"\r\nContent-Type: text/plain; charset=utf-16\r\n\r\nx\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name=\"_charset_\"\r\n\r\nutf-7\r\n--b1--", 400, "multipart-invalid"),
    (BOUNDARY, b"--b1\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n\xff\r\n--b1--", 400, "multipart-invalid"),
    (XML, b"<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", 400, "xml-entities-refused"),
    (XML, b"<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;\">]><lolz>&lol2;</lolz>", 400, "xml-entities-refused"),
    (XML, b"<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", 400, "xml-entities-refused"),
    (XML, b"<a>&b;</a>", 400, "xml-entities-refused"),
    (XML, b"<a>&nbsp;</a>", 400, "xml-entities-refused"),
    (XML, b"<a>&#0;</a>", 400, "xml-invalid"),
    (XML, b"<a>&#xD800;</a>", 400, "xml-invalid"),
    (XML, b"<a>\0</a>", 400, "xml-invalid"),
    (XML, b"<a>\x01</a>", 400, "xml-invalid"),
    (XML, b"<a>\xff</a>", 400, "xml-invalid"),
    (XML, b"<?xml version='1.0' encoding='utf-16'?><a/>", 400, "xml-invalid"),
    (XML, b"<?xml version='1.1'?><a/>", 400, "xml-invalid"),
    (XML, b" <?xml version='1.0'?><a/>", 400, "xml-invalid"),
    (XML, b"<a><b></a></b>", 400, "xml-invalid"),
    (XML, b"<a>", 400, "xml-invalid"),
    (XML, b"<a/><b/>", 400, "xml-invalid"),
    (XML, b"<a/>text", 400, "xml-invalid"),
    (XML, b"text", 400, "xml-invalid"),
    (XML, b"<a b='1' b='2'/>", 400, "xml-invalid"),
    (XML, b"<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>", 400, "xml-invalid"),
    (XML, b"<p:a/>", 400, "xml-invalid"),
    (XML, b"<a xmlns:xml='u'/>", 400, "xml-invalid"),
    (XML, b"<a b='<'/>", 400, "xml-invalid"),
    (XML, b"<a b=1/>", 400, "xml-invalid"),
    (XML, b"<a b='1'c='2'/>", 400, "xml-invalid"),
    (XML, b"<a>]]></a>", 400, "xml-invalid"),
    (XML, b"<a><!-- -- --></a>", 400, "xml-invalid"),
    (XML, b"<a><1/></a>", 400, "xml-invalid"),
    (XML, b"<a><id>x<b/>y</id></a>", 422, "field-not-a-string"),
    (XML, b"<a><id>x<!-- y -->z</id></a>", 422, "field-not-a-string"),
    // Types that no rule of the route names, or that say two things.
    ("text/plain", b"{\"id\":\"a\"}", 415, "media-type-unsupported"),
    ("application/json; charset=utf-16", b"{\"id\":\"a\"}", 415, "media-type-unsupported"),
    ("multipart/form-data", b"--b1--", 415, "media-type-unsupported"),
    ("multipart/form-data; x-boundary=b1; boundary=b2", b"--b2--", 415, "media-type-unsupported"),
    ("multipart/form-data; boundary=b1; x; boundary=b2", b"--b2--", 415, "media-type-unsupported"),
    ("multipart/form-data; boundary=b1,b2", b"--b1,b2--", 415, "media-type-unsupported"),
    ("application/json; x; charset=utf-7", b"{\"id\":\"a\"}", 415, "media-type-unsupported"),
    ("multipart/mixed; boundary=b1", b"--b1--", 415, "media-type-unsupported"),
    ("", b"{\"id\":\"a\"}", 415, "media-type-unsupported"),
    // A body that is not what it says.
    (JSON, b"id=a", 400, "json-invalid"),
    (XML, b"{\"id\":\"a\"}", 400, "xml-invalid"),
    (BOUNDARY, b"{\"id\":\"a\"}", 400, "multipart-invalid"),
];

async fn answer(content_type: &str, coding: Option<&str>, body: &[u8]) -> (u16, String) {
    let vault = MemoryVault::default();
    let coding: Vec<_> = coding
        .map(|coding| ("content-encoding", coding))
        .into_iter()
        .collect();
    let headers = headers(content_type, &coding);
    let outcome = send_bytes(&vault, "/intake/x", &headers, body).await;
    // Nothing that is refused has come to the vault.
    let Err(error) = outcome else {
        return (0, String::new());
    };
    assert_eq!(vault.calls(), [], "{content_type} {}", body.escape_ascii());
    let problem = Problem::from(&error);
    (problem.status.as_u16(), problem.code.into_owned())
}

#[tokio::test]
async fn every_bad_body_has_its_typed_answer() {
    for (content_type, body, status, code) in ROWS {
        let got = answer(content_type, None, body).await;
        let wanted = (*status, (*code).to_owned());
        assert_eq!(got, wanted, "{content_type}: {}", body.escape_ascii());
    }
}

fn many_attributes(count: usize) -> String {
    let mut element = String::from("<a");
    for number in 0..count {
        write!(element, " b{number}='1'").unwrap();
    }
    element + "/>"
}

#[tokio::test]
async fn what_is_too_deep_or_too_much_is_refused() {
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(1000), close.repeat(1000));
    let rows = [
        (JSON, nested("[", "]"), "body-too-deep"),
        (
            JSON,
            nested("{\"a\":", "}").replace(":}", ":1}"),
            "body-too-deep",
        ),
        (XML, nested("<a>", "</a>"), "body-too-deep"),
        (
            JSON,
            format!("[{}]", vec!["{\"id\":\"1\"}"; 80_000].join(",")),
            "body-nodes-exceeded",
        ),
        (
            JSON,
            format!("[{}]", vec!["{\"id\":\"1\"}"; 1_001].join(",")),
            "fields-exceeded",
        ),
        (LINES, "{\"id\":\"1\"}\n".repeat(1_001), "fields-exceeded"),
        (LINES, "1\n".repeat(100_001), "body-nodes-exceeded"),
        (FORM, vec!["id=1"; 1_001].join("&"), "fields-exceeded"),
        (FORM, "&".repeat(100_001), "body-nodes-exceeded"),
        (
            CSV,
            format!("id\n{}", "1\n".repeat(1_001)),
            "fields-exceeded",
        ),
        (
            CSV,
            format!("id\n{}", "\n".repeat(100_001)),
            "body-nodes-exceeded",
        ),
        (
            XML,
            format!("<a>{}</a>", "<id>1</id>".repeat(1_001)),
            "fields-exceeded",
        ),
        (
            XML,
            format!("<a>{}</a>", "<b/>".repeat(100_001)),
            "body-nodes-exceeded",
        ),
        (XML, many_attributes(257), "xml-names-exceeded"),
        (
            JSON,
            format!("[\"{}\"]", "x".repeat(1_000_000)),
            "body-too-large",
        ),
    ];
    for (content_type, body, code) in rows {
        let (status, got) = answer(content_type, None, body.as_bytes()).await;
        assert_eq!(got, code, "{content_type} {}", &body[..20]);
        assert!(matches!(status, 400 | 413), "{status}");
    }
}

#[tokio::test]
async fn a_coded_body_that_lies_or_explodes_is_refused() {
    use std::io::Write as _;
    let gzip = |plain: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    };
    let body = gzip(br#"{"id":"a"}"#);
    let code = async |coding: &str, body: &[u8]| answer(JSON, Some(coding), body).await;
    assert_eq!(code("gzip", &body).await.0, 0);
    let refused = |status: u16, code: &str| (status, code.to_owned());
    let invalid = refused(400, "content-coding-invalid");
    assert_eq!(code("gzip", br#"{"id":"a"}"#).await, invalid);
    assert_eq!(code("br", &body).await, invalid);
    assert_eq!(code("gzip", &body[..body.len() - 4]).await, invalid);
    assert_eq!(
        code("gzip", &[body.as_slice(), &body].concat()).await,
        invalid
    );
    for unknown in ["compress", "gzip, gzip", "br, gzip", "aes128gcm", "utf-8"] {
        let unsupported = refused(415, "content-encoding-unsupported");
        assert_eq!(code(unknown, &body).await, unsupported, "{unknown}");
    }
    let bomb = gzip(&vec![b' '; 900_000]);
    assert_eq!(code("gzip", &bomb).await, refused(413, "body-too-large"));
    let large = gzip(&vec![b' '; 1_000_001]);
    assert_eq!(code("gzip", &large).await, refused(413, "body-too-large"));
}
