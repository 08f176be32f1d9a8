//! Reads one schema into types that refer to each other by number, equal ones once.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use roxmltree::{Document, Node};

use super::SchemaTexts;

const XSD: &str = "http://www.w3.org/2001/XMLSchema";

/// The two kinds of IATI file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `iati-activities`.
    Activities,
    /// `iati-organisations`.
    Organisations,
}

impl FileKind {
    /// The word in file names and root elements.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Activities => "activities",
            Self::Organisations => "organisations",
        }
    }
}

/// A place in the content of a type: an element, or (without a name) anything from another namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Particle {
    pub(super) element: Option<(String, usize)>,
    pub(super) required: bool,
    pub(super) many: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Content {
    /// Neither elements nor text.
    Empty,
    /// Anything, checked where it is known.
    Anything,
    /// Text of one simple type, no elements.
    Text(&'static str),
    /// Elements in this order.
    Sequence {
        mixed: bool,
        particles: Vec<Particle>,
    },
    /// Elements in any order and number.
    Choice {
        mixed: bool,
        required: bool,
        particles: Vec<Particle>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) simple: &'static str,
    pub(super) required: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ComplexType {
    pub(super) content: Content,
    pub(super) attributes: Vec<Attribute>,
    /// Attributes of other namespaces are welcome.
    pub(super) open: bool,
}

/// All types of all schemas, each once; a type's number is its place. Types of different names are different types, and
/// one without a name is none of theirs, however alike they are: `xsi:type` tells them apart.
#[derive(Debug, Default)]
pub(super) struct TypePool {
    numbers: BTreeMap<(Option<String>, ComplexType), usize>,
    pub(super) types: Vec<ComplexType>,
}

impl TypePool {
    fn number(&mut self, name: Option<&str>, it: ComplexType) -> usize {
        let next = self.types.len();
        let key = (name.map(str::to_owned), it.clone());
        *self.numbers.entry(key).or_insert_with(|| {
            self.types.push(it);
            next
        })
    }
}

/// What one schema declares at its top.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) version: String,
    pub(super) kind: FileKind,
    pub(super) elements: Vec<(String, usize)>,
    pub(super) attributes: Vec<(String, &'static str)>,
    /// Named types, each with the number of the type it extends.
    pub(super) types: Vec<(String, usize, Option<usize>)>,
}

type Globals<'a, 'i> = BTreeMap<(&'a str, &'a str), Node<'a, 'i>>;

pub(super) fn compile(texts: &SchemaTexts, pool: &mut TypePool) -> Result<Schema> {
    let documents = texts
        .texts
        .iter()
        .map(|text| Document::parse(text))
        .collect::<Result<Vec<_>, _>>()?;
    let mut globals = Globals::new();
    for document in &documents {
        for node in children(document.root_element()) {
            if let Some(name) = node.attribute("name") {
                let earlier = globals.insert((node.tag_name().name(), name), node);
                ensure!(earlier.is_none(), "{name} is declared twice");
            }
        }
    }
    let mut reader = Reader {
        globals: &globals,
        pool,
        depth: 0,
    };
    let mut schema = Schema {
        version: texts.version.clone(),
        kind: texts.kind,
        elements: Vec::new(),
        attributes: Vec::new(),
        types: Vec::new(),
    };
    for ((kind, name), node) in &globals {
        let name = (*name).to_owned();
        match *kind {
            "element" => schema.elements.push((name, reader.element(*node)?)),
            "attribute" => schema.attributes.push((name, reader.simple_of(*node)?)),
            "complexType" => {
                let base = match extension(*node) {
                    Some(("complexContent", base)) => Some(reader.named_type(base)?),
                    _ => None,
                };
                schema.types.push((name, reader.complex(*node)?, base));
            }
            "attributeGroup" => {}
            other => bail!("global {other} {name} has no form in the tables"),
        }
    }
    Ok(schema)
}

struct Reader<'r, 'a, 'i> {
    globals: &'r Globals<'a, 'i>,
    pool: &'r mut TypePool,
    depth: usize,
}

impl<'a, 'i> Reader<'_, 'a, 'i> {
    fn global(&self, kind: &'static str, name: &str) -> Result<Node<'a, 'i>> {
        self.globals
            .iter()
            .find(|((k, n), _)| *k == kind && *n == name)
            .map(|(_, node)| *node)
            .with_context(|| format!("{kind} {name} is not declared"))
    }

    fn element(&mut self, node: Node<'a, 'i>) -> Result<usize> {
        if let Some(target) = node.attribute("ref") {
            return self.element(self.global("element", target)?);
        }
        for unknown in [
            "nillable",
            "substitutionGroup",
            "abstract",
            "default",
            "fixed",
            "block",
            "form",
        ] {
            ensure!(
                !node.has_attribute(unknown),
                "@{unknown} of an element has no form in the tables"
            );
        }
        if let Some(name) = node.attribute("type") {
            return match builtin(node, name)? {
                Some(simple) => Ok(self.pool.number(
                    None,
                    ComplexType {
                        content: Content::Text(simple),
                        attributes: Vec::new(),
                        open: false,
                    },
                )),
                None => self.complex(self.global("complexType", name)?),
            };
        }
        match children(node).next() {
            Some(own) => self.complex(own),
            // XML Schema's default for an element without a type: anything at all.
            None => Ok(self.pool.number(
                None,
                ComplexType {
                    content: Content::Anything,
                    attributes: Vec::new(),
                    open: true,
                },
            )),
        }
    }

    fn named_type(&mut self, name: &str) -> Result<usize> {
        self.complex(self.global("complexType", name)?)
    }

    fn complex(&mut self, node: Node<'a, 'i>) -> Result<usize> {
        let complete = self.complex_parts(node)?;
        Ok(self.pool.number(node.attribute("name"), complete))
    }

    fn complex_parts(&mut self, node: Node<'a, 'i>) -> Result<ComplexType> {
        ensure!(
            node.tag_name().name() == "complexType",
            "{} where a complex type belongs",
            node.tag_name().name()
        );
        // The standard's types do not contain themselves; a number for an unfinished type would be needed if they did.
        ensure!(self.depth < 64, "a type contains itself");
        self.depth += 1;
        let mixed = node.attribute("mixed") == Some("true");
        let mut it = ComplexType {
            content: if mixed {
                Content::Sequence {
                    mixed,
                    particles: Vec::new(),
                }
            } else {
                Content::Empty
            },
            attributes: Vec::new(),
            open: false,
        };
        for part in children(node) {
            match part.tag_name().name() {
                "simpleContent" | "complexContent" => {
                    let extension = children(part).next().context("no extension")?;
                    ensure!(
                        extension.tag_name().name() == "extension",
                        "only extensions have a form in the tables"
                    );
                    let base = extension
                        .attribute("base")
                        .context("an extension without a base")?;
                    match builtin(extension, base)? {
                        Some(simple) => it.content = Content::Text(simple),
                        None => it = self.complex_parts(self.global("complexType", base)?)?,
                    }
                    for more in children(extension) {
                        self.part(more, mixed, &mut it)?;
                    }
                }
                _ => self.part(part, mixed, &mut it)?,
            }
        }
        self.depth -= 1;
        // In the tables it would be the simple type itself, whose place others of XML Schema may take.
        ensure!(
            it.open || !it.attributes.is_empty() || !matches!(it.content, Content::Text(_)),
            "a complex type that adds nothing to a simple one has no form in the tables"
        );
        Ok(it)
    }

    fn part(&mut self, node: Node<'a, 'i>, mixed: bool, it: &mut ComplexType) -> Result<()> {
        match node.tag_name().name() {
            "attribute" => {
                let attribute = self.attribute(node)?;
                it.attributes.push(attribute);
            }
            "attributeGroup" => {
                let name = node
                    .attribute("ref")
                    .context("an attribute group without a name")?;
                for more in children(self.global("attributeGroup", name)?) {
                    self.part(more, mixed, it)?;
                }
            }
            "anyAttribute" => {
                ensure_other_lax(node)?;
                it.open = true;
            }
            "sequence" => {
                ensure!(
                    occurs(node)? == (true, false),
                    "a repeated sequence has no form in the tables"
                );
                let more = self.particles(node)?;
                it.content = match std::mem::replace(&mut it.content, Content::Empty) {
                    Content::Empty => Content::Sequence {
                        mixed,
                        particles: more,
                    },
                    // An extension: its particles follow those of its base.
                    Content::Sequence {
                        mixed,
                        mut particles,
                    } => {
                        particles.extend(more);
                        Content::Sequence { mixed, particles }
                    }
                    _ => bail!("a sequence that extends other content has no form in the tables"),
                };
            }
            "choice" => {
                let (required, many) = occurs(node)?;
                ensure!(
                    many,
                    "a choice that is not repeated has no form in the tables"
                );
                let particles = self.particles(node)?;
                // Nothing may be optional in a required choice, or it could be passed by with nothing at all.
                ensure!(
                    !required || particles.iter().all(|p| p.required),
                    "an optional part of a required choice"
                );
                it.content = Content::Choice {
                    mixed,
                    required,
                    particles,
                };
            }
            other => bail!("{other} has no form in the tables"),
        }
        Ok(())
    }

    fn particles(&mut self, group: Node<'a, 'i>) -> Result<Vec<Particle>> {
        let mut particles: Vec<Particle> = Vec::new();
        for node in children(group) {
            let (required, many) = occurs(node)?;
            let element = match node.tag_name().name() {
                "any" => {
                    ensure_other_lax(node)?;
                    None
                }
                "element" => {
                    let name = node
                        .attribute("name")
                        .or(node.attribute("ref"))
                        .context("an element without a name")?;
                    Some((name.to_owned(), self.element(node)?))
                }
                other => bail!("{other} inside a group has no form in the tables"),
            };
            let named = |p: &Particle| p.element.as_ref().map(|(name, _)| name.clone());
            let it = Particle {
                element,
                required,
                many,
            };
            ensure!(
                particles.iter().all(|p| named(p) != named(&it)),
                "{:?} stands twice in a group",
                named(&it)
            );
            particles.push(it);
        }
        Ok(particles)
    }

    fn attribute(&mut self, node: Node<'a, 'i>) -> Result<Attribute> {
        for unknown in ["default", "fixed", "form"] {
            ensure!(
                !node.has_attribute(unknown),
                "@{unknown} of an attribute has no form in the tables"
            );
        }
        let required = node.attribute("use") == Some("required");
        let (name, simple) = match node.attribute("ref") {
            Some("xml:lang") => ("xml:lang", "Lang"),
            Some(target) => (target, self.simple_of(self.global("attribute", target)?)?),
            None => (
                node.attribute("name")
                    .context("an attribute without a name")?,
                self.simple_of(node)?,
            ),
        };
        Ok(Attribute {
            name: name.to_owned(),
            simple,
            required,
        })
    }

    fn simple_of(&self, node: Node<'a, 'i>) -> Result<&'static str> {
        ensure!(
            children(node).next().is_none(),
            "an attribute with a type of its own has no form in the tables"
        );
        match node.attribute("type") {
            None => Ok("Text"),
            Some(name) => builtin(node, name)?.with_context(|| format!("{name} is no simple type")),
        }
    }
}

