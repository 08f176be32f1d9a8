//! The children of `iati-activity`, one variant each, in the order of 2.03.

use crate::finding::Findings;
use crate::model::about::{
    ActivityDate, ActivityHead, Conditions, ContactInfo, Description, HumanitarianScope,
    Identifier, LegacyData, OtherIdentifier, ParticipatingOrg, PolicyMarker, RecipientCountry,
    RecipientRegion, RelatedActivity, ReportingOrg, Sector, Tag,
};
use crate::model::children::{FragmentError, STREAMED_BYTES, children_of};
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
use crate::xml::{Limits, Reader, Token};

children_of! {
    /// One child element of `iati-activity`.
    enum ActivityElement in "iati-activity", "activity", of ActivityHead, "iati-activities", Activities;
    /// The kinds of [`ActivityElement`] in the order of 2.03.
    kinds ElementKind;
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
