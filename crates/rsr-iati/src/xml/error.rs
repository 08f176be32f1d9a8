//! What can go wrong while XML is read, and where.

use std::fmt;
use std::io;

/// A place in the input.
///
/// Lines are counted as libxml2 counts them: a line feed ends a line, a lone carriage return does not. All counts start
/// at 1 except the byte offset, which starts at 0 and counts bytes of the decoded (UTF-8) text, a byte-order mark included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Bytes before this place.
    pub offset: u64,
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
}

impl Position {
    /// The first character of a file.
    pub const START: Self = Self {
        offset: 0,
        line: 1,
        column: 1,
    };

    /// No place at all: counts that no character has.
    pub const NOWHERE: Self = Self {
        offset: 0,
        line: 0,
        column: 0,
    };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// The end of reading: nothing after this place can be trusted or reached.
#[derive(Debug)]
pub struct Error {
    /// What happened.
    pub kind: ErrorKind,
    /// Where it happened.
    pub position: Position,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The message holds the kind already; what lies behind it comes next.
        std::error::Error::source(&self.kind)
    }
}

/// The ways in which reading ends early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input could not be read on: a broken disk, a gzip stream cut short.
    #[error("the input cannot be read")]
    Io(#[source] io::Error),
    /// The input is not well-formed XML from here on.
    #[error("not well-formed: {0}")]
    Malformed(Malformed),
    /// The root itself goes over a bound that no honest file comes near. (Any other element that does is passed over and
    /// told, as [`NoticeKind::PassedOver`].)
    #[error("{what} is over the limit of {limit}")]
    Limit {
        /// The thing that is too large or too many.
        what: &'static str,
        /// The limit, from [`Limits`](super::Limits).
        limit: usize,
    },
}

/// Why input is not well-formed XML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// There is no element at all, or something else comes before the first.
    #[error("this is not XML: {0}")]
    NotXml(&'static str),
    /// An end tag that does not match its start tag.
    #[error("the element {open} is closed by the end tag {close}")]
    Mismatch {
        /// The element that is open.
        open: String,
        /// The name in the end tag.
        close: String,
    },
    /// An end tag where nothing is open.
    #[error("the end tag {0} closes nothing")]
    UnopenedEnd(String),
    /// The input ends inside an element.
    #[error("the input ends inside the element {0}")]
    EndInside(String),
    /// An attribute name twice on one element.
    #[error("the attribute {0} stands twice on one element")]
    DuplicateAttribute(String),
    /// Any other broken piece of markup.
    #[error("{0}")]
    Syntax(&'static str),
}

/// Something that XML forbids and that reading survives: kept, replaced where it must be, and reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it is.
    pub kind: NoticeKind,
    /// Where the first of its kind stands in the token it was found in.
    pub position: Position,
    /// How often it occurs in that token.
    pub count: u64,
}

/// The kinds of [`Notice`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NoticeKind {
    /// A character that XML forbids, given literally or as a reference; replaced by U+FFFD.
    ForbiddenCharacter(u32),
    /// Bytes that are not text in the encoding of the file; replaced by U+FFFD.
    WrongEncoding(&'static str),
    /// An entity nobody defined; kept as it is written, `&name;`.
    UndefinedEntity(String),
    /// A document type declaration; skipped, its entities stay undefined.
    Doctype,
    /// A prefix without a namespace.
    UndeclaredPrefix(String),
    /// An encoding name nobody knows in the XML declaration; read as UTF-8.
    UnknownEncoding(String),
    /// An XML declaration that is not at the very start.
    LateDeclaration,
    /// An XML declaration or an instruction that is not formed as XML asks; passed over.
    BadInstruction,
    /// Two hyphens inside a comment.
    HyphensInComment,
    /// An element that goes over a limit. It is passed over with all that is in it, of which no more is looked at than
    /// where it ends; a piece of text of no length stands in its place.
    PassedOver {
        /// Its name, the first bytes of it where it is long.
        element: String,
        /// The thing that is too large or too many.
        what: &'static str,
        /// The limit, from [`Limits`](super::Limits).
        limit: usize,
    },
}

impl NoticeKind {
    /// A short name that stays the same between releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::ForbiddenCharacter(_) => "xml-forbidden-character",
            Self::WrongEncoding(_) => "xml-wrong-encoding",
            Self::UndefinedEntity(_) => "xml-undefined-entity",
            Self::Doctype => "xml-doctype",
            Self::UndeclaredPrefix(_) => "xml-undeclared-prefix",
            Self::UnknownEncoding(_) => "xml-unknown-encoding",
            Self::LateDeclaration => "xml-late-declaration",
            Self::BadInstruction => "xml-bad-instruction",
            Self::HyphensInComment => "xml-hyphens-in-comment",
            Self::PassedOver { .. } => "over-limit",
        }
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForbiddenCharacter(code) => {
                write!(
                    f,
                    "the character U+{code:04X} is forbidden in XML; U+FFFD takes its place"
                )
            }
            Self::WrongEncoding(encoding) => {
                write!(f, "bytes that are not {encoding}; U+FFFD takes their place")
            }
            Self::UndefinedEntity(name) => write!(
                f,
                "the entity &{name}; is not defined; it is kept as written"
            ),
            Self::Doctype => {
                f.write_str("a document type declaration is skipped and nothing it defines is used")
            }
            Self::UndeclaredPrefix(prefix) => write!(f, "the prefix {prefix} has no namespace"),
            Self::UnknownEncoding(label) => write!(
                f,
                "the encoding {label} is unknown; the file is read as UTF-8"
            ),
            Self::LateDeclaration => {
                f.write_str("an XML declaration stands only at the very start of a file")
            }
            Self::BadInstruction => f.write_str(
                "<? begins neither an XML declaration, such as <?xml version=\"1.0\" encoding=\"UTF-8\"?>, nor an \
                 instruction with a name and white space after it",
            ),
            Self::HyphensInComment => f.write_str("two hyphens inside a comment"),
            Self::PassedOver {
                element,
                what,
                limit,
            } => write!(
                f,
                "{what} is over the limit of {limit}; <{element}> is passed over"
            ),
        }
    }
}
