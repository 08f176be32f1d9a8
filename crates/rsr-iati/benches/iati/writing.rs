//! Writing activities of about 20 elements.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, BufReader};

use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event as XmlEvent};
use rsr_iati::model::{ActivityElement, ActivityHead};
use rsr_iati::reader::{ActivityReader, Event};
use rsr_iati::writer::{FileOptions, FileWriter, Gaps};
use rsr_testkit::Bench;

use super::Input;
use super::measure::{Peak, pairs, peak_of_child};

/// Activities that the memory of writing is measured with.
const MANY: usize = 1_000_000;

pub(super) fn run(bench: &Bench, input: &Input, rounds: usize) {
    let activities = some_activities(input, 2_000);
    let n = activities.len() as f64;
    let mut options = FileOptions::default();
    for (case, gaps) in [("write", Gaps::Write), ("write-checked", Gaps::Refuse)] {
        options.gaps = gaps;
        if bench.wants(case) {
            // Each batch is long enough to be measured.
            let [ours, peer] = pairs(
                rounds,
                || {
                    for _ in 0..5 {
                        black_box(writes(&activities, &options));
                    }
                },
                || {
                    (0..5).for_each(|_| {
                        black_box(quick_xml_writes(&activities));
                    });
                },
            );
            let rate = |seconds: f64| 5.0 * n / seconds;
            bench.more(
                case,
                "quick-xml writer",
                "activities/s",
                rate(ours),
                rate(peer),
            );
        }
    }
    if bench.wants("write-peak") {
        let many = if bench.is_quick() { MANY / 20 } else { MANY };
        let Peak(peak) = peak_of_child(&["--write", &many.to_string()], input);
        bench.less("write-peak", "the goal", "MB", peak, 8.0);
    }
}

/// Writes so many activities, in a process of its own.
pub(super) fn write_many(input: &Input, n: usize) {
    let activities = some_activities(input, 50);
    let mut file = FileWriter::new(io::sink(), &FileOptions::default());
    for (head, elements) in activities.iter().cycle().take(n) {
        let mut activity = file.activity(head);
        for element in elements {
            activity.element(element).unwrap();
        }
        activity.end().unwrap();
    }
}

type Activity = (ActivityHead, Vec<ActivityElement>);

fn writes(activities: &[Activity], options: &FileOptions) -> u64 {
    let mut file = FileWriter::new(io::sink(), options);
    for (head, elements) in activities {
        let mut activity = file.activity(head);
        for element in elements {
            activity.element(element).unwrap();
        }
        activity.end().unwrap();
    }
    file.n_bytes()
}

/// The same elements, as flat as the peer can have them: names, attributes and texts ready to be written.
fn quick_xml_writes(activities: &[Activity]) -> usize {
    let mut out = quick_xml::Writer::new(io::sink());
    let mut n = 0;
    for (_, elements) in activities {
        out.write_event(XmlEvent::Start(BytesStart::new("iati-activity")))
            .unwrap();
        for element in elements {
            n += write_with_peer(&mut out, element);
        }
        out.write_event(XmlEvent::End(BytesEnd::new("iati-activity")))
            .unwrap();
    }
    n
}

fn write_with_peer(out: &mut quick_xml::Writer<io::Sink>, element: &ActivityElement) -> usize {
    use rsr_iati::model::Narrative;
    let narratives = |out: &mut quick_xml::Writer<io::Sink>, list: &[Narrative]| {
        for narrative in list {
            let mut tag = BytesStart::new("narrative");
            if let Some(language) = &narrative.language {
                tag.push_attribute(("xml:lang", language.as_str()));
            }
            out.write_event(XmlEvent::Start(tag)).unwrap();
            out.write_event(XmlEvent::Text(BytesText::new(&narrative.text)))
                .unwrap();
            out.write_event(XmlEvent::End(BytesEnd::new("narrative")))
                .unwrap();
        }
    };
    let name = element.name();
    let mut tag = BytesStart::new(name);
    let mut attribute = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            tag.push_attribute((key, value));
        }
    };
    let list: &[Narrative] = match element {
        ActivityElement::Identifier(identifier) => {
            out.write_event(XmlEvent::Start(tag)).unwrap();
            out.write_event(XmlEvent::Text(BytesText::new(&identifier.text)))
                .unwrap();
            out.write_event(XmlEvent::End(BytesEnd::new(name))).unwrap();
            return 1;
        }
        ActivityElement::Title(title) => &title.narratives,
        ActivityElement::Description(description) => {
            attribute("type", description.kind.as_deref());
            &description.narratives
        }
        ActivityElement::ReportingOrg(org) => {
            attribute("ref", org.reference.as_deref());
            attribute("type", org.kind.as_deref());
            &org.narratives
        }
        ActivityElement::ParticipatingOrg(org) => {
            attribute("ref", org.reference.as_deref());
            attribute("type", org.kind.as_deref());
            attribute("role", org.role.as_deref());
            &org.narratives
        }
        ActivityElement::ActivityDate(date) => {
            attribute("type", date.kind.as_deref());
            attribute("iso-date", date.date.as_ref().map(|date| date.as_str()));
            &date.narratives
        }
        ActivityElement::ActivityStatus(coded) => {
            attribute("code", coded.code.as_deref());
            &[]
        }
        ActivityElement::RecipientCountry(country) => {
            attribute("code", country.code.as_deref());
            attribute(
                "percentage",
                country
                    .percentage
                    .as_ref()
                    .map(|percentage| percentage.as_str()),
            );
            &country.narratives
        }
        ActivityElement::Sector(sector) => {
            attribute("vocabulary", sector.vocabulary.as_deref());
            attribute("code", sector.code.as_deref());
            attribute(
                "percentage",
                sector
                    .percentage
                    .as_ref()
                    .map(|percentage| percentage.as_str()),
            );
            &sector.narratives
        }
        _ => return 0,
    };
    out.write_event(XmlEvent::Start(tag)).unwrap();
    narratives(out, list);
    out.write_event(XmlEvent::End(BytesEnd::new(name))).unwrap();
    1
}

/// Whether the peer can write it.
fn is_simple(element: &ActivityElement) -> bool {
    write_with_peer(&mut quick_xml::Writer::new(io::sink()), element) > 0
}

/// Activities of about 20 elements.
fn some_activities(input: &Input, n: usize) -> Vec<Activity> {
    let mut reader = ActivityReader::new(BufReader::new(File::open(&input.path).unwrap()));
    let mut all: Vec<Activity> = Vec::new();
    while let Some(event) = reader.next_event().unwrap() {
        match event {
            Event::ActivityStart(head, _) if all.len() == n => {
                drop(head);
                break;
            }
            Event::ActivityStart(head, _) => all.push((head, Vec::new())),
            Event::Element(element, _) => {
                if let Some((_, elements)) = all.last_mut()
                    && elements.len() < 20
                    && is_simple(&element)
                {
                    elements.push(element);
                }
            }
            _ => {}
        }
    }
    for (_, elements) in &mut all {
        elements.sort_by_key(ActivityElement::rank);
    }
    // All that is required, so that each of them is taken.
    all.retain(|(_, elements)| {
        let mut file = FileWriter::new(io::sink(), &FileOptions::default());
        let mut activity = file.activity(&ActivityHead::default());
        elements
            .iter()
            .all(|element| activity.element(element).is_ok())
            && activity.end().is_ok()
    });
    all
}
