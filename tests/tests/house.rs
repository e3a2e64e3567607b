//! The house rules: what the design and the conventions say of the source tree, checked on it.
//!
//! The law is here, the rules that apply it are in `house/rules.rs`. Each rule has a test over the
//! tree, and rows in [`ROWS`] which show that it can fail.

#[path = "house/rules.rs"]
mod rules;
#[path = "house/source.rs"]
mod source;

use std::ops::RangeInclusive;

use source::{Source, TREE};

/// The vault's rooms. Each may import only those to its left.
const ROOMS: [&str; 11] = [
    "model",
    "identity",
    "admission",
    "policy",
    "store",
    "commit",
    "token",
    "seal",
    "engine",
    "server",
    "cli",
];

/// The packages, and which of ours each may depend on.
const ARROWS: [(&str, &[&str]); 11] = [
    ("ledger", &[]),
    ("hsm-wire", &[]),
    ("hsm-client", &["hsm-wire"]),
    // Its tests load the client.
    ("hsm-sim", &["hsm-wire", "hsm-client"]),
    ("kms", &[]),
    ("api", &[]),
    ("vault", &["kms", "ledger", "api"]),
    ("gateway-filter", &["api"]),
    ("envoy-module", &["gateway-filter"]),
    ("ledger-fuzz", &["ledger"]),
    (
        "tests",
        &[
            "ledger",
            "hsm-sim",
            "hsm-client",
            "kms",
            "api",
            "vault",
            "gateway-filter",
        ],
    ),
];

/// The design's invariants, and those that have a keeper (`// INVARIANT n`) and a test
/// (`// Invariant n`, or a name `inv_0n_…`) by now. Whoever builds one adds its number.
const INVARIANTS: RangeInclusive<u8> = 1..=15;
const REQUIRED: [u8; 13] = [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14];

/// The wall; the aim is 150.
const FILE_LINES_MAX: usize = 500;

/// Words in a file's name that say nothing of what it owns.
const EMPTY_WORDS: [&str; 17] = [
    "manager", "managers", "helper", "helpers", "util", "utils", "common", "misc", "data", "info",
    "process", "core", "base", "impl", "impls", "v1", "v2",
];

type Rule = fn(&[Source]) -> Vec<String>;

fn clean(rule: Rule) {
    let found = rule(&TREE);
    assert!(
        found.is_empty(),
        "{} violations:\n{}",
        found.len(),
        found.join("\n")
    );
}

macro_rules! over_the_tree {
    ($($sentence:ident: $rule:ident;)*) => {
        $(#[test]
        fn $sentence() {
            clean(rules::$rule);
        })*
    };
}

over_the_tree! {
    a_room_imports_only_rooms_to_its_left: left_only;
    a_package_depends_only_on_those_the_design_allows: arrows;
    a_file_fits_in_a_readers_head: sizes;
    a_file_opens_with_what_it_owns: openings;
    a_file_is_named_by_what_it_owns: file_names;
    a_function_is_named_by_what_it_does: function_names;
    nothing_is_left_half_said: loose_ends;
    every_test_runs: ignored;
    a_test_waits_for_what_happens_not_for_time: sleeps;
    sql_stays_in_the_store: sql;
    cedar_stays_in_the_policy_room: cedar;
    status_codes_stay_at_the_wire: wire_codes;
    only_screens_print: printing;
    the_time_is_read_in_one_file: time;
    unsafe_code_stays_in_its_rooms: unsafety;
    an_invariant_named_is_one_of_the_design: unknown_invariants;
}

#[test]
fn every_required_invariant_has_a_keeper_and_a_test() {
    clean(|tree| rules::unkept(tree, &REQUIRED));
}

#[test]
fn the_tree_is_read_whole() {
    for (package, _) in ARROWS {
        // Two packages stand beside the one whose processes they connect, two beside their core.
        let folder = match package {
            "hsm-wire" => "hsm-sim/wire",
            "hsm-client" => "hsm-sim/client",
            "envoy-module" => "gateway-filter/envoy-module",
            "ledger-fuzz" => "ledger/fuzz",
            package => package,
        };
        for file in [
            format!("{folder}/Cargo.toml"),
            format!("{folder}/src/lib.rs"),
        ] {
            assert!(
                TREE.iter().any(|source| source.path == file),
                "{file} was not read"
            );
        }
    }
}

