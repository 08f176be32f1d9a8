//! The frame that every page stands in, and the first page's layout.

use std::fmt::{self, Write};

use super::sections::Section;
use super::{Desk, desk};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Three projects below one: the mark of the page, and its icon.
const MARK: &str = "<svg class=\"mark\" viewBox=\"0 0 32 32\" aria-hidden=\"true\"><path d=\"M16 9v6M16 15H6v6M16 15v6M16 15h10v6\"/><circle cx=\"16\" cy=\"6\" r=\"4\"/><circle cx=\"6\" cy=\"25\" r=\"4\"/><circle cx=\"16\" cy=\"25\" r=\"4\"/><circle cx=\"26\" cy=\"25\" r=\"4\"/></svg>";
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Cpath d='M16 9v6M16 15H6v6M16 15v6M16 15h10v6' stroke='%230f766e' stroke-width='2' fill='none'/%3E%3Cg fill='%230f766e'%3E%3Ccircle cx='16' cy='6' r='4'/%3E%3Ccircle cx='6' cy='25' r='4'/%3E%3Ccircle cx='16' cy='25' r='4'/%3E%3Ccircle cx='26' cy='25' r='4'/%3E%3C/g%3E%3C/svg%3E";

/// One page.
#[derive(Debug)]
pub(super) struct Page<'a> {
    /// Plain text, already safe.
    pub(super) title: &'a str,
    pub(super) desk: Desk,
    /// Whether it comes again by itself where no script keeps it fresh.
    pub(super) refreshes: bool,
    /// What is between head and foot.
    pub(super) main: &'a str,
}

impl Page<'_> {
    pub(super) fn write(&self, nonce: &str) -> String {
        let refresh = if self.refreshes {
            "<noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript>\n"
        } else {
            ""
        };
        // What does not change says nothing of it; without a script the rest is loaded anew.
        let still = if self.refreshes { "every 30 s" } else { "" };
        let tabs = [
            ("/#memory", "Memory"),
            ("/#leaks", "Leaks"),
            ("/#heap", "Heap"),
            ("/#caches", "Caches"),
            ("/#queue", "Queue"),
            ("/#projects", "Projects"),
        ];
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{}</title>\n<link rel=\"icon\" href=\"{ICON}\">\n{refresh}\
             <style nonce=\"{nonce}\">{STYLE}</style>\n</head>\n<body>\n\
             <a class=\"skip\" href=\"#main\">To the figures</a>\n\
             <header><a class=\"home\" href=\"/\">{MARK}<span>rsr</span></a><nav aria-label=\"Sections\">",
            self.title
        );
        for (target, name) in tabs {
            write_or_die(&mut page, format_args!("<a href=\"{target}\">{name}</a>"));
        }
        write_or_die(
            &mut page,
            format_args!(
                "</nav><p id=\"live\" role=\"status\"><span class=\"still\">{still}</span></p></header>\n<main id=\"main\">\n"
            ),
        );
        page.push_str(self.main);
        page.push_str("</main>\n");
        if self.desk == Desk::Buttons {
            page.push_str(desk::DIALOG);
        }
        write_or_die(
            &mut page,
            format_args!(
                "<footer><span>rsr {}</span> <a href=\"/metrics/\">metrics</a> <a href=\"/health/memory\">health</a> <a href=\"/api/openapi.json\">API</a></footer>\n\
                 <script nonce=\"{nonce}\">{SCRIPT}</script>\n</body>\n</html>\n",
                env!("CARGO_PKG_VERSION")
            ),
        );
        page
    }
}

fn write_or_die(page: &mut String, text: fmt::Arguments<'_>) {
    page.write_fmt(text)
        .expect("a String takes whatever is written to it");
}

/// Heading, width and what stands between heading and section, by section.
const CARDS: [(&str, &str, &str); 7] = [
    ("memory", "Memory over time", "wide"),
    ("pressure", "Pressure", "narrow"),
    ("leaks", "Leak indicators", "wide"),
    ("health", "Parts", "narrow"),
    ("caches", "Caches", "full"),
    ("deletions", "Deletions", "half"),
    ("queue", "Aggregation queue", "half"),
];

/// The first page: every section in its card, the heap and the projects among them.
pub(super) fn home(sections: &[Section], desk: Desk) -> String {
    let mut page = String::from("<h1 class=\"unseen\">rsr dashboard</h1>\n");
    let html = |id: &str| {
        sections
            .iter()
            .find(|section| section.id == id)
            .map_or("", |section| section.html.as_str())
    };
    write_or_die(
        &mut page,
        format_args!(
            "<p class=\"status\" data-live=\"status\">{}</p>\n<section data-live=\"figures\" aria-label=\"Now\">{}</section>\n",
            html("status"),
            html("figures")
        ),
    );
    page.push_str("<div class=\"cards\">\n");
    for (id, heading, width) in CARDS {
        if id == "caches" {
            page.push_str(HEAP);
        }
        let buttons = match desk {
            Desk::None => "",
            Desk::Buttons => desk::buttons(id),
        };
        write_or_die(
            &mut page,
            format_args!(
                "<section class=\"card {width}\" id=\"{id}\" aria-labelledby=\"{id}-h\"><h2 id=\"{id}-h\">{heading}</h2>{buttons}\n<div data-live=\"{id}\">{}</div></section>\n",
                html(id)
            ),
        );
    }
    write_or_die(
        &mut page,
        format_args!(
            "<section class=\"card full\" id=\"projects\" aria-labelledby=\"projects-h\"><h2 id=\"projects-h\">Projects</h2>\n{SEARCH}\
             <div data-load=\"/dashboard/projects/\"><p><a href=\"/dashboard/projects/\">All projects</a></p></div></section>\n"
        ),
    );
    if desk == Desk::Buttons {
        page.push_str("<section class=\"card full\" id=\"desk\" aria-labelledby=\"desk-h\"><h2 id=\"desk-h\">Administration</h2>\n");
        page.push_str(desk::TOKEN);
        page.push_str(desk::PROFILES);
        page.push_str("</section>\n");
    }
    page.push_str("</div>\n");
    if desk == Desk::None {
        page.push_str("<p class=\"soft note\">Buttons for caches, deletions, findings and profiles are on the admin listener (<code>RSR_ADMIN_LISTEN</code>), behind its token; the <code>rsr</code> commands do the same over the admin socket.</p>\n");
    }
    page
}

const HEAP: &str = "<section class=\"card full\" id=\"heap\" aria-labelledby=\"heap-h\"><h2 id=\"heap-h\">Heap by call stack</h2>\
    <div data-load=\"/dashboard/flame/\"><p><a href=\"/dashboard/flame/\">Draw who holds memory now</a></p></div></section>\n";

/// The search, without whose script the answer is a page of its own.
pub(super) const SEARCH: &str = "<form class=\"search\" role=\"search\" action=\"/dashboard/projects/\" method=\"get\">\
    <label for=\"q\">Projects whose title contains</label><input id=\"q\" name=\"search\" type=\"search\" maxlength=\"200\" autocomplete=\"off\"><button>Search</button></form>\n";
