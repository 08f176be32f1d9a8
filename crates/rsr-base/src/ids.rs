//! Numbers that name rows, one type for each kind so that they cannot be mixed up.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl From<i64> for $name {
            fn from(id: i64) -> Self {
                Self(id)
            }
        }

        impl From<$name> for i64 {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )*};
}

ids! {
    /// Names a project.
    ProjectId;
    /// Names a result of a project.
    ResultId;
    /// Names an indicator of a result.
    IndicatorId;
    /// Names a period of an indicator.
    PeriodId;
    /// Names an update that a user reported for a period.
    UpdateId;
    /// Names a part of an update for one dimension value.
    DisaggregationId;
    /// Names a category that results are split by, such as "Gender".
    DimensionNameId;
    /// Names one value of a category, such as "Female".
    DimensionValueId;
    /// Names an organisation.
    OrganisationId;
    /// Names a person or program that has an account.
    UserId;
    /// Names an entry of the aggregation queue.
    JobId;
}
