//! Reading XML from anywhere, in bounded memory, without trust.
//!
//! [`Reader`] is a cursor: [`Reader::advance`] moves it to the next start tag, piece of text or end tag, and the other
//! methods look at what it stands on, without copying. It is a reader of its own and not a general one because IATI files
//! ask for more than one gives: positions as libxml2 counts them, limits on everything, forbidden characters and
//! undefined entities found instead of let through, and more speed than copying each event allows.
//!
//! Input may be plain or gzip (told apart by its first bytes), in UTF-8, UTF-16 or any encoding its XML declaration
//! names. A document type declaration is skipped; nothing it defines is used, so no entity ever expands.
//!
//! ```
//! use rsr_iati::xml::{Reader, Token};
//!
//! let mut reader = Reader::new(&b"<title xml:lang='fr'>Eau &amp; sant\xc3\xa9</title>"[..]);
//! assert_eq!(reader.advance()?, Token::Start);
//! assert_eq!((reader.local_name(), reader.language()), ("title", Some("fr")));
//! assert_eq!(reader.advance()?, Token::Text);
//! assert_eq!(reader.text(), "Eau & santé");
//! assert_eq!(reader.advance()?, Token::End);
//! assert_eq!(reader.advance()?, Token::Done);
//! # Ok::<(), rsr_iati::xml::Error>(())
//! ```

mod attributes;
mod block;
mod error;
mod escape;
mod input;
mod namespace;
mod over_limit;
mod passed_over;
mod reader;
mod steps;
mod tag;
mod text;
mod window;

#[cfg(test)]
mod tests;

pub use attributes::Attribute;
pub use error::{Error, ErrorKind, Malformed, Notice, NoticeKind, Position};
pub use escape::{escape_attribute, escape_text};
pub(crate) use input::{Gunzip, as_text, is_ascii_compatible, is_gzip};
pub use namespace::XML_NAMESPACE;
pub use reader::{Limits, Reader, Token};
