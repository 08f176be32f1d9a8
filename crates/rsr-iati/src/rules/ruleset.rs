//! A ruleset, made ready to be asked.

use crate::report::Severity;

use super::case::{All, Case, Test, UnlessKnown, When};
use super::json::Json;
use super::pattern::Pattern;
use super::want::{Use, Wants};
use super::xpath::{ContextStep, Expr, Name, NameBits, Names, Path, Step, parse, parse_context};

/// Why a text is no ruleset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RulesetError {
    /// It is not JSON, or nested too deeply.
    #[error("the ruleset is no JSON object")]
    NotJson,
    /// A path or expression that is none, or uses XPath that is not known here.
    #[error("{0:?} is no path that rules are made of")]
    Path(String),
    /// A kind of rule that is not known.
    #[error("{0} is no kind of rule")]
    Kind(String),
    /// A case lacks what its kind needs.
    #[error("a case of {kind} lacks {field}")]
    Lacks {
        /// The kind of rule.
        kind: String,
        /// The field.
        field: &'static str,
    },
    /// A regular expression that is none.
    #[error("{0:?} is no regular expression")]
    Regex(String),
}

/// Rules about what elements hold, in the form of the standard's `standard.json`.
#[derive(Debug)]
pub struct Ruleset {
    pub(super) names: Names,
    pub(super) counted: Counted,
    /// The steps of all contexts as a tree; the first stands above the root.
    pub(super) steps: Vec<StepNode>,
    pub(super) anchors: Vec<Anchor>,
    n_cases: usize,
}

#[derive(Debug, Default)]
pub(super) struct StepNode {
    pub(super) name: Name,
    pub(super) deep: bool,
    pub(super) predicates: Vec<Expr>,
    pub(super) children: Vec<u16>,
    pub(super) anchor: Option<u16>,
    pub(super) has_deep_child: bool,
    pub(super) child_names: NameBits,
}

/// The names of elements that one-or-all counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) narrative: Name,
    /// Elements with a currency.
    pub(super) amounts: [Name; 3],
    pub(super) transaction: Name,
    pub(super) sector: Name,
    /// Elements that say where.
    pub(super) places: [Name; 2],
}

impl Counted {
    fn new(names: &mut Names) -> Option<Self> {
        Some(Self {
            narrative: names.id("narrative")?,
            amounts: [
                names.id("value")?,
                names.id("forecast")?,
                names.id("loan-status")?,
            ],
            transaction: names.id("transaction")?,
            sector: names.id("sector")?,
            places: [
                names.id("recipient-country")?,
                names.id("recipient-region")?,
            ],
        })
    }
}

/// An element at whose end cases are asked, and what has to be kept of it until then.
#[derive(Debug, Default)]
pub(super) struct Anchor {
    pub(super) wants: Wants,
    pub(super) groups: Vec<Group>,
    /// Some case asks for one or all of something.
    pub(super) counts_lacking: bool,
}

/// Cases with the way from the anchor to the elements they are asked of.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) way: Expr,
    pub(super) cases: Vec<Case>,
}

impl Ruleset {
    /// Reads a ruleset from JSON.
    ///
    /// Kinds are known by both of their spellings (`atleast_one`, `atLeastOne`). A case without `ruleInfo` is an error
    /// of category "iati" with the kind as its code.
    ///
    /// # Errors
    ///
    /// The text is no ruleset; nothing of it is used then.
    pub fn from_json(text: &str) -> Result<Self, RulesetError> {
        let json = Json::parse(text)
            .filter(|json| matches!(json, Json::Object(_)))
            .ok_or(RulesetError::NotJson)?;
        let mut set = Self {
            names: Names::default(),
            counted: Counted::default(),
            steps: vec![StepNode::default()],
            anchors: Vec::new(),
            n_cases: 0,
        };
        set.counted = Counted::new(&mut set.names).ok_or(RulesetError::NotJson)?;
        for (context, kinds) in json.object() {
            let contexts = parse_context(context, &mut set.names)
                .ok_or_else(|| RulesetError::Path(context.clone()))?;
            let mut cases = Vec::new();
            for (kind, it) in kinds.object() {
                for case in it.get("cases").map_or(&[][..], Json::list) {
                    set.n_cases += 1;
                    if kind == "loop" {
                        set.looped(case, &mut cases)?;
                    } else {
                        cases.push(set.case(kind, case, None)?);
                    }
                }
            }
            for (steps, up) in contexts {
                set.place(&steps, up, &cases);
            }
        }
        Ok(set)
    }

    /// The number of cases, as the standard counts them: one for each entry of a list of cases.
    #[must_use]
    pub fn n_cases(&self) -> usize {
        self.n_cases
    }

