//! Rules: the cases of each kind of rule, and the standard's 107 in use.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use rsr_iati::rules::{Checker, Context, Ruleset};
use rsr_iati::xml::{Reader, Token};

use super::{Disagreement, Suite, read};

/// Which ruleset and file belong together.
const CASES: &str = "crates/rsr-iati/tests/fixtures/rule-cases/cases.txt";

pub(super) fn cases(data: &Path, root: &Path) -> Result<Suite> {
    let mut context = Context::default();
    context.now = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    context.organisations = set(["US-EIN-941655673", "44000", "CA_ON-ONT-1597880"]);
    context.agencies = set(["GB-GOV", "XM-DAC"]);
    let mut suite = Suite {
        name: "ruleset-cases",
        about: "good and bad files of each kind of rule, from the validator and IATI-Rulesets",
        n_cases: 0,
        disagreements: Vec::new(),
        details: Vec::new(),
    };
    for line in read(&root.join(CASES))?.lines() {
        let [rules, file, expected] = line.split(' ').collect::<Vec<_>>()[..] else {
            bail!("{line:?} has not three parts")
        };
        let set = Ruleset::from_json(&read(&data.join("rulesets").join(rules))?)
            .with_context(|| rules.to_owned())?;
        let broken = broken(&set, &context, &data.join("rulesets").join(file))?;
        suite.n_cases += 1;
        if broken.is_empty() != (expected == "kept") {
            let answers = format!("{expected}, ours {broken:?}");
            suite.disagreements.push(Disagreement {
                case: format!("{rules} on {file}"),
                answers,
                reason: None,
            });
        }
    }
    Ok(suite)
}

fn set<const N: usize>(texts: [&str; N]) -> BTreeSet<String> {
    texts.map(str::to_owned).into()
}

fn broken(set: &Ruleset, context: &Context, path: &Path) -> Result<Vec<String>> {
    let mut reader = Reader::new(File::open(path)?);
    let mut checker = Checker::new(set, context);
    let mut found = Vec::new();
    while reader.advance()? != Token::Done {
        checker.check(&reader, &mut |finding| {
            found.push(finding.code.into_owned());
        });
    }
    Ok(found)
}
