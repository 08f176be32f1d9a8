//! The children of an activity or an organisation: an enum with a variant for each, in the order of 2.03.

use crate::finding::Finding;
use crate::model::element::Element;
use crate::model::fragment::Fragment;
use crate::model::gaps::Gap;
use crate::schema::FileKind;
use crate::xml;

/// Why a fragment could not be read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FragmentError {
    /// It is not well-formed.
    #[error("the fragment is not well-formed")]
    Xml(#[from] xml::Error),
    /// It goes over a limit.
    #[error("{0}")]
    TooLarge(Box<Finding>),
}

/// From this size on a fragment is read piece by piece, so that a long text is not held a second time.
pub(crate) const STREAMED_BYTES: usize = 256 * 1024;

/// What an activity or an organisation holds, one element at a time.
pub(crate) trait Child {
    /// The attributes of the element that it stands in.
    type Head: Head;
    /// The name of that element.
    const SUBJECT: &'static str;
    /// What messages call it.
    const NOUN: &'static str;
    /// The name of the root.
    const ROOT: &'static str;
    /// The kind of file that has it.
    const FILE: FileKind;
    /// What may stand there, in the order of 2.03. Extensions come after all of it, and then what 2.03 has no place for.
    const PLACES: &'static [Place];

    /// Its place, by number.
    fn place(&self) -> usize;
    fn written_name(&self) -> &str;
    /// The identifier, where it is the element that says it.
    fn as_identifier(&self) -> Option<&str>;
    fn all_gaps(&self) -> Vec<Gap>;
    fn write_to(&self, out: &mut Fragment<'_>);
}

/// The attributes of an activity or an organisation.
pub(crate) trait Head: Element {
    /// The language of narratives that name none.
    fn language(&self) -> Option<&str>;

    /// The same without the attributes that mean nothing, and how many those are.
    fn without_gaps(&self) -> (Self, u64);
}

/// One kind of element that may stand there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) is_repeatable: bool,
    pub(crate) is_required: bool,
}

