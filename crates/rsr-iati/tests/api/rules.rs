//! Rules: the standard's own cases for each kind of rule.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use rsr_base::{ByteSize, read_text_at_most};
use rsr_iati::rules::{Checker, Context, Ruleset};
use rsr_iati::xml::{Reader, Token};
use rsr_testkit::{iati_data, left_out};

const CASES: &str = include_str!("../fixtures/rule-cases/cases.txt");

fn context() -> Context {
    let mut context = Context::default();
    context.now = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    context.organisations = ["US-EIN-941655673", "44000", "CA_ON-ONT-1597880"]
        .map(str::to_owned)
        .into();
    context.agencies = ["GB-GOV", "XM-DAC"].map(str::to_owned).into();
    context
}

fn ruleset_text(data: &Path, name: &str) -> String {
    let file = File::open(data.join("rulesets").join(name)).expect("the ruleset is there");
    read_text_at_most(file, ByteSize::from_mib(4)).expect("the ruleset is text")
}

fn broken(set: &Ruleset, path: &Path) -> Vec<String> {
    let context = context();
    let mut reader = Reader::new(File::open(path).expect("the file is there"));
    let mut checker = Checker::new(set, &context);
    let mut found = Vec::new();
    while reader.advance().expect("it is well-formed") != Token::Done {
        checker.check(&reader, &mut |finding| found.push(finding.to_string()));
    }
    found
}

#[test]
fn each_case_is_kept_or_broken_as_it_should_be() {
    let Some(data) = iati_data() else {
        return left_out("the rule cases: no IATI data");
    };
    let mut wrong = Vec::new();
    for line in CASES.lines() {
        let [rules, file, expected] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line} has three parts")
        };
        let rules = ruleset_text(&data, rules);
        let set = match Ruleset::from_json(&rules) {
            Ok(set) => set,
            Err(error) => {
                wrong.push(format!("{line}: {error}"));
                continue;
            }
        };
        let found = broken(&set, &data.join("rulesets").join(file));
        if found.is_empty() != (expected == "kept") {
            wrong.push(format!("{line}: {found:?}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn other_rulesets_can_be_read() {
    let Some(data) = iati_data() else {
        return left_out("other rulesets: no IATI data");
    };
    for name in [
        "standard.json",
        "dfid.json",
        "example.json",
        "ti-fallbacks.json",
        "standard_py.json",
    ] {
        let text = ruleset_text(&data, name);
        if let Err(error) = Ruleset::from_json(&text) {
            panic!("{name}: {error}");
        }
    }
}
