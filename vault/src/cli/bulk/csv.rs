//! A strict reading of one CSV record (RFC 4180) over bytes: where its fields lie, and nothing is copied.
//!
//! Bytes below 0x40 never continue a character of UTF-8 or Big5, so delimiters and quotes are what they look like.

use std::borrow::Cow;
use std::ops::Range;

/// Most fields of one record.
pub(super) const FIELDS_MAX: usize = 16_384;

/// One field: where it lies in the record, quotes and all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Field {
    pub(super) span: Range<usize>,
    pub(super) quoting: Quoting,
}

/// Whether a field is in quotes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Quoting {
    Bare,
    Quoted,
}

/// What comes behind some bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Behind {
    Nothing,
    More,
}

/// What was found at the beginning of some bytes.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Found {
    /// A record of so many bytes, its line end among them.
    Record(usize),
    /// It goes on behind these bytes.
    More,
    /// It is none: what is wrong, and where.
    Fault(Fault, usize),
}

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Fault {
    #[error("a quote stands inside a field that does not begin with one")]
    BareQuote,
    #[error("a closing quote is followed by more of the field")]
    AfterQuote,
    #[error("a quote that is opened here is never closed")]
    Unterminated,
    #[error("a carriage return stands without a line feed: write it in quotes")]
    BareReturn,
    #[error("a NUL byte: this is no text, or UTF-16")]
    Nul,
    #[error("a record has more than 16384 fields")]
    TooManyFields,
}

/// Reads one record from the beginning of `input`.
pub(super) fn record(
    input: &[u8],
    behind: Behind,
    delimiter: u8,
    fields: &mut Vec<Field>,
) -> Found {
    fields.clear();
    let last = behind == Behind::Nothing;
    let mut at = 0;
    loop {
        if fields.len() == FIELDS_MAX {
            return Found::Fault(Fault::TooManyFields, at);
        }
        let field = match input.get(at) {
            Some(b'"') => quoted(input, at, behind),
            Some(_) => Ok(unquoted(input, at, delimiter)),
            None => Ok(at..at),
        };
        let span = match field {
            Ok(span) => span,
            Err(Stop::More) => return Found::More,
            Err(Stop::Fault(fault, at)) => return Found::Fault(fault, at),
        };
        at = span.end;
        let quoting = match input.get(span.start) {
            Some(b'"') => Quoting::Quoted,
            _ => Quoting::Bare,
        };
        fields.push(Field { span, quoting });
        match (input.get(at), input.get(at + 1)) {
            (None, _) if last => return Found::Record(at),
            (None, _) => return Found::More,
            (Some(b'\n'), _) => return Found::Record(at + 1),
            (Some(b'\r'), Some(b'\n')) => return Found::Record(at + 2),
            (Some(b'\r'), None) if !last => return Found::More,
            (Some(b'\r'), _) => return Found::Fault(Fault::BareReturn, at),
            (Some(&byte), _) if byte == delimiter => at += 1,
            (Some(0), _) => return Found::Fault(Fault::Nul, at),
            (Some(_), _) if quoting == Quoting::Quoted => {
                return Found::Fault(Fault::AfterQuote, at);
            }
            (Some(_), _) => return Found::Fault(Fault::BareQuote, at),
        }
    }
}

enum Stop {
    More,
    Fault(Fault, usize),
}

fn unquoted(input: &[u8], start: usize, delimiter: u8) -> Range<usize> {
    let ends = |byte: &u8| *byte == delimiter || matches!(byte, b'\n' | b'\r' | b'"' | 0);
    let length = input[start..].iter().position(ends);
    start..length.map_or(input.len(), |length| start + length)
}

