//! Activities and organisations of IATI 2.03, element by element: a struct for each, with every attribute and child that
//! the standard names. A test holds that against the tables of the schemas.
//!
//! An activity is an [`ActivityHead`] and any number of [`ActivityElement`]s; nothing here ever holds a whole one. Values
//! keep the text they were given beside what it means ([`Decimal`], [`Date`] …): a wrong date is kept, told about, and
//! means nothing. Everything may be missing, since files leave out what they should not; [`crate::writer`] knows what
//! must be there. What the standard does not name is in [`Extra`].
//!
//! ```
//! use rsr_iati::model::{ActivityElement, Amount, Budget, Dated, Decimal};
//!
//! let budget = ActivityElement::Budget(Budget {
//!     start: Some(Dated::new("2024-01-01")),
//!     end: Some(Dated::new("2024-12-31")),
//!     value: Some(Amount {
//!         value_date: Some("2024-01-01".into()),
//!         amount: Decimal::new("1500.50"),
//!         ..Amount::default()
//!     }),
//!     ..Budget::default()
//! });
//! let xml = budget.to_xml();
//! assert_eq!(
//!     xml,
//!     "<budget><period-start iso-date=\"2024-01-01\"/><period-end iso-date=\"2024-12-31\"/>\
//!      <value value-date=\"2024-01-01\">1500.50</value></budget>"
//! );
//! assert_eq!(ActivityElement::from_xml(&xml)?, budget);
//! # Ok::<(), rsr_iati::model::FragmentError>(())
//! ```

mod about;
mod activity;
mod children;
mod element;
mod fragment;
mod gaps;
mod money;
mod organisation;
mod place;
mod pull;
mod raw;
mod results;
mod shared;
mod value;

#[cfg(test)]
mod tests;

pub use about::{
    ActivityDate, ActivityHead, Condition, Conditions, ContactInfo, Description, HumanitarianScope,
    Identifier, LegacyData, Organisation, OtherIdentifier, ParticipatingOrg, PolicyMarker,
    RecipientCountry, RecipientRegion, RelatedActivity, ReportingOrg, Sector, Tag, Website,
};
pub use activity::{ActivityElement, ElementKind};
pub use children::FragmentError;
pub use gaps::{Gap, GapKind};
pub use money::{
    Budget, BudgetItem, CapitalSpend, CountryBudgetItems, CrsAdd, Forecast, Fss, LoanStatus,
    LoanTerms, OtherFlag, PlannedDisbursement, Provider, Receiver, Transaction, TransactionCountry,
    TransactionRegion, TransactionSector,
};
pub use organisation::{
    BudgetCountry, BudgetRegion, Line, OrganisationDocument, OrganisationElement,
    OrganisationElementKind, OrganisationHead, RecipientCountryBudget, RecipientOrg,
    RecipientOrgBudget, RecipientRegionBudget, TotalBudget, TotalExpenditure,
};
pub use place::{Administrative, Location, LocationId, Point};
pub use raw::{Extra, RawAttribute, RawElement, RawNode};
pub use results::{
    Baseline, Dimension, Indicator, IndicatorReference, LocationRef, Measurement, Period,
    ResultBlock, ResultReference,
};
pub use shared::{
    AidType, Amount, Coded, Dated, DocumentLink, Figure, Narrative, Plain, TextBlock,
};
pub use value::{Date, DateTime, Day, Decimal, Flag, Moment, Natural, Number, Value, Whole, Year};

pub(crate) use children::{Child, Head};
pub(crate) use fragment::{Fragment, write_head, write_raw};
pub(crate) use pull::{Input, Pull, Stop, shortened};
