//! Web addresses as libxml2 reads `xsd:anyURI`.
//!
//! Characters that no address may hold but people write (such as a space, `<`, `"`, `\` and everything outside ASCII)
//! count as if they were escaped. What remains has to be an RFC 3986 reference: so a `%` without two hexadecimal digits
//! is refused, and a `[` where no address of numbers stands.
//! **Source:** RFC 3986, appendix A; compared with xmllint 2.9.14.

/// Whether the text, without white space around it, is an address or a part of one. Nothing at all is one.
pub(crate) fn is_reference(text: &str) -> bool {
    let text = text.as_bytes();
    absolute(text) || relative(text)
}

fn absolute(text: &[u8]) -> bool {
    let length = text
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        .count();
    text.first().is_some_and(u8::is_ascii_alphabetic)
        && text
            .split_at_checked(length)
            .and_then(|(_, rest)| rest.strip_prefix(b":"))
            .is_some_and(after_scheme)
}

fn after_scheme(text: &[u8]) -> bool {
    with_host(text).unwrap_or_else(|| {
        let (path, tail) = split(text);
        tail && segments(path)
    })
}

fn relative(text: &[u8]) -> bool {
    with_host(text).unwrap_or_else(|| {
        let (path, tail) = split(text);
        // A colon in the first part would make it a scheme.
        let first = path.split(|b| *b == b'/').next().unwrap_or_default();
        tail && segments(path) && !first.contains(&b':')
    })
}

/// The verdict on what begins with two slashes, `None` where nothing does.
fn with_host(text: &[u8]) -> Option<bool> {
    let rest = text.strip_prefix(b"//")?;
    // Between brackets libxml2 takes anything.
    let literal = rest.strip_prefix(b"[").and_then(|inside| {
        let end = inside.iter().position(|b| *b == b']')?;
        inside.get(end + 1..)
    });
    let (path, tail) = split(literal.unwrap_or(rest));
    let end = path.iter().position(|b| *b == b'/').unwrap_or(path.len());
    let (host, path) = path.split_at_checked(end).unwrap_or((path, &[]));
    let good = if literal.is_some() {
        port(host)
    } else {
        authority(host)
    };
    Some(good && tail && segments(path))
}

/// The part before `?` and `#`, and whether the parts after are good.
fn split(text: &[u8]) -> (&[u8], bool) {
    let (rest, fragment) = match text.iter().position(|b| *b == b'#') {
        Some(place) => (
            text.get(..place).unwrap_or_default(),
            text.get(place + 1..).unwrap_or_default(),
        ),
        None => (text, &[][..]),
    };
    let (path, query) = match rest.iter().position(|b| *b == b'?') {
        Some(place) => (
            rest.get(..place).unwrap_or_default(),
            rest.get(place + 1..).unwrap_or_default(),
        ),
        None => (rest, &[][..]),
    };
    let good = escaped(query, |b| is_path(b) || matches!(b, b'/' | b'?'))
        && escaped(fragment, |b| {
            is_path(b) || matches!(b, b'/' | b'?' | b'[' | b']')
        });
    (path, good)
}

fn authority(text: &[u8]) -> bool {
    let host = match text.iter().position(|b| *b == b'@') {
        Some(place)
            if escaped(text.get(..place).unwrap_or_default(), |b| {
                is_plain(b) || b == b':'
            }) =>
        {
            text.get(place + 1..).unwrap_or_default()
        }
        _ => text,
    };
    let (name, after) = match host.strip_prefix(b"[") {
        Some(inside) => {
            let Some(end) = inside.iter().position(|b| *b == b']') else {
                return false;
            };
            (&[][..], inside.get(end + 1..).unwrap_or_default())
        }
        None => {
            let end = host.iter().position(|b| *b == b':').unwrap_or(host.len());
            host.split_at_checked(end).unwrap_or((host, &[]))
        }
    };
    escaped(name, is_plain) && port(after)
}

/// Nothing, or a colon and a number.
fn port(text: &[u8]) -> bool {
    match text.strip_prefix(b":") {
        Some(digits) => is_port(digits),
        None => text.is_empty(),
    }
}

/// A number of 31 bits; RFC 3986 would take nothing at all too, libxml2 does not.
fn is_port(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_digit)
        && std::str::from_utf8(digits).is_ok_and(|digits| digits.parse::<i32>().is_ok())
}

fn segments(path: &[u8]) -> bool {
    escaped(path, |b| is_path(b) || b == b'/')
}

/// Whether every byte is allowed or part of a `%` with two hexadecimal digits.
fn escaped(text: &[u8], allowed: impl Fn(u8) -> bool) -> bool {
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'%', [a, b, after @ ..]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => after,
            (b'%', _) => return false,
            (b, after) if allowed(*b) => after,
            _ => return false,
        };
    }
    true
}

/// Unreserved, a sub-delimiter, or something that counts as escaped.
fn is_plain(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || !(0x21..0x7f).contains(&b)
        || b"-._~!$&'()*+,;=<>\"{}|\\^`".contains(&b)
}

fn is_path(b: u8) -> bool {
    is_plain(b) || matches!(b, b':' | b'@')
}
