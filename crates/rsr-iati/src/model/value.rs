//! Values that keep their text beside their meaning.

use std::cmp::Ordering;
use std::fmt;

/// A kind of value that an attribute or an element may hold.
pub trait Value {
    /// What it is called in messages.
    const KIND: &'static str;

    /// Takes the text as it is, whatever it means.
    fn from_text(text: &str) -> Self;

    /// The same, of text that need not be copied.
    #[must_use]
    fn from_string(text: String) -> Self
    where
        Self: Sized,
    {
        Self::from_text(&text)
    }

    /// The text as it was given.
    fn text(&self) -> &str;

    /// Whether the text means something of this kind.
    fn is_valid(&self) -> bool;
}

impl Value for String {
    const KIND: &'static str = "text";

    fn from_text(text: &str) -> Self {
        text.to_owned()
    }

    fn from_string(text: String) -> Self {
        text
    }

    fn text(&self) -> &str {
        self
    }

    fn is_valid(&self) -> bool {
        true
    }
}

macro_rules! text_value {
    ($(#[$meta:meta])* $name:ident, $kind:literal, $meaning:ty, $parse:path) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is, whatever it means.
            #[must_use]
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text as it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// What it means, white space around it aside; `None` where it means nothing of this kind.
            #[must_use]
            pub fn value(&self) -> Option<$meaning> {
                $parse(self.0.trim_matches([' ', '\t', '\n', '\r']))
            }
        }

        impl Value for $name {
            const KIND: &'static str = $kind;

            fn from_text(text: &str) -> Self {
                Self(text.to_owned())
            }

            fn from_string(text: String) -> Self {
                Self(text)
            }

            fn text(&self) -> &str {
                &self.0
            }

            fn is_valid(&self) -> bool {
                self.value().is_some()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_value!(
    /// A decimal as `xsd:decimal` has it. `1e-10`, `1,000` and `15%` are kept and mean nothing.
    ///
    /// ```
    /// use rsr_iati::model::Decimal;
    ///
    /// assert_eq!(Decimal::new("12.50").value().and_then(|n| n.hundredths()), Some(1250));
    /// assert_eq!(Decimal::new("1e-10").value(), None);
    /// ```
    Decimal, "a decimal number", Number, Number::parse
);
text_value!(
    /// A whole number as `xsd:int` has it.
    Whole, "a whole number", i32, parse_int
);
text_value!(
    /// A whole number from 0.
    Natural, "a whole number from 0", i64, parse_natural
);
text_value!(
    /// A year as `xsd:positiveInteger` has it: a whole number from 1.
    Year, "a whole number from 1", i64, parse_year
);
text_value!(
    /// A day as `xsd:date` has it.
    Date, "a date", Day, Day::parse
);
text_value!(
    /// A moment as `xsd:dateTime` has it.
    DateTime, "a date and time", Moment, Moment::parse
);
text_value!(
    /// True or false: `1`, `true`, `0` or `false`.
    Flag, "true or false", bool, parse_flag
);

impl Whole {
    /// The number as it is written.
    #[must_use]
    pub fn of(value: i32) -> Self {
        Self(value.to_string())
    }
}

impl Flag {
    /// `1` or `0`.
    #[must_use]
    pub fn of(value: bool) -> Self {
        Self(if value { "1" } else { "0" }.to_owned())
    }
}

impl From<Day> for Date {
    fn from(day: Day) -> Self {
        Self(day.to_string())
    }
}

impl From<Number> for Decimal {
    fn from(number: Number) -> Self {
        Self(number.to_string())
    }
}

/// Most digits after the point of a [`Number`].
const PLACES_MAX: u8 = 38;

/// An exact decimal number: `digits` × 10^-`places`.
///
/// Equal numbers compare equal whatever their places: 1.50 = 1.5.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    digits: i128,
    places: u8,
}

impl Number {
    /// The number of that many hundredths.
    #[must_use]
    pub fn from_hundredths(hundredths: i128) -> Self {
        Self {
            digits: hundredths,
            places: 2,
        }
    }

    /// The digits without a point.
    #[must_use]
    pub fn digits(&self) -> i128 {
        self.digits
    }

    /// How many of the digits come after the point.
    #[must_use]
    pub fn places(&self) -> u8 {
        self.places
    }

    /// The number in hundredths; `None` where that would not be exact or does not fit.
    #[must_use]
    pub fn hundredths(&self) -> Option<i128> {
        match self.places {
            0..=2 => self
                .digits
                .checked_mul(10_i128.checked_pow(2 - u32::from(self.places))?),
            _ => {
                let by = 10_i128.checked_pow(u32::from(self.places) - 2)?;
                (self.digits % by == 0).then(|| self.digits / by)
            }
        }
    }

    /// Reads what `xsd:decimal` allows. `None` for anything else, and for numbers of more than 38 digits or 38 places.
    fn parse(text: &str) -> Option<Self> {
        let (negative, body) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            all => (false, all),
        };
        let mut digits: i128 = 0;
        let mut places = None;
        let mut any = false;
        for &b in body {
            match b {
                b'0'..=b'9' => {
                    any = true;
                    digits = digits.checked_mul(10)?.checked_add(i128::from(b - b'0'))?;
                    if let Some(places) = &mut places {
                        *places += 1_u8;
                        // Zeros before the first digit count too: no power of ten beyond is exact.
                        if *places > PLACES_MAX {
                            return None;
                        }
                    }
                }
                b'.' if places.is_none() => places = Some(0),
                _ => return None,
            }
        }
        any.then_some(Self {
            digits: if negative { -digits } else { digits },
            places: places.unwrap_or(0),
        })
    }

    /// Without zeros at the end of its fraction.
    fn reduced(self) -> (i128, u8) {
        let (mut digits, mut places) = (self.digits, self.places);
        while places > 0 && digits % 10 == 0 {
            digits /= 10;
            places -= 1;
        }
        (digits, places)
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.reduced() == other.reduced()
    }
}

impl Eq for Number {}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (digits, places) = self.reduced();
        let sign = if digits < 0 { "-" } else { "" };
        let digits = digits.unsigned_abs();
        if places == 0 {
            return write!(f, "{sign}{digits}");
        }
        let by = 10_u128.pow(u32::from(places));
        write!(
            f,
            "{sign}{}.{:0width$}",
            digits / by,
            digits % by,
            width = usize::from(places)
        )
    }
}

