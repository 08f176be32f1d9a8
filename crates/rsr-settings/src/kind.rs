//! The kinds of values: how each is read from text, written as text, and described.

use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use rsr_base::ByteSize;

use crate::choice::{DatabaseTls, LogFormat, MailTls};
use crate::secret::{DatabaseUrl, MASK, Secret};

/// A way to read and write a value. What [`Kind::show`] writes, [`Kind::parse`] reads back, secrets apart.
pub(crate) trait Kind {
    type Value: Clone;

    /// Whether a TOML number or boolean is a mistake here rather than a way to write the text.
    const TEXT_ONLY: bool = false;
    /// Whether the value may never be shown.
    const SECRET: bool = false;

    /// One or two words for the reference page.
    fn type_name() -> String;

    /// What is accepted, for an error message.
    fn accepted() -> String;

    /// Reads a text without blanks around it.
    fn parse(text: &str) -> Option<Self::Value>;

    fn show(value: &Self::Value) -> String;

    /// The order that bounds are checked by; always false for kinds without one.
    fn is_less(_left: &Self::Value, _right: &Self::Value) -> bool {
        false
    }
}

/// `digits` or `digits.digits` times `scale`, rounded down; nothing where that is no number or too large.
fn scaled(number: &str, scale: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // 18 digits keep every product inside 128 bits.
    if !is_number(whole) || whole.len() > 18 || fraction.len() > 18 {
        return None;
    }
    let whole = whole.parse::<u128>().ok()?.checked_mul(scale)?;
    if !number.contains('.') {
        return Some(whole);
    }
    if !is_number(fraction) {
        return None;
    }
    let parts = fraction.parse::<u128>().ok()?.checked_mul(scale)?;
    whole.checked_add(parts / 10_u128.pow(u32::try_from(fraction.len()).ok()?))
}

const NANOS_A_SECOND: u128 = 1_000_000_000;

/// A text with a unit, or a plain number of units of `plain` nanoseconds.
fn duration(text: &str, plain: u128) -> Option<Duration> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let scale = match unit.trim().to_ascii_lowercase().as_str() {
        "" => plain,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => NANOS_A_SECOND,
        "m" | "min" => 60 * NANOS_A_SECOND,
        "h" => 3_600 * NANOS_A_SECOND,
        "d" => 86_400 * NANOS_A_SECOND,
        _ => return None,
    };
    let nanos = scaled(number, scale)?;
    let seconds = u64::try_from(nanos / NANOS_A_SECOND).ok()?;
    let rest = u32::try_from(nanos % NANOS_A_SECOND).ok()?;
    Some(Duration::new(seconds, rest))
}

/// The number of seconds, with as many decimals as it needs.
fn seconds(value: Duration) -> String {
    match value.subsec_nanos() {
        0 => value.as_secs().to_string(),
        nanos => {
            let text = format!("{}.{nanos:09}", value.as_secs());
            text.trim_end_matches('0').to_owned()
        }
    }
}

/// A time; a plain number counts seconds.
pub(crate) struct Seconds;

impl Kind for Seconds {
    type Value = Duration;

    fn type_name() -> String {
        "seconds".to_owned()
    }

    fn accepted() -> String {
        "a number of seconds such as 0.1, or a time such as 100ms, 30m or 1h".to_owned()
    }

    fn parse(text: &str) -> Option<Duration> {
        duration(text, NANOS_A_SECOND)
    }

    fn show(value: &Duration) -> String {
        seconds(*value)
    }

    fn is_less(left: &Duration, right: &Duration) -> bool {
        left < right
    }
}

/// A time; a plain number counts days.
pub(crate) struct Days;

impl Kind for Days {
    type Value = Duration;

    fn type_name() -> String {
        "days".to_owned()
    }

    fn accepted() -> String {
        "a number of days such as 7, or a time such as 12h".to_owned()
    }

    fn parse(text: &str) -> Option<Duration> {
        duration(text, 86_400 * NANOS_A_SECOND)
    }

