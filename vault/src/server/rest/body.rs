//! Bodies of acts on keys: one item, or `items`; bytes in base64, nothing that was not asked for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kms::SecretBytes;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::engine::key::{Acted, ItemFault};
use crate::model::EncryptionContext;
use crate::server::key_words;
use crate::server::object::Pairs;
use crate::server::problem::Problem;

/// Defines an item and a body that holds one item's fields or `items`, never both.
macro_rules! one_or_many {
    ($body:ident, $item:ident { $($need:ident: $need_type:ty,)* $(; $($may:ident: $may_type:ty,)*)? }) => {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $item {
            $(pub(super) $need: $need_type,)*
            $($(#[serde(default)] pub(super) $may: Option<$may_type>,)*)?
        }

        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $body {
            #[serde(default)]
            pub(super) purpose: Option<String>,
            #[serde(default)]
            items: Option<Vec<$crate::server::object::Object<$item>>>,
            $(#[serde(default)] $need: Option<$need_type>,)*
            $($(#[serde(default)] $may: Option<$may_type>,)*)?
        }

        impl $body {
            /// The items, and whether there was one without a list.
            pub(super) fn items(self) -> Result<(Vec<$item>, $crate::server::rest::body::Form), Problem> {
                use $crate::server::rest::body::Form;
                let beside = [$(self.$need.is_some(),)* $($(self.$may.is_some(),)*)?];
                match self.items {
                    Some(_) if beside.contains(&true) => {
                        let detail = "send one item's fields, or `items`, not both";
                        Err(Problem::invalid("body-shape", detail))
                    }
                    Some(items) => {
                        Ok((items.into_iter().map(|item| item.0).collect(), Form::Many))
                    }
                    None => {
                        let item = $item {
                            $($need: self.$need.ok_or_else(|| {
                                let detail = concat!("`", stringify!($need), "` is missing");
                                Problem::invalid("body-shape", detail)
                            })?,)*
                            $($($may: self.$may,)*)?
                        };
                        Ok((vec![item], Form::One))
                    }
                }
            }
        }
    };
}
pub(super) use one_or_many;

/// Whether a caller sent one item or a list: it is answered alike.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    One,
    Many,
}

/// Bytes in standard base64 with padding (RFC 4648 section 4), in their one spelling.
pub(super) fn bytes(name: &str, text: &str) -> Result<Vec<u8>, Problem> {
    STANDARD.decode(text).map_err(|_| not_base64(name))
}

fn not_base64(name: &str) -> Problem {
    let detail = format!("`{name}` must be base64 with padding (RFC 4648 section 4)");
    Problem::invalid("base64", detail)
}

/// The same for what must not stay in memory.
pub(super) fn secret(name: &str, text: String) -> Result<SecretBytes, Problem> {
    let text = Zeroizing::new(text);
    let bytes_max = base64::decoded_len_estimate(text.len());
    // With room around it, so that it can be encrypted where it stands.
    SecretBytes::filled(bytes_max, |to| STANDARD.decode_slice(text.as_bytes(), to))
        .map_err(|_| not_base64(name))
}

pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn context(pairs: Option<Pairs>) -> Result<EncryptionContext, Problem> {
    let Pairs(pairs) = pairs.unwrap_or_default();
    key_words::context(pairs)
}

/// Items with their places, so that a refusal says which one it is about.
pub(super) fn each<I, O>(
    items: Vec<I>,
    form: Form,
    read: impl Fn(I) -> Result<O, Problem>,
) -> Result<Vec<O>, Problem> {
    let one = |(place, item)| {
        read(item).map_err(|problem| match form {
            Form::One => problem,
            Form::Many => problem.at(place),
        })
    };
    items.into_iter().enumerate().map(one).collect()
}

#[derive(Serialize)]
struct One<T> {
    #[serde(flatten)]
    item: T,
    key: String,
    entry: u64,
}

#[derive(Serialize)]
struct Many<T> {
    items: Vec<Answer<T>>,
    key: String,
    entry: u64,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer<T> {
    Done(T),
    Refused { error: Refused },
}

#[derive(Serialize)]
struct Refused {
    code: &'static str,
    detail: String,
}

/// What came of an act, in the form that was asked in.
pub(super) fn acted<T, B: Serialize>(
    acted: Acted<T>,
    form: Form,
    key: &str,
    body: impl Fn(T) -> B,
) -> Result<Vec<u8>, Problem> {
    let entry = acted.entry.seq();
    let key = key.to_owned();
    let mut items = acted.items;
    let json = match (form, items.pop()) {
        (Form::One, Some(item)) => serde_json::to_vec(&One {
            item: body(item?),
            key,
            entry,
        }),
        (_, last) => serde_json::to_vec(&Many {
            items: items
                .into_iter()
                .chain(last)
                .map(|item| answer(item, &body))
                .collect(),
            key,
            entry,
        }),
    };
    json.map_err(|_| Problem::no_ticket())
}

fn answer<T, B>(item: Result<T, ItemFault>, body: impl Fn(T) -> B) -> Answer<B> {
    match item {
        Ok(item) => Answer::Done(body(item)),
        Err(fault) => Answer::Refused {
            error: Refused {
                code: fault.code(),
                detail: fault.to_string(),
            },
        },
    }
}
