//! The children of `iati-activity`, one variant each, in the order of 2.03.

use crate::finding::{Finding, Findings};
use crate::model::about::{
    ActivityDate, Conditions, ContactInfo, Description, HumanitarianScope, Identifier, LegacyData,
    OtherIdentifier, ParticipatingOrg, PolicyMarker, RecipientCountry, RecipientRegion,
    RelatedActivity, ReportingOrg, Sector, Tag,
};
use crate::model::element::Element as _;
use crate::model::fragment::Fragment;
use crate::model::gaps::{Gap, GapKind, Gaps};
use crate::model::money::{
    Budget, CapitalSpend, CountryBudgetItems, CrsAdd, Fss, PlannedDisbursement, Transaction,
};
use crate::model::place::Location;
use crate::model::pull::{Input, Pull, Stop};
use crate::model::raw::{RawElement, is_extension};
use crate::model::results::ResultBlock;
use crate::model::shared::{AidType, Coded, DocumentLink, TextBlock};
use crate::xml::{self, Reader, Token};

macro_rules! activity_elements {
    ($( $(#[$meta:meta])* $variant:ident($ty:ty) = $name:literal $most:ident $least:ident, )*) => {
        /// One child element of `iati-activity`.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[expect(
            clippy::large_enum_variant,
            reason = "one or two exist at a time, and an allocation for each would cost more than their size"
        )]
        pub enum ActivityElement {
            $( $(#[$meta])* $variant($ty), )*
            /// An element of another namespace. 2.03 has them at the end.
            Extension(RawElement),
            /// An element that the standard does not name here. Exports leave it out.
            Unknown(RawElement),
        }

        /// The kinds of [`ActivityElement`] in the order of 2.03.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ElementKind {
            $( $(#[$meta])* $variant, )*
            /// An element of another namespace.
            Extension,
            /// An element that the standard does not name here.
            Unknown,
        }

        impl ElementKind {
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

            /// Whether an activity may hold more than one.
            #[must_use]
            pub fn is_repeatable(self) -> bool {
                match self {
                    $( Self::$variant => activity_elements!(@many $most), )*
                    Self::Extension | Self::Unknown => true,
                }
            }

            /// Whether a valid activity holds at least one.
            #[must_use]
            pub fn is_required(self) -> bool {
                match self {
                    $( Self::$variant => activity_elements!(@required $least), )*
                    Self::Extension | Self::Unknown => false,
                }
            }
        }

        impl ActivityElement {
            /// Its kind.
            #[must_use]
            pub fn kind(&self) -> ElementKind {
                match self {
                    $( Self::$variant(_) => ElementKind::$variant, )*
                    Self::Extension(_) => ElementKind::Extension,
                    Self::Unknown(_) => ElementKind::Unknown,
                }
            }

            /// Reads the element whose start tag is at hand.
            pub(crate) fn pull(pull: &mut Pull<'_, '_>) -> Result<Self, Stop> {
                if pull.xml.is_unqualified() {
                    match ElementKind::of_name(pull.xml.local_name()) {
                        $( Some(ElementKind::$variant) => return pull.element::<$ty>().map(Self::$variant), )*
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
        }
    };
    (@many once) => { false };
    (@many many) => { true };
    (@required required) => { true };
    (@required optional) => { false };
}

activity_elements! {
    /// `iati-identifier`.
    Identifier(Identifier) = "iati-identifier" once required,
    /// `reporting-org`.
    ReportingOrg(ReportingOrg) = "reporting-org" once required,
    /// `title`.
    Title(TextBlock) = "title" once required,
    /// `description`.
    Description(Description) = "description" many required,
    /// `participating-org`.
    ParticipatingOrg(ParticipatingOrg) = "participating-org" many required,
    /// `other-identifier`.
    OtherIdentifier(OtherIdentifier) = "other-identifier" many optional,
    /// `activity-status`.
    ActivityStatus(Coded) = "activity-status" once required,
    /// `activity-date`.
    ActivityDate(ActivityDate) = "activity-date" many required,
    /// `contact-info`.
    ContactInfo(ContactInfo) = "contact-info" many optional,
    /// `activity-scope`.
    ActivityScope(Coded) = "activity-scope" once optional,
    /// `recipient-country`.
    RecipientCountry(RecipientCountry) = "recipient-country" many optional,
    /// `recipient-region`.
    RecipientRegion(RecipientRegion) = "recipient-region" many optional,
    /// `location`.
    Location(Location) = "location" many optional,
    /// `sector`.
    Sector(Sector) = "sector" many optional,
    /// `tag`.
    Tag(Tag) = "tag" many optional,
    /// `country-budget-items`.
    CountryBudgetItems(CountryBudgetItems) = "country-budget-items" once optional,
    /// `humanitarian-scope`.
    HumanitarianScope(HumanitarianScope) = "humanitarian-scope" many optional,
    /// `policy-marker`.
    PolicyMarker(PolicyMarker) = "policy-marker" many optional,
    /// `collaboration-type`.
    CollaborationType(Coded) = "collaboration-type" once optional,
    /// `default-flow-type`.
    DefaultFlowType(Coded) = "default-flow-type" once optional,
    /// `default-finance-type`.
    DefaultFinanceType(Coded) = "default-finance-type" once optional,
    /// `default-aid-type`.
    DefaultAidType(AidType) = "default-aid-type" many optional,
    /// `default-tied-status`.
    DefaultTiedStatus(Coded) = "default-tied-status" once optional,
    /// `budget`.
    Budget(Budget) = "budget" many optional,
    /// `planned-disbursement`.
    PlannedDisbursement(PlannedDisbursement) = "planned-disbursement" many optional,
    /// `capital-spend`.
    CapitalSpend(CapitalSpend) = "capital-spend" once optional,
    /// `transaction`.
    Transaction(Transaction) = "transaction" many optional,
    /// `document-link`.
    DocumentLink(DocumentLink) = "document-link" many optional,
    /// `related-activity`.
    RelatedActivity(RelatedActivity) = "related-activity" many optional,
    /// `legacy-data`.
    LegacyData(LegacyData) = "legacy-data" many optional,
    /// `conditions`.
    Conditions(Conditions) = "conditions" once optional,
    /// `result`.
    Result(ResultBlock) = "result" many optional,
    /// `crs-add`.
    CrsAdd(CrsAdd) = "crs-add" once optional,
    /// `fss`.
    Fss(Fss) = "fss" once optional,
}

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
const STREAMED_BYTES: usize = 256 * 1024;

impl ActivityElement {
    /// The name as it is written in XML.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Extension(raw) | Self::Unknown(raw) => &raw.name,
            named => named.kind().name(),
        }
    }

    /// Its place in an activity: smaller ranks come first. Extensions come last but for what 2.03 has no place for.
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
    /// [`FragmentError`] where the text is not one well-formed element within the [limits](xml::Limits).
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
            Reader::new(Box::new(fragment.as_bytes()))
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
