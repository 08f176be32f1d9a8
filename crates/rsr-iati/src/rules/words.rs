//! What a case asks, in words.

use super::json::Json;

/// A clause that says what has to be so, made of the ruleset's own paths.
pub(super) fn case(kind: &str, json: &Json) -> String {
    let text = |key: &str| json.get(key).and_then(Json::text).unwrap_or_default();
    let list = |key: &str| match json.get(key) {
        Some(Json::Text(text)) => text.clone(),
        Some(json) => json
            .list()
            .iter()
            .filter_map(Json::text)
            .collect::<Vec<_>>()
            .join(", "),
        None => String::new(),
    };
    let number = |key: &str| {
        json.get(key)
            .and_then(Json::number)
            .map_or_else(String::new, |n| n.to_string())
    };
    let paths = list("paths");
    let asks = match kind {
        "no_more_than_one" | "noMoreThanOne" => format!("at most one of {paths} is there"),
        "atleast_one" | "atLeastOne" => format!("at least one of {paths} is there"),
        "only_one_of" | "onlyOneOf" => {
            format!("either {} or one of {paths} is there", list("excluded"))
        }
        "one_or_all" | "oneOrAll" => match text("all") {
            "lang" => format!(
                "{} is there, or every narrative has its language",
                text("one")
            ),
            "currency" => format!("{} is there, or every amount has its currency", text("one")),
            other => format!("{} is there, or every transaction has {other}", text("one")),
        },
        "unique" => format!("{paths} differ from each other"),
        "sum" | "strict_sum" | "strictSum" => format!("{paths} add up to {}", number("sum")),
        "date_order" | "dateOrder" => {
            format!("{} is not later than {}", text("less"), text("more"))
        }
        "date_now" | "dateNow" => format!("{} is not in the future", text("date")),
        "between_dates" | "betweenDates" => format!(
            "{} lies between {} and {}",
            text("date"),
            text("start"),
            text("end")
        ),
        "time_limit" | "timeLimit" => format!(
            "{} and {} are not more than a year apart",
            text("start"),
            text("end")
        ),
        "regex_matches" | "regexMatches" => format!("{paths} matches {}", text("regex")),
        "regex_no_matches" | "regexNoMatches" => {
            format!("{paths} does not match {}", text("regex"))
        }
        "startswith" | "startsWith" if list("prefix") == "ORG-ID-PREFIX" => {
            format!("{paths} begins with the prefix of a registration agency")
        }
        "startswith" | "startsWith" => format!(
            "{paths} begins with one of {}{}",
            list("prefix"),
            match text("separator") {
                "" => String::new(),
                separator => format!(" and {separator}"),
            }
        ),
        "if_then" | "ifThen" => format!("where {}, there {}", text("if"), text("then")),
        "range" => format!(
            "{paths} lies between {} and {}",
            number("min"),
            number("max")
        ),
        "no_spaces" | "noSpaces" => format!("{paths} has no white space at its ends"),
        _ => format!("{} holds", list("eval")),
    };
    match text("condition") {
        "" => asks,
        condition => format!("{asks} (where {condition})"),
    }
}
