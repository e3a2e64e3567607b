//! Keys as text for people and as JSON for scripts, with the words that REST uses.

use api::v1::{Key, KeyResponse, KeyVersion};
use serde_json::{Map, Value, json};

use super::connection::{Form, Session};
use crate::cli::screen;

/// Shows what a change or a look gave.
pub(super) fn answered(session: &Session, answer: KeyResponse, done: &str) -> anyhow::Result<()> {
    let entry = answer.entry;
    let Some(key) = answer.key else {
        anyhow::bail!("the vault's answer holds no key: is it of another version?");
    };
    if session.form == Form::Json {
        document(&json!({ "key": of_key(&key), "entry": entry }));
        return Ok(());
    }
    if !done.is_empty() {
        screen::good(&format!("{done} (entry {entry})"));
    }
    fields(&key);
    Ok(())
}

/// Prints one JSON document.
pub(super) fn document(value: &Value) {
    screen::line(&value.to_string());
}

/// A key as REST shows it.
pub(super) fn of_key(key: &Key) -> Value {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    put("id", json!(key.id));
    put("kind", json!(key.kind));
    put("usage", json!(key.usage));
    put("state", json!(key.state));
    put("origin", json!(key.origin));
    put("owner", json!(key.owner));
    put("aliases", json!(key.aliases));
    put("description", json!(key.description));
    put("tags", json!(key.tags));
    put("current_version", json!(key.current_version));
    put("open_from", json!(key.open_from));
    if let Some(seconds) = key.rotation_seconds {
        put("rotation_seconds", json!(seconds));
    }
    if let Some(time) = key.rotates_at_us {
        put("rotates_at", json!(instant(time)));
    }
    if let Some(time) = key.deleted_at_us {
        put("deleted_at", json!(instant(time)));
    }
    put("created_at", json!(instant(key.created_at_us)));
    put("revision", json!(key.revision));
    if !key.versions.is_empty() {
        let version = |version: &KeyVersion| {
            let (number, state) = (version.version, &version.state);
            json!({ "version": number, "state": state, "created_at": instant(version.created_at_us) })
        };
        let versions: Vec<Value> = key.versions.iter().map(version).collect();
        put("versions", json!(versions));
    }
    Value::Object(shown)
}

fn fields(key: &Key) {
    let tag = |(name, value): (&String, &String)| format!("{name}={value}");
    let tags: Vec<String> = key.tags.iter().map(tag).collect();
    screen::field("id", &key.id);
    let optional = [
        ("aliases", key.aliases.join(", ")),
        ("description", key.description.clone()),
        ("tags", tags.join(", ")),
    ];
    for (name, text) in optional.iter().filter(|(_, text)| !text.is_empty()) {
        screen::field(name, text);
    }
    screen::field("kind", &format!("{} ({})", key.kind, key.usage));
    screen::field("state", &key.state);
    screen::field("origin", &key.origin);
    screen::field("owner", &key.owner);
    screen::field("made", &instant(key.created_at_us));
    screen::field("revision", &key.revision.to_string());
    if let (Some(seconds), Some(time)) = (key.rotation_seconds, key.rotates_at_us) {
        screen::field(
            "rotates",
            &format!("{}, every {}", instant(time), period(seconds)),
        );
    }
    if let Some(time) = key.deleted_at_us {
        screen::field("destroyed on", &instant(time));
    }
    for version in &key.versions {
        let mut notes = version.state.clone();
        if version.version == key.current_version {
            notes.push_str(", protects");
        } else if version.version < key.open_from {
            notes.push_str(", opens nothing: below the lowest version");
        }
        let made = instant(version.created_at_us);
        screen::field(
            &format!("version {}", version.version),
            &format!("{made}  {notes}"),
        );
    }
}

/// The heading of a list of keys.
pub(super) const HEADING: &str =
    "ID                                    KIND          STATE           VERSION  NAMES AND TAGS";

/// One key of a list.
pub(super) fn row(key: &Key) -> String {
    let tag = |(name, value): (&String, &String)| format!("{name}={value}");
    let names: Vec<String> = key
        .aliases
        .iter()
        .cloned()
        .chain(key.tags.iter().map(tag))
        .collect();
    let (id, kind, state, version) = (&key.id, &key.kind, &key.state, key.current_version);
    let row = format!(
        "{id:<36}  {kind:<12}  {state:<14}  {version:>7}  {}",
        names.join(" ")
    );
    row.trim_end().to_owned()
}

/// RFC 3339, in UTC, to the second.
pub(super) fn instant(us: u64) -> String {
    let seconds = i64::try_from(us / 1_000_000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| String::new(), |time| time.to_string())
}

/// Seconds in the largest unit that leaves no rest.
fn period(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let whole = units.iter().find(|(unit, _)| seconds.is_multiple_of(*unit));
    whole.map_or_else(
        || format!("{seconds}s"),
        |(unit, name)| format!("{}{name}", seconds / unit),
    )
}