/// A day of the Gregorian calendar; where it was given with a zone, the zone is left aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    year: i32,
    month: u8,
    day: u8,
}

impl Day {
    /// The day, where there is one of that name.
    #[must_use]
    pub fn try_new(year: i32, month: u8, day: u8) -> Option<Self> {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let last = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => return None,
        };
        (1..=last)
            .contains(&day)
            .then_some(Self { year, month, day })
    }

    /// The year.
    #[must_use]
    pub fn year(&self) -> i32 {
        self.year
    }

    /// The month, from 1.
    #[must_use]
    pub fn month(&self) -> u8 {
        self.month
    }

    /// The day of the month, from 1.
    #[must_use]
    pub fn day(&self) -> u8 {
        self.day
    }

    fn parse(text: &str) -> Option<Self> {
        let (day, rest) = Self::parse_start(text)?;
        parse_zone(rest).map(|_| day)
    }

    /// Reads `YYYY-MM-DD` and gives what follows.
    fn parse_start(text: &str) -> Option<(Self, &str)> {
        let (negative, body) = match text.strip_prefix('-') {
            Some(body) => (true, body),
            None => (false, text),
        };
        let (year, rest) = body.split_once('-')?;
        if year.len() < 4 || year.len() > 9 || year.len() > 4 && year.starts_with('0') {
            return None;
        }
        let year = i32::try_from(digits(year)?).ok()?;
        let (month, rest) = rest.split_at_checked(2)?;
        let (day, rest) = rest.strip_prefix('-')?.split_at_checked(2)?;
        let month = u8::try_from(digits(month)?).ok()?;
        let day = u8::try_from(digits(day)?).ok()?;
        Some((
            Self::try_new(if negative { -year } else { year }, month, day)?,
            rest,
        ))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.year < 0 { "-" } else { "" };
        write!(
            f,
            "{sign}{:04}-{:02}-{:02}",
            self.year.unsigned_abs(),
            self.month,
            self.day
        )
    }
}

/// A moment. Ordered by what the clocks at the place show and then by zone unless both have a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    day: Day,
    second_of_day: u32,
    nanosecond: u32,
    zone_minutes: Option<i16>,
}

