//! Scores and days as columns hold them.

use rsr_aggregation::Date;

/// Scores as a column holds them: numbers with commas between.
pub(crate) fn scores_to_text(scores: &[i32]) -> String {
    let numbers: Vec<String> = scores.iter().map(ToString::to_string).collect();
    numbers.join(",")
}

/// The scores of a column; what is no number is left out.
pub(crate) fn scores_from_text(text: &str) -> Vec<i32> {
    text.split(',')
        .filter_map(|number| number.trim().parse().ok())
        .collect()
}

/// The day, UTC, of a time in milliseconds since 1970.
///
/// Source: the civil calendar from days, as Howard Hinnant describes it in "chrono-Compatible Low-Level Date Algorithms".
pub(super) fn day_of(ms: i64) -> Date {
    const DAYS_OF_400_YEARS: i64 = 146_097;
    // Days since 0000-03-01: a year that begins in March has its leap day at its end.
    let days = ms.div_euclid(86_400_000) + 719_468;
    let era = days.div_euclid(DAYS_OF_400_YEARS);
    let day_of_era = days.rem_euclid(DAYS_OF_400_YEARS);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Date {
        year: i32::try_from(year).unwrap_or(i32::MAX),
        month: u8::try_from(month).unwrap_or(1),
        day: u8::try_from(day).unwrap_or(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_times() {
        let day = |ms| day_of(ms).to_string();
        assert_eq!(day(0), "01-01-1970");
        assert_eq!(day(-1), "31-12-1969");
        assert_eq!(day(951_782_400_000), "29-02-2000");
        assert_eq!(day(951_868_800_000), "01-03-2000");
        assert_eq!(day(1_704_067_199_999), "31-12-2023");
        assert_eq!(day(4_107_542_400_000), "01-03-2100", "2100 is no leap year");
    }

    #[test]
    fn scores_are_read_as_written() {
        for scores in [vec![], vec![3], vec![5, -1, 2]] {
            assert_eq!(scores_from_text(&scores_to_text(&scores)), scores);
        }
    }
}
