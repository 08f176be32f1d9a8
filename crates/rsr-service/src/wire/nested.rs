//! A JSON array of objects that carry their own children, written as its nodes come: depth first, parents first.

use std::io::{self, Write};

use serde::Serialize;

/// Writes nodes that come depth first into one JSON array. Holds one object and a bit for each level.
///
/// With `nested`, every object ends in a `children` array; without, all nodes are of level 1.
#[derive(Debug)]
pub(crate) struct NestedArray<W> {
    out: W,
    nested: bool,
    /// Whether the list at each open level has an element already.
    open: Vec<bool>,
    object: Vec<u8>,
}

impl<W: Write> NestedArray<W> {
    /// Begins the array.
    pub(crate) fn begin(mut out: W, nested: bool) -> io::Result<Self> {
        out.write_all(b"[")?;
        Ok(Self {
            out,
            nested,
            open: vec![false],
            object: Vec::new(),
        })
    }

    /// Writes one node; `depth` is 1 at the top, and never more than one below the node before.
    pub(crate) fn push(&mut self, depth: usize, object: &impl Serialize) -> io::Result<()> {
        self.close_to(depth)?;
        assert_eq!(
            self.open.len(),
            depth,
            "a node comes right after its parent's level"
        );
        if let Some(has_elements) = self.open.last_mut()
            && std::mem::replace(has_elements, true)
        {
            self.out.write_all(b",")?;
        }
        self.object.clear();
        serde_json::to_writer(&mut self.object, object)?;
        if !self.nested {
            return self.out.write_all(&self.object);
        }
        let body = self.object.strip_suffix(b"}").unwrap_or(&self.object);
        self.out.write_all(body)?;
        let comma: &[u8] = if body.ends_with(b"{") { b"" } else { b"," };
        self.out.write_all(comma)?;
        self.out.write_all(b"\"children\":[")?;
        self.open.push(false);
        Ok(())
    }

    /// Hands on what is written so far.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Ends the array, and gives back what it was written to.
    pub(crate) fn end(mut self) -> io::Result<W> {
        self.close_to(1)?;
        self.out.write_all(b"]")?;
        Ok(self.out)
    }

    fn close_to(&mut self, depth: usize) -> io::Result<()> {
        while self.open.len() > depth {
            self.open.pop();
            self.out.write_all(b"]}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(nested: bool, nodes: &[(usize, u32)], expected: &str) {
        let mut array = NestedArray::begin(Vec::new(), nested).unwrap();
        for (depth, id) in nodes {
            array.push(*depth, &json!({ "id": id })).unwrap();
        }
        let text = String::from_utf8(array.end().unwrap()).unwrap();
        assert_eq!(text, expected);
        assert!(
            serde_json::from_str::<serde_json::Value>(&text).is_ok(),
            "{text}"
        );
    }

    #[test]
    fn a_plain_array_has_no_children() {
        check(false, &[], "[]");
        check(false, &[(1, 7), (1, 6)], r#"[{"id":7},{"id":6}]"#);
    }

    #[test]
    fn nested_children_are_lists_at_every_level() {
        check(true, &[], "[]");
        check(true, &[(1, 7)], r#"[{"id":7,"children":[]}]"#);
        check(
            true,
            &[(1, 7), (2, 9), (3, 10), (2, 8), (1, 6), (2, 11)],
            concat!(
                r#"[{"id":7,"children":[{"id":9,"children":[{"id":10,"children":[]}]},{"id":8,"children":[]}]},"#,
                r#"{"id":6,"children":[{"id":11,"children":[]}]}]"#
            ),
        );
    }
}
