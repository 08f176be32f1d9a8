//! One start tag, cut into names and values without copying.

use memchr::memchr;

use super::block;
use super::error::{ErrorKind, Malformed};
use super::namespace::{NONE, XML};
use super::reader::Limits;
use super::text::{self, Where};

/// A piece of the window.
pub(super) type Span = (usize, usize);

/// Where the value of an attribute is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    /// As it is written.
    Window(Span),
    /// With its references resolved, in [`Tag::values`].
    Resolved(Span),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct RawAttribute {
    pub(super) name: Span,
    /// First byte of the local name.
    pub(super) local: usize,
    pub(super) value: Value,
    pub(super) namespace: u32,
    pub(super) is_declaration: bool,
}

/// The start tag at hand. Its memory is used again for the next one.
#[derive(Debug, Default)]
pub(super) struct Tag {
    pub(super) name: Span,
    pub(super) local: usize,
    pub(super) attributes: Vec<RawAttribute>,
    pub(super) values: String,
    pub(super) self_closing: bool,
    /// A prefix other than `xml`, or a declaration.
    pub(super) has_prefixes: bool,
}

pub(super) enum Scan {
    /// The index after the closing bracket.
    Complete(usize),
    /// The tag goes on past the window.
    NeedMore,
}

pub(super) type ScanError = (ErrorKind, usize);

pub(super) fn syntax(what: &'static str) -> ErrorKind {
    ErrorKind::Malformed(Malformed::Syntax(what))
}

pub(super) fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r')
}

/// Classes of bytes: those that end a name, the colon, and those of characters outside ASCII.
const NO_NAME: u8 = 1;
const COLON: u8 = 2;
const FOREIGN: u8 = 4;

static CLASSES: [u8; 256] = classes();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "it runs in the compiler, and a byte has 256 values"
)]
const fn classes() -> [u8; 256] {
    let mut classes = [NO_NAME; 256];
    let mut b = 0;
    while b < 256 {
        if is_name_byte(b as u8) {
            classes[b] = 0;
        }
        if b == b':' as usize {
            classes[b] = COLON;
        }
        if b >= 0x80 {
            classes[b] = FOREIGN;
        }
        b += 1;
    }
    classes
}

fn class_of(b: u8) -> u8 {
    CLASSES.get(usize::from(b)).copied().unwrap_or(NO_NAME)
}

/// Bytes that may stand in a name; what lies outside ASCII is looked at by character afterwards.
pub(super) const fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':') || b >= 0x80
}

fn is_name_start_char(c: char) -> bool {
    matches!(c,
        ':' | '_' | 'A'..='Z' | 'a'..='z'
        | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}' | '\u{370}'..='\u{37d}'
        | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}'
        | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
}