/// Defines the enum of children, the enum of their kinds, and how they are read, written and judged.
macro_rules! children_of {
    (
        $(#[$about:meta])* enum $Element:ident in $subject:literal, $noun:literal, of $Head:ident, $root:literal, $file:ident;
        $(#[$about_kinds:meta])* kinds $Kind:ident;
        $( $(#[$meta:meta])* $variant:ident($ty:ty) = $name:literal $most:ident $least:ident, )*
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[allow(
            clippy::allow_attributes,
            clippy::large_enum_variant,
            reason = "one or two exist at a time, and an allocation for each would cost more than their size"
        )]
        pub enum $Element {
            $( $(#[$meta])* $variant($ty), )*
            /// An element of another namespace. 2.03 has them at the end.
            Extension(RawElement),
            /// An element that the standard does not name here. Exports leave it out.
            Unknown(RawElement),
        }

        $(#[$about_kinds])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $Kind {
            $( $(#[$meta])* $variant, )*
            /// An element of another namespace.
            Extension,
            /// An element that the standard does not name here.
            Unknown,
        }

        impl $Kind {
            /// All kinds that have a name of their own, in the order of 2.03.
            pub const NAMED: &'static [Self] = &[ $( Self::$variant, )* ];

            /// The name of the element; empty for extensions and unknown ones.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $( Self::$variant => $name, )*
                    Self::Extension | Self::Unknown => "",
                }
            }

            /// The kind of that name.
            #[must_use]
            pub fn of_name(name: &str) -> Option<Self> {
                match name {
                    $( $name => Some(Self::$variant), )*
                    _ => None,
                }
            }

            /// Whether more than one may stand there.
            #[must_use]
            pub fn is_repeatable(self) -> bool {
                match self {
                    $( Self::$variant => children_of!(@many $most), )*
                    Self::Extension | Self::Unknown => true,
                }
            }

            /// Whether there is at least one where all is valid.
            #[must_use]
            pub fn is_required(self) -> bool {
                match self {
                    $( Self::$variant => children_of!(@required $least), )*
                    Self::Extension | Self::Unknown => false,
                }
            }
        }

        impl $crate::model::children::Child for $Element {
            type Head = $Head;
            const SUBJECT: &'static str = $subject;
            const NOUN: &'static str = $noun;
            const ROOT: &'static str = $root;
            const FILE: $crate::schema::FileKind = $crate::schema::FileKind::$file;
            const PLACES: &'static [$crate::model::children::Place] = &[
                $( $crate::model::children::Place {
                    name: $name,
                    is_repeatable: children_of!(@many $most),
                    is_required: children_of!(@required $least),
                }, )*
            ];

            fn place(&self) -> usize {
                self.rank()
            }

            fn written_name(&self) -> &str {
                self.name()
            }

            fn as_identifier(&self) -> Option<&str> {
                match self {
                    Self::Identifier(identifier) => Some(identifier.identifier()),
                    _ => None,
                }
            }

            fn all_gaps(&self) -> Vec<Gap> {
                self.gaps()
            }

            fn write_to(&self, out: &mut Fragment<'_>) {
                self.write(out);
            }
        }

        impl $Element {
            /// Its kind.
            #[must_use]
            pub fn kind(&self) -> $Kind {
                match self {
                    $( Self::$variant(_) => $Kind::$variant, )*
                    Self::Extension(_) => $Kind::Extension,
                    Self::Unknown(_) => $Kind::Unknown,
                }
            }

            /// Reads the element whose start tag is at hand.
            pub(crate) fn pull(pull: &mut Pull<'_, '_>) -> Result<Self, Stop> {
                if pull.xml.is_unqualified() {
                    match $Kind::of_name(pull.xml.local_name()) {
                        $( Some($Kind::$variant) => {
                            let mut element = Self::$variant(<$ty>::default());
                            if let Self::$variant(inner) = &mut element {
                                pull.fill(inner)?;
                            }
                            return Ok(element);
                        } )*
                        _ => {}
                    }
                }
                pull.raw().map(|raw| match is_extension(raw.namespace.as_deref()) {
                    true => Self::Extension(raw),
                    false => Self::Unknown(raw),
                })
            }

            fn find_gaps(&self, gaps: &mut Gaps<'_>) {
                match self {
                    $( Self::$variant(element) => element.find_gaps(gaps), )*
                    Self::Extension(_) | Self::Unknown(_) => {}
                }
            }

            pub(crate) fn write(&self, out: &mut Fragment<'_>) {
                match self {
                    $( Self::$variant(element) => out.element($name, element), )*
                    Self::Extension(raw) | Self::Unknown(raw) => out.raw(raw),
                }
            }

            /// The name as it is written in XML.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    Self::Extension(raw) | Self::Unknown(raw) => &raw.name,
                    named => named.kind().name(),
                }
            }

            /// Its place: smaller ranks come first. Extensions come last but for what 2.03 has no place for.
            #[must_use]
            pub fn rank(&self) -> usize {
                self.kind() as usize
            }

            /// The element as a canonical fragment of 2.03: children in order, extensions at the end of what they stood in with
            /// their namespaces declared on them, no white space of its own, forbidden characters replaced by U+FFFD. What 2.03
            /// has no place for inside of it is left out.
            #[must_use]
            pub fn to_xml(&self) -> String {
                let mut out = String::new();
                self.write(&mut Fragment::new(&mut out));
                out
            }

            /// What 2.03 asks for inside of it and what is not there, or means nothing. Empty: the element may be exported, its
            /// codes and addresses aside.
            #[must_use]
            pub fn gaps(&self) -> Vec<Gap> {
                let mut gaps = Gaps::of(self.name());
                self.find_gaps(&mut gaps);
                if let Self::Identifier(identifier) = self
                    && identifier.identifier().is_empty()
                {
                    gaps.push("", GapKind::Missing);
                }
                gaps.into_list()
            }

            /// Reads a fragment: `from_xml(e.to_xml()) == e` for every element without things that 2.03 has no place for.
            ///
            /// # Errors
            ///
            /// [`FragmentError`] where the text is not one well-formed element within the [limits](crate::xml::Limits).
            pub fn from_xml(fragment: &str) -> Result<Self, FragmentError> {
                let mut findings = Findings::default();
                Self::from_xml_with(fragment, &mut findings)
            }

            pub(crate) fn from_xml_with(
                fragment: &str,
                findings: &mut Findings,
            ) -> Result<Self, FragmentError> {
                let mut reader: Reader<Input<'_>> = if fragment.len() < STREAMED_BYTES {
                    Reader::whole(fragment.to_owned())
                } else {
                    // It is in memory already, so no field of it can be too large; and a text grows no further than to it.
                    let limits = Limits {
                        field_bytes: fragment.len(),
                        ..Limits::default()
                    };
                    Reader::with_limits(Box::new(fragment.as_bytes()), limits)
                };
                let mut pull = Pull {
                    xml: &mut reader,
                    findings,
                };
                let mut element = || -> Result<Self, Stop> {
                    let start = pull.advance()?;
                    debug_assert!(start == Token::Start, "a document begins with an element");
                    let element = Self::pull(&mut pull)?;
                    // The end of the input, or an error where something follows.
                    pull.advance()?;
                    Ok(element)
                };
                element().map_err(|stop| match stop {
                    Stop::Fatal(error) => FragmentError::Xml(error),
                    Stop::Skip(finding) => FragmentError::TooLarge(finding),
                })
            }
        }
    };
    (@many once) => { false };
    (@many many) => { true };
    (@required required) => { true };
    (@required optional) => { false };
}
pub(crate) use children_of;
