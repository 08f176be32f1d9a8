//! Reading real files and small ones of every version.

use std::collections::BTreeMap;
use std::fs::File;

use rsr_iati::model::ActivityElement;
use rsr_iati::reader::{ActivityReader, Event};

use crate::data;

#[test]
fn real_files_give_the_activities_that_their_readme_counts() {
    // File, activities, transactions, whether it ends early.
    let expected: &[(&str, u64, u64, bool)] = &[
        ("acfspain-es-2.03.xml", 2, 17, false),
        ("acfspain-ml-results-2.03.xml", 1, 6, false),
        ("afdb-ag-results-2.01.xml", 10, 194, false),
        ("be-ngofederatie-results-hierarchy-2.02.xml", 18, 565, false),
        ("beis-rs-newton-hierarchy-2.03.xml", 150, 600, false),
        ("cabei-results-2.03.xml", 92, 1154, false),
        ("dfid-congo-drc-hierarchy-1.01.xml", 205, 815, false),
        (
            "dportal-page109-unhcr-undp-results-2.03.xml",
            100,
            1345,
            false,
        ),
        (
            "dportal-page31-periods-dimensions-2.03.xml",
            100,
            922,
            false,
        ),
        ("dportal-page4-worldbank-invalid-2.03.xml", 100, 140, false),
        ("hiv-alliance-notwellformed-1.01.xml", 1, 0, true),
        ("indigo-trust-1.01.xml", 57, 55, false),
        ("iom-organisation-2.03.xml", 0, 0, false),
        ("ocha-fts-noversion.xml", 287, 383, false),
        ("sida-many-siblings-1.00.xml", 54, 92, false),
        ("spain-maec-indonesia-2.01.xml", 83, 216, false),
        ("undp-congo-invalid-1.0.xml", 656, 828, false),
        ("undp-lka-bad-1.0.xml", 127, 86, false),
        ("undp-lka-ugly-notwellformed-1.0.xml", 127, 86, true),
        ("usaid-sv-2.03.xml", 272, 3092, false),
        ("worldbank-sv-2.03.xml", 13, 632, false),
        ("worldbank-tz-invalid-1.01.xml", 59, 317, false),
        ("wri-strategic-plan-results-2.03.xml", 1, 2, false),
    ];
    for path in data::real_files() {
        let name = data::name(&path);
        let Some(expected) = expected.iter().find(|(known, ..)| *known == name) else {
            continue;
        };
        let mut reader = ActivityReader::new(File::open(&path).unwrap());
        let mut transactions = 0;
        let mut codes = BTreeMap::new();
        let cut_short = loop {
            let event = reader.next_event();
            for finding in reader.take_findings() {
                *codes.entry((finding.code, finding.severity)).or_insert(0) += finding.count;
            }
            match event {
                Ok(Some(Event::Element(ActivityElement::Transaction(_), _))) => transactions += 1,
                Ok(Some(_)) => {}
                Ok(None) => break false,
                Err(error) => {
                    println!("{name}: {error}");
                    break true;
                }
            }
        };
        println!("{name}: {codes:?}");
        assert_eq!(
            (
                name.as_str(),
                reader.counts().n_read,
                transactions,
                cut_short
            ),
            *expected
        );
    }
}
