//! Which prefix means which namespace, at the element at hand.

/// The namespace that the prefix `xml` always has.
pub const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

/// Not in a namespace.
pub(super) const NONE: u32 = 0;
/// [`XML_NAMESPACE`].
pub(super) const XML: u32 = 1;
/// A prefix nobody declared.
pub(super) const UNDECLARED: u32 = 2;
const FIRST: u32 = 3;

#[derive(Debug)]
struct Binding {
    prefix: Box<str>,
    namespace: Box<str>,
}

/// The declarations in scope, innermost last.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    bindings: Vec<Binding>,
    default: u32,
}

impl Namespaces {
    pub(super) fn len(&self) -> usize {
        self.bindings.len()
    }

    pub(super) fn push(&mut self, prefix: &str, namespace: &str) {
        self.bindings.push(Binding {
            prefix: prefix.into(),
            namespace: namespace.into(),
        });
        if prefix.is_empty() {
            self.default = if namespace.is_empty() {
                NONE
            } else {
                self.last()
            };
        }
    }

    fn last(&self) -> u32 {
        u32::try_from(self.bindings.len()).unwrap_or(u32::MAX) - 1 + FIRST
    }

    pub(super) fn truncate(&mut self, len: usize) {
        if len < self.bindings.len() {
            self.bindings.truncate(len);
            self.default = match self
                .bindings
                .iter()
                .rposition(|binding| binding.prefix.is_empty())
            {
                Some(at)
                    if self
                        .bindings
                        .get(at)
                        .is_some_and(|binding| !binding.namespace.is_empty()) =>
                {
                    u32::try_from(at).unwrap_or(u32::MAX).saturating_add(FIRST)
                }
                _ => NONE,
            };
        }
    }

    pub(super) fn default_namespace(&self) -> u32 {
        self.default
    }

    pub(super) fn resolve(&self, prefix: &str) -> u32 {
        if prefix == "xml" {
            return XML;
        }
        match self
            .bindings
            .iter()
            .rposition(|binding| &*binding.prefix == prefix)
        {
            Some(at) => u32::try_from(at).unwrap_or(u32::MAX).saturating_add(FIRST),
            None => UNDECLARED,
        }
    }

    pub(super) fn name(&self, id: u32) -> Option<&str> {
        match id {
            NONE | UNDECLARED => None,
            XML => Some(XML_NAMESPACE),
            _ => self
                .bindings
                .get((id - FIRST) as usize)
                .map(|binding| &*binding.namespace),
        }
    }

    /// Every prefix in scope with its namespace; the innermost declaration of each alone, outermost first.
    pub(super) fn in_scope(&self) -> impl Iterator<Item = (&str, &str)> {
        self.bindings.iter().enumerate().filter_map(|(i, binding)| {
            let hidden = self
                .bindings
                .iter()
                .skip(i + 1)
                .any(|later| later.prefix == binding.prefix);
            (!hidden).then_some((&*binding.prefix, &*binding.namespace))
        })
    }
}
