//! Fields and whole payloads through the gateway filter in all of its forms, with messages of a partner who has the
//! keys: `jwcrypto`.

use std::io::Write as _;

use serde_json::{Value, json};
use tests::{Form, House, Program, Reply, Upstream, plugged, post_to};

use super::{JSON, REVENUE, Shared};

const JOSE: &str = "content-type: application/jose";
const ROUTES: &str = include_str!("../../../gateway-filter/examples/jwe.toml");

/// A route whose key is not there.
const MISSPELT: &str = r#"
[[route]]
name = "misspelt"
method = "POST"
path = "/misspelt"
domain = "city"
[[route.request]]
field = "$.card"
action = "encrypt"
key = "crads"
"#;

/// A gateway with the filter, the vault, an upstream, and a partner's keys.
struct City {
    house: House,
    upstream: Upstream,
    orders: Shared,
    cards: Shared,
    url: String,
    bearer: String,
    programs: Vec<Program>,
}

impl City {
    fn open(form: Form) -> Self {
        let house = House::open();
        let orders = Shared::brought(&house, "A256KW", "orders");
        let cards = Shared::brought(&house, "dir", "cards");
        let settings = house.directory().join("filter.toml");
        let mut file = std::fs::File::options()
            .append(true)
            .open(settings)
            .unwrap();
        file.write_all(ROUTES.as_bytes()).unwrap();
        file.write_all(MISSPELT.as_bytes()).unwrap();
        let upstream = Upstream::start(house.upstream_port());
        let (programs, url) = plugged(form, &house);
        let bearer = format!("authorization: Bearer {}", house.access_token(REVENUE));
        Self {
            house,
            upstream,
            orders,
            cards,
            url,
            bearer,
            programs,
        }
    }

    fn post(&self, path: &str, content_type: &str, body: &str) -> Reply {
        let arguments = ["--header", content_type, "--header", &self.bearer];
        post_to(&format!("{}{path}", self.url), &arguments, body.as_bytes())
    }

    fn get(&self, path: &str) -> Reply {
        House::curl_plain(&format!("{}{path}", self.url), &["--header", &self.bearer])
    }

    /// The request goes on; what the upstream got.
    #[track_caller]
    fn sent(&self, path: &str, content_type: &str, body: &str) -> tests::Seen {
        let reply = self.post(path, content_type, body);
        let said: Vec<String> = self.programs.iter().map(Program::said).collect();
        assert_eq!(reply.status, 200, "{reply:?}\n{}", said.join("\n"));
        self.upstream.last()
    }

