//! Simple types: does a text mean a date, a number, an address?
//!
//! The verdicts are those of libxml2, the validator that the IATI registry's publishers and the official validator
//! use, where it reads XML Schema more narrowly or more widely than the text of that standard.
//! **Source:** XML Schema Part 2, 3.2 and 3.3; compared with xmllint 2.9.14 on some thousand values.

use super::tables::SimpleType;
use super::uri;

/// Digits of a number that libxml2 reads; a longer one is refused.
const DIGITS_MAX: usize = 24;

impl SimpleType {
    /// Whether the text is a value of this type. White space around it has no meaning, except that libxml2 refuses it
    /// around dates and 32-bit numbers.
    pub(super) fn accepts(self, text: &str) -> bool {
        if self == Self::Text {
            return true;
        }
        let given = text;
        let text = trim(given);
        match self {
            Self::Text => true,
            Self::Uri => uri::is_reference(text),
            Self::Boolean => matches!(text, "true" | "false" | "1" | "0"),
            Self::Date => date(given.as_bytes()).is_some_and(zone),
            Self::DateTime => date_time(given.as_bytes()).is_some_and(zone),
            Self::Decimal => decimal(text) || is_sign_before_space(given),
            Self::Int => integer(given).is_some_and(|(negative, digits)| {
                at_most(
                    digits,
                    if negative {
                        b"2147483648"
                    } else {
                        b"2147483647"
                    },
                )
            }),
            Self::Integer => integer(text).is_some(),
            Self::NonNegative => {
                integer(text).is_some_and(|(negative, digits)| !negative || digits.is_empty())
            }
            Self::Positive => {
                integer(text).is_some_and(|(negative, digits)| !negative && !digits.is_empty())
            }
            Self::NameToken => !text.is_empty() && text.chars().all(is_name_char),
            Self::Language => language(text),
            Self::Lang => given.is_empty() || language(text),
            Self::Space => matches!(text, "default" | "preserve"),
            Self::Name => {
                text.chars()
                    .next()
                    .is_some_and(|c| is_name_start(c) && c != ':')
                    && text.chars().all(|c| is_name_char(c) && c != ':')
            }
        }
    }

    /// What a person calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Uri => "a web address (xsd:anyURI)",
            Self::Boolean => "true, false, 1 or 0 (xsd:boolean)",
            Self::Date => "a date such as 2024-12-31 (xsd:date)",
            Self::DateTime => "a date with time such as 2024-12-31T23:59:59Z (xsd:dateTime)",
            Self::Decimal => "a decimal number without exponent or separators (xsd:decimal)",
            Self::Int => "a whole number of 32 bits (xsd:int)",
            Self::Integer => "a whole number (xsd:integer)",
            Self::NonNegative => "a whole number not below zero (xsd:nonNegativeInteger)",
            Self::Positive => "a whole number above zero (xsd:positiveInteger)",
            Self::NameToken => "a token without spaces (xsd:NMTOKEN)",
            Self::Language => "a language code (xsd:language)",
            Self::Lang => "a language code or nothing (xml:lang)",
            Self::Space => "default or preserve (xml:space)",
            Self::Name => "a name (xsd:ID)",
        }
    }

    /// Whether this type restricts the other, by XML Schema's own hierarchy of types.
    pub(super) fn restricts(self, other: Self) -> bool {
        match other {
            Self::Text => matches!(self, Self::NameToken | Self::Language | Self::Name),
            Self::Decimal => matches!(
                self,
                Self::Int | Self::Integer | Self::NonNegative | Self::Positive
            ),
            Self::Integer => matches!(self, Self::Int | Self::NonNegative | Self::Positive),
            Self::NonNegative => self == Self::Positive,
            _ => false,
        }
    }

    /// The type of this name in XML Schema's own namespace, as far as these tables know it.
    pub(super) fn of_schema_name(name: &str) -> Option<Self> {
        Some(match name {
            "string" | "normalizedString" | "token" | "anySimpleType" => Self::Text,
            "anyURI" => Self::Uri,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            "dateTime" => Self::DateTime,
            "decimal" => Self::Decimal,
            "int" => Self::Int,
            "integer" => Self::Integer,
            "nonNegativeInteger" => Self::NonNegative,
            "positiveInteger" => Self::Positive,
            "NMTOKEN" => Self::NameToken,
            "language" => Self::Language,
            "ID" | "NCName" => Self::Name,
            _ => return None,
        })
    }
}

pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

