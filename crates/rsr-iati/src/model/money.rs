//! Money: budgets, disbursements, transactions, and what donors report to the CRS.

use crate::model::element::element;
use crate::model::shared::{AidType, Amount, Coded, Dated, Figure, Narrative, Plain, TextBlock};
use crate::model::value::{Date, Decimal, Flag};

element! {
    /// `budget`.
    Budget {
        attributes {
            /// `@type`: 1 original, 2 revised.
            kind: String = "type",
            /// `@status`: 1 indicative, 2 committed.
            status: String = "status",
        }
        children {
            /// First day.
            start: Option<Dated> = "period-start" required,
            /// Last day.
            end: Option<Dated> = "period-end" required,
            /// How much.
            value: Option<Amount> = "value" required,
        }
    }
}

element! {
    /// `planned-disbursement`.
    PlannedDisbursement {
        attributes {
            /// `@type`: 1 original, 2 revised.
            kind: String = "type",
        }
        children {
            /// First day.
            start: Option<Dated> = "period-start" required,
            /// Last day.
            end: Option<Dated> = "period-end",
            /// How much.
            value: Option<Amount> = "value" required,
            /// Who gives.
            provider: Option<Provider> = "provider-org",
            /// Who gets.
            receiver: Option<Receiver> = "receiver-org",
        }
    }
}

element! {
    /// `provider-org`.
    Provider {
        attributes {
            /// `@ref`.
            reference: String = "ref",
            /// `@provider-activity-id`.
            activity_id: String = "provider-activity-id",
            /// `@type`.
            kind: String = "type",
        }
        children {
            /// Its name.
            narratives: Vec<Narrative> = "narrative",
        }
    }
}

element! {
    /// `receiver-org`.
    Receiver {
        attributes {
            /// `@ref`.
            reference: String = "ref",
            /// `@receiver-activity-id`.
            activity_id: String = "receiver-activity-id",
            /// `@type`.
            kind: String = "type",
        }
        children {
            /// Its name.
            narratives: Vec<Narrative> = "narrative",
        }
    }
}

element! {
    /// `capital-spend`.
    CapitalSpend {
        attributes {
            /// `@percentage`.
            percentage: Decimal = "percentage" required,
        }
    }
}

element! {
    /// `transaction`.
    Transaction {
        attributes {
            /// `@ref`.
            reference: String = "ref",
            /// `@humanitarian`.
            humanitarian: Flag = "humanitarian",
        }
        children {
            /// `transaction-type`.
            kind: Option<Coded> = "transaction-type" required,
            /// `transaction-date`.
            date: Option<Dated> = "transaction-date" required,
            /// How much.
            value: Option<Amount> = "value" required,
            /// What for.
            description: Option<TextBlock> = "description",
            /// Who gives.
            provider: Option<Provider> = "provider-org",
            /// Who gets.
            receiver: Option<Receiver> = "receiver-org",
            /// `disbursement-channel`.
            channel: Option<Coded> = "disbursement-channel",
            /// Which sectors.
            sectors: Vec<TransactionSector> = "sector",
            /// Which country.
            country: Option<TransactionCountry> = "recipient-country",
            /// Which region.
            region: Option<TransactionRegion> = "recipient-region",
            /// `flow-type`.
            flow_type: Option<Coded> = "flow-type",
            /// `finance-type`.
            finance_type: Option<Coded> = "finance-type",
            /// `aid-type`.
            aid_types: Vec<AidType> = "aid-type",
            /// `tied-status`.
            tied_status: Option<Coded> = "tied-status",
        }
    }
}

element! {
    /// `sector` of a transaction: unlike an activity's it has no percentage.
    TransactionSector {
        attributes {
            /// `@vocabulary`.
            vocabulary: String = "vocabulary",
            /// `@vocabulary-uri`.
            vocabulary_uri: String = "vocabulary-uri" uri,
            /// `@code`.
            code: String = "code" required,
        }
        children {
            /// What was said about it.
            narratives: Vec<Narrative> = "narrative",
        }
    }
}

