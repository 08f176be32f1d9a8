//! Writes the tables as Rust.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::schema::{Content, Particle, Schema, TypePool};

/// No name: the particle is the wildcard. The same number stands in the engine.
const ANY: usize = 0xFFFF;

pub(super) fn file(schemas: &[Schema], pool: &TypePool) -> String {
    let names = Names::of(schemas, pool);
    let mut out = format!(
        "// Generated from the IATI schemas by `cargo xtask iati-tables FOLDER`; change nothing here by hand.\n\
         //! The facts of the schemas: order and number of elements, attributes, types.\n\n\
         use super::FileKind::{{Activities, Organisations}};\n\
         use super::tables::{{Attribute as A, ComplexType as T, Particle as P, Schema}};\n\
         use super::tables::Content::{{{}}};\n\
         use super::tables::SimpleType::{{{}}};\n\n",
        contents(pool),
        simple_types(schemas, pool),
    );
    // Writing to a `String` cannot fail; the results are dropped on purpose.
    let list = names
        .sorted
        .iter()
        .map(|name| format!("{name:?}"))
        .collect::<Vec<_>>();
    let _ = writeln!(
        out,
        "/// Names of elements and attributes; the tables below know them by their place here."
    );
    let _ = writeln!(out, "pub(super) static NAMES: [&str; {}] = [", list.len());
    for line in list.chunks(8) {
        let _ = writeln!(out, "    {},", line.join(", "));
    }
    let _ = writeln!(
        out,
        "];\n\n/// Types, those of all versions together.\npub(super) static TYPES: [T; {}] = [",
        pool.types.len()
    );
    for (number, it) in pool.types.iter().enumerate() {
        let attributes = it
            .attributes
            .iter()
            .map(|a| format!("A({}, {}, {})", names.number(&a.name), a.simple, a.required))
            .collect::<Vec<_>>();
        let _ = writeln!(
            out,
            "    /* {number} */ T {{ content: {}, attributes: &[{}], open: {} }},",
            content(&it.content, &names),
            attributes.join(", "),
            it.open
        );
    }
    let _ = writeln!(
        out,
        "];\n\n/// What each schema declares at its top.\npub(super) static SCHEMAS: [Schema; {}] = [",
        schemas.len()
    );
    for schema in schemas {
        let elements = schema
            .elements
            .iter()
            .map(|(name, it)| format!("({}, {it})", names.number(name)));
        let attributes = schema
            .attributes
            .iter()
            .map(|(name, simple)| format!("({}, {simple})", names.number(name)));
        let types = schema.types.iter().map(|(name, it, base)| {
            format!(
                "({name:?}, {it}, {})",
                base.map_or_else(|| "None".to_owned(), |base| format!("Some({base})"))
            )
        });
        let _ = writeln!(
            out,
            "    Schema {{ version: {:?}, kind: {:?},\n        elements: &[{}],\n        attributes: &[{}],\n        types: &[{}] }},",
            schema.version,
            schema.kind,
            elements.collect::<Vec<_>>().join(", "),
            attributes.collect::<Vec<_>>().join(", "),
            types.collect::<Vec<_>>().join(", "),
        );
    }
    out.push_str("];\n");
    out
}

/// The kinds of content that occur, as they are imported.
fn contents(pool: &TypePool) -> String {
    let used = pool.types.iter().map(|it| match it.content {
        Content::Empty => "Sequence",
        Content::Anything => "Anything",
        Content::Text(_) => "Text as Simple",
        Content::Sequence { .. } => "Sequence",
        Content::Choice { .. } => "Choice",
    });
    used.collect::<BTreeSet<_>>()
        .into_iter()
        .collect::<Vec<_>>()
        .join(", ")
}

/// The simple types that occur, as they are imported.
fn simple_types(schemas: &[Schema], pool: &TypePool) -> String {
    let mut used = BTreeSet::new();
    for it in &pool.types {
        used.extend(it.attributes.iter().map(|a| a.simple));
        if let Content::Text(simple) = it.content {
            used.insert(simple);
        }
    }
    used.extend(
        schemas
            .iter()
            .flat_map(|schema| &schema.attributes)
            .map(|(_, simple)| *simple),
    );
    used.into_iter().collect::<Vec<_>>().join(", ")
}

fn content(content: &Content, names: &Names<'_>) -> String {
    match content {
        // Nothing is a sequence of nothing.
        Content::Empty => "Sequence { mixed: false, particles: &[], need: 0 }".to_owned(),
        Content::Anything => "Anything".to_owned(),
        Content::Text(simple) => format!("Simple({simple})"),
        Content::Sequence { mixed, particles } => {
            format!(
                "Sequence {{ mixed: {mixed}, particles: &[{}], need: {} }}",
                list(particles, names),
                needed(particles)
            )
        }
        Content::Choice {
            mixed,
            required,
            particles,
        } => {
            format!(
                "Choice {{ mixed: {mixed}, particles: &[{}], required: {required} }}",
                list(particles, names)
            )
        }
    }
}

/// The place, counted from one, of the last particle that must not be missing; 0 where none is.
fn needed(particles: &[Particle]) -> usize {
    particles
        .iter()
        .rposition(|p| p.required)
        .map_or(0, |place| place + 1)
}

fn list(particles: &[Particle], names: &Names<'_>) -> String {
    let one = |(place, p): (usize, &Particle)| {
        let (name, it) = p
            .element
            .as_ref()
            .map_or((ANY, 0), |(name, it)| (names.number(name), *it));
        let before = needed(particles.get(..place).unwrap_or_default());
        format!("P({name}, {it}, {}, {before})", p.many)
    };
    particles
        .iter()
        .enumerate()
        .map(one)
        .collect::<Vec<_>>()
        .join(", ")
}

struct Names<'a> {
    sorted: Vec<&'a str>,
    numbers: BTreeMap<&'a str, usize>,
}

impl<'a> Names<'a> {
    fn of(schemas: &'a [Schema], pool: &'a TypePool) -> Self {
        let mut sorted = Vec::new();
        for it in &pool.types {
            sorted.extend(it.attributes.iter().map(|a| a.name.as_str()));
            if let Content::Sequence { particles, .. } | Content::Choice { particles, .. } =
                &it.content
            {
                sorted.extend(
                    particles
                        .iter()
                        .filter_map(|p| p.element.as_ref())
                        .map(|(name, _)| name.as_str()),
                );
            }
        }
        for schema in schemas {
            sorted.extend(schema.elements.iter().map(|(name, _)| name.as_str()));
            sorted.extend(schema.attributes.iter().map(|(name, _)| name.as_str()));
        }
        sorted.sort_unstable();
        sorted.dedup();
        let numbers = sorted
            .iter()
            .enumerate()
            .map(|(number, name)| (*name, number))
            .collect();
        Self { sorted, numbers }
    }

    /// Every name that is asked for was put in by [`Names::of`].
    fn number(&self, name: &str) -> usize {
        self.numbers.get(name).copied().unwrap_or(ANY)
    }
}
