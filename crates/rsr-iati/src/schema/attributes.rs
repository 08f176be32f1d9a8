//! The attributes of one start tag.

use std::io::Read;

use crate::xml::{Attribute, Reader, XML_NAMESPACE};

use super::StartTag;
use super::checker::{Mode, Sink, quote};
use super::code::Code;
use super::simple::trim;
use super::tables::{
    ComplexType, Content, NO_NAME, Schema, SimpleType, TypeId, lookup, name_of, type_of,
};

const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
const XSD: &str = "http://www.w3.org/2001/XMLSchema";

/// Checks the attributes of the start tag at hand. Gives the mode its element is checked in, which `xsi:type` may change.
pub(super) fn check<R: Read>(
    schema: &'static Schema,
    mode: Mode,
    reader: &Reader<R>,
    start: &StartTag,
    sink: &mut Sink<'_>,
) -> Mode {
    if mode == Mode::Skip {
        return mode;
    }
    let mut mode = mode;
    if reader.has_prefixes() && reader.attributes().any(|a| a.namespace == Some(INSTANCE)) {
        mode = instance(schema, mode, reader, start.line, sink);
    }
    let tag = Tag { reader, start };
    match mode {
        Mode::Typed(_) if is_anything(mode) => tag.lax(schema, sink),
        Mode::Typed(id) => tag.typed(type_of(id), sink),
        Mode::Lax => tag.lax(schema, sink),
        Mode::Simple(_) => {
            for attribute in reader
                .attributes()
                .filter(|a| a.namespace != Some(INSTANCE))
            {
                tag.unknown(&attribute, sink);
            }
        }
        Mode::Skip => {}
    }
    mode
}

struct Tag<'r, R> {
    reader: &'r Reader<R>,
    start: &'r StartTag,
}

impl<R: Read> Tag<'_, R> {
    fn typed(&self, it: &'static ComplexType, sink: &mut Sink<'_>) {
        let mut seen = 0_u32;
        for place in 0..self.reader.n_attributes() {
            let key = self.start.attribute(place, self.reader);
            let known = it.attributes.iter().position(|known| known.0 == key);
            match known.and_then(|known| Some((known, it.attributes.get(known)?.1))) {
                Some((known, simple)) if key != NO_NAME => {
                    seen |= 1 << (known % 32);
                    if !simple.accepts(self.reader.value_at(place))
                        && let Some(attribute) = self.reader.attribute_at(place)
                    {
                        self.bad_value(&attribute, simple, sink);
                    }
                }
                _ => self.not_of_type(it, place, sink),
            }
        }
        for (place, known) in it.attributes.iter().enumerate() {
            if known.2 && seen & (1 << (place % 32)) == 0 {
                let message = format!(
                    "{} lacks the attribute {}",
                    self.reader.name(),
                    name_of(known.0)
                );
                sink(Code::MissingAttribute.at(message, self.reader.path(), self.start.line));
            }
        }
    }

    /// An attribute that the element's type does not name.
    fn not_of_type(&self, it: &'static ComplexType, place: usize, sink: &mut Sink<'_>) {
        let Some(attribute) = self.reader.attribute_at(place) else {
            return;
        };
        if attribute.namespace == Some(INSTANCE) {
            // Looked at already.
        } else if attribute.namespace.is_some() && it.open {
            self.foreign(&attribute, sink);
        } else {
            self.unknown(&attribute, sink);
        }
    }

    /// Attributes of an element that no schema knows: those that are known themselves are checked.
    fn lax(&self, schema: &'static Schema, sink: &mut Sink<'_>) {
        for attribute in self.reader.attributes() {
            if attribute.namespace.is_some() {
                self.foreign(&attribute, sink);
            } else if attribute.name.len() == attribute.local_name.len()
                && let Some(simple) = schema.attribute(lookup(attribute.name.as_bytes()))
            {
                self.value(&attribute, simple, sink);
            }
        }
    }

    /// An attribute of another namespace; that of `xml:` has types.
    fn foreign(&self, attribute: &Attribute<'_>, sink: &mut Sink<'_>) {
        if attribute.namespace != Some(XML_NAMESPACE) {
            return;
        }
        let simple = match attribute.local_name {
            "lang" => SimpleType::Lang,
            "space" => SimpleType::Space,
            "id" => SimpleType::Name,
            "base" => SimpleType::Uri,
            _ => return,
        };
        self.value(attribute, simple, sink);
    }

    fn value(&self, attribute: &Attribute<'_>, simple: SimpleType, sink: &mut Sink<'_>) {
        if !simple.accepts(attribute.value) {
            self.bad_value(attribute, simple, sink);
        }
    }

    fn bad_value(&self, attribute: &Attribute<'_>, simple: SimpleType, sink: &mut Sink<'_>) {
        let message = format!(
            "{} is {}, which is not {}",
            attribute.name,
            quote(attribute.value),
            simple.name()
        );
        sink(Code::BadValue.at(
            message,
            format!("{}/@{}", self.reader.path(), attribute.name),
            self.start.line,
        ));
    }

    fn unknown(&self, attribute: &Attribute<'_>, sink: &mut Sink<'_>) {
        let message = format!("{} has no attribute {}", self.reader.name(), attribute.name);
        sink(Code::UnknownAttribute.at(
            message,
            format!("{}/@{}", self.reader.path(), attribute.name),
            self.start.line,
        ));
    }
}