    /// What the cases with this id ask, in the words of the ruleset's paths.
    #[must_use]
    pub fn explanation(&self, id: &str) -> Option<String> {
        let all = self
            .anchors
            .iter()
            .flat_map(|anchor| &anchor.groups)
            .flat_map(|group| &group.cases);
        let mut says: Vec<&str> = all
            .filter(|case| case.id == id)
            .map(|case| case.says.as_str())
            .collect();
        says.dedup();
        (!says.is_empty()).then(|| says.join("; or "))
    }

    fn looped(&mut self, json: &Json, cases: &mut Vec<Case>) -> Result<(), RulesetError> {
        let each = self.expr(field(json, "loop", "foreach")?, false)?;
        for (kind, it) in json.get("do").map_or(&[][..], Json::object) {
            for case in it.get("cases").map_or(&[][..], Json::list) {
                let subs: Vec<&str> = json
                    .get("subs")
                    .map_or(&[][..], Json::list)
                    .iter()
                    .filter_map(Json::text)
                    .collect();
                let mut case = self.case(kind, case, Some(&subs))?;
                case.each = Some(each.clone());
                cases.push(case);
            }
        }
        Ok(())
    }

    /// One case; in a loop `subs` names the fields in which the loop's value stands.
    fn case(
        &mut self,
        kind: &str,
        json: &Json,
        subs: Option<&[&str]>,
    ) -> Result<Case, RulesetError> {
        let looped = |field: &str| subs.is_some_and(|subs| subs.contains(&field));
        let info = json.get("ruleInfo");
        let info = |key: &str| info.and_then(|info| info.get(key)).and_then(Json::text);
        let test = self.test(kind, json, &looped)?;
        let paths = self.exprs(json.get("paths"), looped("paths"))?;
        let condition = json
            .get("condition")
            .and_then(Json::text)
            .map(|text| self.expr(text, looped("condition")))
            .transpose()?;
        Ok(Case {
            id: info("id").unwrap_or(kind).to_owned(),
            severity: match info("severity") {
                Some("critical") => Severity::Critical,
                Some("warning") => Severity::Warning,
                _ => Severity::Error,
            },
            category: info("category").unwrap_or("iati").to_owned(),
            test,
            paths,
            condition,
            unless_known: match json.get("idCondition").and_then(Json::text) {
                Some("NOT_EXISTING_ORG_ID") => Some(UnlessKnown::Organisation),
                Some("NOT_EXISTING_ORG_ID_PREFIX") => Some(UnlessKnown::OrganisationPrefix),
                _ => None,
            },
            each: None,
            says: super::words::case(kind, json),
        })
    }