/// A rule, a file's path, a text that breaks the rule there, and the nearest one that does not.
const ROWS: &[(Rule, &str, &str, &str)] = &[
    (
        rules::left_only,
        "vault/src/store/a.rs",
        "use crate::engine::E;",
        "use crate::policy::P;",
    ),
    (
        rules::left_only,
        "vault/src/seal.rs",
        "fn a(_: crate::cli::C) {}",
        "fn a(_: crate::token::T) {}",
    ),
    (
        rules::left_only,
        "vault/src/engine/a.rs",
        "use crate::{seal, token};",
        "use crate::seal;",
    ),
    (
        rules::left_only,
        "vault/src/engine/a.rs",
        "use crate::config::C;",
        "// use crate::config::C;",
    ),
    (
        rules::left_only,
        "vault/src/engine/a.rs",
        "use crate::Error;",
        "let a = \"crate::Error\";",
    ),
    (
        rules::left_only,
        "vault/src/seal.rs",
        "use super::engine;",
        "#[cfg(test)]\nmod tests {\nuse super::*;\n}",
    ),
    (
        rules::left_only,
        "vault/src/store/mod.rs",
        "use super::engine;",
        "use crate::store::row;",
    ),
    (
        rules::left_only,
        "vault/src/store/a.rs",
        "use super::super::engine;",
        "use super::row;",
    ),
    (
        rules::arrows,
        "ledger/Cargo.toml",
        "[package]\nname = 'ledger'\n[dev-dependencies]\nkms = '1'",
        "[package]\nname = 'ledger'\n[dependencies]\nsha2 = '1'",
    ),
    (
        rules::arrows,
        "vault/Cargo.toml",
        "[package]\nname = 'vault'\n[target.x.dependencies]\na = { package = 'hsm-sim' }",
        "[package]\nname = 'vault'\n[dependencies]\nkms.workspace = true",
    ),
    (
        rules::arrows,
        "extra/Cargo.toml",
        "[package]\nname = 'extra'",
        "[package]\nname = 'kms'",
    ),
    (
        rules::openings,
        "kms/src/a.rs",
        "use a::b;",
        "//! Owns a.\n\nuse a::b;",
    ),
    (
        rules::function_names,
        "kms/src/a.rs",
        "pub fn get_key() {}",
        "pub fn key() {} // fn get_key",
    ),
    (
        rules::function_names,
        "kms/tests/a.rs",
        "fn do_it() {}",
        "fn done() {}",
    ),
    (
        rules::loose_ends,
        "kms/src/a.rs",
        "// TODO: later",
        "let a = \"TODO\"; // XXXX",
    ),
    (
        rules::loose_ends,
        "kms/src/a.rs",
        "fn a() { todo!() }",
        "fn a() { \"todo!\" }",
    ),
    (
        rules::ignored,
        "kms/tests/a.rs",
        "#[test]\n#[ignore]\nfn a() {}",
        "#[test]\nfn a() {}",
    ),
    (
        rules::ignored,
        "kms/src/a.rs",
        "/// ```ignore\n/// a()\n/// ```",
        "/// ```\n/// a()\n/// ```",
    ),
    (
        rules::sleeps,
        "kms/tests/a.rs",
        "// pacing:\nthread::sleep(a);",
        "// pacing: spares the processor\nthread::sleep(a);",
    ),
    (
        rules::sleeps,
        "kms/src/a.rs",
        "#[cfg(test)]\nmod tests {\nfn a() { sleep(a) }\n}",
        "fn a() { sleep(a) }",
    ),
    (
        rules::sql,
        "vault/src/engine/a.rs",
        "let a = \"SELECT a\\n FROM b\";",
        "let a = \"select a card\";",
    ),
    (
        rules::sql,
        "ledger/src/a.rs",
        "let a = r#\"\n  pragma synchronous=off\"#;",
        "// PRAGMA synchronous=off",
    ),
    (
        rules::sql,
        "vault/src/engine/a.rs",
        "use rusqlite::Row;",
        "#[cfg(test)]\nuse rusqlite::Row;",
    ),
    (
        rules::cedar,
        "vault/src/engine/a.rs",
        "use cedar_policy::Entity;",
        "use crate::policy::Entity;",
    ),
    (
        rules::wire_codes,
        "vault/src/engine/a.rs",
        "use http::StatusCode;",
        "use http::StatusCodes;",
    ),
    (
        rules::wire_codes,
        "vault/src/server/listen.rs",
        "let a = tonic::Code::Ok;",
        "let a = Code::Ok;",
    ),
    (
        rules::printing,
        "vault/src/cli/demo.rs",
        "println!(\"a\");",
        "format!(\"println!\");",
    ),
    (
        rules::time,
        "ledger/src/clock.rs",
        "let a = SystemTime::now();",
        "let a = Instant::now();",
    ),
    (
        rules::unsafety,
        "kms/src/a.rs",
        "unsafe { a() }",
        "#![expect(unsafe_code)]",
    ),
    (
        rules::unsafety,
        "kms/tests/a.rs",
        "unsafe { a() }",
        "#![expect(unsafe_code)]\nunsafe { a() }",
    ),
    (
        rules::unknown_invariants,
        "kms/src/a.rs",
        "// INVARIANT 16: a",
        "// INVARIANT 15: a",
    ),
];

