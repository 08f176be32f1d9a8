//! Elements of 1.0x, turned into those of 2.03.
//!
//! An element is read raw, changed here, and then read like any other. Elements that are 2.0x already pass unchanged, so a
//! file that names no version and is a newer one comes through whole.
//!
//! **Source:** the schemas 1.01 to 2.01 and the codelists named at each table; version 2.01 of the standard moved texts
//! into `narrative` and turned words into numbers.

use std::io::Read;

use crate::finding::{Finding, Findings, Severity};
use crate::model::{
    ActivityElement, ActivityHead, Date, Description, ElementKind, FragmentError, Input,
    OrganisationElement, OrganisationElementKind, Pull, RawAttribute, RawElement, RawNode, Stop,
    TextBlock, write_raw,
};
use crate::reader::Version;
use crate::xml::{Position, Reader, XML_NAMESPACE};

/// Elements whose text became a `narrative`.
const WITH_NARRATIVE: &[&str] = &[
    "title",
    "description",
    "reporting-org",
    "participating-org",
    "recipient-country",
    "recipient-region",
    "sector",
    "policy-marker",
    "activity-date",
    "organisation",
    "department",
    "person-name",
    "job-title",
    "mailing-address",
    "name",
    "activity-description",
    "owner-org",
    "provider-org",
    "receiver-org",
    "recipient-org",
    "condition",
    "comment",
    "tag",
    "humanitarian-scope",
];

/// Elements whose text stayed where it was.
const WITH_TEXT: &[&str] = &[
    "iati-identifier",
    "organisation-identifier",
    "narrative",
    "telephone",
    "email",
    "website",
    "value",
    "forecast",
    "pos",
    "interest-received",
    "principal-outstanding",
    "principal-arrears",
    "interest-arrears",
    "channel-code",
];

/// Elements that stood once for each language and now stand once.
const ONCE: &[&str] = &[
    "title",
    "description",
    "comment",
    "name",
    "activity-description",
    "organisation",
    "department",
    "person-name",
    "job-title",
];

/// Elements with a day, which some files of 1.0x give as text alone.
const WITH_DATE: &[&str] = &[
    "activity-date",
    "transaction-date",
    "period-start",
    "period-end",
    "commitment-date",
    "repayment-first-date",
    "repayment-final-date",
];

/// Element, attribute, the word of 1.0x, the code of 2.03.
///
/// **Source:** codelists ActivityDateType, OrganisationRole, TransactionType, BudgetType of 1.05 and 2.01; Vocabulary of
/// 1.05 against SectorVocabulary, PolicyMarkerVocabulary and RegionVocabulary; GazetteerAgency against
/// GeographicVocabulary. `ISO` and `WB` of Vocabulary have no successor.
const CODES: &[(&str, &str, &str, &str)] = &[
    ("activity-date", "type", "start-planned", "1"),
    ("activity-date", "type", "start-actual", "2"),
    ("activity-date", "type", "end-planned", "3"),
    ("activity-date", "type", "end-actual", "4"),
    ("participating-org", "role", "funding", "1"),
    ("participating-org", "role", "accountable", "2"),
    ("participating-org", "role", "extending", "3"),
    ("participating-org", "role", "implementing", "4"),
    ("transaction-type", "code", "if", "1"),
    ("transaction-type", "code", "c", "2"),
    ("transaction-type", "code", "d", "3"),
    ("transaction-type", "code", "e", "4"),
    ("transaction-type", "code", "ir", "5"),
    ("transaction-type", "code", "lr", "6"),
    ("transaction-type", "code", "r", "7"),
    ("transaction-type", "code", "qp", "8"),
    ("transaction-type", "code", "qs", "9"),
    ("transaction-type", "code", "cg", "10"),
    ("budget", "type", "original", "1"),
    ("budget", "type", "revised", "2"),
    ("sector", "vocabulary", "dac", "1"),
    ("sector", "vocabulary", "dac-3", "2"),
    ("sector", "vocabulary", "cofog", "3"),
    ("sector", "vocabulary", "nace", "4"),
    ("sector", "vocabulary", "ntee", "5"),
    ("sector", "vocabulary", "adt", "6"),
    ("sector", "vocabulary", "ro2", "98"),
    ("sector", "vocabulary", "ro", "99"),
    ("policy-marker", "vocabulary", "dac", "1"),
    ("policy-marker", "vocabulary", "ro", "99"),
    ("recipient-region", "vocabulary", "dac", "1"),
    ("recipient-region", "vocabulary", "un", "2"),
    ("recipient-region", "vocabulary", "ro", "99"),
    ("location-id", "vocabulary", "1", "G1"),
    ("location-id", "vocabulary", "geo", "G1"),
    ("location-id", "vocabulary", "3", "G2"),
    ("location-id", "vocabulary", "osm", "G2"),
];