    fn show(value: &Duration) -> String {
        if value.subsec_nanos() == 0 && value.as_secs().is_multiple_of(86_400) {
            (value.as_secs() / 86_400).to_string()
        } else {
            format!("{}s", seconds(*value))
        }
    }

    fn is_less(left: &Duration, right: &Duration) -> bool {
        left < right
    }
}

/// A size; a plain number counts bytes.
pub(crate) struct Bytes;

impl Kind for Bytes {
    type Value = ByteSize;

    fn type_name() -> String {
        "bytes".to_owned()
    }

    fn accepted() -> String {
        "a number of bytes, or a size such as 64MiB".to_owned()
    }

    fn parse(text: &str) -> Option<ByteSize> {
        text.parse().ok()
    }

    fn show(value: &ByteSize) -> String {
        value.to_string()
    }

    fn is_less(left: &ByteSize, right: &ByteSize) -> bool {
        left < right
    }
}

/// A size whose name ends in `_mb`; a plain number counts MiB.
pub(crate) struct Megabytes;

impl Kind for Megabytes {
    type Value = ByteSize;

    fn type_name() -> String {
        "MiB".to_owned()
    }

    fn accepted() -> String {
        "a number of MiB such as 100, or a size such as 64MiB".to_owned()
    }

    fn parse(text: &str) -> Option<ByteSize> {
        if text.ends_with(|c: char| c.is_ascii_digit()) {
            let bytes = scaled(text, 1 << 20)?;
            return u64::try_from(bytes).ok().map(ByteSize::from_bytes);
        }
        text.parse().ok()
    }

    fn show(value: &ByteSize) -> String {
        if value.bytes().is_multiple_of(1 << 20) {
            (value.bytes() >> 20).to_string()
        } else {
            value.to_string()
        }
    }

    fn is_less(left: &ByteSize, right: &ByteSize) -> bool {
        left < right
    }
}

/// A whole number.
pub(crate) struct Count<T>(PhantomData<T>);

impl<T: FromStr + ToString + PartialOrd + Clone> Kind for Count<T> {
    type Value = T;

    fn type_name() -> String {
        "number".to_owned()
    }

    fn accepted() -> String {
        "a whole number".to_owned()
    }

    fn parse(text: &str) -> Option<T> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        if is_plain { text.parse().ok() } else { None }
    }

    fn show(value: &T) -> String {
        value.to_string()
    }

    fn is_less(left: &T, right: &T) -> bool {
        left < right
    }
}

/// A share or a ratio of growth; `20%` is `0.2`.
pub(crate) struct Ratio;

impl Kind for Ratio {
    type Value = f64;

    fn type_name() -> String {
        "ratio".to_owned()
    }

    fn accepted() -> String {
        "a ratio such as 0.2 or 20%".to_owned()
    }

    fn parse(text: &str) -> Option<f64> {
        let (number, scale) = text
            .strip_suffix('%')
            .map_or((text, 1.0), |number| (number.trim_end(), 100.0));
        // The same grammar as elsewhere: no sign, no exponent, no `inf`.
        scaled(number, 1)?;
        Some(number.parse::<f64>().ok()? / scale)
    }

    fn show(value: &f64) -> String {
        value.to_string()
    }

    fn is_less(left: &f64, right: &f64) -> bool {
        left < right
    }
}

/// On or off.
pub(crate) struct Switch;

impl Kind for Switch {
    type Value = bool;

    fn type_name() -> String {
        "switch".to_owned()
    }

    fn accepted() -> String {
        "true or false (also 1, 0, yes, no, on, off)".to_owned()
    }

    fn parse(text: &str) -> Option<bool> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    fn show(value: &bool) -> String {
        value.to_string()
    }
}

