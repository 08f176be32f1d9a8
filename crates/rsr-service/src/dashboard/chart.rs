//! A line chart as SVG, drawn here so that the page needs no script and nothing from elsewhere.

use std::fmt::{self, Write};

use super::page::Mib;
use crate::watch::Moment;

const WIDTH: u64 = 720;
const HEIGHT: u64 = 160;

/// Draws heap and resident memory over time. Coordinates are whole numbers: a pixel is as fine as it gets.
pub(super) fn write(page: &mut String, moments: &[Moment]) -> fmt::Result {
    let (Some(first), Some(last)) = (moments.first(), moments.last()) else {
        page.push_str("<p>The first sample comes within seconds.</p>\n");
        return Ok(());
    };
    let top = moments
        .iter()
        .map(|moment| moment.resident.max(moment.held))
        .max()
        .unwrap_or(0)
        .max(1)
        .saturating_mul(11)
        / 10;
    let span = (last.at - first.at).as_millis().max(1);
    let x = |moment: &Moment| (moment.at - first.at).as_millis() * u128::from(WIDTH) / span;
    let y =
        |bytes: u64| u128::from(HEIGHT) - u128::from(bytes) * u128::from(HEIGHT) / u128::from(top);
    writeln!(
        page,
        "<figure><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Resident and held memory of the last {} minutes, now {} and {}\" preserveAspectRatio=\"none\">",
        span.div_ceil(60_000),
        Mib(last.resident),
        Mib(last.held)
    )?;
    for quarter in 1..4 {
        let line = HEIGHT * quarter / 4;
        writeln!(
            page,
            "<line class=\"grid\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{line}\" y2=\"{line}\"/>"
        )?;
    }
    for (class, value) in [
        (
            "resident",
            (|moment: &Moment| moment.resident) as fn(&Moment) -> u64,
        ),
        ("held", |moment: &Moment| moment.held),
    ] {
        write!(page, "<polyline class=\"{class}\" points=\"")?;
        for moment in moments {
            write!(page, "{},{} ", x(moment), y(value(moment)))?;
        }
        page.push_str("\"/>\n");
    }
    writeln!(
        page,
        "</svg><figcaption><span class=\"key resident\">resident {}</span> <span class=\"key held\">held {}</span> <span>top {}, last {} min</span></figcaption></figure>",
        Mib(last.resident),
        Mib(last.held),
        Mib(top),
        span.div_ceil(60_000)
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_line_ends_where_the_figures_do() {
        let moment = |second, held| Moment {
            at: Duration::from_secs(second),
            held,
            resident: 100,
        };
        let mut page = String::new();
        write(&mut page, &[moment(10, 0), moment(20, 55), moment(30, 110)]).unwrap();
        assert!(page.contains("points=\"0,160 360,88 720,15 \""), "{page}");
        let mut empty = String::new();
        write(&mut empty, &[]).unwrap();
        assert!(empty.contains("first sample"));
    }
}