fn is_name_char(c: char) -> bool {
    is_name_start_char(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

/// Whether `name` is a Name of XML 1.0, fifth edition.
pub(crate) fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(is_name_start_char) && chars.all(is_name_char)
}

/// The length of the name that begins here, where it is as nearly all are: short, beginning with a letter, without a
/// colon and with something after it.
#[inline]
fn plain_name(bytes: &[u8], limits: &Limits) -> Option<usize> {
    let len = block::skip(bytes, 0, block::no_plain_name);
    let is_plain = bytes.first().is_some_and(u8::is_ascii_alphabetic)
        && bytes.get(len).is_some_and(|&b| class_of(b) & NO_NAME != 0)
        && len <= limits.name_bytes;
    is_plain.then_some(len)
}

/// Finds the end of the name that begins at `from`, and where its local part begins.
#[inline(never)]
fn scan_name(
    window: &str,
    from: usize,
    limits: &Limits,
) -> Result<Option<(usize, usize)>, ScanError> {
    let bytes = window.as_bytes().get(from..).unwrap_or_default();
    let mut seen = 0;
    let mut len = 0;
    let end = loop {
        len = block::skip(bytes, len, block::no_plain_name);
        match bytes.get(len) {
            Some(&b) if class_of(b) & NO_NAME == 0 => seen |= class_of(b),
            Some(_) => break Some(len),
            None => break None,
        }
        len += 1;
    };
    let Some(len) = end else {
        return if bytes.len() > limits.name_bytes {
            Err(too_long(limits, from))
        } else {
            Ok(None)
        };
    };
    if len > limits.name_bytes {
        return Err(too_long(limits, from));
    }
    let first = bytes.first().copied().unwrap_or(b'>');
    if len == 0 || first.is_ascii_digit() || matches!(first, b'-' | b'.') {
        return Err((syntax("a name is expected here"), from));
    }
    let mut local = 0;
    if seen & COLON != 0 {
        let name = bytes.get(..len).unwrap_or_default();
        local = memchr(b':', name).map_or(0, |at| at + 1);
        let rest = name.get(local..).unwrap_or_default();
        if local == 1 || rest.is_empty() || rest.contains(&b':') {
            return Err((
                syntax("a name holds one colon at most, with something on both sides"),
                from,
            ));
        }
    }
    if seen & FOREIGN != 0 && !window.get(from..from + len).is_some_and(is_name) {
        return Err((
            syntax("a name holds a character that names may not hold"),
            from,
        ));
    }
    Ok(Some((from + len, from + local)))
}

fn too_long(limits: &Limits, at: usize) -> ScanError {
    (
        ErrorKind::Limit {
            what: "the length of a name in bytes",
            limit: limits.name_bytes,
        },
        at,
    )
}

/// Takes the start tag apart that begins at `at` with a `<`.
pub(super) fn scan(
    window: &str,
    at: usize,
    tag: &mut Tag,
    limits: &Limits,
    notices: &mut Vec<text::Found>,
) -> Result<Scan, ScanError> {
    let bytes = window.as_bytes();
    tag.attributes.clear();
    tag.values.clear();
    tag.self_closing = false;
    let from = at + 1;
    let mut i = match plain_name(bytes.get(from..).unwrap_or_default(), limits) {
        Some(len) => {
            tag.local = from;
            from + len
        }
        None => match scan_name(window, from, limits)? {
            Some((end, local)) => {
                tag.local = local;
                end
            }
            None => return Ok(Scan::NeedMore),
        },
    };
    tag.name = (from, i);
    tag.has_prefixes = tag.local > from;
    loop {
        let before = i;
        while bytes.get(i).copied().is_some_and(is_space) {
            i += 1;
        }
        match bytes.get(i) {
            None => return Ok(Scan::NeedMore),
            Some(b'>') => {
                check_duplicates(window, tag)?;
                return Ok(Scan::Complete(i + 1));
            }
            Some(b'/') => match bytes.get(i + 1) {
                None => return Ok(Scan::NeedMore),
                Some(b'>') => {
                    tag.self_closing = true;
                    check_duplicates(window, tag)?;
                    return Ok(Scan::Complete(i + 2));
                }
                Some(_) => return Err((syntax("a slash in a tag stands only before its end"), i)),
            },
            Some(_) if i == before => {
                return Err((syntax("white space is expected before an attribute"), i));
            }
            Some(_) => {}
        }
        if tag.attributes.len() == limits.attributes {
            return Err((
                ErrorKind::Limit {
                    what: "the number of attributes of one element",
                    limit: limits.attributes,
                },
                i,
            ));
        }
        if let Some((attribute, end)) = plain_attribute(bytes, i, limits) {
            tag.has_prefixes |= attribute.is_declaration;
            tag.attributes.push(attribute);
            i = end;
            continue;
        }
        match scan_attribute(window, i, tag, limits, notices)? {
            Some(end) => i = end,
            None => return Ok(Scan::NeedMore),
        }
    }
}

/// The attribute that begins here and the index after it, where it is as nearly all are: a plain name, a value that is
/// short and means what is written, and no white space between.
#[inline]
fn plain_attribute(bytes: &[u8], from: usize, limits: &Limits) -> Option<(RawAttribute, usize)> {
    let rest = bytes.get(from..)?;
    let prefix_len = if rest.starts_with(b"xml:") { 4 } else { 0 };
    let name_len = prefix_len + plain_name(rest.get(prefix_len..)?, limits)?;
    if name_len > limits.name_bytes {
        return None;
    }
    let quote = match rest.get(name_len..)? {
        [b'=', quote @ (b'"' | b'\''), ..] => *quote,
        _ => return None,
    };
    let value = rest.get(name_len + 2..)?;
    let len = block::skip(value, 0, block::special_in_value(quote));
    if value.get(len) != Some(&quote) || len > limits.field_bytes {
        return None;
    }
    let value_from = from + name_len + 2;
    let attribute = RawAttribute {
        name: (from, from + name_len),
        local: from + prefix_len,
        value: Value::Window((value_from, value_from + len)),
        namespace: if prefix_len > 0 { XML } else { NONE },
        is_declaration: rest.get(..name_len) == Some(b"xmlns"),
    };
    Some((attribute, value_from + len + 1))
}

#[inline(never)]
fn scan_attribute(
    window: &str,
    from: usize,
    tag: &mut Tag,
    limits: &Limits,
    notices: &mut Vec<text::Found>,
) -> Result<Option<usize>, ScanError> {
    let bytes = window.as_bytes();
    let Some((name_end, local)) = scan_name(window, from, limits)? else {
        return Ok(None);
    };
    let mut i = name_end;
    let skip_space = |i: usize| {
        i + bytes
            .get(i..)
            .unwrap_or_default()
            .iter()
            .take_while(|&&b| is_space(b))
            .count()
    };
    if bytes.get(i) != Some(&b'=') {
        i = skip_space(i);
        match bytes.get(i) {
            None => return Ok(None),
            Some(b'=') => {}
            Some(_) => return Err((syntax("an attribute has no value"), from)),
        }
    }
    i = skip_space(i + 1);
    let quote = match bytes.get(i) {
        None => return Ok(None),
        Some(&quote @ (b'"' | b'\'')) => quote,
        Some(_) => return Err((syntax("an attribute value stands between quotes"), i)),
    };
    let value_from = i + 1;
    let rest = bytes.get(value_from..).unwrap_or_default();
    let mut len = block::skip(rest, 0, block::special_in_value(quote));
    let is_plain = if rest.get(len) == Some(&quote) {
        true
    } else {
        let Some(more) = memchr(quote, rest.get(len..).unwrap_or_default()) else {
            if rest.len() > limits.field_bytes {
                return Err((too_large(limits), from));
            }
            return Ok(None);
        };
        len += more;
        let special = |any, &b: &u8| any | (b == b'&') | (b == b'<') | (b < b' ');
        !rest.iter().take(len).fold(false, special)
    };
    if len > limits.field_bytes {
        return Err((too_large(limits), from));
    }
    let value_to = value_from + len;
    let value = if is_plain {
        Value::Window((value_from, value_to))
    } else {
        let written = rest.get(..len).unwrap_or_default();
        if memchr(b'<', written).is_some() {
            return Err((syntax("a < in an attribute value"), value_from));
        }
        let before = tag.values.len();
        text::resolve(
            window,
            (value_from, value_to),
            Where::Attribute,
            &mut tag.values,
            notices,
        )?;
        Value::Resolved((before, tag.values.len()))
    };
    let has_prefix = local > from;
    let prefix = window.get(from..local).unwrap_or_default();
    let is_declaration =
        prefix == "xmlns:" || (!has_prefix && window.get(from..name_end) == Some("xmlns"));
    let is_xml = prefix == "xml:";
    tag.has_prefixes |= is_declaration || (has_prefix && !is_xml);
    tag.attributes.push(RawAttribute {
        name: (from, name_end),
        local,
        value,
        namespace: if is_xml { XML } else { NONE },
        is_declaration,
    });
    Ok(Some(value_to + 1))
}

fn too_large(limits: &Limits) -> ErrorKind {
    ErrorKind::Limit {
        what: "the size of an attribute in bytes",
        limit: limits.field_bytes,
    }
}

fn check_duplicates(window: &str, tag: &Tag) -> Result<(), ScanError> {
    if tag.attributes.len() < 2 {
        return Ok(());
    }
    let name = |attribute: &RawAttribute| {
        window
            .get(attribute.name.0..attribute.name.1)
            .unwrap_or_default()
    };
    let duplicate = |attribute: &RawAttribute| {
        let kind = ErrorKind::Malformed(Malformed::DuplicateAttribute(name(attribute).to_owned()));
        Err((kind, attribute.name.0))
    };
    if tag.attributes.len() <= 12 {
        for (i, one) in tag.attributes.iter().enumerate().skip(1) {
            let len = one.name.1 - one.name.0;
            for other in tag.attributes.iter().take(i) {
                if other.name.1 - other.name.0 == len && name(one) == name(other) {
                    return duplicate(one);
                }
            }
        }
        return Ok(());
    }
    let mut sorted: Vec<&RawAttribute> = tag.attributes.iter().collect();
    sorted.sort_by_key(|attribute| name(attribute));
    for pair in sorted.windows(2) {
        if let [one, other] = pair
            && name(one) == name(other)
        {
            return duplicate(other);
        }
    }
    Ok(())
}