element! {
    /// `recipient-country` of a transaction: unlike an activity's it has no percentage.
    TransactionCountry {
        attributes {
            /// `@code`.
            code: String = "code" required,
        }
        children {
            /// What was said about it.
            narratives: Vec<Narrative> = "narrative",
        }
    }
}

element! {
    /// `recipient-region` of a transaction: unlike an activity's it has no percentage.
    TransactionRegion {
        attributes {
            /// `@code`.
            code: String = "code" required,
            /// `@vocabulary`.
            vocabulary: String = "vocabulary",
            /// `@vocabulary-uri`.
            vocabulary_uri: String = "vocabulary-uri" uri,
        }
        children {
            /// What was said about it.
            narratives: Vec<Narrative> = "narrative",
        }
    }
}

element! {
    /// `country-budget-items`.
    CountryBudgetItems {
        attributes {
            /// `@vocabulary`.
            vocabulary: String = "vocabulary" required,
        }
        children {
            /// Each item.
            items: Vec<BudgetItem> = "budget-item" required,
        }
    }
}

element! {
    /// `budget-item`.
    BudgetItem {
        attributes {
            /// `@code`.
            code: String = "code" required,
            /// `@percentage`.
            percentage: Decimal = "percentage",
        }
        children {
            /// What it is.
            description: Option<TextBlock> = "description",
        }
    }
}

element! {
    /// `crs-add`.
    CrsAdd {
        children {
            /// `other-flags`.
            other_flags: Vec<OtherFlag> = "other-flags",
            /// `loan-terms`.
            loan_terms: Option<LoanTerms> = "loan-terms",
            /// `loan-status`.
            loan_status: Option<LoanStatus> = "loan-status",
            /// `channel-code`.
            channel_code: Option<Plain> = "channel-code",
        }
    }
}

element! {
    /// `other-flags`.
    OtherFlag {
        attributes {
            /// `@code`.
            code: String = "code" required,
            /// `@significance`.
            significance: Flag = "significance" required,
        }
    }
}

element! {
    /// `loan-terms`.
    LoanTerms {
        attributes {
            /// `@rate-1`.
            rate_1: Decimal = "rate-1",
            /// `@rate-2`.
            rate_2: Decimal = "rate-2",
        }
        children {
            /// `repayment-type`.
            repayment_type: Option<Coded> = "repayment-type",
            /// `repayment-plan`.
            repayment_plan: Option<Coded> = "repayment-plan",
            /// `commitment-date`.
            commitment: Option<Dated> = "commitment-date",
            /// `repayment-first-date`.
            first_repayment: Option<Dated> = "repayment-first-date",
            /// `repayment-final-date`.
            final_repayment: Option<Dated> = "repayment-final-date",
        }
    }
}

element! {
    /// `loan-status`.
    LoanStatus {
        attributes {
            /// `@year`.
            year: Decimal = "year" required,
            /// `@currency`.
            currency: String = "currency",
            /// `@value-date`.
            value_date: Date = "value-date" required,
        }
        children {
            /// `interest-received`.
            interest_received: Option<Figure> = "interest-received",
            /// `principal-outstanding`.
            principal_outstanding: Option<Figure> = "principal-outstanding",
            /// `principal-arrears`.
            principal_arrears: Option<Figure> = "principal-arrears",
            /// `interest-arrears`.
            interest_arrears: Option<Figure> = "interest-arrears",
        }
    }
}

element! {
    /// `fss`: forward spending survey.
    Fss {
        attributes {
            /// `@extraction-date`.
            extraction_date: Date = "extraction-date" required,
            /// `@priority`.
            priority: Flag = "priority",
            /// `@phaseout-year`.
            phaseout_year: Decimal = "phaseout-year",
        }
        children {
            /// Each year's forecast.
            forecasts: Vec<Forecast> = "forecast",
        }
    }
}

element! {
    /// `forecast`.
    Forecast {
        attributes {
            /// `@year`.
            year: Decimal = "year" required,
            /// `@currency`.
            currency: String = "currency",
            /// `@value-date`.
            value_date: Date = "value-date",
        }
        text {
            /// How much.
            amount: Decimal
        }
    }
}
