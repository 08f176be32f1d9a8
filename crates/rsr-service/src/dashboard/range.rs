//! How far back memory is drawn.

use std::time::Duration;

use crate::app::App;
use crate::params::invalid;
use crate::problem::Problem;
use crate::watch::Moment;

/// A stretch of time up to now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Range {
    /// The last hour, a moment each ten seconds.
    #[default]
    Hour,
    /// The last day, a moment each five minutes before the last hour.
    Day,
    /// All that is kept: four weeks, an hour each before the last day and a half.
    Month,
}

impl Range {
    pub(super) const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Month];
    /// Their names in a query.
    pub(super) const NAMES: [&'static str; 3] = ["hour", "day", "month"];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// What a person calls it.
    pub(super) const fn shown(self) -> &'static str {
        match self {
            Self::Hour => "1 hour",
            Self::Day => "24 hours",
            Self::Month => "4 weeks",
        }
    }

    pub(super) fn parse(text: Option<&str>) -> Result<Self, Problem> {
        match text {
            None | Some("") => Ok(Self::default()),
            Some(text) => Self::ALL
                .into_iter()
                .find(|range| range.name() == text)
                .ok_or_else(|| invalid("range", "must be hour, day or month")),
        }
    }

    /// The moments of this stretch, oldest first.
    pub(super) fn moments(self, app: &App) -> Vec<Moment> {
        match self {
            Self::Hour => app.watch.history(),
            Self::Month => app.watch.timeline(),
            Self::Day => {
                let now = app.clock.elapsed() + app.earlier;
                let from = now.saturating_sub(Duration::from_secs(86_400));
                let mut moments = app.watch.timeline();
                moments.retain(|moment| moment.at >= from);
                moments
            }
        }
    }
}
