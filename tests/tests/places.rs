//! Fields that stand elsewhere than in JSON: in the path, the query, headers, forms and multipart bodies of requests,
//! through the gateway in each of its forms, over a running vault.

use tests::{Form, House, Program, Reply, Seen, Upstream, plugged, post_to, values};

const ROUTE: &str = r#"[[route]]
name = "move"
method = "POST"
path = "/people/{id}/moves"
domain = "city"
[[route.request]]
segment = "id"
class = "national-id"
action = "tokenize"
[[route.request]]
query = "mobile"
class = "mobile"
action = "tokenize"
[[route.request]]
header = "x-name"
class = "name"
action = "tokenize"
[[route.request]]
header = "x-debug"
action = "drop"
[[route.request]]
form = "address"
class = "address"
action = "tokenize"
[[route.request]]
part = "address"
class = "address"
action = "tokenize"

[[route]]
name = "payment-submit""#;

const FORM: &str = "content-type: application/x-www-form-urlencoded";
const PARTS: &str = "content-type: multipart/form-data; boundary=b1";
const TARGET: &str = "/people/F120000002/moves?n=1&mobile=0900%3000789&last";
const ID: &str = "F120000002";
const MOBILE: &str = "0900000789";

struct City {
    house: House,
    upstream: Upstream,
    programs: Vec<Program>,
    url: String,
}

impl City {
    fn open(form: Form) -> Self {
        let house = House::open();
        house.edit("filter.toml", "[[route]]\nname = \"payment-submit\"", ROUTE);
        let upstream = Upstream::start(house.upstream_port());
        let (programs, url) = plugged(form, &house);
        Self {
            house,
            upstream,
            programs,
            url,
        }
    }

    fn send(&self, target: &str, more: &[&str], body: &str) -> Reply {
        let bearer = self.house.access_token("service-counter");
        let bearer = format!("authorization: Bearer {bearer}");
        let mut arguments = vec!["--path-as-is", "--header", &bearer];
        for line in more {
            arguments.extend(["--header", line]);
        }
        post_to(
            &format!("{}{target}", self.url),
            &arguments,
            body.as_bytes(),
        )
    }

    /// It goes on; what the upstream got.
    #[track_caller]
    fn sent(&self, target: &str, more: &[&str], body: &str) -> Seen {
        let before = self.upstream.seen().len();
        let reply = self.send(target, more, body);
        let said: Vec<String> = self.programs.iter().map(Program::said).collect();
        assert_eq!(reply.status, 200, "{reply:?}\n{}", said.join("\n"));
        assert_eq!(self.upstream.seen().len(), before + 1);
        self.upstream.last()
    }

    /// The values of these tokens, as one may see them who may see all.
    fn values(&self, tokens: &[String]) -> Vec<String> {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _within = runtime.enter();
        let client = self.house.client(Some("city-gateway"));
        let proof = self.house.proof("tax-bureau");
        let asked = tests::detokenize("tax-assessment", tokens);
        let answer = runtime.block_on(client.detokenize(asked, Some(&proof)));
        let shown = answer.unwrap();
        values(&shown.items)
            .into_iter()
            .map(str::to_owned)
            .collect()
    }
}

/// What stands between two texts.
#[track_caller]
fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("no {before} in {text}"));
    let end = rest
        .find(after)
        .unwrap_or_else(|| panic!("no {after} in {text}"));
    &rest[..end]
}

