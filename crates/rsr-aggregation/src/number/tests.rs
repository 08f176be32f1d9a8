use super::{Hundredths, NumberError, Numbers};
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};

#[track_caller]
fn check(text: &str, expected: Result<Option<i128>, NumberError>) {
    let parsed = Hundredths::parse(text).map(|number| number.map(Hundredths::hundredths));
    assert_eq!(parsed, expected, "{text:?}");
}

#[test]
fn text_is_read_exactly_or_refused() {
    check("", Ok(None));
    check(" \t\n", Ok(None));
    check(" 17.1 ", Ok(Some(1710)));
    check("-3", Ok(Some(-300)));
    check("+3.", Ok(Some(300)));
    check(".5", Ok(Some(50)));
    check("-0.00", Ok(Some(0)));
    check("000000000000000000000000000012", Ok(Some(1200)));
    check(
        "999999999999999999.99",
        Ok(Some(99_999_999_999_999_999_999)),
    );
    check("1000000000000000000", Err(NumberError::TooLarge));
    check("1.230", Err(NumberError::TooManyPlaces));
    for text in [
        "NaN",
        "inf",
        "-Infinity",
        "1e3",
        "1,000",
        "1_000",
        "1 000",
        "1.2.3",
        "-",
        ".",
        "+-1",
        "٣",
        "0x1",
        "--1",
        "n/a",
        "1.-2",
    ] {
        check(text, Err(NumberError::NotANumber));
    }
}

#[test]
fn a_manual_value_may_be_words_and_no_number_in_another_notation() {
    let manual =
        |text| Hundredths::parse_manual(text).map(|number| number.map(Hundredths::hundredths));
    assert_eq!(manual(" 12.5 "), Ok(Some(1250)));
    for words in [
        "",
        "n/a",
        "about 5",
        "5 of 7",
        "1-5",
        "40%",
        "2024-01-01",
        "x1",
    ] {
        assert_eq!(manual(words), Ok(None), "{words:?}");
    }
    for text in [
        "NaN",
        "-inf",
        "Infinity",
        "1e5",
        "1E-3",
        "1,000",
        "1_000",
        "1 000",
        "1\u{a0}000",
        "1'000",
        "1.000.000",
        "٣",
    ] {
        assert_eq!(manual(text), Err(NumberError::NotANumber), "{text:?}");
    }
    assert_eq!(manual("0.125"), Err(NumberError::TooManyPlaces));
    assert_eq!(manual("1000000000000000000"), Err(NumberError::TooLarge));
}

#[test]
fn a_refusal_names_the_field() {
    let error = Hundredths::parse_field("numerator", "NaN").unwrap_err();
    assert_eq!(
        error.to_string(),
        "numerator is not a plain decimal number such as -12.50"
    );
}

#[test]
fn example_11_percentages_round_once_and_ties_to_even() {
    let pair = |n: &str, d: &str| {
        let parse = |text| Hundredths::parse(text).unwrap();
        Numbers::of_pair(parse(n), parse(d))
            .value
            .map_or_else(String::new, |value| value.to_string())
    };
    let cases = [
        ("101", "200", "50.50"),
        ("1", "3", "33.33"),
        ("2", "3", "66.67"),
        ("1", "800", "0.12"),
        ("3", "800", "0.38"),
        ("0", "5", "0.00"),
        ("5", "0", ""),
        ("-1", "800", "-0.12"),
        ("3", "-800", "-0.38"),
        ("-2", "-3", "66.67"),
    ];
    for (n, d, expected) in cases {
        assert_eq!(pair(n, d), expected, "{n}/{d}");
    }
}

#[test]
fn too_large_sums_are_refused_and_not_wrong() {
    let most = Hundredths::from_hundredths(i128::MAX);
    assert_eq!(most.checked_add(Hundredths::from_hundredths(1)), None);
    assert_eq!(Hundredths::percentage(most, most), None);
    let least = Hundredths::from_hundredths(i128::MIN);
    assert_eq!(least.checked_sub(Hundredths::from_hundredths(1)), None);
    assert_eq!(
        Hundredths::percentage(least, Hundredths::from_hundredths(-1)),
        None
    );
    assert_eq!(
        least.to_string(),
        "-1701411834604692317316873037158841057.28"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back(hundredths in -99_999_999_999_999_999_999_i128..=99_999_999_999_999_999_999) {
        let number = Hundredths::from_hundredths(hundredths);
        prop_assert_eq!(Hundredths::parse(&number.to_string()), Ok(Some(number)));
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>()) {
        if let Ok(Some(number)) = Hundredths::parse(&text) {
            prop_assert!(number.hundredths().unsigned_abs() < 10_u128.pow(20));
        }
    }

    #[test]
    fn a_percentage_is_the_nearest_of_two_places(n in any::<i64>(), d in any::<i64>()) {
        let (n, d) = (i128::from(n), i128::from(d));
        match Hundredths::percentage(Hundredths::from_hundredths(n), Hundredths::from_hundredths(d)) {
            None => prop_assert_eq!(d, 0),
            Some(p) => {
                let error = (p.hundredths() * d - n * 10_000).unsigned_abs() * 2;
                prop_assert!(error <= d.unsigned_abs());
                if error == d.unsigned_abs() {
                    prop_assert_eq!(p.hundredths() % 2, 0);
                }
            }
        }
    }
}