fn quoted(input: &[u8], start: usize, behind: Behind) -> Result<Range<usize>, Stop> {
    let last = behind == Behind::Nothing;
    let mut at = start + 1;
    loop {
        let found = input[at..].iter().position(|b| matches!(b, b'"' | 0));
        let Some(found) = found.map(|found| at + found) else {
            let unterminated = Stop::Fault(Fault::Unterminated, start);
            return Err(if last { unterminated } else { Stop::More });
        };
        match (input[found], input.get(found + 1)) {
            (0, _) => return Err(Stop::Fault(Fault::Nul, found)),
            (_, Some(b'"')) => at = found + 2,
            (_, None) if !last => return Err(Stop::More),
            _ => return Ok(start..found + 1),
        }
    }
}

/// What a field says: without its quotes, each doubled one once.
pub(super) fn content(field: &[u8], quoting: Quoting) -> Cow<'_, [u8]> {
    let Some(inner) = field
        .get(1..field.len().saturating_sub(1))
        .filter(|_| quoting == Quoting::Quoted)
    else {
        return Cow::Borrowed(field);
    };
    if !inner.contains(&b'"') {
        return Cow::Borrowed(inner);
    }
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        plain.push(byte);
        if byte == b'"' {
            bytes.next();
        }
    }
    Cow::Owned(plain)
}