/// `xsi:nil` and `xsi:type`; the attributes that say where schemas lie mean nothing here.
fn instance<R: Read>(
    schema: &'static Schema,
    mode: Mode,
    reader: &Reader<R>,
    line: u64,
    sink: &mut Sink<'_>,
) -> Mode {
    let mut result = mode;
    for attribute in reader
        .attributes()
        .filter(|a| a.namespace == Some(INSTANCE))
    {
        let path = || format!("{}/@{}", reader.path(), attribute.name);
        match attribute.local_name {
            "nil" if !SimpleType::Boolean.accepts(attribute.value) => {
                let message = format!(
                    "{} is {}, which is not {}",
                    attribute.name,
                    quote(attribute.value),
                    SimpleType::Boolean.name()
                );
                sink(Code::BadValue.at(message, path(), line));
            }
            // An element that no schema knows may be nil for all that is known of it.
            "nil" if mode != Mode::Lax => {
                sink(Code::NotNillable.at(
                    format!("{} may not say whether it is nil", reader.name()),
                    path(),
                    line,
                ));
                result = Mode::Skip;
            }
            "type" => match replaced(schema, mode, reader, attribute.value) {
                Some(new) => result = new,
                None => {
                    let message = format!(
                        "{} is no type that {} may have",
                        quote(attribute.value),
                        reader.name()
                    );
                    sink(Code::BadType.at(message, path(), line));
                    result = Mode::Skip;
                }
            },
            _ => {}
        }
    }
    result
}

/// The mode under the type that `xsi:type` names: the element's own type, one that extends or restricts it, or any for an
/// element that is unknown.
fn replaced<R: Read>(
    schema: &'static Schema,
    mode: Mode,
    reader: &Reader<R>,
    name: &str,
) -> Option<Mode> {
    let mode = if is_anything(mode) { Mode::Lax } else { mode };
    let (prefix, local) = trim(name).split_once(':').unwrap_or(("", trim(name)));
    let namespace = reader
        .namespaces_in_scope()
        .find(|(known, _)| *known == prefix)
        .map(|(_, namespace)| namespace);
    match namespace {
        Some(XSD) if local == "anyType" => (mode == Mode::Lax).then_some(Mode::Lax),
        Some(XSD) if mode == Mode::Lax => SimpleType::of_schema_name(local).map(Mode::Simple),
        // No other type is wide enough to have this one below it.
        Some(XSD) if local != "anySimpleType" => {
            let own = simple_alone(mode)?;
            let given = SimpleType::of_schema_name(local)?;
            if given == own {
                return Some(mode);
            }
            given.restricts(own).then_some(Mode::Simple(given))
        }
        None | Some("") if prefix.is_empty() => {
            let named = |id: TypeId| schema.types.iter().find(move |(_, known, _)| *known == id);
            let (_, id, _) = schema.types.iter().find(|(known, _, _)| *known == local)?;
            let mut ancestor = Some(*id);
            while let Some(at) = ancestor {
                if mode == Mode::Lax || mode == Mode::Typed(at) {
                    return Some(Mode::Typed(*id));
                }
                ancestor = named(at).and_then(|(_, _, base)| *base);
            }
            None
        }
        _ => None,
    }
}

/// Whether the schema knows the element and gives it no type.
fn is_anything(mode: Mode) -> bool {
    matches!(mode, Mode::Typed(id) if matches!(type_of(id).content, Content::Anything))
}

/// The simple type of an element that has one of XML Schema's own and no attributes.
fn simple_alone(mode: Mode) -> Option<SimpleType> {
    let Mode::Typed(id) = mode else { return None };
    match type_of(id) {
        ComplexType {
            content: Content::Text(simple),
            attributes: [],
            open: false,
        } => Some(*simple),
        _ => None,
    }
}
