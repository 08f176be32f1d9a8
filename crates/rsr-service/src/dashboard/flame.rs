//! The heap by call stack: a flame graph that can be clicked through, and the places that hold most.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use rsr_monitoring::{Frame, NamedProfile};

use super::page::Page;
use super::text::{Count, Size, Text, percent};
use super::{Desk, respond};
use crate::app::App;
use crate::problem::Problem;
use crate::routes::table::{Operation, Route};

/// Naming takes a second of a process: within this time everybody sees the same picture.
const KEPT_FOR: Duration = Duration::from_secs(20);
const WIDTH: u64 = 1_200;
const ROW: u64 = 22;
/// Narrower boxes than this part of the whole are left out: no one could see them.
const PART_MIN: u64 = 1_000;
/// Boxes and rows of one picture.
const BOXES_MAX: usize = 1_500;
const DEPTH_MAX: usize = 60;
/// Places of the table.
const PLACES_MAX: usize = 8;
/// The last picture, which all readers of a while share.
#[derive(Debug, Default)]
pub(crate) struct Drawn {
    last: Mutex<Option<(Duration, Arc<str>)>>,
}

pub(super) fn route() -> Route {
    Route {
        operation: Operation::get(
            "/dashboard/flame/",
            "dashboard_flame",
            "The heap by call stack, as a page",
        )
        .heavy()
        .answers(200, "text/html"),
        handler: get(show),
    }
}

async fn show(
    State(app): State<App>,
    Extension(desk): Extension<Desk>,
) -> Result<Response, Problem> {
    let work = app.clone();
    let main = app.bridge.run(move || Ok(drawn(&work))).await?;
    Ok(respond(&Page {
        title: "Heap by call stack - rsr",
        desk,
        refreshes: false,
        main: &format!(
            "<section class=\"card full\"><h1>Heap by call stack</h1><div data-part>{main}</div></section>\n"
        ),
    }))
}

/// The picture, drawn anew where the last one is old. One thread draws, the others wait for it.
fn drawn(app: &App) -> Arc<str> {
    let mut last = app
        .flame
        .last
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let now = app.clock.elapsed();
    if let Some((at, picture)) = &*last
        && now.saturating_sub(*at) < KEPT_FOR
    {
        return Arc::clone(picture);
    }
    let mut text = String::new();
    write(&mut text, app).expect("a String takes whatever is written to it");
    let picture: Arc<str> = text.into();
    *last = Some((now, Arc::clone(&picture)));
    picture
}

fn write(page: &mut String, app: &App) -> fmt::Result {
    let Some(dump) = app.findings.live() else {
        page.push_str("<p class=\"empty\">Call stacks are not watched: <code>leaks.call_sites</code> is off, or this allocator does not sample.</p>\n");
        return Ok(());
    };
    let profile = match app.findings.namer().name(&dump) {
        Ok(profile) => profile,
        Err(error) => {
            tracing::warn!(%error, "the heap could not be drawn");
            page.push_str(
                "<p class=\"empty\">The call stacks have no names now: see the log.</p>\n",
            );
            return Ok(());
        }
    };
    if profile.stacks().is_empty() {
        page.push_str("<p class=\"empty\">No sample lives: what is held now was allocated before the watch began, or is too little to be sampled.</p>\n");
        return Ok(());
    }
    picture(page, &Node::of(&profile))?;
    places(page, &profile)
}

/// Bytes below one function, and what it called.
#[derive(Debug, Default)]
struct Node {
    bytes: u64,
    callees: BTreeMap<Name, Self>,
}

/// What a box stands for: a function of the program's own, or a run of functions of another crate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Own(String),
    Foreign(String),
}

impl Name {
    fn text(&self) -> &str {
        let (Self::Own(text) | Self::Foreign(text)) = self;
        text
    }
}

impl Node {
    fn of(profile: &NamedProfile) -> Self {
        let mut root = Self::default();
        for stack in profile.stacks() {
            root.bytes = root.bytes.saturating_add(stack.bytes);
            let mut at = &mut root;
            let mut before = None;
            for frame in stack.frames.iter().rev() {
                let name = match foreign(frame) {
                    Some(home) => Name::Foreign(home.to_owned()),
                    None => Name::Own(frame.function.clone()),
                };
                if matches!(name, Name::Foreign(_)) && before.as_ref() == Some(&name) {
                    continue;
                }
                at = at.callees.entry(name.clone()).or_default();
                at.bytes = at.bytes.saturating_add(stack.bytes);
                before = Some(name);
            }
        }
        root
    }

    /// What it called, the largest first, names deciding between equals.
    fn sorted(&self) -> Vec<(&Name, &Self)> {
        let mut callees: Vec<_> = self.callees.iter().collect();
        callees.sort_by_key(|(_, node)| std::cmp::Reverse(node.bytes));
        callees
    }
}

