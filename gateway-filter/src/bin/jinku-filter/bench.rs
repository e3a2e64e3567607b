//! Owns the measurement of selecting and rewriting: one core, no vault, no network.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use gateway_filter::{Media, Settings, Side};

use crate::cli::Bench;
use crate::screen;

/// Five fields, each of a kind that routes are full of.
const SETTINGS: &str = r#"
[vault]
url = "https://127.0.0.1:1"
ca = "ca.pem"
[limits]
body_bytes_max = 268435456
nodes_max = 100000000
fields_max = 1000000
[[route]]
name = "bench"
path = "/"
domain = "city"
"#;
const FIVE: [&str; 5] = [
    "$.payer.national_id",
    "$.payer.email",
    "$.orders[0].card.pan",
    "$.orders[-1].card.pan",
    "$.contact['mobile']",
];
const EACH: [&str; 1] = ["$.orders[*].card.pan"];
const ANYWHERE: [&str; 1] = ["$..pan"];

/// Prints a line for each set of rules.
pub(crate) fn run(bench: &Bench) -> anyhow::Result<()> {
    let document = document(bench.bytes);
    let mut text = String::new();
    for (name, paths) in [
        ("five fields", FIVE.as_slice()),
        ("one field of each order", EACH.as_slice()),
        ("the same anywhere", ANYWHERE.as_slice()),
    ] {
        let (fields, rate) = measured(paths, document.as_bytes(), bench.seconds)?;
        let length = document.len();
        writeln!(
            text,
            "{name}: {fields} of {length} bytes' fields, {rate:.0} MB/s"
        )?;
    }
    Ok(screen::bytes(text.as_bytes())?)
}

fn measured(paths: &[&str], document: &[u8], seconds: u64) -> anyhow::Result<(usize, f64)> {
    let mut settings = SETTINGS.to_owned();
    for path in paths {
        write!(
            settings,
            "[[route.request]]\nfield = \"{path}\"\nclass = \"c\"\naction = \"tokenize\"\n"
        )?;
    }
    let rules = Settings::parse(&settings, Path::new(""))?.rules;
    let route = rules
        .route_for(None, Side::Request, Media::JSON)
        .context("no route")?;
    let whole = Duration::from_secs(seconds.clamp(1, 60));
    let mut fields = 0;
    let mut best = f64::MAX;
    let began = Instant::now();
    while began.elapsed() < whole {
        // A batch of a few milliseconds: the best of many is the least disturbed.
        let batch = Instant::now();
        let rounds = 1 + 2_000_000 / document.len();
        for _ in 0..rounds {
            let (found, rewritten) =
                rules.rewritten(route, Side::Request, Media::JSON, document)?;
            ensure!(rewritten.len() != document.len(), "nothing was replaced");
            fields = found;
        }
        let bytes = u32::try_from(rounds * document.len())?;
        best = best.min(batch.elapsed().as_secs_f64() / f64::from(bytes));
    }
    Ok((fields, 1e-6 / best))
}

/// A document as shops send them, of about so many bytes.
fn document(bytes: usize) -> String {
    let mut text = String::from(
        "{\"payer\":{\"national_id\":\"A123456789\",\"email\":\"someone@example.tw\",\"name\":\"王小明\"},\
         \"contact\":{\"mobile\":\"0912345678\",\"hours\":\"9-17\"},\"orders\":[",
    );
    let mut number = 0;
    while text.len() < bytes.max(1_000) || number == 0 {
        if number > 0 {
            text.push(',');
        }
        // Writing to a `String` can't fail.
        let _ = write!(
            text,
            "{{\"id\":{number},\"card\":{{\"pan\":\"4111111111111111\",\"month\":12}},\
             \"items\":[{{\"sku\":\"AB-{number:06}\",\"title\":\"Tea of the high mountains, 150 g\",\
             \"price\":420.00,\"tags\":[\"tea\",\"gift\"]}}],\"note\":\"leave it at the door, please\",\
             \"paid\":true,\"coupon\":null}}"
        );
        number += 1;
    }
    text.push_str("]}");
    text
}
