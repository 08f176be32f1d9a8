//! Streaming reading, writing and validating of IATI XML in constant memory.
//!
//! ```text
//!  any Read: plain or gzip, any encoding, 1.01 to 2.03
//!        │
//!   xml::Reader             a cursor over tags and text; positions, limits, no trust
//!        ├── reader         activities, element by element, as the model of 2.03
//!        │     └── model    a struct for each element; values keep their text
//!        ├── lossless       activities passed on byte for byte
//!        └── validate       schema, rules and codelists in one pass; findings in a report
//!
//!   export::ActivitySource  whoever keeps activities
//!        └── export         whole files of 2.03: split, synced, renamed
//!              └── writer   an order that no caller can break
//! ```
//!
//! What goes in is read once, from front to back; what is held in between is 128 KiB of text and the element at hand,
//! never an activity, never a file.
//!
//! # Example
//!
//! ```
//! use std::convert::Infallible;
//!
//! use rsr_iati::export::{ActivitySource, ExportOptions, export};
//! use rsr_iati::model::{ActivityElement, ActivityHead};
//! use rsr_iati::reader::{ActivityReader, Event, ReadError};
//!
//! /// Passes on what is read, as 2.03. (The elements of this file stand in order; others have to be sorted first.)
//! struct Through<'r>(ActivityReader<'r>);
//!
//! impl ActivitySource for Through<'_> {
//!     type Error = ReadError;
//!
//!     fn next_activity(&mut self) -> Result<Option<ActivityHead>, ReadError> {
//!         while let Some(event) = self.0.next_event()? {
//!             if let Event::ActivityStart(head, _) = event {
//!                 return Ok(Some(head));
//!             }
//!         }
//!         Ok(None)
//!     }
//!
//!     fn next_element(&mut self) -> Result<Option<ActivityElement>, ReadError> {
//!         Ok(match self.0.next_event()? {
//!             Some(Event::Element(element, _)) => Some(element),
//!             _ => None,
//!         })
//!     }
//! }
//!
//! let file = r#"<iati-activities version="2.01"><iati-activity>
//!     <iati-identifier>XM-1</iati-identifier>
//!     <reporting-org ref="XM" type="22"><narrative>Wells for all</narrative></reporting-org>
//!     <title><narrative>A well</narrative></title>
//!     <description><narrative>It is deep.</narrative></description>
//!     <participating-org role="1"/>
//!     <activity-status code="2"/>
//!     <activity-date type="2" iso-date="2020-01-01"/>
//!     <no-such-element/>
//! </iati-activity></iati-activities>"#;
//! let mut source = Through(ActivityReader::new(file.as_bytes()));
//! let mut left_out = Vec::new();
//! let mut out = Vec::new();
//! let summary = export(&mut source, &mut out, &ExportOptions::default(), &mut |note| left_out.push(note))?;
//! assert_eq!((summary.n_activities, summary.n_elements_omitted), (1, 1));
//! assert!(rsr_iati::validate::validate(&out[..], &Default::default(), &mut |_| {}).is_valid());
//! # Ok::<(), rsr_iati::export::ExportError<ReadError>>(())
//! ```
//!
//! # Limits
//!
//! | bound | default | setting, or who sets it |
//! |---|---|---|
//! | bytes of one text or attribute | 16 MiB | `iati.max_field_bytes` |
//! | bytes of one exported file | 60,000,000 | `iati.split_bytes` |
//! | elements within elements | 128 | [`xml::Limits`] |
//! | attributes of one element | 256 | [`xml::Limits`] |
//! | bytes of one name or namespace | 1,024 | [`xml::Limits`] |
//! | namespace declarations in force | 1,024 | [`xml::Limits`] |
//! | findings held until they are taken | 256, then counted | fixed |
//! | findings of one activity, while validating | 10,000 or 4 MiB, then counted | [`validate::Options`]; fixed |
//!
//! An element over a limit costs its activity, which is skipped and told; the next one is read. Only a root over a limit
//! ends reading.
//!
//! # What it does not do
//!
//! It knows no database, network or serialisation. It reads no document type declaration, resolves no entity, fetches
//! nothing. It fills no gap: what a file does not say, no export says.
#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

pub mod codelists;
pub mod export;
mod finding;
pub mod lossless;
pub mod model;
pub mod reader;
pub mod report;
pub mod rules;
pub mod schema;
pub mod validate;
mod version;
pub mod writer;
pub mod xml;