#[test]
fn each_rule_fires_on_what_it_forbids() {
    for (rule, path, bad, good) in ROWS {
        let found = rule(&[Source::new(path, bad)]);
        assert_eq!(found.len(), 1, "`{bad}` in {path}: {found:?}");
        assert!(found[0].starts_with(path), "{found:?}");
        assert_eq!(
            rule(&[Source::new(path, good)]),
            Vec::<String>::new(),
            "`{good}` in {path}"
        );
    }
}

#[test]
fn names_of_files_are_judged_by_their_words() {
    let judge = |path| rules::file_names(&[Source::new(path, "")]).len();
    assert_eq!(judge("kms/src/key_utils.rs"), 1);
    assert_eq!(judge("kms/src/core/key.rs"), 1);
    assert_eq!(judge("kms/src/scores.rs"), 0);
}

#[test]
fn the_same_words_are_welcome_at_home() {
    let homes: &[(Rule, &str, &str)] = &[
        (
            rules::left_only,
            "vault/src/cli/a.rs",
            "use crate::config::C;",
        ),
        (
            rules::left_only,
            "vault/src/config.rs",
            "use crate::{cli, engine};",
        ),
        (
            rules::sql,
            "vault/src/store/a.rs",
            "\"DELETE FROM a\"; use rusqlite::Row;",
        ),
        (
            rules::cedar,
            "vault/src/policy/a.rs",
            "use cedar_policy::Entity;",
        ),
        (
            rules::wire_codes,
            "vault/src/server/rest.rs",
            "use http::StatusCode;",
        ),
        (
            rules::wire_codes,
            "gateway-filter/src/a.rs",
            "use http::StatusCode;",
        ),
        (rules::printing, "vault/src/cli/screen.rs", "println!()"),
        (rules::time, "vault/src/model/clock.rs", "SystemTime::now()"),
        (
            rules::unsafety,
            "hsm-sim/src/functions/a.rs",
            "unsafe { a() }",
        ),
        (rules::unsafety, "hsm-sim/client/src/a.rs", "unsafe { a() }"),
        (rules::sizes, "kms/src/a/tests.rs", LONG),
    ];
    for (rule, path, text) in homes {
        assert_eq!(
            rule(&[Source::new(path, text)]),
            Vec::<String>::new(),
            "{path}"
        );
    }
}

const LONG: &str = {
    const LINES: [u8; FILE_LINES_MAX + 1] = [b'\n'; FILE_LINES_MAX + 1];
    match std::str::from_utf8(&LINES) {
        Ok(text) => text,
        Err(_) => panic!(),
    }
};

#[test]
fn the_wall_counts_a_file_beside_its_tests() {
    let measure = |text: &str| rules::sizes(&[Source::new("kms/src/a.rs", text)]).len();
    assert_eq!(measure(LONG), 1);
    assert_eq!(measure(&LONG[1..]), 0);
    assert_eq!(measure(&format!("#[cfg(test)]\nmod tests {{{LONG}}}")), 0);
    assert_eq!(measure(&format!("#[cfg(test)]\nmod tests;\n{LONG}")), 1);
}

#[test]
fn an_invariant_needs_its_keeper_and_its_test() {
    let judge = |keeper, test| {
        let sources = [
            Source::new("kms/src/a.rs", keeper),
            Source::new("kms/tests/a.rs", test),
        ];
        rules::unkept(&sources, &[3]).len()
    };
    assert_eq!(judge("// INVARIANT 3: a", "// Invariants 2, 3 and 5: a"), 0);
    assert_eq!(judge("// INVARIANT 3: a", "fn inv_03_a() {}"), 0);
    assert_eq!(judge("// INVARIANT 33: a", "// Invariant 3"), 1);
    assert_eq!(judge("// Invariant 3", "// INVARIANT 3"), 2);
    assert_eq!(judge("", "let a = \"// Invariant 3\";"), 2);
}

#[test]
fn a_source_is_taken_apart_as_the_compiler_would() {
    let text = "let a = '\"'; /* b /* c */ d */ let c: &'x str = r##\"d\"# e\"##; // \"f\"";
    let source = Source::new("kms/src/a.rs", text);
    assert_eq!(
        source.literals,
        [(0, "\"".to_owned()), (0, "d\"# e".to_owned())]
    );
    assert!(source.comments[0].trim().starts_with("/* b") && source.comments[0].ends_with("\"f\""));
    let code: Vec<&str> = source.code[0].split_whitespace().collect();
    assert_eq!(code.join(" "), "let a = ' '; let c: &'x str = r##\" \"##;");
    let lines = Source::new("kms/src/a.rs", "a\n#[cfg(test)]\nfn b() {\n{}\n}\nc\n").test_item;
    assert_eq!(lines, [false, true, true, true, true, false]);
}
