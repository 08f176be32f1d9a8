//! A flame graph.

use std::fmt::Write;

use super::named::NamedProfile;
use super::report::{Node, size};

const WIDTH: f64 = 1200.0;
const ROW: f64 = 17.0;
const TOP: f64 = 30.0;

/// Narrower boxes are left out: no one could see them.
const BOX_MIN: f64 = 0.5;

/// Deeper rows are left out; jemalloc keeps 128 frames, each of which may hold inlined ones.
const DEPTH_MAX: usize = 256;

/// Width of a letter, about.
const LETTER: f64 = 6.6;

impl NamedProfile {
    /// A flame graph as SVG: the outermost functions at the bottom, as wide as what they hold, with their figures where
    /// the pointer rests. Needs no script and nothing from elsewhere.
    #[must_use]
    pub fn to_svg(&self, title: &str) -> String {
        let root = Node::of(self);
        let mut boxes = Vec::new();
        let scale = WIDTH / float(root.bytes.max(1));
        let mut waiting = vec![(0, 0.0, "all", &root)];
        while let Some((depth, left, name, node)) = waiting.pop() {
            let width = float(node.bytes) * scale;
            if width < BOX_MIN || depth >= DEPTH_MAX {
                continue;
            }
            boxes.push((depth, left, width, name, node.bytes));
            let mut at = left;
            for (name, callee) in node.sorted() {
                waiting.push((depth + 1, at, name, callee));
                at += float(callee.bytes) * scale;
            }
        }
        let rows = boxes.iter().map(|found| found.0).max().unwrap_or(0) + 1;
        let height = TOP + ROW * float(rows as u64) + 10.0;
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"100%\" \
             font-family=\"monospace\" font-size=\"11\" role=\"img\">\n\
             <title>{}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
             <text x=\"6\" y=\"19\" font-size=\"14\">{}, {}</text>\n",
            escape(title),
            escape(title),
            size(root.bytes),
        );
        for (depth, left, width, name, bytes) in boxes {
            let y = height - 10.0 - ROW * float(depth as u64 + 1);
            let label = format!("{name}: {} ({:.1}%)", size(bytes), self.percent(bytes));
            write!(
                out,
                "<g><title>{}</title><rect x=\"{left:.1}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"16\" \
                 fill=\"{}\" rx=\"2\" stroke=\"#fff\" stroke-width=\"0.5\"/>",
                escape(&label),
                colour(name),
            )
            .expect("a string takes all text");
            if let Some(text) = fit(name, width) {
                write!(
                    out,
                    "<text x=\"{:.1}\" y=\"{:.0}\">{}</text>",
                    left + 3.0,
                    y + 12.0,
                    escape(&text)
                )
                .expect("a string takes all text");
            }
            out.push_str("</g>\n");
        }
        out.push_str("</svg>\n");
        out
    }
}

#[expect(clippy::cast_precision_loss, reason = "pixels on a screen")]
fn float(number: u64) -> f64 {
    number as f64
}

/// As much of the name's end, which tells most, as the box has room for.
fn fit(name: &str, width: f64) -> Option<String> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few hundred letters"
    )]
    let room = ((width - 6.0) / LETTER).max(0.0) as usize;
    let letters = name.chars().count();
    if letters <= room {
        return Some(name.to_owned());
    }
    (room >= 4).then(|| {
        let end: String = name.chars().skip(letters - room + 1).collect();
        format!("…{end}")
    })
}

/// A warm colour that a name keeps from graph to graph.
fn colour(name: &str) -> String {
    let hash = name.bytes().fold(2_166_136_261_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(16_777_619)
    });
    let (hue, light) = (hash % 45 + 10, hash / 45 % 14 + 62);
    format!("hsl({hue},85%,{light}%)")
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
