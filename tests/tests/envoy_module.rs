//! The main job within the real Envoy: the filter as a dynamic module, over a running vault.

#[path = "envoy_module/heads.rs"]
mod heads;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tests::{House, Program, Reply, Upstream, envoy, free_port, post_to, sample, workspace};

const JSON: &str = "content-type: application/json";

/// A city's gateway: Envoy with the filter in it, the vault, an upstream.
struct City {
    house: House,
    upstream: Upstream,
    url: String,
    monitor: String,
    envoy: Program,
}

/// The folder of the module that this workspace built.
fn modules() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().unwrap().parent().unwrap().to_owned();
    assert!(
        profile.join("libenvoy_module.so").is_file(),
        "libenvoy_module.so is missing: run `cargo build --workspace`"
    );
    profile
}

fn says(log: &Path, words: &str) -> bool {
    std::fs::read_to_string(log).is_ok_and(|text| text.contains(words))
}

/// Envoy's command and log for this house.
fn command(house: &House, listen: u16) -> (Command, PathBuf) {
    command_of(&envoy(), house, listen)
}

fn command_of(program: &Path, house: &House, listen: u16) -> (Command, PathBuf) {
    let example = workspace().join("gateway-filter/examples/envoy-module.yaml");
    let settings = house.directory().join("filter.toml");
    let yaml = std::fs::read_to_string(example)
        .unwrap()
        .replace("@LISTEN_PORT@", &listen.to_string())
        .replace("@ADMIN_PORT@", &free_port().to_string())
        .replace("@UPSTREAM_PORT@", &house.upstream_port().to_string())
        .replace("@FILTER_TOML@", settings.to_str().unwrap());
    let file = house.directory().join("envoy.yaml");
    std::fs::write(&file, yaml).unwrap();
    let mut command = Command::new(program);
    command
        .args(["--concurrency", "1", "--use-dynamic-base-id", "-c"])
        .arg(file)
        .env("ENVOY_DYNAMIC_MODULES_SEARCH_PATH", modules());
    (command, house.directory().join("envoy.log"))
}

impl City {
    fn open() -> Self {
        let house = House::open();
        let upstream = Upstream::start(house.upstream_port());
        Self::around(house, upstream, &[])
    }

    /// With changes to Envoy's configuration: what stands there, and what is to.
    fn around(house: House, upstream: Upstream, changes: &[(&str, &str)]) -> Self {
        let (listen, monitor) = (free_port(), free_port());
        let more = format!("[monitor]\nlisten = \"127.0.0.1:{monitor}\"\n\n[proxy]\nlisten");
        house.edit("filter.toml", "[proxy]\nlisten", &more);
        let (mut command, log) = command(&house, listen);
        for (from, to) in changes {
            house.edit("envoy.yaml", from, to);
        }
        let mut envoy = Program::start(&mut command, &log);
        envoy.wait_for(|| says(&log, "all dependencies initialized. starting workers"));
        Self {
            house,
            upstream,
            url: format!("http://127.0.0.1:{listen}"),
            monitor: format!("http://127.0.0.1:{monitor}"),
            envoy,
        }
    }

    fn submit(&self, unit: &str, more: &[&str], body: &[u8]) -> Reply {
        let bearer = format!("authorization: Bearer {}", self.house.access_token(unit));
        let arguments = [&["--header", JSON, "--header", &bearer], more].concat();
        post_to(&format!("{}/payments/tax", self.url), &arguments, body)
    }

    fn read(&self, unit: &str, purpose: &str) -> Reply {
        let bearer = format!("authorization: Bearer {}", self.house.access_token(unit));
        let purpose = format!("jinku-purpose: {purpose}");
        let arguments = ["--header", &bearer, "--header", &purpose];
        House::curl_plain(&format!("{}/payments/7", self.url), &arguments)
    }
}

pub(crate) fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn only_tokens_reach_the_upstream_and_each_unit_sees_its_view() {
    let city = City::open();
    let body = sample("tax");
    for more in [
        &[][..],
        &["--header", "transfer-encoding: chunked"],
        &["--http2-prior-knowledge"],
    ] {
        let reply = city.submit("service-counter", more, body.as_bytes());
        assert_eq!(reply.status, 200, "{reply:?}\n{}", city.envoy.said());
        let seen = city.upstream.last();
        assert!(!seen.text().contains("F120000002") && !seen.text().contains("陳樣本"));
        assert_ne!(parsed(seen.text())["payer"], parsed(&body)["payer"]);
        assert_eq!(seen.header("content-length"), [seen.body.len().to_string()]);
        assert_eq!(seen.header("authorization"), Vec::<&str>::new());
    }
    let tokens = city.upstream.last().body;
    let plain = city.read("tax-bureau", "tax-assessment");
    assert_eq!(parsed(&plain.body)["payer"], parsed(&body)["payer"]);
    let masked = parsed(&city.read("parking-office", "parking-enforcement").body);
    let shown = masked["payer"]["national_id"].as_str().unwrap();
    assert!(shown.contains("******"), "{shown}");
    let library = city.read("public-library", "tax-assessment");
    assert_eq!(library.body.as_bytes(), &tokens[..]);
}