/// The crate that a function is of, where it is none of the program's own; its file tells.
fn foreign(frame: &Frame) -> Option<&str> {
    let file = frame.file.as_str();
    if let Some((_, inside)) = file.split_once("/registry/src/") {
        let folder = inside.split('/').nth(1)?;
        return Some(
            folder
                .rsplit_once('-')
                .map_or(folder, |(name, _version)| name),
        );
    }
    if file.starts_with("/rustc/") || file.contains("/rustlib/src/") {
        return Some("std");
    }
    if file.contains("jemalloc") || frame.function.contains("_rjem_") {
        return Some("jemalloc");
    }
    (file.is_empty() || frame.function.starts_with("0x")).then_some("system")
}

fn picture(page: &mut String, root: &Node) -> fmt::Result {
    let mut boxes = Vec::new();
    let everything = Name::Foreign("everything".to_owned());
    let mut waiting: Vec<(usize, u64, &Name, &Node)> = vec![(0, 0, &everything, root)];
    while let Some((depth, left, name, node)) = waiting.pop() {
        let is_seen = node.bytes.saturating_mul(PART_MIN) >= root.bytes;
        if !is_seen || depth >= DEPTH_MAX || boxes.len() == BOXES_MAX {
            continue;
        }
        boxes.push((depth, left, name, node.bytes));
        let mut at = left;
        for (name, callee) in node.sorted() {
            waiting.push((depth + 1, at, name, callee));
            at = at.saturating_add(callee.bytes);
        }
    }
    boxes.sort_by_key(|(depth, left, _, _)| (*depth, *left));
    let rows = boxes.last().map_or(0, |(depth, ..)| depth + 1) as u64;
    writeln!(
        page,
        "<p class=\"soft\">{} in samples that live. A box is as wide as what it and all it called hold; click one, or move with the arrow keys and press Enter, to see it alone; Escape shows everything.</p>\n\
         <p id=\"flame-at\" class=\"site\" role=\"status\">everything: {}</p>\n\
         <svg class=\"flame\" viewBox=\"0 0 {WIDTH} {}\" role=\"group\" aria-label=\"Flame graph of the heap\" data-total=\"{}\">",
        Size(root.bytes),
        Size(root.bytes),
        rows * ROW,
        root.bytes
    )?;
    let scale = |bytes: u64| u128::from(bytes) * u128::from(WIDTH) / u128::from(root.bytes.max(1));
    for (nth, (depth, left, name, bytes)) in boxes.iter().enumerate() {
        let (x, width) = (scale(*left), scale(*bytes).max(1));
        let y = *depth as u64 * ROW;
        let tab = if nth == 0 { 0 } else { -1 };
        let label = format!(
            "{}: {}, {}",
            name.text(),
            Size(*bytes),
            percent(*bytes, root.bytes)
        );
        let shown = fit(short(name.text()), width);
        write!(
            page,
            "<g role=\"button\" tabindex=\"{tab}\" aria-label=\"{}\" data-d=\"{depth}\" data-x=\"{left}\" data-w=\"{bytes}\" data-n=\"{}\">\
             <title>{}</title><rect class=\"{}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{}\"/><text x=\"{}\" y=\"{}\">{}</text></g>",
            Text(&spoken(&shown, &label)),
            Text(short(name.text())),
            Text(&label),
            shade(name),
            ROW - 1,
            x + 4,
            y + 15,
            Text(&shown)
        )?;
        page.push('\n');
    }
    page.push_str("</svg>\n");
    Ok(())
}

/// A function without the path of its crate, which its colour tells.
fn short(name: &str) -> &str {
    let plain = name.trim_end_matches("::{closure#0}");
    let from = plain
        .rmatch_indices("::")
        .nth(1)
        .map_or(0, |(at, _)| at + 2);
    if plain.contains(['<', ' ']) {
        return plain;
    }
    plain.get(from..).unwrap_or(plain)
}

/// As much of a name as a box has room for, at about seven pixels a letter.
fn fit(name: &str, width: u128) -> String {
    let room = usize::try_from(width / 7).unwrap_or(0);
    if name.chars().count() <= room {
        return name.to_owned();
    }
    if room < 4 {
        return String::new();
    }
    name.chars().take(room - 1).chain(['…']).collect()
}

/// The name of a box for those who hear it or speak to it: what it shows has to be in it, letter for letter, though it is cut.
fn spoken(shown: &str, label: &str) -> String {
    if label.contains(shown) {
        label.to_owned()
    } else {
        format!("{shown} {label}")
    }
}

