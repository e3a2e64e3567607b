//! The rules. Each is a function from sources to violations, one a line: `file:line: what`.

use crate::source::Source;
use crate::{ARROWS, EMPTY_WORDS, FILE_LINES_MAX, INVARIANTS, ROOMS};

fn rust(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|source| source.is_rust())
}

/// The lines of Rust in which `fault` finds one.
fn lines(sources: &[Source], fault: impl Fn(&Source, usize) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    for source in rust(sources) {
        for line in 0..source.code.len() {
            found.extend(fault(source, line).map(|what| source.violation(line, what)));
        }
    }
    found
}

/// Whether the word stands in the line, not as a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let part_of_name = |character: char| character.is_alphanumeric() || character == '_';
    let open = !word.ends_with(part_of_name);
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(part_of_name);
        let after = line[at + word.len()..]
            .chars()
            .next()
            .is_some_and(part_of_name);
        !before && (open || !after)
    })
}

/// A room of the vault imports rooms to its left, `cli` the configuration too, and spells each path
/// from `crate::`, one room a `use`, so that a line shows its arrow.
pub fn left_only(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in rust(sources) {
        let Some(inside) = source.path.strip_prefix("vault/src/") else {
            continue;
        };
        let room = inside.split(['/', '.']).next().unwrap();
        if ["lib", "config", "bin"].contains(&room) {
            continue;
        }
        let Some(own) = ROOMS.iter().position(|name| *name == room) else {
            found.push(source.violation(0, format!("`{room}` is not a room of the house")));
            continue;
        };
        let at_the_door = inside.ends_with("/mod.rs") || !inside.contains('/');
        for (line, code) in source.code.iter().enumerate() {
            for (at, path) in code.match_indices("crate::") {
                let rest = &code[at + path.len()..];
                let name = rest
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .next()
                    .unwrap();
                match ROOMS.iter().position(|room| *room == name) {
                    Some(other) if other <= own => {}
                    None if name == "config" && room == "cli" => {}
                    _ if name.is_empty() => found.push(source.violation(line, "one room a `use`")),
                    _ => found.push(source.violation(line, format!("`{room}` imports `{name}`"))),
                }
            }
            let outside = at_the_door && !source.test_item[line] && has_word(code, "super::");
            if outside || code.contains("super::super") {
                found.push(source.violation(line, "a path to another room begins with `crate::`"));
            }
        }
    }
    found
}

/// Dependencies between our packages: normal, dev and build ones alike.
pub fn arrows(sources: &[Source]) -> Vec<String> {
    const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    let mut found = Vec::new();
    for source in sources
        .iter()
        .filter(|source| source.path.ends_with("/Cargo.toml"))
    {
        let manifest: toml::Value = toml::from_str(&source.text).unwrap();
        let name = manifest["package"]["name"].as_str().unwrap();
        let Some((_, allowed)) = ARROWS.iter().find(|(package, _)| *package == name) else {
            found.push(source.violation(0, format!("`{name}` is not a package of the house")));
            continue;
        };
        let targets = manifest.get("target").and_then(toml::Value::as_table);
        let tables = targets
            .into_iter()
            .flat_map(|targets| targets.values())
            .chain([&manifest]);
        let kinds = tables.flat_map(|table| KINDS.iter().filter_map(|kind| table.get(kind)));
        for (key, dependency) in kinds.flat_map(|kind| kind.as_table().unwrap()) {
            let renamed = dependency.get("package").and_then(toml::Value::as_str);
            let other = renamed.unwrap_or(key);
            let ours = ARROWS.iter().any(|(package, _)| *package == other);
            if ours && !allowed.contains(&other) {
                let line = source
                    .text
                    .lines()
                    .position(|line| line.contains(key.as_str()));
                let what = format!("`{name}` may not depend on `{other}`");
                found.push(source.violation(line.unwrap_or(0), what));
            }
        }
    }
    found
}

/// Lines beside those of `#[cfg(test)]` items; a `tests.rs` may be as long as its subject asks.
pub fn sizes(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in rust(sources).filter(|source| !source.lives_in("tests.rs")) {
        let lines = source.test_item.iter().filter(|test| !**test).count();
        if lines > FILE_LINES_MAX {
            found.push(source.violation(lines - 1, format!("{lines} lines beside its tests")));
        }
    }
    found
}