/// The state of the upgrade of one activity.
#[derive(Debug, Default)]
pub(super) struct Upgrade {
    is_needed: bool,
    title: Option<(TextBlock, Position)>,
    descriptions: Vec<(Description, Position)>,
}

impl Upgrade {
    pub(super) fn from(version: Version) -> Self {
        Self {
            is_needed: version.is_old(),
            ..Self::default()
        }
    }

    pub(super) fn is_needed(&self) -> bool {
        self.is_needed
    }

    /// Takes in the attributes of `iati-activity`, but for the version it had in 1.0x.
    pub(super) fn head(&self, pull: &mut Pull<'_, '_>, head: &mut ActivityHead) {
        pull.attributes_but("version", head);
    }

    /// Reads the element whose start tag is at hand. `None`: it comes at the end, with its other languages.
    pub(super) fn element(
        &mut self,
        pull: &mut Pull<'_, '_>,
    ) -> Result<Option<ActivityElement>, Stop> {
        let position = pull.xml.position();
        let raw = pull.raw()?;
        if raw.namespace.is_none() && ElementKind::of_name(&raw.name).is_none() {
            without_equivalent(pull, &raw);
            return Ok(Some(ActivityElement::Unknown(raw)));
        }
        let element = changed(pull, raw, position, ActivityElement::from_xml_with)?;
        Ok(match element {
            ActivityElement::Title(title) => {
                match &mut self.title {
                    Some((known, _)) => known.narratives.extend(title.narratives),
                    None => self.title = Some((title, position)),
                }
                None
            }
            ActivityElement::Description(description) => {
                match self
                    .descriptions
                    .iter_mut()
                    .find(|(known, _)| known.kind == description.kind)
                {
                    Some((known, _)) => known.narratives.extend(description.narratives),
                    None => self.descriptions.push((description, position)),
                }
                None
            }
            other => Some(other),
        })
    }

    /// What was held back, one at a time.
    pub(super) fn next_held(&mut self) -> Option<(ActivityElement, Position)> {
        if let Some((title, position)) = self.title.take() {
            return Some((ActivityElement::Title(title), position));
        }
        if self.descriptions.is_empty() {
            return None;
        }
        let (description, position) = self.descriptions.remove(0);
        Some((ActivityElement::Description(description), position))
    }
}

/// Reads a child of an organisation. Its identifier had the name that those of activities have.
pub(super) fn organisation_element(pull: &mut Pull<'_, '_>) -> Result<OrganisationElement, Stop> {
    let position = pull.xml.position();
    let mut raw = pull.raw()?;
    if raw.namespace.is_none() {
        if raw.name == "iati-identifier" {
            raw.name = OrganisationElementKind::Identifier.name().to_owned();
        }
        if OrganisationElementKind::of_name(&raw.name).is_none() {
            without_equivalent(pull, &raw);
            return Ok(OrganisationElement::Unknown(raw));
        }
    }
    changed(pull, raw, position, OrganisationElement::from_xml_with)
}

fn without_equivalent(pull: &mut Pull<'_, '_>, raw: &RawElement) {
    let message = format!(
        "<{}> has no equivalent in 2.03; it is kept and not exported",
        raw.name
    );
    pull.find(Severity::Warning, "no-equivalent", &message);
}