/// Declares kinds whose values are words: read by `FromStr`, written by `Display`.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident: $value:ty, $type_name:literal, $accepted:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl Kind for $name {
            type Value = $value;

            const TEXT_ONLY: bool = true;

            fn type_name() -> String {
                $type_name.to_owned()
            }

            fn accepted() -> String {
                $accepted.to_owned()
            }

            fn parse(text: &str) -> Option<$value> {
                text.parse().ok()
            }

            fn show(value: &$value) -> String {
                value.to_string()
            }
        }
    )*};
}

words! {
    /// Where the database is.
    Database: DatabaseUrl, "address", "sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME";
    /// How the database is talked to.
    DatabaseEncryption: DatabaseTls, "choice", format!("one of {}", DatabaseTls::KNOWN);
    /// How the mail server is talked to.
    MailEncryption: MailTls, "choice", format!("one of {}", MailTls::KNOWN);
    /// What log lines look like.
    LogLines: LogFormat, "choice", format!("one of {}", LogFormat::KNOWN);
}

/// Declares kinds whose values are texts that pass a check.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident: $value:ty, $type_name:literal, $accepted:literal, $secret:literal, $read:expr, $show:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl Kind for $name {
            type Value = $value;

            const TEXT_ONLY: bool = true;
            const SECRET: bool = $secret;

            fn type_name() -> String {
                $type_name.to_owned()
            }

            fn accepted() -> String {
                $accepted.to_owned()
            }

            fn parse(text: &str) -> Option<$value> {
                let read: fn(&str) -> Option<$value> = $read;
                read(text)
            }

            fn show(value: &$value) -> String {
                let show: fn(&$value) -> String = $show;
                show(value)
            }
        }
    )*};
}

fn unless_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Letters, digits and hyphens: what a header name that we make may hold.
fn header_prefix(text: &str) -> Option<String> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let fits = text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_alphabetic());
    (fits && text.bytes().all(is_fit)).then(|| text.trim_end_matches('-').to_owned())
}

fn address(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}").parse().ok(),
        None => text.parse().ok(),
    }
}

fn web_address(text: &str) -> Option<String> {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"))?;
    unless_empty(rest).map(|_rest| text.to_owned())
}

texts! {
    /// Any text.
    Text: String, "text", "a text that is not empty", false, unless_empty, Clone::clone;
    /// The beginning of a header's name.
    HeaderPrefix: String, "text", "up to 64 letters, digits and hyphens, a letter first", false, header_prefix, Clone::clone;
    /// A text that is never shown.
    Hidden: Secret, "secret", "a text that is not empty", true, |text| unless_empty(text).map(Secret::new), |_secret| MASK.to_owned();
    /// A file or folder.
    Place: PathBuf, "path", "a path", false, |text| unless_empty(text).map(PathBuf::from), |path| path.display().to_string();
    /// An IP address with a port.
    Address: SocketAddr, "address", "an IP address with a port, such as 127.0.0.1:8000", false, address, ToString::to_string;
    /// The address of a service on the web.
    WebAddress: String, "address", "an address that begins with http:// or https://", false, web_address, Clone::clone;
}

/// A value that may be absent, which is written `none`.
pub(crate) struct Optional<K>(PhantomData<K>);

pub(crate) const NONE: &str = "none";

impl<K: Kind> Kind for Optional<K> {
    type Value = Option<K::Value>;

    const TEXT_ONLY: bool = K::TEXT_ONLY;
    const SECRET: bool = K::SECRET;

    fn type_name() -> String {
        K::type_name()
    }

    fn accepted() -> String {
        format!("{}, or none", K::accepted())
    }

    fn parse(text: &str) -> Option<Self::Value> {
        if text.is_empty() || text.eq_ignore_ascii_case(NONE) {
            return Some(None);
        }
        K::parse(text).map(Some)
    }

    fn show(value: &Self::Value) -> String {
        value.as_ref().map_or_else(|| NONE.to_owned(), K::show)
    }

    fn is_less(left: &Self::Value, right: &Self::Value) -> bool {
        match (left, right) {
            (Some(left), Some(right)) => K::is_less(left, right),
            _ => false,
        }
    }
}