impl Moment {
    /// The day at the place.
    #[must_use]
    pub fn day(&self) -> Day {
        self.day
    }

    /// Seconds since midnight at the place; 86,400 is the end of the day.
    #[must_use]
    pub fn second_of_day(&self) -> u32 {
        self.second_of_day
    }

    /// Minutes east of UTC, where a zone was given.
    #[must_use]
    pub fn zone_minutes(&self) -> Option<i16> {
        self.zone_minutes
    }

    /// Seconds since 1970-01-01 in UTC; a moment without a zone counts as UTC.
    #[must_use]
    pub fn unix_seconds(&self) -> i64 {
        let (y, m, d) = (
            i64::from(self.day.year),
            i64::from(self.day.month),
            i64::from(self.day.day),
        );
        // Days since 0000-03-01 in years that begin in March, so that the leap day comes last.
        let y = if m <= 2 { y - 1 } else { y };
        let era = y.div_euclid(400);
        let year_of_era = y.rem_euclid(400);
        let day_of_year = (153 * ((m + 9) % 12) + 2) / 5 + d - 1;
        let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100
            + day_of_year
            - 719_468;
        days * 86_400 + i64::from(self.second_of_day)
            - i64::from(self.zone_minutes.unwrap_or(0)) * 60
    }

    fn parse(text: &str) -> Option<Self> {
        let (day, rest) = Day::parse_start(text)?;
        let rest = rest.strip_prefix('T')?;
        let (time, rest) = rest.split_at_checked(8)?;
        let mut parts = time.split(':');
        let mut next = |max: u32| {
            parts
                .next()
                .filter(|part| part.len() == 2)
                .and_then(digits)
                .filter(|&n| n <= max)
        };
        let (hour, minute, second) = (next(24)?, next(59)?, next(59)?);
        let (nanosecond, rest) = match rest.strip_prefix('.') {
            None => (0, rest),
            Some(rest) => {
                let len = rest.bytes().take_while(u8::is_ascii_digit).count();
                let (fraction, rest) = rest.split_at_checked(len).filter(|_| len > 0)?;
                let mut nanosecond = 0;
                for i in 0..9 {
                    let digit = fraction
                        .as_bytes()
                        .get(i)
                        .map_or(0, |b| u32::from(b - b'0'));
                    nanosecond = nanosecond * 10 + digit;
                }
                (nanosecond, rest)
            }
        };
        if hour == 24 && (minute, second, nanosecond) != (0, 0, 0) {
            return None;
        }
        let Zone(zone_minutes) = parse_zone(rest)?;
        Some(Self {
            day,
            second_of_day: hour * 3600 + minute * 60 + second,
            nanosecond,
            zone_minutes,
        })
    }
}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Moment {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |moment: &Self| {
            (
                moment.unix_seconds(),
                moment.nanosecond,
                moment.zone_minutes,
            )
        };
        key(self).cmp(&key(other))
    }
}

fn digits(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// A zone in minutes east of UTC, where there is one.
struct Zone(Option<i16>);

/// Nothing, `Z` or `±hh:mm`.
fn parse_zone(text: &str) -> Option<Zone> {
    let (sign, rest) = match text.as_bytes() {
        [] => return Some(Zone(None)),
        b"Z" => return Some(Zone(Some(0))),
        [b'+', ..] => (1, text.strip_prefix('+')?),
        [b'-', ..] => (-1, text.strip_prefix('-')?),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let hours = i16::try_from(digits(hours)?).ok()?;
    let minutes = i16::try_from(digits(minutes)?).ok()?;
    (minutes < 60 && hours * 60 + minutes <= 14 * 60)
        .then_some(Zone(Some(sign * (hours * 60 + minutes))))
}

fn parse_whole(text: &str) -> Option<i64> {
    let body = text.strip_prefix(['+', '-']).unwrap_or(text);
    if body.is_empty() || !body.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn parse_int(text: &str) -> Option<i32> {
    parse_whole(text).and_then(|n| n.try_into().ok())
}

fn parse_natural(text: &str) -> Option<i64> {
    parse_whole(text).filter(|&n| n >= 0)
}

fn parse_year(text: &str) -> Option<i64> {
    parse_whole(text).filter(|&n| n >= 1)
}

fn parse_flag(text: &str) -> Option<bool> {
    match text {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}