/// Changes the element whose end tag is at hand, and reads it like any other.
fn changed<E>(
    pull: &mut Pull<'_, '_>,
    mut raw: RawElement,
    position: Position,
    read: impl FnOnce(&str, &mut Findings) -> Result<E, FragmentError>,
) -> Result<E, Stop> {
    let mut changes = Changes {
        xml: pull.xml,
        findings: pull.findings,
    };
    changes.element(&mut raw);
    let base = (parent_path(pull.xml), position);
    let outer = pull.findings.base.replace(base);
    let changed = write_raw(&raw);
    drop(raw);
    let element = read(&changed, pull.findings);
    pull.findings.base = outer;
    element.map_err(|error| match error {
        FragmentError::Xml(error) => Stop::Fatal(error),
        FragmentError::TooLarge(finding) => Stop::Skip(finding),
    })
}

fn parent_path<R: Read>(xml: &Reader<R>) -> String {
    let path = xml.path();
    path.rsplit_once('/')
        .map_or_else(String::new, |(parent, _)| parent.to_owned())
}

/// Changes one raw element and says what it did.
struct Changes<'a, 'r> {
    xml: &'a Reader<Input<'r>>,
    findings: &'a mut Findings,
}

impl Changes<'_, '_> {
    fn find(&mut self, severity: Severity, code: &'static str, message: &str) {
        let finding: Finding = self.findings.make(self.xml, severity, code, message);
        self.findings.push(finding);
    }

    fn no_equivalent(&mut self, what: &str) {
        self.find(
            Severity::Warning,
            "no-equivalent",
            &format!("{what} has no equivalent in 2.03; it is dropped"),
        );
    }

    fn element(&mut self, raw: &mut RawElement) {
        if raw.namespace.is_some() {
            return;
        }
        match raw.name.as_str() {
            "location" => self.location(raw),
            "other-identifier" => self.other_identifier(raw),
            "document-link" => document_link(raw),
            "crs-add" => {
                for child in elements_mut(raw).filter(|child| child.name == "aidtype-flag") {
                    child.name = "other-flags".to_owned();
                }
            }
            _ => {}
        }
        if raw.name == "planned-disbursement" && take_attribute(raw, "updated").is_some() {
            self.no_equivalent("planned-disbursement/@updated");
        }
        self.codes(raw);
        self.text(raw);
        for child in elements_mut(raw) {
            self.element(child);
        }
        bring_languages_together(raw);
    }

    fn codes(&mut self, raw: &mut RawElement) {
        for &(element, attribute, old, new) in CODES {
            if element == raw.name
                && let Some(value) = attribute_mut(raw, attribute)
                && value.trim().eq_ignore_ascii_case(old)
            {
                new.clone_into(value);
                return;
            }
        }
        let is_word = |value: &str| !value.is_empty() && !value.bytes().all(|b| b.is_ascii_digit());
        let coded = CODES
            .iter()
            .find(|(element, ..)| *element == raw.name)
            .map(|&(_, attribute, ..)| attribute);
        // Vocabularies of locations are letters in 2.03 too.
        if let Some(attribute) = coded.filter(|_| raw.name != "location-id")
            && let Some(value) = raw.attribute(attribute)
            && is_word(value.trim())
        {
            let message = format!(
                "{}/@{attribute} {value:?} has no equivalent in 2.03; it is kept as written",
                raw.name
            );
            self.find(Severity::Warning, "no-equivalent", &message);
        }
    }

