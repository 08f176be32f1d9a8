//! `rsr import` and `rsr export`, killed at random moments.

use std::fmt::Write as _;
use std::fs;

use rsr_testkit::Seeded;

use super::place::{Place, each_round};

/// Activities of a portfolio.
const ACTIVITIES: u32 = 120;

/// A portfolio in its nth version: most activities have other actuals in each, some another parent, or a period less.
pub(super) fn portfolio(version: u32) -> String {
    let mut text = String::from("<iati-activities version=\"2.03\">");
    for nth in 0..ACTIVITIES {
        let updated = format!("2024-{:02}-{:02}", 1 + version / 28 % 12, 1 + version % 28);
        let fan_out = if nth % 5 == version % 5 { 3 } else { 4 };
        let parent = match nth {
            0 => String::new(),
            nth => format!(
                "<related-activity type=\"1\" ref=\"XX-1-{}\"/>",
                (nth - 1) / fan_out
            ),
        };
        let mut periods = String::new();
        for year in [2024, 2025] {
            if year == 2025 && nth % 7 == version % 7 {
                continue;
            }
            let value = nth * version % 97;
            write!(
                periods,
                "<period><period-start iso-date=\"{year}-01-01\"/><period-end iso-date=\"{year}-12-31\"/>"
            )
            .unwrap();
            if nth >= ACTIVITIES / 4 {
                write!(
                    periods,
                    "<actual value=\"{value}\"><dimension name=\"sex\" value=\"f\"/></actual>
                     <actual value=\"{}.5\"/>",
                    value + version
                )
                .unwrap();
            }
            periods.push_str("</period>");
        }
        write!(
            text,
            "<iati-activity last-updated-datetime=\"{updated}T00:00:00Z\" default-currency=\"EUR\">
             <iati-identifier>XX-1-{nth}</iati-identifier>
             <reporting-org ref=\"XX-1\" type=\"10\"><narrative>Wells</narrative></reporting-org>
             <title><narrative>Activity {nth}, version {version}</narrative></title>
             <description><narrative>Digs wells.</narrative></description>
             <participating-org ref=\"XX-1\" role=\"1\" type=\"10\"/>
             <activity-status code=\"2\"/>
             <activity-date type=\"1\" iso-date=\"2024-01-01\"/>
             <recipient-country code=\"KE\"/>
             <sector vocabulary=\"1\" code=\"14030\"/>
             {parent}
             <result type=\"1\"><title><narrative>Water</narrative></title><indicator measure=\"1\">
             <title><narrative>People</narrative></title>{periods}</indicator></result>
             </iati-activity>"
        )
        .unwrap();
    }
    text + "</iati-activities>"
}

/// A place with the first version of the portfolio, settled.
pub(super) fn filled(place: Place) -> Place {
    fs::write(place.folder().join("0.xml"), portfolio(0)).unwrap();
    place.run(0, &["import", "iati", "0.xml"], "the first version");
    place.settle("the first version");
    place
}

/// Imports one version after the other while something befalls the program; beside that a calm place, where the same come in
/// undisturbed, says what is right.
pub(super) fn each_import(
    part: &str,
    place: &Place,
    mut befall: impl FnMut(&[&str], &mut Seeded, &str) -> bool,
) {
    let calm = filled(Place::sqlite());
    each_round(part, place.name, |nth, random, what| {
        let name = format!("{nth}.xml");
        for place in [place, &calm] {
            fs::write(place.folder().join(&name), portfolio(nth)).unwrap();
        }
        let import = ["import", "iati", &name];
        let before = calm.export(what);
        calm.run(0, &import, what);
        let new = calm.export(what);
        calm.settle(what);
        let after = calm.export(what);

        let is_met = befall(&import, random, what);
        let cut = place.export(what);
        assert_eq!(cut.len(), before.len(), "{what}: nothing is lost");
        for (identifier, activity) in &cut {
            let is_whole =
                before.get(identifier) == Some(activity) || new.get(identifier) == Some(activity);
            assert!(is_whole, "{what}: half-written: {activity}");
        }
        place.settle(what);
        // The same command does the rest.
        place.run(0, &import, what);
        place.settle(what);
        let resumed = place.export(what);
        assert!(resumed == after, "{what}: as if nothing had been cut off");
        is_met
    });
}

mod import {
    use super::*;

    #[test]
    fn on_sqlite() {
        story(Place::sqlite());
    }

    #[test]
    fn on_postgresql() {
        if let Some(place) = Place::postgresql() {
            story(place);
        }
    }

    fn story(place: Place) {
        let place = filled(place);
        let takes = place.timed(&["import", "iati", "0.xml"]) * 4;
        each_import("import", &place, |import, random, _what| {
            place.kill(import, takes, random)
        });
    }
}

mod export {
    use super::*;

    #[test]
    fn on_sqlite() {
        story(Place::sqlite());
    }

    #[test]
    fn on_postgresql() {
        if let Some(place) = Place::postgresql() {
            story(place);
        }
    }

    fn story(place: Place) {
        let place = filled(place);
        let export = ["export", "iati", "-o", "out.xml"];
        let takes = place.timed(&export);
        let target = place.folder().join("out.xml");
        // The head says when it was made.
        let content = || {
            let text = rsr_tests::documents::read(&target);
            text.split_once("<iati-activity ")
                .map(|(_, rest)| rest.to_owned())
        };
        let whole = content();
        assert!(whole.is_some(), "it holds activities");
        let n_files = fs::read_dir(place.folder()).unwrap().count();
        each_round("export", place.name, |_nth, random, what| {
            fs::write(&target, "what stood there before").unwrap();
            let is_met = place.kill(&export, takes, random);
            let left = content();
            assert!(
                left.is_none() || left == whole,
                "{what}: neither what stood there before nor the whole"
            );
            if left.is_none() {
                let before = rsr_tests::documents::read(&target);
                assert_eq!(before, "what stood there before", "{what}");
            }
            place.run(0, &export, what);
            assert!(content() == whole, "{what}");
            let n_left = fs::read_dir(place.folder()).unwrap().count();
            assert_eq!(n_left, n_files, "{what}: what the killed one left is gone");
            is_met
        });
        place.settle("after all exports");
    }
}
