//! A ticket's text: `jkt_`, 52 characters for 256 random bits, 4 check characters.
//!
//! It names nothing by itself: a scanner of logs finds one, and a typing error is told from a ticket.

use rand::TryCryptoRng;

use super::TokenError;
use super::opaque::{BODY_CHARS, CHECK_CHARS, check_of, is_body, push_body};
use crate::commit::Withheld;
use crate::model::TicketText;

const PREFIX: &str = "jkt_";
/// Two bodies of 128 bits.
const BODIES: usize = 2;
const CHARS: usize = PREFIX.len() + BODIES * BODY_CHARS + CHECK_CHARS;

/// Draws a ticket.
pub fn draw_ticket<R: TryCryptoRng + ?Sized>(
    rng: &mut R,
) -> Result<Withheld<TicketText>, TokenError> {
    let mut text = String::with_capacity(CHARS);
    text.push_str(PREFIX);
    for _ in 0..BODIES {
        push_body(&mut text, rng)?;
    }
    let check = check_of(&text);
    text.extend(check.map(char::from));
    Ok(Withheld::new(TicketText::new(text)))
}

/// Whether `text` has a ticket's form. Nobody was ever given another: no store need be asked.
pub fn is_ticket(text: &str) -> bool {
    let parts = || {
        let (rest, check) = text.split_at_checked(CHARS - CHECK_CHARS)?;
        let body = rest.strip_prefix(PREFIX)?;
        Some((body.split_at_checked(BODY_CHARS)?, check_of(rest), check))
    };
    parts().is_some_and(|((first, second), expected, check)| {
        is_body(first) && is_body(second) && check.as_bytes() == expected
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn ticket(seed: u64) -> String {
        let drawn = draw_ticket(&mut StdRng::seed_from_u64(seed)).unwrap();
        let mut text = String::new();
        let read = |ticket: &TicketText| {
            ticket.expose().clone_into(&mut text);
            Ok::<_, ()>(crate::store::TicketHash([0; 32]))
        };
        drawn.column(read).unwrap();
        text
    }

    #[test]
    fn a_ticket_knows_itself_and_no_other_text_is_one() {
        let one = ticket(1);
        assert_eq!(one.len(), 60);
        assert!(is_ticket(&one));
        assert_ne!(one, ticket(2));
        for place in 0..one.len() {
            let mut wrong = one.clone().into_bytes();
            wrong[place] = if wrong[place] == b'0' { b'1' } else { b'0' };
            assert!(!is_ticket(std::str::from_utf8(&wrong).unwrap()), "{place}");
        }
        for text in [
            "",
            "jkt_",
            "jkt_王",
            &one[..59],
            &format!("{one}0"),
            &one.to_uppercase(),
        ] {
            assert!(!is_ticket(text), "{text}");
        }
    }
}
