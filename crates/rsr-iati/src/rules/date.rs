//! Moments, as rules compare them.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, UTC.
pub(super) type Moment = i64;

const DAY_MS: i64 = 86_400_000;

/// A day or a day with time; a time without a zone counts as UTC. `None` for anything else: such a text is the
/// schema's matter, and rules about dates pass it by.
pub(super) fn parse(text: &str) -> Option<Moment> {
    if let Some([year, month, day]) = plain_day(text.as_bytes()) {
        let is_day = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
        return is_day.then(|| days(year, month, day) * DAY_MS);
    }
    let (day, time) = match text.split_once('T') {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let (day, day_zone) = day.split_at_checked(10).unwrap_or((day, ""));
    let mut parts = day.split('-');
    let (year, month, date) = (
        digits(parts.next()?, 4)?,
        digits(parts.next()?, 2)?,
        digits(parts.next()?, 2)?,
    );
    if parts.next().is_some()
        || !(1..=12).contains(&month)
        || !(1..=days_in(year, month)).contains(&date)
    {
        return None;
    }
    let midnight = days(year, month, date) * DAY_MS;
    match time {
        None => Some(midnight - zone(day_zone)?),
        Some(_) if !day_zone.is_empty() => None,
        Some(time) => Some(midnight + time_ms(time)?),
    }
}

/// Year, month and day of a text of the form that almost all dates have, `2024-12-31`; `None` for any other form.
fn plain_day(text: &[u8]) -> Option<[i64; 3]> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else {
        return None;
    };
    let mut all_digits = true;
    let mut number = |digits: &[u8]| {
        digits.iter().fold(0_i64, |sum, digit| {
            all_digits &= digit.is_ascii_digit();
            sum * 10 + i64::from(digit.wrapping_sub(b'0'))
        })
    };
    let parts = [
        number(&[y1, y2, y3, y4]),
        number(&[m1, m2]),
        number(&[d1, d2]),
    ];
    all_digits.then_some(parts)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The clock's moment.
pub(super) fn of_clock(now: SystemTime) -> Moment {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Whole days from one moment to the other.
pub(super) fn days_between(from: Moment, to: Moment) -> i64 {
    (to - from) / DAY_MS
}

/// The time of day with its zone taken off.
fn time_ms(text: &str) -> Option<i64> {
    let at = text.find(['Z', '+', '-']).unwrap_or(text.len());
    let (clock, after) = text.split_at_checked(at)?;
    let mut parts = clock.split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let (second, fraction) = match parts.next() {
        Some(second) => second.split_once('.').unwrap_or((second, "")),
        None => ("00", ""),
    };
    let second = digits(second, 2)?;
    let good = parts.next().is_none()
        && hour <= 24
        && minute < 60
        && second < 60
        && fraction.bytes().all(|b| b.is_ascii_digit());
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    good.then_some(
        ((hour * 60 + minute) * 60 + second) * 1000 + millis.parse::<i64>().ok()? - zone(after)?,
    )
}

/// Milliseconds that the zone is ahead of UTC.
fn zone(text: &str) -> Option<i64> {
    let (sign, rest) = match text.as_bytes().first() {
        None => return Some(0),
        Some(b'Z') if text.len() == 1 => return Some(0),
        Some(b'+') => (1, text.get(1..)?),
        Some(b'-') => (-1, text.get(1..)?),
        Some(_) => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    Some(sign * (digits(hours, 2)? * 60 + digits(minutes, 2)?) * 60_000)
}

fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Days from 1970 to a day of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // The year begins in March here, so that the odd day is its last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_counted_from_1970() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("1970-01-02", Some(DAY_MS)),
            ("1969-12-31", Some(-DAY_MS)),
            ("2000-03-01", Some(951_868_800_000)),
            ("2024-02-29T12:00:00Z", Some(1_709_208_000_000)),
            ("2024-02-29T12:00:00+02:00", Some(1_709_200_800_000)),
            ("2024-02-29T12:00:00.5", Some(1_709_208_000_500)),
            ("2024-02-29+01:00", Some(1_709_161_200_000)),
            ("2023-02-29", None),
            ("", None),
            ("29.02.2024", None),
            ("2024-02-29T12", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