/// One of six colours, which a crate keeps from picture to picture; the program's own share the first.
fn shade(name: &Name) -> &'static str {
    const SHADES: [&str; 5] = ["s1", "s2", "s3", "s4", "s5"];
    let Name::Foreign(home) = name else {
        return "s0";
    };
    let hash = home.bytes().fold(7_usize, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(usize::from(byte))
    });
    SHADES[hash % SHADES.len()]
}

/// The call sites that hold most.
fn places(page: &mut String, profile: &NamedProfile) -> fmt::Result {
    let mut places: BTreeMap<(&str, &str, u32), (u64, u64)> = BTreeMap::new();
    let mut total: u64 = 0;
    for stack in profile.stacks() {
        total = total.saturating_add(stack.bytes);
        if let Some(site) = stack.call_site() {
            let place = (site.function.as_str(), site.file.as_str(), site.line);
            let held = places.entry(place).or_default();
            held.0 = held.0.saturating_add(stack.bytes);
            held.1 = held.1.saturating_add(stack.count);
        }
    }
    let mut places: Vec<_> = places.into_iter().collect();
    places.sort_by_key(|(_, (bytes, _))| std::cmp::Reverse(*bytes));
    page.push_str("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Call sites, scrolls sideways\"><table><thead><tr><th scope=\"col\">Call site</th><th scope=\"col\">Holds</th><th scope=\"col\">Share</th><th scope=\"col\">Allocations</th></tr></thead>\n<tbody>\n");
    for ((function, file, line), (bytes, count)) in places.into_iter().take(PLACES_MAX) {
        let file = file.rsplit_once("/crates/").map_or(file, |(_, file)| file);
        writeln!(
            page,
            "<tr><th scope=\"row\"><code>{}</code> <span class=\"soft\">{}:{line}</span></th><td>{}</td><td>{}</td><td>{}</td></tr>",
            Text(function),
            Text(file),
            Size(bytes),
            percent(bytes, total),
            Count(count)
        )?;
    }
    page.push_str("</tbody></table></div>\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use rsr_monitoring::NamedStack;

    use super::*;

    fn frame(function: &str) -> Frame {
        let file = match function.split("::").next() {
            Some("tokio") => "/home/x/.cargo/registry/src/index/tokio-1.54.1/src/a.rs",
            Some("std") => "/rustc/abc/library/std/src/rt.rs",
            _ => "/x/crates/rsr-service/src/a.rs",
        };
        Frame {
            function: function.to_owned(),
            file: file.to_owned(),
            line: 7,
        }
    }

    fn profile() -> NamedProfile {
        let stack = |bytes, functions: &[&str]| NamedStack {
            frames: functions.iter().map(|function| frame(function)).collect(),
            bytes,
            count: 1,
        };
        NamedProfile::new(
            1,
            vec![
                stack(600, &["rsr_service::keep::<u8>", "tokio::b", "tokio::a"]),
                stack(400, &["rsr_store::read", "tokio::c", "std::rt::<x>"]),
            ],
        )
    }

    #[test]
    fn runs_of_one_foreign_crate_are_one_box() {
        let root = Node::of(&profile());
        assert_eq!(root.bytes, 1_000);
        let [std, tokio] = ["std", "tokio"].map(|name| Name::Foreign(name.to_owned()));
        assert!(root.callees.keys().eq([&std, &tokio]));
        let keep = Name::Own("rsr_service::keep::<u8>".to_owned());
        assert_eq!(root.callees[&tokio].callees[&keep].bytes, 600);
    }

    #[test]
    fn boxes_are_as_wide_as_what_they_hold_and_names_are_text() {
        let mut page = String::new();
        picture(&mut page, &Node::of(&profile())).unwrap();
        assert!(page.contains("keep::&lt;u8&gt;: 600 B, 60 %"), "{page}");
        assert!(page.contains("x=\"720\" y=\"22\" width=\"480\""), "{page}");
        assert!(!page.contains("<u8>"));
        let mut table = String::new();
        places(&mut table, &profile()).unwrap();
        assert!(table.contains("rsr-service/src/a.rs:7"), "{table}");
    }

    #[test]
    fn what_a_box_shows_is_in_its_name() {
        assert_eq!(spoken("b::grow", "a::b::grow: 1 B"), "a::b::grow: 1 B");
        assert_eq!(
            spoken("b::gr…", "a::b::grow: 1 B"),
            "b::gr… a::b::grow: 1 B"
        );
    }

    #[test]
    fn a_deep_heap_is_cut() {
        let deep = NamedStack {
            frames: (0..500).map(|nth| frame(&format!("rsr::f{nth}"))).collect(),
            bytes: 1,
            count: 1,
        };
        let mut page = String::new();
        picture(&mut page, &Node::of(&NamedProfile::new(1, vec![deep]))).unwrap();
        assert_eq!(page.matches("<g ").count(), DEPTH_MAX);
    }
}
