//! The headers of a measured answer.

use std::fmt::Write;
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

/// A whole number of 10^-`places` as a decimal fraction. Whole numbers are much faster to write than fractions.
fn fixed(value: i64, places: u32) -> HeaderValue {
    let scale = 10_u64.pow(places);
    let (whole, rest) = (value.unsigned_abs() / scale, value.unsigned_abs() % scale);
    let sign = if value < 0 { "-" } else { "" };
    let mut text = String::with_capacity(24);
    let width = places as usize;
    write!(text, "{sign}{whole}.{rest:0width$}").expect("a string takes all text");
    HeaderValue::try_from(text).expect("digits make a header")
}
