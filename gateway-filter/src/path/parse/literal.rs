//! Owns the literals of a path: quoted texts (RFC 9535 §2.3.1.1) and numbers (§2.3.5.1).

use super::PathFault;
use crate::path::cursor::Cursor;

/// A text from its opening quote to the same one.
pub(super) fn quoted(cursor: &mut Cursor) -> Result<String, PathFault> {
    let quote = cursor.next().ok_or(PathFault::Quoted)?;
    let mut text = String::new();
    loop {
        match cursor.next().ok_or(PathFault::Quoted)? {
            end if end == quote => return Ok(text),
            '\\' => text.push(escape(cursor, quote)?),
            control if control < ' ' => return Err(PathFault::Quoted),
            plain => text.push(plain),
        }
    }
}

fn escape(cursor: &mut Cursor, quote: char) -> Result<char, PathFault> {
    Ok(match cursor.next().ok_or(PathFault::Quoted)? {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        same @ ('/' | '\\') => same,
        same if same == quote => same,
        'u' => unicode(cursor)?,
        _ => return Err(PathFault::Quoted),
    })
}

fn unicode(cursor: &mut Cursor) -> Result<char, PathFault> {
    let first = hex4(cursor)?;
    let code = match first {
        0xD800..=0xDBFF => {
            let low = (cursor.eat('\\') && cursor.eat('u'))
                .then(|| hex4(cursor))
                .transpose()?
                .filter(|low| (0xDC00..=0xDFFF).contains(low))
                .ok_or(PathFault::Quoted)?;
            0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00)
        }
        other => other,
    };
    char::from_u32(code).ok_or(PathFault::Quoted)
}

fn hex4(cursor: &mut Cursor) -> Result<u32, PathFault> {
    let mut code = 0;
    for _ in 0..4 {
        let digit = cursor
            .next()
            .and_then(|next| next.to_digit(16))
            .ok_or(PathFault::Quoted)?;
        code = code * 16 + digit;
    }
    Ok(code)
}

/// `(int / "-0") [frac] [exp]`
pub(super) fn number(cursor: &mut Cursor) -> Result<f64, PathFault> {
    let mut text = String::new();
    if cursor.eat('-') {
        text.push('-');
    }
    let whole = digits(cursor)?;
    if whole.len() > 1 && whole.starts_with('0') {
        return Err(PathFault::Number);
    }
    text.push_str(&whole);
    if cursor.eat('.') {
        text.push('.');
        text.push_str(&digits(cursor)?);
    }
    if cursor.eat('e') || cursor.eat('E') {
        text.push('e');
        if let Some(sign @ ('+' | '-')) = cursor.peek() {
            text.push(sign);
            cursor.at += 1;
        }
        text.push_str(&digits(cursor)?);
    }
    text.parse().map_err(|_| PathFault::Number)
}

fn digits(cursor: &mut Cursor) -> Result<String, PathFault> {
    let digits = cursor.take_while(|next| next.is_ascii_digit());
    if digits.is_empty() {
        Err(PathFault::Number)
    } else {
        Ok(digits)
    }
}
