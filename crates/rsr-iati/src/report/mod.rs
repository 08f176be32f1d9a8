//! What was found wrong, in the shapes that people and programs read.
//!
//! [`TextReport`] writes a line a finding, `file:line: level code message`; [`JsonReport`] writes one object in the shape
//! of the official validator's report. Both write while the file is still being read, so that a report may be of any size.
//!
//! ```
//! use rsr_iati::report::JsonReport;
//! use rsr_iati::validate::{Options, validate};
//!
//! let mut report = JsonReport::new(Vec::new());
//! let summary = validate(&b"<iati-activities version='2.03'/>"[..], &Options::default(), &mut |group| report.group(&group));
//! let json = String::from_utf8(report.finish(&summary)?)?;
//! assert!(json.contains(r#""valid":false"#) && json.contains(r#""identifier":"file""#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod explain;
mod json;
#[cfg(test)]
mod tests;
mod text;

pub use crate::finding::{Finding, Severity};
pub use explain::explain;
pub use json::JsonReport;
pub use text::TextReport;