pub fn openings(sources: &[Source]) -> Vec<String> {
    let silent = rust(sources).filter(|source| !source.text.starts_with("//! "));
    silent
        .map(|source| source.violation(0, "it does not open with what it owns"))
        .collect()
}

pub fn file_names(sources: &[Source]) -> Vec<String> {
    let empty = |path: &str| {
        path.split(['/', '.', '_', '-'])
            .any(|w| EMPTY_WORDS.contains(&w))
    };
    let found = rust(sources).filter(|source| empty(&source.path));
    found
        .map(|source| source.violation(0, "the file's name does not say what it owns"))
        .collect()
}

pub fn function_names(sources: &[Source]) -> Vec<String> {
    lines(sources, |source, line| {
        let mut names = source.code[line].split("fn ").skip(1);
        let empty = |name: &&str| {
            ["get_", "handle_", "do_"]
                .iter()
                .any(|p| name.starts_with(p))
        };
        names
            .find(empty)
            .map(|_| "the function's name does not say what it does".to_owned())
    })
}

pub fn loose_ends(sources: &[Source]) -> Vec<String> {
    lines(sources, |source, line| {
        let marks = ["TODO", "FIXME", "XXX"].iter();
        let mut marks = marks.filter(|mark| has_word(&source.comments[line], mark));
        let mut ends = ["todo!", "unimplemented!"].iter();
        let unfinished = ends.any(|end| has_word(&source.code[line], end));
        (marks.next().is_some() || unfinished)
            .then(|| "an issue, not a mark in the code".to_owned())
    })
}

pub fn ignored(sources: &[Source]) -> Vec<String> {
    lines(sources, |source, line| {
        let ignored =
            source.code[line].contains("#[ignore") || source.comments[line].contains("```ignore");
        ignored.then(|| "a test that does not run proves nothing".to_owned())
    })
}

pub fn sleeps(sources: &[Source]) -> Vec<String> {
    let paced = |comment: &String| {
        let reason = comment
            .split_once("// pacing:")
            .map(|(_, reason)| reason.trim());
        reason.is_some_and(|reason| !reason.is_empty())
    };
    lines(sources, |source, line| {
        let sleeps = ["sleep(", "sleep_until("]
            .iter()
            .any(|w| has_word(&source.code[line], w));
        let beside = &source.comments[line.saturating_sub(1)..=line];
        (source.is_test(line) && sleeps && !beside.iter().any(paced))
            .then(|| "wait for what happens, or say `// pacing:` and why".to_owned())
    })
}

/// Words of code that, outside tests, stand only in their homes.
fn only_in(sources: &[Source], words: &[&str], homes: &[&str]) -> Vec<String> {
    lines(sources, |source, line| {
        let exempt = source.is_test(line) || homes.iter().any(|home| source.lives_in(home));
        let word = words.iter().find(|word| has_word(&source.code[line], word));
        word.filter(|_| !exempt)
            .map(|word| format!("`{word}` belongs in {}", homes.join(", ")))
    })
}

pub fn time(sources: &[Source]) -> Vec<String> {
    let homes = [
        "vault/src/model/clock.rs",
        "ledger/src/bin/jinku-ledger/witness/clock.rs",
        "gateway-filter/src/sign/clock.rs",
    ];
    only_in(sources, &["SystemTime::now"], &homes)
}

pub fn cedar(sources: &[Source]) -> Vec<String> {
    only_in(sources, &["cedar_policy"], &["vault/src/policy"])
}

pub fn printing(sources: &[Source]) -> Vec<String> {
    let words = [
        "println!",
        "print!",
        "eprintln!",
        "eprint!",
        "writeln!(stdout",
        "write!(stdout",
    ];
    only_in(sources, &words, &["screen.rs", "build.rs"])
}

/// In the vault. The filter, too, answers in status codes, and clients read them.
pub fn wire_codes(sources: &[Source]) -> Vec<String> {
    let homes = [
        "vault/src/server/problem",
        "vault/src/server/rest",
        "vault/src/server/grpc",
    ];
    let mut found = only_in(sources, &["StatusCode", "tonic::Code"], &homes);
    found.retain(|violation| violation.starts_with("vault/"));
    found
}