    fn test(
        &mut self,
        kind: &str,
        json: &Json,
        looped: &dyn Fn(&str) -> bool,
    ) -> Result<Test, RulesetError> {
        let mut when = |name: &'static str| -> Result<When, RulesetError> {
            let text = field(json, kind, name)?;
            if text == "NOW" {
                Ok(When::Now)
            } else {
                self.expr(text, looped(name)).map(When::At)
            }
        };
        Ok(match kind {
            "no_more_than_one" | "noMoreThanOne" => Test::NoMoreThanOne,
            "atleast_one" | "atLeastOne" => Test::AtLeastOne,
            "unique" => Test::Unique,
            "no_spaces" | "noSpaces" => Test::NoSpaces,
            "date_order" | "dateOrder" => Test::DateOrder {
                less: when("less")?,
                more: when("more")?,
            },
            "date_now" | "dateNow" => Test::DateNow {
                date: when("date")?,
            },
            "time_limit" | "timeLimit" => Test::TimeLimit {
                start: when("start")?,
                end: when("end")?,
            },
            "between_dates" | "betweenDates" => Test::BetweenDates {
                date: when("date")?,
                start: when("start")?,
                end: when("end")?,
            },
            "only_one_of" | "onlyOneOf" => Test::OnlyOneOf {
                excluded: self.exprs(json.get("excluded"), looped("excluded"))?,
            },
            "evaluates" => Test::Evaluates {
                all: self.exprs(json.get("eval").or(json.get("paths")), looped("eval"))?,
            },
            "sum" | "strict_sum" | "strictSum" => Test::Sum {
                sum: json
                    .get("sum")
                    .and_then(Json::number)
                    .ok_or_else(|| lacks(kind, "sum"))?,
                may_be_absent: kind == "sum",
            },
            "range" => Test::Range {
                min: json
                    .get("min")
                    .and_then(Json::number)
                    .unwrap_or(f64::NEG_INFINITY),
                max: json
                    .get("max")
                    .and_then(Json::number)
                    .unwrap_or(f64::INFINITY),
            },
            "regex_matches" | "regexMatches" => Test::Pattern {
                pattern: pattern(json, kind)?,
                wanted: true,
            },
            "regex_no_matches" | "regexNoMatches" => Test::Pattern {
                pattern: pattern(json, kind)?,
                wanted: false,
            },
            "if_then" | "ifThen" => Test::IfThen {
                condition: self.expr(field(json, kind, "if")?, looped("if"))?,
                then: self.expr(field(json, kind, "then")?, looped("then"))?,
            },
            "startswith" | "startsWith" => {
                let prefixes = json
                    .get("prefix")
                    .or(json.get("start"))
                    .ok_or_else(|| lacks(kind, "prefix"))?;
                if prefixes
                    .text()
                    .or(prefixes.list().first().and_then(Json::text))
                    == Some("ORG-ID-PREFIX")
                {
                    Test::StartsWithAgency
                } else {
                    let separator = json
                        .get("separator")
                        .and_then(Json::text)
                        .unwrap_or_default()
                        .to_owned();
                    Test::StartsWith {
                        prefixes: self.exprs(Some(prefixes), looped("prefix"))?,
                        separator,
                    }
                }
            }
            "one_or_all" | "oneOrAll" => Test::OneOrAll {
                one: self.expr(field(json, kind, "one")?, looped("one"))?,
                all: match field(json, kind, "all")? {
                    "lang" => All::Languages,
                    "sector" => All::Sectors,
                    "currency" => All::Currencies,
                    "recipient-country|recipient-region" => All::Places,
                    other => return Err(RulesetError::Path(other.to_owned())),
                },
            },
            other => return Err(RulesetError::Kind(other.to_owned())),
        })
    }

    fn expr(&mut self, text: &str, in_loop: bool) -> Result<Expr, RulesetError> {
        parse(text, in_loop, &mut self.names).ok_or_else(|| RulesetError::Path(text.to_owned()))
    }

    /// The expressions of a list, or of a single text.
    fn exprs(&mut self, json: Option<&Json>, in_loop: bool) -> Result<Vec<Expr>, RulesetError> {
        let Some(json) = json else {
            return Ok(Vec::new());
        };
        json.text()
            .into_iter()
            .chain(json.list().iter().filter_map(Json::text))
            .map(|text| self.expr(text, in_loop))
            .collect()
    }

    /// Puts cases where their context ends, or as far above as their paths climb.
    fn place(&mut self, steps: &[ContextStep], up: usize, cases: &[Case]) {
        let climb = up + cases.iter().map(super::want::climb).max().unwrap_or(0);
        let climb = climb.min(steps.len().saturating_sub(1));
        let (above, below) = steps
            .split_at_checked(steps.len() - climb)
            .unwrap_or((steps, &[]));
        let mut at = 0;
        for step in above {
            at = self.step(at, step);
        }
        let way = below.iter().map(|step| Step::Child {
            name: step.name,
            predicates: step.predicates.clone(),
        });
        let way = way.chain(std::iter::repeat_n(Step::Parent, up)).collect();
        let way = Expr::Path(Path::new(if below.is_empty() {
            vec![Step::This]
        } else {
            way
        }));
        let next = self.anchors.len();
        let anchor = self.steps.get_mut(at).map_or(0, |step| {
            usize::from(
                *step
                    .anchor
                    .get_or_insert(u16::try_from(next).unwrap_or(u16::MAX)),
            )
        });
        if anchor == next {
            self.anchors.push(Anchor::default());
        }
        let Some(anchor) = self.anchors.get_mut(anchor) else {
            return;
        };
        let from = anchor.wants.expr(&way, 0, Use::Exists);
        for case in cases {
            anchor.wants.case(case, from);
            anchor.counts_lacking |= matches!(case.test, Test::OneOrAll { .. });
        }
        anchor.groups.push(Group {
            way,
            cases: cases.to_vec(),
        });
    }

    fn step(&mut self, above: usize, step: &ContextStep) -> usize {
        let children = self
            .steps
            .get(above)
            .map(|node| node.children.clone())
            .unwrap_or_default();
        let known = children.into_iter().map(usize::from).find(|child| {
            self.steps.get(*child).is_some_and(|node| {
                node.name == step.name
                    && node.deep == step.deep
                    && node.predicates == step.predicates
            })
        });
        known.unwrap_or_else(|| {
            let next = self.steps.len();
            self.steps.push(StepNode {
                name: step.name,
                deep: step.deep,
                predicates: step.predicates.clone(),
                ..StepNode::default()
            });
            if let (Some(node), Ok(short)) = (self.steps.get_mut(above), u16::try_from(next)) {
                node.children.push(short);
                node.has_deep_child |= step.deep;
                node.child_names.add(step.name);
            }
            next
        })
    }
}

fn field<'j>(json: &'j Json, kind: &str, name: &'static str) -> Result<&'j str, RulesetError> {
    json.get(name)
        .and_then(Json::text)
        .ok_or_else(|| lacks(kind, name))
}

fn lacks(kind: &str, field: &'static str) -> RulesetError {
    RulesetError::Lacks {
        kind: kind.to_owned(),
        field,
    }
}

fn pattern(json: &Json, kind: &str) -> Result<Pattern, RulesetError> {
    let text = field(json, kind, "regex")?;
    Pattern::parse(text).ok_or_else(|| RulesetError::Regex(text.to_owned()))
}