fn only_tokens_go_on(city: &City) {
    let lines = [
        "x-name: Wang",
        "x-name: Li",
        "x-debug: F120000002",
        "x-kept: 1",
    ];
    let form = [&[FORM][..], &lines].concat();
    let seen = city.sent(TARGET, &form, "n=1&address=Taipei+1%2C+2&address=&last");
    let whole = format!("{} {:?} {}", seen.target, seen.headers, seen.text());
    for value in [ID, "0789", "Wang", "Li\"", "Taipei"] {
        assert!(!whole.contains(value), "{value} in {whole}");
    }
    assert_eq!(seen.header("x-debug"), Vec::<&str>::new());
    assert_eq!(seen.header("x-kept"), ["1"]);
    assert_eq!(seen.header("authorization"), Vec::<&str>::new());
    let (path, query) = seen.target.split_once('?').unwrap();
    let id = between(&format!("{path}\n"), "POST /people/", "/moves\n").to_owned();
    let mobile = between(query, "n=1&mobile=", "&last").to_owned();
    // A line of two values, or two lines.
    let names: Vec<&str> = seen.header("x-name");
    let names: Vec<&str> = names
        .iter()
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    let address = between(seen.text(), "n=1&address=", "&address=&last").to_owned();
    let tokens = [id.as_str(), &mobile, names[0], names[1], &address].map(str::to_owned);
    assert_eq!(
        city.values(&tokens),
        [ID, MOBILE, "Wang", "Li", "Taipei 1, 2"]
    );

    let parts = "--b1\r\nContent-Disposition: form-data; name=\"address\"\r\n\r\nTaipei 1\r\n\
        --b1\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n1\r\n--b1--\r\n";
    let seen = city.sent(TARGET, &[PARTS, "x-name: Wang"], parts);
    let address = between(seen.text(), "\"address\"\r\n\r\n", "\r\n").to_owned();
    assert_eq!(seen.text(), parts.replace("Taipei 1", &address));
    assert_eq!(city.values(&[address]), ["Taipei 1"]);

    // Without a body, the head alone.
    let seen = city.sent(TARGET, &["x-name: Wang"], "");
    assert!(
        !seen.target.contains(ID) && !seen.target.contains("789"),
        "{}",
        seen.target
    );
}

fn what_has_two_readings_goes_nowhere(city: &City, form: Form) {
    let before = city.upstream.seen().len();
    let good = "address=Taipei";
    let rows: [(&str, &str, &[&str], &str, &str); 9] = [
        (
            "a value with a copy",
            "/people/F120000002;v=F120000002/moves",
            &[],
            good,
            "path-ambiguous",
        ),
        (
            "half an escape in the path",
            "/people/F12%/moves",
            &[],
            good,
            "path-ambiguous",
        ),
        (
            "half an escape in the query",
            "/people/F120000002/moves?mobile=%4",
            &[],
            good,
            "form-invalid",
        ),
        (
            "a semicolon in the query",
            "/people/F120000002/moves?a=1;mobile=0900000789",
            &[],
            good,
            "form-invalid",
        ),
        (
            "no UTF-8 in the query",
            "/people/F120000002/moves?mobile=%ff",
            &[],
            good,
            "form-invalid",
        ),
        (
            "a header of another spelling",
            TARGET,
            &["x_name: Wang"],
            good,
            "header-invalid",
        ),
        (
            "a header that is no text",
            TARGET,
            &["x-name: 王"],
            good,
            "header-invalid",
        ),
        (
            "half an escape in the form",
            TARGET,
            &[],
            "address=%4",
            "form-invalid",
        ),
        (
            "JSON that says it is a form",
            TARGET,
            &[],
            "{\"address\":\"Taipei\"}",
            "form-invalid",
        ),
    ];
    for (what, target, more, body, code) in rows {
        // Envoy's own setting hangs up on it.
        if more.contains(&"x_name: Wang") && matches!(form, Form::Buffered | Form::Duplex) {
            continue;
        }
        let reply = city.send(target, &[&[FORM][..], more].concat(), body);
        assert_eq!(reply.status, 400, "{what}: {reply:?}");
        // Envoy may refuse it before the filter sees it, with an answer of its own.
        let own = reply.body.contains("\"code\"");
        assert!(
            !own || [code, "refused-by-gateway"].contains(&reply.code().as_str()),
            "{what}: {reply:?}"
        );
    }
    let other = city.send(TARGET, &["content-type: text/csv"], "address\nTaipei\n");
    assert_eq!(
        (other.status, other.code().as_str()),
        (415, "media-type-unsupported")
    );
    assert_eq!(city.upstream.seen().len(), before);
}

fn nobody_to_ask_is_an_end(city: &mut City) {
    let before = city.upstream.seen().len();
    city.house.kill();
    let reply = city.send(TARGET, &[FORM], "address=Taipei");
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (503, "vault-unavailable")
    );
    assert_eq!(city.upstream.seen().len(), before);
}

fn all_of_it(form: Form) {
    let mut city = City::open(form);
    only_tokens_go_on(&city);
    what_has_two_readings_goes_nowhere(&city, form);
    nobody_to_ask_is_an_end(&mut city);
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