/// A test may need `unsafe` as well, where its file excuses it by a lint line.
pub fn unsafety(sources: &[Source]) -> Vec<String> {
    let homes = [
        "gateway-filter/envoy-module/src/abi",
        "hsm-sim/src/functions",
        "hsm-sim/src/broker/dispatch.rs",
        "hsm-sim/src/broker/module.rs",
        "hsm-sim/client/src",
        "kms/src/locked.rs",
    ];
    let mut found = only_in(sources, &["unsafe"], &homes);
    found.extend(lines(sources, |source, line| {
        let excused = || source.code.iter().any(|code| has_word(code, "unsafe_code"));
        (source.is_test_file() && has_word(&source.code[line], "unsafe") && !excused())
            .then(|| "`unsafe` asks for `expect(unsafe_code, reason = …)`".to_owned())
    }));
    found
}

pub fn sql(sources: &[Source]) -> Vec<String> {
    const OPENINGS: [(&str, &str); 10] = [
        ("select ", " from "),
        ("insert ", " into "),
        ("update ", " set "),
        ("delete from ", ""),
        ("create table ", ""),
        ("create index ", ""),
        ("create unique index ", ""),
        ("alter table ", ""),
        ("drop table ", ""),
        ("pragma ", ""),
    ];
    let home = "vault/src/store";
    let mut found = only_in(sources, &["rusqlite", "tokio_postgres"], &[home]);
    for source in sources.iter().filter(|source| !source.lives_in(home)) {
        if source.path.ends_with(".sql") {
            found.push(source.violation(0, "SQL belongs in the store"));
        }
        for (line, text) in source
            .literals
            .iter()
            .filter(|(line, _)| !source.is_test(*line))
        {
            let words: Vec<&str> = text.split_whitespace().collect();
            let text = format!("{} ", words.join(" ").to_lowercase());
            if OPENINGS
                .iter()
                .any(|(verb, then)| text.starts_with(verb) && text.contains(then))
            {
                found.push(source.violation(*line, "SQL belongs in the store"));
            }
        }
    }
    found
}

/// The numbers after `word` in a comment: `Invariants 2, 3 and 11` names three.
fn numbers(comment: &str, word: &str) -> Vec<u8> {
    let Some((_, rest)) = comment.split_once(word) else {
        return Vec::new();
    };
    let words = rest
        .trim_start_matches('s')
        .split([' ', ',', ':', '.', ';']);
    let words = words.filter(|word| !word.is_empty() && *word != "and");
    words.map_while(|word| word.parse().ok()).collect()
}

pub fn unknown_invariants(sources: &[Source]) -> Vec<String> {
    lines(sources, |source, line| {
        let named = ["// INVARIANT", "// Invariant"].map(|w| numbers(&source.comments[line], w));
        let unknown = named
            .concat()
            .into_iter()
            .find(|number| !INVARIANTS.contains(number));
        unknown.map(|number| format!("there is no invariant {number}"))
    })
}

/// The required invariants for which no line says that it keeps them, or no test that it proves them.
pub fn unkept(sources: &[Source], required: &[u8]) -> Vec<String> {
    let named = |source: &Source, line: usize, word| numbers(&source.comments[line], word);
    let mut found = Vec::new();
    for invariant in required {
        let test = format!("fn inv_{invariant:02}_");
        let kept = lines(sources, |source, line| {
            (!source.is_test(line) && named(source, line, "// INVARIANT").contains(invariant))
                .then(String::new)
        });
        let proven = lines(sources, |source, line| {
            let names = named(source, line, "// Invariant").contains(invariant);
            (source.is_test(line) && (names || source.code[line].contains(&test))).then(String::new)
        });
        if kept.is_empty() {
            found.push(format!(
                "no line keeps invariant {invariant}: `// INVARIANT {invariant}: …`"
            ));
        }
        if proven.is_empty() {
            found.push(format!(
                "no test proves invariant {invariant}: `// Invariant {invariant}`"
            ));
        }
    }
    found
}