    fn expect(&self, reply: &Reply, status: u16, code: &str) {
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (status, code),
            "{reply:?}"
        );
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

const ORDER: &str = "{ \"national_id\": \"A123456789\", \"note\":\"王小明\", \"sum\": 1.50 }";

/// Nothing of the value is left, everything else is.
#[track_caller]
fn tokenized(text: &str) {
    assert!(!text.contains("A123456789"), "{text}");
    assert!(
        text.starts_with("{ \"national_id\": \"")
            && text.ends_with("\", \"note\":\"王小明\", \"sum\": 1.50 }"),
        "{text}"
    );
}

fn payloads_go_out_encrypted_and_come_in_opened(city: &City) {
    let seen = city.sent("/orders/out", JSON, ORDER);
    assert_eq!(seen.header("content-type"), ["application/jose"]);
    assert_eq!(seen.header("authorization"), Vec::<&str>::new());
    if let [length] = seen.header("content-length").as_slice() {
        assert_eq!(*length, seen.body.len().to_string());
    }
    let (plaintext, header) = city.orders.opened(seen.text());
    tokenized(&plaintext);
    assert_eq!(header["cty"], "application/json");

    // What the upstream stored comes back opened, by a route that says so.
    let reply = city.get("/replies/7");
    assert_eq!(
        (reply.status, reply.media.as_str()),
        (200, "application/json"),
        "{reply:?}"
    );
    assert_eq!(reply.body, plaintext);

    let sealed = city.orders.sealed_as("json", ORDER);
    let seen = city.sent("/orders/in", JOSE, &sealed);
    assert_eq!(seen.header("content-type"), ["application/json"]);
    tokenized(seen.text());

    let reply = city.get("/orders/7");
    assert_eq!(
        (reply.status, reply.media.as_str()),
        (200, "application/jose"),
        "{reply:?}"
    );
    let (plaintext, header) = city.orders.opened(&reply.body);
    assert_eq!(plaintext, seen.text());
    assert_eq!(header["cty"], "application/json");
}

fn fields_go_out_encrypted_and_come_in_opened(city: &City) {
    let back = city.cards.sealed(&city.cards.header(1), "\"回\"");
    let body = format!("{{\"card\":\"4111-1\",\"back\":\"{back}\",\"n\":1e2}}");
    let seen = city.sent("/cards/1", JSON, &body);
    let document = parsed(seen.text());
    assert_eq!(
        (&document["back"], &document["n"]),
        (&json!("\"回\""), &json!(100.0))
    );
    assert!(seen.text().ends_with(",\"n\":1e2}"), "{}", seen.text());
    let (card, header) = city.cards.opened(document["card"].as_str().unwrap());
    assert_eq!((card.as_str(), header), ("4111-1", city.cards.header(1)));
    let reply = city.get("/cards/1");
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(parsed(&reply.body)["card"], "4111-1");
}

fn what_does_not_open_goes_nowhere(city: &mut City) {
    let before = city.upstream.seen().len();
    let sealed = city.orders.sealed_as("json", ORDER);
    let altered = sealed.replacen("..", "", 1).replace('.', "A.");
    city.expect(
        &city.post("/orders/in", JOSE, &altered),
        422,
        "jwe-unopened",
    );
    city.expect(
        &city.post("/orders/in", JSON, ORDER),
        415,
        "media-type-unsupported",
    );
    let html = city.orders.sealed_as("text/html", "<p>");
    city.expect(
        &city.post("/orders/in", JOSE, &html),
        415,
        "jwe-type-unsupported",
    );
    let other = city.cards.sealed_as("json", ORDER);
    city.expect(&city.post("/orders/in", JOSE, &other), 422, "jwe-unopened");
    let field = "{\"back\":\"no jwe\"}";
    city.expect(&city.post("/cards/1", JSON, field), 422, "jwe-unopened");

    // More than the vault takes at once is an answer, however often it comes: the vault is well.
    let long = format!(
        "{{\"national_id\":\"A123456789\",\"note\":\"{}\"}}",
        "x".repeat(1_048_530)
    );
    for _ in 0..6 {
        city.expect(&city.post("/orders/out", JSON, &long), 413, "jwe-too-long");
    }

    // Nor is it ill where a route misspells its key, which nobody is told of: other routes go on.
    for _ in 0..6 {
        let misspelt = city.post("/misspelt", JSON, "{\"card\":\"1\"}");
        city.expect(&misspelt, 403, "not-permitted");
    }
    city.expect(&city.post("/cards/1", JSON, field), 422, "jwe-unopened");

    // Another unit has no right to the key, and the gateway has none of its own.
    let bearer = format!(
        "authorization: Bearer {}",
        city.house.access_token("treasury")
    );
    let mine = std::mem::replace(&mut city.bearer, bearer);
    city.expect(
        &city.post("/cards/1", JSON, "{\"card\":\"1\"}"),
        403,
        "not-permitted",
    );
    city.expect(
        &city.post("/orders/in", JOSE, &sealed),
        403,
        "not-permitted",
    );
    city.bearer = mine;
    assert_eq!(city.upstream.seen().len(), before);
    // Nor does an answer that is not what the route opens.
    city.sent("/cards/1", JSON, "{\"card\":\"1\"}");
    let plain = city.get("/replies/7");
    city.expect(&plain, 502, "upstream-media-type-unsupported");

    let before = city.upstream.seen().len();
    city.house.kill();
    city.expect(
        &city.post("/orders/out", JSON, "{}"),
        503,
        "vault-unavailable",
    );
    city.expect(
        &city.post("/orders/in", JOSE, &sealed),
        503,
        "vault-unavailable",
    );
    city.expect(
        &city.post("/cards/1", JSON, "{\"card\":\"1\"}"),
        503,
        "vault-unavailable",
    );
    assert_eq!(city.upstream.seen().len(), before);
    let read = city.get("/orders/7");
    city.expect(&read, 503, "vault-unavailable");
}

fn all_of_it(form: Form) {
    let mut city = City::open(form);
    payloads_go_out_encrypted_and_come_in_opened(&city);
    fields_go_out_encrypted_and_come_in_opened(&city);
    what_does_not_open_goes_nowhere(&mut city);
}

#[test]
fn through_the_proxy() {
    all_of_it(Form::Proxy);
}

#[test]
fn through_envoy_and_its_external_processor() {
    all_of_it(Form::Buffered);
}

#[test]
fn through_envoy_in_parts() {
    all_of_it(Form::Duplex);
}

#[test]
fn within_envoy() {
    all_of_it(Form::Module);
}