    /// Moves the text to where 2.03 has it.
    fn text(&mut self, raw: &mut RawElement) {
        let name = raw.name.as_str();
        if WITH_TEXT.contains(&name) {
            return;
        }
        let text = raw.text();
        raw.children
            .retain(|child| matches!(child, RawNode::Element(_)));
        if text.trim().is_empty() {
            return;
        }
        if WITH_DATE.contains(&name)
            && raw
                .attribute("iso-date")
                .is_none_or(|date| date.trim().is_empty())
        {
            let date = Date::new(text.trim());
            if date.value().is_some() {
                take_attribute(raw, "iso-date");
                raw.attributes
                    .push(plain_attribute("iso-date", date.as_str()));
                return;
            }
        }
        if !WITH_NARRATIVE.contains(&name) {
            self.find(
                Severity::Note,
                "text-dropped",
                &format!(
                    "<{name}> holds no text in 2.03; dropped: {:?}",
                    crate::model::shortened(&text)
                ),
            );
            return;
        }
        // Where a file mixes both, the narratives win.
        if raw.elements().any(|child| child.name == "narrative") {
            self.find(
                Severity::Warning,
                "stray-text",
                &format!("<{name}> has text beside its narratives; dropped"),
            );
            return;
        }
        let language = take_attribute(raw, "xml:lang").map(|value| RawAttribute {
            name: "xml:lang".to_owned(),
            namespace: Some(XML_NAMESPACE.to_owned()),
            value,
        });
        raw.children.insert(
            0,
            RawNode::Element(RawElement {
                name: "narrative".to_owned(),
                namespace: None,
                attributes: language.into_iter().collect(),
                children: vec![RawNode::Text(text)],
            }),
        );
    }

    /// Coordinates became a point, gazetteer entries location ids, types feature designations.
    fn location(&mut self, raw: &mut RawElement) {
        if take_attribute(raw, "percentage").is_some() {
            self.no_equivalent("location/@percentage");
        }
        let mut exactness = None;
        for child in elements_mut(raw) {
            match child.name.as_str() {
                "coordinates" => {
                    let (latitude, longitude) = (
                        take_attribute(child, "latitude"),
                        take_attribute(child, "longitude"),
                    );
                    match take_attribute(child, "precision").as_deref().map(str::trim) {
                        None | Some("") => {}
                        Some("1") => exactness = Some("1"),
                        Some(_) => self.no_equivalent("coordinates/@precision"),
                    }
                    let pos = [
                        latitude.as_deref().unwrap_or(""),
                        longitude.as_deref().unwrap_or(""),
                    ]
                    .map(str::trim);
                    *child = plain_element("point");
                    if pos.iter().any(|part| !part.is_empty()) {
                        // Latitude and longitude were WGS 84 in 1.0x.
                        let srs = plain_attribute(
                            "srsName",
                            "http://www.opengis.net/def/crs/EPSG/0/4326",
                        );
                        child.attributes.push(srs);
                        let mut element = plain_element("pos");
                        element.children.push(RawNode::Text(pos.join(" ")));
                        child.children.push(RawNode::Element(element));
                    }
                }
                "gazetteer-entry" => {
                    let code = child.text();
                    let vocabulary = take_attribute(child, "gazetteer-ref");
                    *child = plain_element("location-id");
                    child.attributes.push(plain_attribute("code", code.trim()));
                    child
                        .attributes
                        .extend(vocabulary.map(|value| plain_attribute("vocabulary", &value)));
                }
                "location-type" => child.name = "feature-designation".to_owned(),
                "administrative" => self.administrative(child),
                _ => {}
            }
        }
        raw.children.retain(|child| {
            !matches!(child, RawNode::Element(e)
                if matches!(e.name.as_str(), "point" | "administrative") && e.attributes.is_empty() && e.elements().count() == 0)
        });
        if let Some(code) =
            exactness.filter(|_| raw.elements().all(|child| child.name != "exactness"))
        {
            let mut element = plain_element("exactness");
            element.attributes.push(plain_attribute("code", code));
            raw.children.push(RawNode::Element(element));
        }
    }

    fn administrative(&mut self, raw: &mut RawElement) {
        if let Some(country) =
            take_attribute(raw, "country").filter(|_| raw.attribute("code").is_none())
        {
            // A4 is the vocabulary of two-letter country codes.
            raw.attributes.push(plain_attribute("code", country.trim()));
            raw.attributes.push(plain_attribute("vocabulary", "A4"));
        }
        for name in ["adm1", "adm2"] {
            if take_attribute(raw, name).is_some_and(|value| !value.trim().is_empty()) {
                self.no_equivalent(&format!("administrative/@{name}"));
            }
        }
    }

