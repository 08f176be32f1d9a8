//! A line chart as SVG, drawn here so that the page needs no script and nothing from elsewhere.

use std::fmt::{self, Write};

use super::text::{Size, Span};
use crate::watch::Moment;

const WIDTH: u64 = 720;
const HEIGHT: u64 = 200;
/// Parts of the height between two lines of the grid.
const PARTS: u64 = 4;
/// A limit further above the figures than this many times their top is told, not drawn: the figures would be flat.
const LIMIT_FAR: u64 = 4;

/// Draws heap and resident memory over time, and the limit. Coordinates are whole numbers: a pixel is as fine as it
/// gets. The words stand beside the picture, so that they keep their size whatever its width.
pub(super) fn write(page: &mut String, moments: &[Moment], limit: Option<u64>) -> fmt::Result {
    let (Some(first), Some(last)) = (moments.first(), moments.last()) else {
        page.push_str("<p class=\"empty\">The first sample comes within seconds.</p>\n");
        return Ok(());
    };
    let highest = moments
        .iter()
        .map(|moment| moment.resident.max(moment.held))
        .max()
        .unwrap_or(0);
    let limit_near = limit.filter(|limit| *limit <= highest.saturating_mul(LIMIT_FAR));
    let top = top(highest.max(limit_near.unwrap_or(0)));
    let span = last.at.saturating_sub(first.at);
    let width_ms = span.as_millis().max(1);
    let x = |moment: &Moment| (moment.at - first.at).as_millis() * u128::from(WIDTH) / width_ms;
    let y =
        |bytes: u64| u128::from(HEIGHT) - u128::from(bytes) * u128::from(HEIGHT) / u128::from(top);
    page.push_str(
        "<figure class=\"chart\"><div class=\"plot\"><ol class=\"ys\" aria-hidden=\"true\">",
    );
    for part in (0..=PARTS).rev() {
        write!(page, "<li>{}</li>", Size(top / PARTS * part))?;
    }
    writeln!(
        page,
        "</ol><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Resident and held memory over {}, now {} and {}\" \
         preserveAspectRatio=\"none\" data-top=\"{top}\" data-ms=\"{width_ms}\">\
         <defs><linearGradient id=\"fade\" x1=\"0\" x2=\"0\" y1=\"0\" y2=\"1\"><stop class=\"f0\" offset=\"0\"/><stop class=\"f1\" offset=\"1\"/></linearGradient></defs>",
        Span(span),
        Size(last.resident),
        Size(last.held)
    )?;
    for part in 0..=PARTS {
        let line = HEIGHT * part / PARTS;
        write!(
            page,
            "<line class=\"grid\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{line}\" y2=\"{line}\"/>"
        )?;
    }
    let points = |value: fn(&Moment) -> u64| {
        let mut points = String::new();
        for moment in moments {
            write!(points, "{},{} ", x(moment), y(value(moment)))
                .expect("a String takes whatever is written to it");
        }
        points
    };
    let held = points(|moment| moment.held);
    writeln!(
        page,
        "<polygon class=\"area\" points=\"0,{HEIGHT} {held}{},{HEIGHT}\"/>\n\
         <polyline class=\"resident\" points=\"{}\"/>\n<polyline class=\"held\" points=\"{held}\"/>",
        x(last),
        points(|moment| moment.resident)
    )?;
    if let Some(limit) = limit_near {
        let line = y(limit);
        writeln!(
            page,
            "<line class=\"limit\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{line}\" y2=\"{line}\"/>"
        )?;
    }
    writeln!(
        page,
        "</svg><ol class=\"xs\" aria-hidden=\"true\"><li>{} ago</li><li>now</li></ol></div>\n\
         <figcaption><span class=\"key held\">in use {}</span> <span class=\"key resident\">resident {}</span> ",
        Span(span),
        Size(last.held),
        Size(last.resident)
    )?;
    match (limit, limit_near) {
        (_, Some(limit)) => write!(
            page,
            "<span class=\"key limit\">limit {}</span>",
            Size(limit)
        )?,
        (Some(limit), None) => write!(
            page,
            "<span>limit {}, {} times what is drawn</span>",
            Size(limit),
            limit / highest.max(1)
        )?,
        (None, None) => page.push_str("<span>no limit is known</span>"),
    }
    page.push_str("</figcaption></figure>\n");
    Ok(())
}

/// The top of the scale: a little above the highest figure, so that the lines of the grid stand at round sizes.
fn top(highest: u64) -> u64 {
    const ROUND: [u64; 25] = [
        1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300,
        400, 500,
    ];
    let least = highest.saturating_add(highest / 20) / PARTS;
    let mut unit: u64 = 1 << 10;
    loop {
        for round in ROUND {
            let step = round.saturating_mul(unit);
            if step > least {
                return step.saturating_mul(PARTS);
            }
        }
        let Some(next) = unit.checked_mul(1 << 10) else {
            return u64::MAX;
        };
        unit = next;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn moments() -> [Moment; 3] {
        [(10, 0), (20, 2 << 20), (30, 4 << 20)].map(|(second, held)| Moment {
            at: Duration::from_secs(second),
            held,
            resident: 7 << 20,
        })
    }

    #[test]
    fn the_line_ends_where_the_figures_do() {
        let mut page = String::new();
        write(&mut page, &moments(), None).unwrap();
        assert!(page.contains("points=\"0,200 360,150 720,100 \""), "{page}");
        assert!(page.contains("<li>8.0 MiB</li>"), "{page}");
        let mut empty = String::new();
        write(&mut empty, &[], None).unwrap();
        assert!(empty.contains("first sample"));
    }

    #[test]
    fn a_limit_is_drawn_where_it_is_near_and_told_where_it_is_far() {
        let drawn = |limit| {
            let mut page = String::new();
            write(&mut page, &moments(), Some(limit)).unwrap();
            page
        };
        assert!(drawn(16 << 20).contains("class=\"limit\""));
        let far = drawn(700 << 20);
        assert!(!far.contains("class=\"limit\"") && far.contains("100 times"));
    }

    #[test]
    fn a_scale_is_round_and_above_the_figures() {
        for highest in [0, 1, 1_000, 5 << 20, 999 << 20, 3 << 40, u64::MAX / 2] {
            assert!(top(highest) >= highest, "{highest}");
            assert!(top(highest) <= highest.max(1 << 10).saturating_mul(12));
        }
        assert_eq!(top(30 << 20), 32 << 20);
        assert_eq!(top(384 << 20), 480 << 20);
    }
}
