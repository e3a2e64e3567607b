//! The counter file: PIN tries once more, outside the token file, under a number that only grows. An older
//! copy of the token file then brings no tries back.

use serde::{Deserialize, Serialize};

use super::hash::{self, Hash};
use super::record::{Header, Tries};
use super::{crypto, hex};
use crate::error::{Error, Result};

/// What the file says of a token's tries.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counter {
    serial: String,
    tries: Tries,
}

/// The file's bytes: the tries of this token, and a MAC under the token's own counter key.
pub(super) fn to_bytes(header: &Header, tries: Tries) -> Result<Vec<u8>> {
    let counter = Counter {
        serial: header.serial.clone(),
        tries,
    };
    let mut bytes = serde_json::to_vec(&counter).map_err(|_| Error::DeviceError)?;
    let mac = hash::hmac(Hash::Sha256, header.counter_key(), &bytes)?;
    bytes.push(b'\n');
    bytes.extend_from_slice(hex::encode(&mac).as_bytes());
    bytes.push(b'\n');
    Ok(bytes)
}

/// The tries that are left: the counter's, if it is at least as far as the token file says. A counter
/// that is missing, altered, another token's or behind leaves none.
pub(super) fn left(stored: Option<&[u8]>, header: &Header, claimed: Tries) -> Tries {
    let none = Tries {
        so: 0,
        user: 0,
        count: claimed.count,
    };
    let counted = stored.and_then(|bytes| read(bytes, header));
    counted
        .filter(|counted| counted.count >= claimed.count)
        .unwrap_or(none)
}

fn read(bytes: &[u8], header: &Header) -> Option<Tries> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (line, mac) = text.strip_suffix('\n')?.split_once('\n')?;
    let right = hash::hmac(Hash::Sha256, header.counter_key(), line.as_bytes()).ok()?;
    if !crypto::is_same_tag(&right, &hex::decode(mac)?) {
        return None;
    }
    let counter: Counter = serde_json::from_str(line).ok()?;
    (counter.serial == header.serial).then_some(counter.tries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::pin::Master;

    fn header(serial: &str) -> Header {
        let master = Master::draw().unwrap();
        Header::new(
            0,
            serial.to_owned(),
            "label".to_owned(),
            b"12345678",
            &master,
        )
        .unwrap()
    }

    const SPENT: Tries = Tries {
        so: 10,
        user: 3,
        count: 7,
    };

    #[test]
    fn an_older_token_file_brings_no_tries_back() {
        let header = header("01");
        let bytes = to_bytes(&header, SPENT).unwrap();
        let older = Tries {
            count: 2,
            ..Tries::FULL
        };
        assert_eq!(left(Some(&bytes), &header, older).user, 3);
    }

    #[test]
    fn a_counter_that_is_behind_altered_foreign_or_gone_leaves_no_try() {
        let (ours, other) = (header("01"), header("02"));
        let bytes = to_bytes(&ours, SPENT).unwrap();
        let newer = Tries { count: 8, ..SPENT };
        assert_eq!(left(Some(&bytes), &ours, newer).user, 0);
        assert_eq!(left(Some(&bytes), &other, SPENT).user, 0);
        assert_eq!(left(None, &ours, SPENT).so, 0);
        let text = String::from_utf8(bytes).unwrap();
        let forged = text.replace("\"user\":3", "\"user\":9");
        assert_ne!(text, forged);
        assert_eq!(left(Some(forged.as_bytes()), &ours, SPENT).user, 0);
    }
}
