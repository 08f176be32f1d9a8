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

/// Names made once.
#[derive(Debug)]
pub(crate) struct HeaderNames {
    duration: HeaderName,
    delta: HeaderName,
    before: HeaderName,
    after: HeaderName,
    peak: HeaderName,
    system: HeaderName,
    enabled: HeaderName,
    allocated: HeaderName,
    allocations: HeaderName,
}

pub(super) struct Figures {
    pub(super) duration: Duration,
    pub(super) usage: ScopeUsage,
    pub(super) heap_before: Option<ByteSize>,
    pub(super) heap_after: Option<ByteSize>,
    pub(super) system_used_percent: Option<f64>,
    pub(super) is_detailed: bool,
}

const MIB: i64 = 1 << 20;

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
        Ok(Self {
            duration: name("Duration-Seconds")?,
            delta: name("Delta-MB")?,
            before: name("Before-MB")?,
            after: name("After-MB")?,
            peak: name("Peak-MB")?,
            system: name("System-Usage-Percent")?,
            enabled: name("Monitoring-Enabled")?,
            allocated: name("Allocated-Bytes")?,
            allocations: name("Allocations")?,
        })
    }

    pub(super) fn set(&self, headers: &mut HeaderMap, figures: &Figures) {
        let usage = &figures.usage;
        headers.reserve(9);
        headers.insert(&self.enabled, HeaderValue::from_static("true"));
        let micros = i64::try_from(figures.duration.as_micros()).unwrap_or(i64::MAX);
        headers.insert(&self.duration, fixed(micros, 6));
        if let Some(retained) = usage.retained() {
            headers.insert(&self.delta, mib(retained));
        }
        let sizes = [
            (&self.before, figures.heap_before),
            (&self.after, figures.heap_after),
            (&self.peak, usage.peak),
        ];
        for (name, size) in sizes {
            if let Some(size) = size {
                headers.insert(name, mib(i64::try_from(size.bytes()).unwrap_or(i64::MAX)));
            }
        }
        if let Some(percent) = figures.system_used_percent {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "hundredths of a percent, at most 10,000"
            )]
            headers.insert(&self.system, fixed((percent * 100.0).round() as i64, 2));
        }
        if figures.is_detailed {
            if let Some(allocated) = usage.allocated {
                headers.insert(&self.allocated, allocated.bytes().into());
            }
            if let Some(n_allocations) = usage.n_allocations {
                headers.insert(&self.allocations, n_allocations.into());
            }
        }
    }
}

/// Bytes as MB of 1,048,576 bytes, to a thousandth.
fn mib(bytes: i64) -> HeaderValue {
    let thousandths = i128::from(bytes) * 1000 / i128::from(MIB);
    fixed(i64::try_from(thousandths).unwrap_or(i64::MAX), 3)
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