/// The element children, without what is for people.
fn children<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(|n| {
        n.is_element()
            && n.tag_name().namespace() == Some(XSD)
            && !["annotation", "import", "include"].contains(&n.tag_name().name())
    })
}

/// The kind of content and the base of a type that extends another.
fn extension<'a>(node: Node<'a, '_>) -> Option<(&'a str, &'a str)> {
    let content = children(node).next()?;
    let base = children(content).next()?.attribute("base")?;
    Some((content.tag_name().name(), base))
}

fn ensure_other_lax(node: Node<'_, '_>) -> Result<()> {
    ensure!(
        node.attribute("namespace") == Some("##other"),
        "a wildcard other than ##other has no form in the tables"
    );
    ensure!(
        node.attribute("processContents") == Some("lax"),
        "a wildcard that is not lax has no form in the tables"
    );
    Ok(())
}

/// Whether at least one is asked for, and whether many may come.
fn occurs(node: Node<'_, '_>) -> Result<(bool, bool)> {
    let required = match node.attribute("minOccurs") {
        None | Some("1") => true,
        Some("0") => false,
        Some(other) => bail!("minOccurs {other} has no form in the tables"),
    };
    let many = match node.attribute("maxOccurs") {
        None | Some("1") => false,
        Some("unbounded") => true,
        Some(other) => bail!("maxOccurs {other} has no form in the tables"),
    };
    Ok((required, many))
}

/// The tables' word for a simple type of XML Schema; `None` for a name of this schema's own.
fn builtin(node: Node<'_, '_>, name: &str) -> Result<Option<&'static str>> {
    let Some((prefix, local)) = name.split_once(':') else {
        return Ok(None);
    };
    ensure!(
        node.lookup_namespace_uri(Some(prefix)) == Some(XSD),
        "{name} is of a foreign namespace"
    );
    Ok(Some(match local {
        "string" => "Text",
        "anyURI" => "Uri",
        "boolean" => "Boolean",
        "date" => "Date",
        "dateTime" => "DateTime",
        "decimal" => "Decimal",
        "int" => "Int",
        "integer" => "Integer",
        "nonNegativeInteger" => "NonNegative",
        "positiveInteger" => "Positive",
        "NMTOKEN" => "NameToken",
        "language" => "Language",
        other => bail!("simple type {other} has no form in the tables"),
    }))
}
