//! A unit as it shall be, from words on the command line.

use anyhow::{Context, bail};
use serde_json::{Map, Value};

/// A new unit's document.
pub(super) fn fresh(name: &str, set: &[String]) -> anyhow::Result<String> {
    let mut keys = Map::new();
    for text in ["name", "title_zh", "title_en"] {
        // A title that is not said is the code: people see something.
        keys.insert(text.to_owned(), name.into());
    }
    with(keys, set)
}

/// A unit's document with some of its keys set or taken out.
pub(super) fn changed(now: &str, set: &[String], unset: &[String]) -> anyhow::Result<String> {
    let mut keys: Map<String, Value> =
        serde_json::from_str(now).context("the vault's answer is no unit")?;
    for key in unset {
        if keys.remove(key).is_none() {
            bail!("the unit has no `{key}`");
        }
    }
    with(keys, set)
}

fn with(mut keys: Map<String, Value>, set: &[String]) -> anyhow::Result<String> {
    for pair in set {
        let Some((key, value)) = pair.split_once('=') else {
            bail!("`{pair}` is not KEY=VALUE");
        };
        keys.insert(key.trim().to_owned(), meant(value.trim())?);
    }
    Ok(Value::from(keys).to_string())
}

/// A value as units.toml has it; what is none of TOML is a text. So is a time: units keep it as one.
fn meant(text: &str) -> anyhow::Result<Value> {
    let table: Result<toml::Table, _> = toml::from_str(&format!("value = {text}"));
    match table.ok().and_then(|mut table| table.remove("value")) {
        None | Some(toml::Value::Datetime(_)) => Ok(text.into()),
        Some(value) => Ok(serde_json::to_value(value)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_toml_and_anything_else_is_a_text() {
        let set = |pairs: &[&str]| {
            let pairs: Vec<String> = pairs.iter().map(|pair| (*pair).to_owned()).collect();
            let document = changed(r#"{"name":"one","contact":"x"}"#, &pairs, &[]).unwrap();
            serde_json::from_str::<Value>(&document).unwrap()
        };
        let document = set(&[
            "clearance=public",
            "groups=[\"city\", \"care\"]",
            "requests_per_second = 5",
            "valid_from=2026-01-01T00:00:00+08:00",
            "contact=\"02-2720-8889, 稅捐\"",
            "token_subject=a=b",
        ]);
        let expected = serde_json::json!({
            "name": "one", "clearance": "public", "groups": ["city", "care"], "requests_per_second": 5,
            "valid_from": "2026-01-01T00:00:00+08:00", "contact": "02-2720-8889, 稅捐", "token_subject": "a=b",
        });
        assert_eq!(document, expected);
        assert!(changed("{}", &["no pair".to_owned()], &[]).is_err());
        assert!(changed("{}", &[], &["contact".to_owned()]).is_err());
    }
}
