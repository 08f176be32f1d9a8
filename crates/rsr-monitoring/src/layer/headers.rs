//! The headers of a measured answer.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use rsr_base::ByteSize;

use crate::ScopeUsage;

/// A prefix that header names cannot begin with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{prefix:?} cannot begin the name of a header: use letters, digits and hyphens")]
#[non_exhaustive]
pub struct InvalidHeaderPrefix {
    /// The prefix as it was given.
    pub prefix: String,
}

/// Names made once, in the order in which they are set.
#[derive(Debug)]
pub(crate) struct HeaderNames {
    names: [HeaderName; N_HEADERS],
    /// The first so many of the names, from [`N_ALWAYS`] on, each with its number for a value. To copy such a map and to
    /// put the values in takes a part of the time that inserting takes, which hashes each name.
    templates: [HeaderMap; N_HEADERS - N_ALWAYS + 1],
}

const N_HEADERS: usize = 9;
/// Those without the ones of detailed tracking.
const N_ALWAYS: usize = 7;

const ENDINGS: [&str; N_HEADERS] = [
    "Monitoring-Enabled",
    "Duration-Seconds",
    "Delta-MB",
    "Before-MB",
    "After-MB",
    "Peak-MB",
    "System-Usage-Percent",
    "Allocated-Bytes",
    "Allocations",
];

const NUMBERS: [&str; N_HEADERS] = ["0", "1", "2", "3", "4", "5", "6", "7", "8"];

/// A value for each of the names; `None` where the figure is not known.
type Values = [Option<HeaderValue>; N_HEADERS];

pub(super) struct Figures {
    pub(super) duration: Duration,
    pub(super) usage: ScopeUsage,
    pub(super) heap_before: Option<ByteSize>,
    pub(super) heap_after: Option<ByteSize>,
    pub(super) system_used_percent: Option<f64>,
    pub(super) is_detailed: bool,
}

const MIB: i64 = 1 << 20;

impl Figures {
    fn values(&self) -> Values {
        let usage = &self.usage;
        let micros = i64::try_from(self.duration.as_micros()).unwrap_or(i64::MAX);
        let size = |size: ByteSize| mib(i64::try_from(size.bytes()).unwrap_or(i64::MAX));
        #[expect(
            clippy::cast_possible_truncation,
            reason = "hundredths of a percent, at most 10,000"
        )]
        let percent = |percent: f64| fixed((percent * 100.0).round() as i64, 2);
        let detailed = self.is_detailed.then_some(());
        [
            Some(HeaderValue::from_static("true")),
            Some(fixed(micros, 6)),
            usage.retained().map(mib),
            self.heap_before.map(size),
            self.heap_after.map(size),
            usage.peak.map(size),
            self.system_used_percent.map(percent),
            detailed.and_then(|()| Some(usage.allocated?.bytes().into())),
            detailed.and_then(|()| usage.n_allocations.map(HeaderValue::from)),
        ]
    }
}

impl HeaderNames {
    pub(super) fn try_new(prefix: &str) -> Result<Self, InvalidHeaderPrefix> {
        let name = |ending: &str| {
            HeaderName::from_bytes(format!("{prefix}-{ending}").as_bytes()).map_err(|_invalid| {
                InvalidHeaderPrefix {
                    prefix: prefix.to_owned(),
                }
            })
        };
        if prefix.is_empty() {
            name(" ")?;
        }
        let mut names = [const { HeaderName::from_static("unnamed") }; N_HEADERS];
        for (place, ending) in names.iter_mut().zip(ENDINGS) {
            *place = name(ending)?;
        }
        let templates = std::array::from_fn(|more| {
            let known = names
                .iter()
                .cloned()
                .zip(NUMBERS.map(HeaderValue::from_static));
            known.take(N_ALWAYS + more).collect()
        });
        Ok(Self { names, templates })
    }

    pub(super) fn set(&self, headers: &mut HeaderMap, figures: &Figures) {
        let mut values = figures.values();
        let is_new = !headers.keys().any(|name| self.names.contains(name));
        let Some(template) = self.template(&values).filter(|_template| is_new) else {
            for (name, value) in self.names.iter().zip(values) {
                if let Some(value) = value {
                    headers.insert(name, value);
                }
            }
            return;
        };
        let mut all = template.clone();
        for place in all.values_mut() {
            let number = place.as_bytes().first().map(|digit| digit - b'0');
            let value = number.and_then(|number| values.get_mut(usize::from(number))?.take());
            *place = value.expect("the template has the numbers of known values");
        }
        if !headers.is_empty() {
            all.extend(std::mem::take(headers));
        }
        *headers = all;
    }

    /// The template with exactly the names whose values are known.
    fn template(&self, values: &Values) -> Option<&HeaderMap> {
        let n_known = values.iter().take_while(|value| value.is_some()).count();
        let is_all = values.iter().skip(n_known).all(Option::is_none);
        let place = n_known.checked_sub(N_ALWAYS).filter(|_place| is_all)?;
        self.templates.get(place)
    }
}

/// Bytes as MB of 1,048,576 bytes, to a thousandth.
fn mib(bytes: i64) -> HeaderValue {
    // In two steps, neither of which leaves 64 bits.
    fixed(bytes / MIB * 1000 + bytes % MIB * 1000 / MIB, 3)
}

/// A whole number of 10^-`places` as a decimal fraction, written by hand: the machinery of `format!` takes longer than
/// the request's measurement.
fn fixed(value: i64, places: u32) -> HeaderValue {
    // Nineteen digits, the point and the sign.
    let mut text = [b'0'; 24];
    let mut at = text.len();
    let mut rest = value.unsigned_abs();
    let mut n_digits = 0;
    while rest > 0 || n_digits <= places {
        if n_digits == places {
            at -= 1;
            text[at] = b'.';
        }
        at -= 1;
        text[at] = b"0123456789"[(rest % 10) as usize];
        rest /= 10;
        n_digits += 1;
    }
    if value < 0 {
        at -= 1;
        text[at] = b'-';
    }
    HeaderValue::from_bytes(&text[at..]).expect("digits make a header")
}

#[cfg(test)]
mod tests {
    use super::{fixed, mib};

    #[track_caller]
    fn check(value: i64, places: u32, expected: &str) {
        assert_eq!(fixed(value, places), expected);
    }

    #[test]
    fn fractions_are_written_as_people_do() {
        check(0, 3, "0.000");
        check(5, 3, "0.005");
        check(-5, 3, "-0.005");
        check(1_234, 3, "1.234");
        check(-1_000, 3, "-1.000");
        check(10_000, 2, "100.00");
        check(1_500_000, 6, "1.500000");
        check(i64::MAX, 6, "9223372036854.775807");
        check(i64::MIN, 6, "-9223372036854.775808");
    }

    #[test]
    fn sizes_are_megabytes_of_1024_squared() {
        assert_eq!(mib(3 << 19), "1.500");
        assert_eq!(mib(-(1 << 20)), "-1.000");
        assert_eq!(mib(1), "0.000");
    }
}