/// sched(7): whoever runs is not interrupted for a thread of this class, 3 in `/proc/PID/stat`.
#[test]
fn the_threads_that_wait_for_the_vault_give_way_to_envoys_workers() {
    let city = City::open();
    let tasks = std::fs::read_dir(format!("/proc/{}/task", city.envoy.id())).unwrap();
    let mut classes = Vec::new();
    for task in tasks {
        // A thread may have ended since.
        let Ok(stat) = std::fs::read_to_string(task.unwrap().path().join("stat")) else {
            continue;
        };
        let (name, rest) = stat.rsplit_once(") ").unwrap();
        // The 41st field of proc_pid_stat(5); the third is the first behind the name.
        let class = rest.split(' ').nth(41 - 3).unwrap().to_owned();
        classes.push((name.ends_with("(jinku"), class));
    }
    let ours: Vec<_> = classes.iter().filter(|(ours, _)| *ours).collect();
    assert!(!ours.is_empty(), "{classes:?}");
    for (ours, class) in &classes {
        assert_eq!(class, if *ours { "3" } else { "0" }, "{classes:?}");
    }
}

#[test]
fn a_refused_request_never_reaches_the_upstream() {
    let mut city = City::open();
    let body = sample("tax");
    let expect = |reply: &Reply, status: u16, code: &str| {
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (status, code),
            "{reply:?}"
        );
    };
    let unit = "service-counter";
    expect(
        &city.submit(unit, &[], &body.as_bytes()[..99]),
        400,
        "json-invalid",
    );
    expect(
        &city.submit("public-library", &[], body.as_bytes()),
        403,
        "not-permitted",
    );
    let large = body.replacen('{', &format!("{{{}", " ".repeat(1_048_577)), 1);
    expect(
        &city.submit(unit, &[], large.as_bytes()),
        413,
        "body-too-large",
    );
    let chunked = ["--header", "transfer-encoding: chunked"];
    assert_eq!(city.submit(unit, &chunked, large.as_bytes()).status, 413);
    let nowhere = House::curl_plain(&format!("{}/nowhere", city.url), &[]);
    expect(&nowhere, 404, "route-unmatched");

    // The worker is not blocked while the vault is waited for.
    city.house.vault().signal("STOP");
    std::thread::scope(|scope| {
        let late = scope.spawn(|| city.submit(unit, &[], body.as_bytes()));
        let meanwhile = House::curl_plain(&format!("{}/nowhere", city.url), &[]);
        expect(&meanwhile, 404, "route-unmatched");
        expect(&late.join().unwrap(), 504, "vault-timeout");
    });
    city.house.vault().signal("CONT");
    city.house.kill();
    expect(
        &city.submit(unit, &[], body.as_bytes()),
        503,
        "vault-unavailable",
    );
    assert_eq!(city.upstream.seen().len(), 0);
    let asked = |path: &str| House::curl_plain(&format!("{}{path}", city.monitor), &[]);
    assert_eq!(asked("/ready").status, 503);
    let page = asked("/metrics").body;
    for outcome in [
        "json-invalid",
        "denied",
        "vault-timeout",
        "vault-unavailable",
    ] {
        let line = format!("front=\"module\",route=\"payment-submit\",outcome=\"{outcome}\"}} 1");
        assert!(page.contains(&line), "{line} in\n{page}");
    }
    city.house.serve();
    assert_eq!(city.submit(unit, &[], body.as_bytes()).status, 200);
}

#[test]
fn units_that_go_away_leave_envoy_well() {
    let city = City::open();
    let body = sample("tax");
    city.house.vault().signal("STOP");
    for _ in 0..20 {
        let bearer = format!(
            "authorization: Bearer {}",
            city.house.access_token("service-counter")
        );
        let gone = Command::new("curl")
            .args([
                "--silent",
                "--max-time",
                "0.05",
                "--header",
                JSON,
                "--header",
                &bearer,
            ])
            .args([
                "--data-binary",
                &body,
                &format!("{}/payments/tax", city.url),
            ])
            .status();
        assert!(!gone.unwrap().success());
    }
    city.house.vault().signal("CONT");
    let reply = city.submit("service-counter", &[], body.as_bytes());
    assert_eq!(reply.status, 200, "{}", city.envoy.said());
    // It ends in order, with nothing of ours in its way.
    assert!(city.envoy.stop().success());
}

#[test]
fn settings_that_cannot_be_used_keep_envoy_from_starting() {
    let house = House::install();
    house.edit("filter.toml", "path = \"/payments/", "path = \"payments/");
    let (mut command, log) = command(&house, free_port());
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("the filter's settings are refused"),
        "{said} {log:?}"
    );
}

#[test]
fn another_series_of_envoy_does_not_load_it() {
    let house = House::install();
    // The same program, which says that it is of another series.
    let mut program = std::fs::read(envoy()).unwrap();
    let said = b"\x001.40.0\x00";
    let place = program.windows(said.len()).position(|part| part == said);
    program[place.unwrap() + 4] = b'1';
    let other = house.directory().join("envoy-1.41");
    std::fs::write(&other, program).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&other, executable).unwrap();
    let (mut command, _) = command_of(&other, &house, free_port());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("this is Envoy 1.41.0"), "{said}");
}
