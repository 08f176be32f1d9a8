//! The few ways in which statements are written differently for PostgreSQL: all of them are here.

/// What SQLite calls one way and PostgreSQL another.
const CALLED: [(&str, &str); 2] = [
    (
        "SELECT value FROM json_each(",
        "SELECT CAST(value AS BIGINT) FROM json_array_elements_text(",
    ),
    ("instr(", "strpos("),
];

/// A statement of this crate as PostgreSQL takes it: `?1` becomes `$1`, and `?root` the number after all others.
pub(super) fn translate(sql: &str) -> String {
    let root = format!("?{}", n_numbered(sql) + 1);
    let mut all = String::with_capacity(sql.len() + 64);
    // Every other part is between quotes, and left as it is.
    for (nth, part) in sql.split('\'').enumerate() {
        if nth > 0 {
            all.push('\'');
        }
        if nth % 2 == 1 {
            all.push_str(part);
            continue;
        }
        let part = part.replace("/*!", "").replace("*/", "");
        let part = part
            .replace("IN ?roots", &format!("= ANY(CAST({root} AS BIGINT[]))"))
            .replace("?root", &root);
        let mut part = lists(&part.replace('?', "$"));
        for (from, to) in CALLED {
            part = part.replace(from, to);
        }
        all.push_str(&part);
    }
    all
}

/// The highest number of a parameter, outside of texts.
fn n_numbered(sql: &str) -> usize {
    let code = sql.split('\'').step_by(2);
    let numbers = code.flat_map(|part| part.split('?').skip(1));
    let digits = numbers.map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit());
        rest.split_at(end.unwrap_or(rest.len())).0
    });
    digits
        .filter_map(|digits| digits.parse().ok())
        .max()
        .unwrap_or(0)
}

/// A list of ids is an array, which the planner knows the use of: it goes along an index for each.
fn lists(part: &str) -> String {
    const OPENS: &str = "IN (SELECT value FROM json_each(";
    let mut all = String::with_capacity(part.len());
    let mut rest = part;
    while let Some((before, after)) = rest.split_once(OPENS) {
        all.push_str(before);
        match after.split_once("))") {
            Some((list, after)) => {
                all.push_str(&format!("= ANY(CAST({list} AS BIGINT[]))"));
                rest = after;
            }
            None => {
                all.push_str(OPENS);
                rest = after;
            }
        }
    }
    all.push_str(rest);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sql: &str, expected: &str) {
        assert_eq!(translate(sql), expected);
    }

    #[test]
    fn parameters_are_dollars() {
        check(
            "SELECT a FROM t WHERE b = ?1 AND c = ?12",
            "SELECT a FROM t WHERE b = $1 AND c = $12",
        );
    }

    #[test]
    fn texts_stay_as_they_are() {
        check(
            "SELECT '?1 isn''t instr(' WHERE a = ?1",
            "SELECT '?1 isn''t instr(' WHERE a = $1",
        );
    }

    #[test]
    fn roots_come_after_all_other_parameters() {
        check(
            "SELECT '?9' FROM t WHERE b = ?2 /*! AND t.root_id = ?root */ AND c = ?1",
            "SELECT '?9' FROM t WHERE b = $2  AND t.root_id = $3  AND c = $1",
        );
        check(
            "SELECT a FROM t /*! WHERE t.root_id IN ?roots */",
            "SELECT a FROM t  WHERE t.root_id = ANY(CAST($1 AS BIGINT[])) ",
        );
    }

    #[test]
    fn functions_are_called_by_their_other_names() {
        check("instr(p.title, ?1) > 0", "strpos(p.title, $1) > 0");
        check(
            "id IN (SELECT value FROM json_each(?3))",
            "id = ANY(CAST($3 AS BIGINT[]))",
        );
        check(
            "AS (SELECT value FROM json_each(?3) UNION",
            "AS (SELECT CAST(value AS BIGINT) FROM json_array_elements_text($3) UNION",
        );
    }
}
