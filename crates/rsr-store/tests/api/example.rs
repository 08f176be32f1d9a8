//! The set-up of the worked examples of the aggregation rules: projects that share an indicator.

use rsr_aggregation::{Hundredths, Numbers};
use rsr_base::{DimensionNameId, DimensionValueId, PeriodId, ProjectId, UpdateId, UserId};
use rsr_settings::Settings;
use rsr_store::{
    Disaggregation, Error, FailedJob, NewIndicator, NewPeriod, NewResult, NewUpdate, PeriodRow, Tx,
    UpdateStatus,
};

use super::support::TestStore;

/// A chain or bush of projects that share one period, split by gender.
pub(crate) struct Example {
    pub(crate) test: TestStore,
    pub(crate) user: UserId,
    pub(crate) projects: Vec<ProjectId>,
    /// The name of the two dimension values, at the first project.
    pub(crate) gender: DimensionNameId,
}

impl Example {
    /// Projects with these parents (places of earlier ones), and one indicator of this measure.
    pub(crate) fn new(parents: &[Option<usize>], measure: &str) -> Self {
        Self::with(parents, measure, false, 1)
    }

    /// The same with so many periods, a year each from 2024 on; cumulative where asked for.
    pub(crate) fn with(
        parents: &[Option<usize>],
        measure: &str,
        is_cumulative: bool,
        n_periods: usize,
    ) -> Self {
        Self::over(TestStore::new(), parents, measure, is_cumulative, n_periods)
    }

    /// The same in a store that is there.
    pub(crate) fn over(
        test: TestStore,
        parents: &[Option<usize>],
        measure: &str,
        is_cumulative: bool,
        n_periods: usize,
    ) -> Self {
        let mut projects: Vec<ProjectId> = Vec::new();
        for (place, parent) in parents.iter().enumerate() {
            let parent = parent.map(|parent| projects[parent]);
            projects.push(test.project(&format!("project {place}"), parent));
        }
        let (user, gender) = test
            .store
            .write(|tx| {
                let gender = tx.create_dimension_name(projects[0], "Gender")?;
                tx.create_dimension_value(gender, "M")?;
                tx.create_dimension_value(gender, "F")?;
                let result = tx.create_result(&NewResult {
                    project: projects[0],
                    kind: "1".to_owned(),
                    title: "result".to_owned(),
                    description: String::new(),
                    aggregation_status: None,
                })?;
                let indicator = tx.create_indicator(&NewIndicator {
                    result,
                    is_qualitative: false,
                    measure: measure.to_owned(),
                    is_cumulative,
                    is_ascending: None,
                    has_scores: false,
                    title: "indicator".to_owned(),
                    description: String::new(),
                })?;
                tx.attach_dimension(indicator, gender)?;
                for year in (2024..).take(n_periods) {
                    tx.create_period(&NewPeriod {
                        indicator,
                        start: Some(format!("{year}-01-01")),
                        end: Some(format!("{year}-12-31")),
                        target_value: String::new(),
                    })?;
                }
                let user = tx.create_user("reporter", None, false)?;
                Ok::<_, Error>((user, gender))
            })
            .unwrap();
        Self {
            test,
            user,
            projects,
            gender,
        }
    }

    pub(crate) fn period(&self, place: usize) -> PeriodRow {
        self.period_of_year(place, 0)
    }

    pub(crate) fn period_of_year(&self, place: usize, year: usize) -> PeriodRow {
        let snapshot = self.test.store.snapshot().unwrap();
        let results = snapshot.results(self.projects[place], None, 1).unwrap();
        results[0].indicators[0].periods[year].clone()
    }

    pub(crate) fn genders(&self, place: usize) -> Vec<DimensionValueId> {
        self.period(place)
            .disaggregations
            .iter()
            .map(|part| part.dimension_value)
            .collect()
    }

    /// Stores an approved update of the first period.
    pub(crate) fn report(
        &self,
        place: usize,
        numbers: Numbers,
        parts: &[(DimensionValueId, i128)],
    ) -> UpdateId {
        let period = self.period(place).id;
        self.update(period, UpdateStatus::Approved, numbers, parts)
    }

    pub(crate) fn update(
        &self,
        period: PeriodId,
        status: UpdateStatus,
        numbers: Numbers,
        parts: &[(DimensionValueId, i128)],
    ) -> UpdateId {
        let update = NewUpdate {
            period,
            user: self.user,
            status,
            numbers,
            text: format!("for {period}"),
            narrative: String::new(),
            score: None,
            scores: Vec::new(),
            disaggregations: disaggregations(parts),
        };
        self.write(|tx| tx.create_update(&update))
    }

    pub(crate) fn write<T>(&self, work: impl FnOnce(&mut Tx) -> Result<T, Error>) -> T {
        self.test.store.write(work).unwrap()
    }

    /// Works off every job that may run now; answers those that failed.
    pub(crate) fn work(&self) -> Vec<FailedJob> {
        let settings = Settings::default().aggregation;
        let store = &self.test.store;
        let mut failed = Vec::new();
        while let Some(root) = store.waiting_roots(1).unwrap().first() {
            let claim = store.claim(root.period, &settings).unwrap().unwrap();
            failed.extend(store.work_off(claim, &settings).unwrap().failed);
        }
        failed
    }

    /// The jobs in one state, by id: their periods.
    pub(crate) fn jobs(&self, state: &str) -> Vec<PeriodId> {
        let snapshot = self.test.store.snapshot().unwrap();
        let mut jobs = snapshot.jobs(Some(state), 1_000).unwrap();
        jobs.sort_by_key(|job| job.id);
        jobs.iter().map(|job| job.period).collect()
    }

    /// Rolls the tree up; answers how many rows were written: periods, words, disaggregations, contributions.
    pub(crate) fn roll_up(&self) -> [u64; 4] {
        let report = self.test.store.roll_up(self.projects[0]).unwrap().periods;
        [
            report.n_periods_written,
            report.n_texts_written,
            report.n_disaggregations_written,
            report.n_contributions_written,
        ]
    }

    /// The value at a project, then its parts; `-` for no value.
    #[track_caller]
    pub(crate) fn check(&self, place: usize, expected: &str) {
        let period = self.period(place);
        let text =
            |value: Option<Hundredths>| value.map_or("-".to_owned(), |value| value.to_string());
        let parts: Vec<String> = period
            .disaggregations
            .iter()
            .map(|part| text(part.numbers.value))
            .collect();
        assert_eq!(
            format!("{} ({})", text(period.numbers.value), parts.join(", ")),
            expected,
            "project {place}"
        );
    }
}

pub(crate) fn number(value: i128) -> Numbers {
    Numbers::of_value(Hundredths::from_hundredths(value * 100))
}

pub(crate) fn pair(numerator: i128, denominator: i128) -> Numbers {
    Numbers {
        value: None,
        numerator: Some(Hundredths::from_hundredths(numerator * 100)),
        denominator: Some(Hundredths::from_hundredths(denominator * 100)),
    }
}

pub(crate) fn disaggregations(parts: &[(DimensionValueId, i128)]) -> Vec<Disaggregation> {
    let part = |(value, part): &(DimensionValueId, i128)| Disaggregation {
        dimension_value: *value,
        numbers: number(*part),
    };
    parts.iter().map(part).collect()
}