/// Writes what a field shall say: in quotes where it was, or where it can't be without.
pub(super) fn write(out: &mut Vec<u8>, value: &[u8], quoting: Quoting, delimiter: u8) {
    let special = |byte: &u8| *byte == delimiter || matches!(byte, b'"' | b'\n' | b'\r');
    if quoting == Quoting::Bare && !value.iter().any(special) {
        return out.extend_from_slice(value);
    }
    out.push(b'"');
    for &byte in value {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Records = Vec<(Range<usize>, Vec<Field>)>;

    /// Reads a whole document; each record with its fields' spans in the document.
    fn read(input: &[u8], delimiter: u8) -> Result<Records, (Fault, usize)> {
        let (mut at, mut records, mut fields) = (0, Vec::new(), Vec::new());
        while at < input.len() {
            match record(&input[at..], Behind::Nothing, delimiter, &mut fields) {
                Found::Record(length) => {
                    let shift = |field: &Field| Field {
                        span: field.span.start + at..field.span.end + at,
                        quoting: field.quoting,
                    };
                    records.push((at..at + length, fields.iter().map(shift).collect()));
                    at += length;
                }
                Found::More => panic!("the last bytes are whole"),
                Found::Fault(fault, place) => return Err((fault, at + place)),
            }
        }
        Ok(records)
    }

    fn contents(input: &[u8], delimiter: u8) -> Vec<Vec<Vec<u8>>> {
        let of = |field: &Field| content(&input[field.span.clone()], field.quoting).into_owned();
        let records = read(input, delimiter).unwrap();
        records
            .iter()
            .map(|(_, fields)| fields.iter().map(of).collect())
            .collect()
    }

    /// What the crate `csv` reads.
    fn oracle(input: &[u8], delimiter: u8) -> Vec<Vec<Vec<u8>>> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(input);
        let fields = |record: csv::ByteRecord| record.iter().map(<[u8]>::to_vec).collect();
        reader.byte_records().map(|r| fields(r.unwrap())).collect()
    }

    /// Records of fields, each with whether it is quoted; and a line end for each record.
    fn documents() -> impl Strategy<Value = (Vec<u8>, u8)> {
        let plain = "[a-z 金庫'=+@é\u{3000}]{0,8}".prop_map(String::into_bytes);
        let wrapped = "[a-z,;\t\"\r\n金]{0,8}".prop_map(|text| {
            let mut out = Vec::new();
            write(&mut out, text.as_bytes(), Quoting::Quoted, b',');
            out
        });
        let field = prop_oneof![plain, wrapped];
        let record = proptest::collection::vec(field, 1..5);
        let records = proptest::collection::vec((record, any::<bool>()), 0..6);
        let delimiters = prop_oneof![Just(b','), Just(b';'), Just(b'\t')];
        (records, delimiters, any::<bool>()).prop_map(|(records, delimiter, open)| {
            let mut text = Vec::new();
            for (fields, crlf) in &records {
                text.extend(fields.join(&delimiter));
                text.extend_from_slice(if *crlf { b"\r\n" } else { b"\n" });
            }
            if open && text.ends_with(b"\n") {
                text.truncate(text.len() - 1);
                if text.ends_with(b"\r") {
                    text.truncate(text.len() - 1);
                }
            }
            (text, delimiter)
        })
    }

    proptest! {
        #[test]
        fn fields_and_what_lies_between_are_the_document((text, delimiter) in documents()) {
            let mut again = Vec::new();
            for (record, fields) in read(&text, delimiter).unwrap() {
                let mut at = record.start;
                for field in fields {
                    again.extend_from_slice(&text[at..field.span.start]);
                    let value = content(&text[field.span.clone()], field.quoting);
                    write(&mut again, &value, field.quoting, delimiter);
                    at = field.span.end;
                }
                again.extend_from_slice(&text[at..record.end]);
            }
            prop_assert_eq!(again, text);
        }

        #[test]
        fn fields_say_what_the_csv_crate_reads((text, delimiter) in documents()) {
            // The crate leaves out blank lines, as the source of rows does.
            let mut ours = contents(&text, delimiter);
            let blank = |(range, _): &(Range<usize>, Vec<Field>)| {
                text[range.clone()].iter().all(|b| matches!(b, b'\r' | b'\n'))
            };
            let mut records = read(&text, delimiter).unwrap().into_iter();
            ours.retain(|_| !blank(&records.next().unwrap()));
            prop_assert_eq!(ours, oracle(&text, delimiter));
        }

        #[test]
        fn bytes_that_come_piece_by_piece_read_alike((text, delimiter) in documents(), cut in 0..100_usize) {
            let mut fields = Vec::new();
            let whole = record(&text, Behind::Nothing, delimiter, &mut fields);
            let expected = fields.clone();
            let part = &text[..cut.min(text.len())];
            match record(part, Behind::More, delimiter, &mut fields) {
                Found::More => {}
                found => prop_assert_eq!((found, fields), (whole, expected)),
            }
        }

        #[test]
        fn whatever_comes_is_read_or_refused(text in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(records) = read(&text, b',') {
                prop_assert_eq!(records.iter().map(|(range, _)| range.len()).sum::<usize>(), text.len());
            }
        }
    }

    #[test]
    fn what_is_no_csv_is_refused_where_it_is_wrong() {
        let rows: [(&[u8], Fault, usize); 9] = [
            (b"a,b\"c,d", Fault::BareQuote, 3),
            (b"a, \"b\"", Fault::BareQuote, 3),
            (b"a,\"b\"c", Fault::AfterQuote, 5),
            (b"a,\"b\" ,c", Fault::AfterQuote, 5),
            (b"a\nb,\"c\nd", Fault::Unterminated, 4),
            (b"a\rb", Fault::BareReturn, 1),
            (b"a\r", Fault::BareReturn, 1),
            (b"a,b\0", Fault::Nul, 3),
            (b"\"a\0\"", Fault::Nul, 2),
        ];
        for (text, fault, at) in rows {
            assert_eq!(read(text, b',').unwrap_err(), (fault, at), "{text:?}");
        }
        let wide = vec![b','; FIELDS_MAX];
        assert_eq!(read(&wide, b',').unwrap_err().0, Fault::TooManyFields);
        assert!(read(&wide[1..], b',').is_ok());
    }

    #[test]
    fn a_new_value_gets_quotes_only_where_it_needs_them() {
        let written = |value: &str, quoting| {
            let mut out = Vec::new();
            write(&mut out, value.as_bytes(), quoting, b';');
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written("jk1_a", Quoting::Bare), "jk1_a");
        assert_eq!(written("jk1_a", Quoting::Quoted), "\"jk1_a\"");
        assert_eq!(written("a,b", Quoting::Bare), "a,b");
        assert_eq!(written("a;b", Quoting::Bare), "\"a;b\"");
        assert_eq!(written("a\"b", Quoting::Bare), "\"a\"\"b\"");
        assert_eq!(written("a\nb", Quoting::Bare), "\"a\nb\"");
    }
}
