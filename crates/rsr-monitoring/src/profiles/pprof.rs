//! The format of Go's pprof, which Pyroscope and Parca read too.
//!
//! **Source:** `profile.proto` of google/pprof; the field numbers below are its.

use std::collections::BTreeMap;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::named::{Frame, NamedProfile};

impl NamedProfile {
    /// Writes the profile in pprof's format, gzipped, with its names inside: `go tool pprof FILE` needs no binary.
    ///
    /// # Errors
    ///
    /// That of `out`.
    pub fn write_pprof(&self, out: impl Write) -> io::Result<()> {
        let mut gzip = GzEncoder::new(out, Compression::default());
        gzip.write_all(&self.to_protobuf())?;
        gzip.finish()?.flush()
    }

    fn to_protobuf(&self) -> Vec<u8> {
        let mut names = Names::default();
        let kinds = [("inuse_objects", "count"), ("inuse_space", "bytes")];
        let kinds = kinds.map(|(kind, unit)| names.value_type(kind, unit));
        let mut profile = Message::default();
        for kind in &kinds {
            profile.message(1, kind);
        }
        for stack in self.stacks() {
            let mut sample = Message::default();
            let locations: Vec<_> = stack
                .frames
                .iter()
                .map(|frame| names.location(frame))
                .collect();
            sample.packed(1, &locations);
            sample.packed(2, &[stack.count, stack.bytes]);
            profile.message(2, &sample);
        }
        for (place, (function, line)) in names.locations.iter().enumerate() {
            let mut at = Message::default();
            at.number(1, *function);
            at.number(2, u64::from(*line));
            let mut location = Message::default();
            location.number(1, place as u64 + 1);
            location.message(4, &at);
            profile.message(4, &location);
        }
        for (place, (name, file)) in names.functions.iter().enumerate() {
            let mut function = Message::default();
            function.number(1, place as u64 + 1);
            function.number(2, *name);
            function.number(3, *name);
            function.number(4, *file);
            profile.message(5, &function);
        }
        let period_type = names.value_type("space", "bytes");
        for text in &names.texts {
            profile.bytes(6, text.as_bytes());
        }
        profile.message(11, &period_type);
        profile.number(12, self.period().bytes());
        profile.bytes
    }
}

/// Everything that pprof refers to by number. Text 0 is the empty one, everything else counts from 1.
struct Names {
    texts: Vec<String>,
    text_places: BTreeMap<String, u64>,
    functions: Vec<(u64, u64)>,
    function_places: BTreeMap<(u64, u64), u64>,
    locations: Vec<(u64, u32)>,
    location_places: BTreeMap<(u64, u32), u64>,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            texts: vec![String::new()],
            text_places: BTreeMap::from([(String::new(), 0)]),
            functions: Vec::new(),
            function_places: BTreeMap::new(),
            locations: Vec::new(),
            location_places: BTreeMap::new(),
        }
    }
}

impl Names {
    fn text(&mut self, text: &str) -> u64 {
        if let Some(place) = self.text_places.get(text) {
            return *place;
        }
        let place = self.texts.len() as u64;
        self.texts.push(text.to_owned());
        self.text_places.insert(text.to_owned(), place);
        place
    }

    fn value_type(&mut self, kind: &str, unit: &str) -> Message {
        let mut message = Message::default();
        message.number(1, self.text(kind));
        message.number(2, self.text(unit));
        message
    }

    fn location(&mut self, frame: &Frame) -> u64 {
        let function = (self.text(&frame.function), self.text(&frame.file));
        let functions = &mut self.functions;
        let function = *self.function_places.entry(function).or_insert_with(|| {
            functions.push(function);
            functions.len() as u64
        });
        let location = (function, frame.line);
        let locations = &mut self.locations;
        *self.location_places.entry(location).or_insert_with(|| {
            locations.push(location);
            locations.len() as u64
        })
    }
}

/// A message of protocol buffers.
#[derive(Default)]
struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// Seven bits a byte, the lowest first; the top bit says that more follow.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "seven bits are left of the value"
    )]
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    fn message(&mut self, field: u64, message: &Self) {
        self.bytes(field, &message.bytes);
    }

    fn packed(&mut self, field: u64, values: &[u64]) {
        let mut inner = Self::default();
        for value in values {
            inner.varint(*value);
        }
        self.bytes(field, &inner.bytes);
    }
}
