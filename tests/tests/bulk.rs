//! Bulk files from outside: `jinku tokenize` and `jinku detokenize` against a running vault.

#[path = "bulk/bad_input.rs"]
mod bad_input;
#[path = "bulk/columns.rs"]
mod columns;
#[path = "bulk/granted.rs"]
mod granted;
#[path = "bulk/stopped.rs"]
mod stopped;
#[path = "bulk/text.rs"]
mod text;

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tests::{House, binary};

/// One column of a repeatable class, and one whose tokens are new each time.
const PERSONS: &str = "domain = 'city'\n\
    [[column]]\nname = 'mobile'\nclass = 'mobile'\n\
    [[column]]\nname = 'name'\nclass = 'name'\n";

/// A run of `jinku` on files of the installation's directory, as the revenue unit.
struct Run<'a> {
    house: &'a House,
    arguments: Vec<String>,
}

/// What a run said.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    /// The line of JSON that `--json` asks for.
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{}{}", self.out, self.err))
    }
}

/// Writes the map `map.toml`, and prepares `jinku tokenize FILE --map map.toml --json`.
fn tokenize<'a>(house: &'a House, file: &str, map: &str) -> Run<'a> {
    write(house, "map.toml", map);
    Run {
        house,
        arguments: ["tokenize", file].map(str::to_owned).to_vec(),
    }
}

/// Prepares `jinku detokenize FILE --map map.toml --purpose tax-assessment --json`.
fn detokenize<'a>(house: &'a House, file: &str) -> Run<'a> {
    let arguments = ["detokenize", file, "--purpose", "tax-assessment"];
    Run {
        house,
        arguments: arguments.map(str::to_owned).to_vec(),
    }
}

impl Run<'_> {
    fn with(mut self, more: &[&str]) -> Self {
        self.arguments
            .extend(more.iter().map(|&word| word.to_owned()));
        self
    }

    fn command(&self, unit: &str) -> Command {
        let mut command = Command::new(binary("jinku"));
        command
            .args(&self.arguments)
            .args([
                "--map",
                "map.toml",
                "--json",
                "--installation",
                ".",
                "--unit",
                unit,
            ])
            .current_dir(self.house.directory());
        command
    }

    fn run_by(&self, unit: &str) -> Said {
        let output = self.command(unit).output().unwrap();
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn run(&self) -> Said {
        self.run_by("tax-bureau")
    }

    /// It must end well, with no row set aside.
    #[track_caller]
    fn whole(&self) -> Value {
        let said = self.run();
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
        said.json()
    }

    /// It must fail with these words.
    #[track_caller]
    fn refused(&self, words: &str) -> Said {
        let said = self.run();
        assert_eq!(said.code, 1, "{}{}", said.out, said.err);
        assert!(said.err.contains(words), "{}", said.err);
        said
    }
}

fn path(house: &House, name: &str) -> PathBuf {
    house.directory().join(name)
}

fn write(house: &House, name: &str, bytes: impl AsRef<[u8]>) {
    std::fs::write(path(house, name), bytes).unwrap();
}

fn bytes(house: &House, name: &str) -> Vec<u8> {
    std::fs::read(path(house, name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn words(house: &House, name: &str) -> String {
    String::from_utf8(bytes(house, name)).unwrap()
}

/// The lines of a file of errors.
fn errors(house: &House, name: &str) -> Vec<Value> {
    let lines = words(house, name);
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// None of a run's own files is left.
#[track_caller]
fn tidy(house: &House) {
    for entry in std::fs::read_dir(house.directory()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let left = [".part", ".progress", ".new"]
            .iter()
            .any(|end| name.ends_with(end));
        assert!(!left, "{name} is left");
    }
}