/// A sign and then white space alone: no number, and yet libxml2 lets it pass, so that a file with it is valid for
/// everyone who uses it.
fn is_sign_before_space(text: &str) -> bool {
    let text = text.trim_start_matches([' ', '\t', '\n', '\r']);
    text.strip_prefix(['+', '-'])
        .is_some_and(|rest| !rest.is_empty() && trim(rest).is_empty())
}

fn decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let kept = whole.trim_start_matches('0').len() + fraction.len();
    !(whole.is_empty() && fraction.is_empty())
        && all_digits(whole)
        && all_digits(fraction)
        && kept <= DIGITS_MAX
}

/// Whether it is negative, and its digits without leading zeros.
fn integer(text: &str) -> Option<(bool, &[u8])> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let good = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let kept = digits.trim_start_matches('0').as_bytes();
    (good && kept.len() <= DIGITS_MAX).then_some((text.starts_with('-'), kept))
}

/// Compares numbers as they are written, so that their size does not matter.
fn at_most(digits: &[u8], limit: &[u8]) -> bool {
    digits.len() < limit.len() || (digits.len() == limit.len() && digits <= limit)
}

/// Takes two digits off the front.
fn two(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', rest @ ..] => Some(((a - b'0') * 10 + (b - b'0'), rest)),
        _ => None,
    }
}

fn expect(text: &[u8], byte: u8) -> Option<&[u8]> {
    text.split_first()
        .filter(|(first, _)| **first == byte)
        .map(|(_, rest)| rest)
}

/// Takes a date off the front.
fn date(text: &[u8]) -> Option<&[u8]> {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let length = unsigned.iter().take_while(|b| b.is_ascii_digit()).count();
    let (year, rest) = unsigned.split_at_checked(length)?;
    // Year zero does not exist, a year of more than four digits has no leading zero, and libxml2 counts in 64 bits.
    if length < 4
        || (length > 4 && year.starts_with(b"0"))
        || year.iter().all(|b| *b == b'0')
        || std::str::from_utf8(year).map_or(true, |year| year.parse::<i64>().is_err())
    {
        return None;
    }
    let (month, rest) = two(expect(rest, b'-')?)?;
    let (day, rest) = two(expect(rest, b'-')?)?;
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => return None,
    };
    (1..=days).contains(&day).then_some(rest)
}

fn is_leap(year: &[u8]) -> bool {
    // The last four digits decide: 10,000 is a multiple of 400.
    let last = year
        .iter()
        .rev()
        .take(4)
        .rev()
        .fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    last.is_multiple_of(4) && !last.is_multiple_of(100) || last.is_multiple_of(400)
}

/// Takes a date with time off the front.
fn date_time(text: &[u8]) -> Option<&[u8]> {
    let (hour, rest) = two(expect(date(text)?, b'T')?)?;
    let (minute, rest) = two(expect(rest, b':')?)?;
    let (second, mut rest) = two(expect(rest, b':')?)?;
    let mut is_whole = true;
    if let Some(fraction) = expect(rest, b'.') {
        let length = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, after) = fraction
            .split_at_checked(length)
            .filter(|(digits, _)| !digits.is_empty())?;
        is_whole = digits.iter().all(|b| *b == b'0');
        rest = after;
    }
    let end_of_day = hour == 24 && minute == 0 && second == 0 && is_whole;
    (end_of_day || (hour < 24 && minute < 60 && second < 60)).then_some(rest)
}

/// Whether what is left is a time zone, or nothing.
fn zone(text: &[u8]) -> bool {
    let offset = match text {
        [] | [b'Z'] => return true,
        [b'+' | b'-', offset @ ..] => offset,
        _ => return false,
    };
    let parts = || {
        let (hours, rest) = two(offset)?;
        let (minutes, rest) = two(expect(rest, b':')?)?;
        rest.is_empty().then_some((hours, minutes))
    };
    parts().is_some_and(|(hours, minutes)| {
        (hours < 14 && minutes < 60) || (hours == 14 && minutes == 0)
    })
}

/// One to eight letters, then parts of one to eight letters or digits.
fn language(text: &str) -> bool {
    let mut parts = text.split('-');
    let good = |part: &str, allowed: fn(&u8) -> bool| {
        (1..=8).contains(&part.len()) && part.as_bytes().iter().all(allowed)
    };
    parts
        .next()
        .is_some_and(|first| good(first, u8::is_ascii_alphabetic))
        && parts.all(|part| good(part, u8::is_ascii_alphanumeric))
}

/// **Source:** XML 1.0, fifth edition, `[4]`.
fn is_name_start(c: char) -> bool {
    matches!(c, ':' | '_' | 'A'..='Z' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
        | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

/// **Source:** XML 1.0, fifth edition, `[4a]`.
fn is_name_char(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}
