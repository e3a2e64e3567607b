//! The city's gateway with the filter in it, in each of its forms: what listens, and where.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{House, Program, envoy, free_port, workspace};

/// How the filter is plugged in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// It is the gateway: `jinku-filter proxy`.
    Proxy,
    /// Beside Envoy, which shows it whole bodies.
    Buffered,
    /// Beside Envoy, which shows it bodies in parts.
    Duplex,
    /// Within Envoy.
    Module,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Proxy, Self::Buffered, Self::Duplex, Self::Module];
}

/// Starts the gateway in this form, before the house's upstream; its programs, and its address as a URL.
pub fn plugged(form: Form, house: &House) -> (Vec<Program>, String) {
    match form {
        Form::Proxy => (vec![house.proxy()], house.gateway_url()),
        Form::Buffered | Form::Duplex => {
            let (processor, address) = house.filter("ext-proc", "filter.toml", "ext-proc");
            let port = address.rsplit(':').next().unwrap();
            let name = match form {
                Form::Duplex => "envoy-duplex.yaml",
                _ => "envoy.yaml",
            };
            let yaml = example(name).replace("@EXT_PROC_PORT@", port);
            let (envoy, url) = started(house, &yaml);
            (vec![envoy, processor], url)
        }
        Form::Module => {
            let settings = house.directory().join("filter.toml");
            let yaml =
                example("envoy-module.yaml").replace("@FILTER_TOML@", settings.to_str().unwrap());
            let (envoy, url) = started(house, &yaml);
            (vec![envoy], url)
        }
    }
}

fn example(name: &str) -> String {
    let file = workspace().join("gateway-filter/examples").join(name);
    std::fs::read_to_string(file).unwrap()
}

fn started(house: &House, yaml: &str) -> (Program, String) {
    let listen = free_port();
    let yaml = yaml
        .replace("@LISTEN_PORT@", &listen.to_string())
        .replace("@ADMIN_PORT@", &free_port().to_string())
        .replace("@UPSTREAM_PORT@", &house.upstream_port().to_string());
    let file = house.directory().join("envoy.yaml");
    std::fs::write(&file, yaml).unwrap();
    let log = house.directory().join("envoy.log");
    let mut command = Command::new(envoy());
    command
        .args(["--concurrency", "1", "--use-dynamic-base-id", "-c"])
        .arg(file)
        .env("ENVOY_DYNAMIC_MODULES_SEARCH_PATH", modules());
    let mut program = Program::start(&mut command, &log);
    program.wait_for(|| says(&log, "all dependencies initialized. starting workers"));
    (program, format!("http://127.0.0.1:{listen}"))
}

/// The folder of the module that this workspace built.
fn modules() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().to_owned()
}

fn says(log: &Path, words: &str) -> bool {
    std::fs::read_to_string(log).is_ok_and(|text| text.contains(words))
}