    /// The identifier was the text, the owner two attributes.
    fn other_identifier(&mut self, raw: &mut RawElement) {
        if raw.attribute("ref").is_none() {
            let text = raw.text();
            raw.children
                .retain(|child| matches!(child, RawNode::Element(_)));
            raw.attributes.push(plain_attribute("ref", text.trim()));
        }
        let reference = take_attribute(raw, "owner-ref").filter(|value| !value.trim().is_empty());
        let name = take_attribute(raw, "owner-name").filter(|value| !value.trim().is_empty());
        if reference.is_some() || name.is_some() {
            let mut owner = plain_element("owner-org");
            owner
                .attributes
                .extend(reference.map(|value| plain_attribute("ref", &value)));
            // Its text becomes a narrative like any other.
            owner.children.extend(name.map(RawNode::Text));
            raw.children.push(RawNode::Element(owner));
        }
        if raw.attribute("type").is_none() {
            let message = "an other-identifier of 1.0x has no @type, which 2.03 asks for";
            self.find(Severity::Warning, "no-equivalent", message);
        }
    }
}

/// The language of a document was an attribute in 1.01 and 1.02, and an element of 1.03 on, whose text may be the code.
fn document_link(raw: &mut RawElement) {
    let own = take_attribute(raw, "language").filter(|code| !code.trim().is_empty());
    let mut has_language = false;
    for child in elements_mut(raw).filter(|child| child.name == "language") {
        has_language = true;
        let is_there = |code: &str| !code.trim().is_empty();
        let text = child.text();
        if !child.attribute("code").is_some_and(is_there) && is_language_code(text.trim()) {
            take_attribute(child, "code");
            child.attributes.push(plain_attribute("code", text.trim()));
            child
                .children
                .retain(|child| matches!(child, RawNode::Element(_)));
        }
    }
    if let Some(code) = own.filter(|_| !has_language) {
        let mut language = plain_element("language");
        language
            .attributes
            .push(plain_attribute("code", code.trim()));
        raw.children.push(RawNode::Element(language));
    }
}

/// Two or three letters, as ISO 639 has them, and no name of a language.
fn is_language_code(text: &str) -> bool {
    (2..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Gives the first of several elements of one name all the languages.
fn bring_languages_together(raw: &mut RawElement) {
    for &name in ONCE {
        let is_it = |node: &RawNode| matches!(node, RawNode::Element(e) if e.name == name && e.namespace.is_none());
        let Some(first) = raw.children.iter().position(is_it) else {
            continue;
        };
        let mut moved = Vec::new();
        let mut at = 0;
        raw.children.retain_mut(|node| {
            let index = at;
            at += 1;
            match node {
                RawNode::Element(e) if index > first && e.name == name && e.namespace.is_none() => {
                    moved.append(&mut e.children);
                    false
                }
                _ => true,
            }
        });
        if let Some(RawNode::Element(element)) = raw.children.get_mut(first) {
            element.children.append(&mut moved);
        }
    }
}

fn elements_mut(raw: &mut RawElement) -> impl Iterator<Item = &mut RawElement> {
    raw.children.iter_mut().filter_map(|node| match node {
        RawNode::Element(element) if element.namespace.is_none() => Some(element),
        _ => None,
    })
}

fn attribute_mut<'a>(raw: &'a mut RawElement, name: &str) -> Option<&'a mut String> {
    raw.attributes
        .iter_mut()
        .find(|attribute| attribute.name == name)
        .map(|attribute| &mut attribute.value)
}

fn take_attribute(raw: &mut RawElement, name: &str) -> Option<String> {
    let at = raw
        .attributes
        .iter()
        .position(|attribute| attribute.name == name)?;
    Some(raw.attributes.remove(at).value)
}

fn plain_attribute(name: &str, value: &str) -> RawAttribute {
    RawAttribute {
        name: name.to_owned(),
        namespace: None,
        value: value.to_owned(),
    }
}

fn plain_element(name: &str) -> RawElement {
    RawElement {
        name: name.to_owned(),
        ..RawElement::default()
    }
}
