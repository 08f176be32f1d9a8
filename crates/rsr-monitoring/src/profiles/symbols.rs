//! Names of addresses, from the debug information of the files that were mapped.

use std::collections::BTreeMap;
use std::path::Path;

use addr2line::Loader;

use super::dump::{HeapDump, Mapping};
use super::named::{Frame, NamedProfile, NamedStack};

impl HeapDump {
    /// Names every frame: function, file and line, functions that were inlined included.
    ///
    /// Reads the debug information of each file that the profiled process had mapped, from the same paths; it must not
    /// have been rebuilt since. A frame whose file has none keeps its address as its name. That information takes tens
    /// of MB while this runs, and is given back when it returns: a service does it in a process of its own.
    #[must_use]
    pub fn name(&self) -> NamedProfile {
        let mut names = Names::new(&self.mappings);
        let stacks = self
            .stacks
            .iter()
            .map(|stack| NamedStack {
                frames: stack
                    .addresses
                    .iter()
                    .flat_map(|address| names.of(*address))
                    .collect(),
                bytes: stack.bytes,
                count: stack.count,
            })
            .collect();
        NamedProfile::new(self.period, stacks)
    }
}

/// Stands for a name that no one knows.
const UNKNOWN: &str = "??";

struct Names<'a> {
    mappings: &'a [Mapping],
    files: BTreeMap<&'a str, Option<Loader>>,
    known: BTreeMap<u64, Vec<Frame>>,
}

impl<'a> Names<'a> {
    fn new(mappings: &'a [Mapping]) -> Self {
        Self {
            mappings,
            files: BTreeMap::new(),
            known: BTreeMap::new(),
        }
    }

    fn of(&mut self, address: u64) -> Vec<Frame> {
        if let Some(frames) = self.known.get(&address) {
            return frames.clone();
        }
        let frames = self.find(address).filter(|frames| !frames.is_empty());
        let frames = frames.unwrap_or_else(|| vec![Frame::unknown(address)]);
        self.known.insert(address, frames.clone());
        frames
    }

    /// The innermost first.
    fn find(&mut self, address: u64) -> Option<Vec<Frame>> {
        let mapping = self
            .mappings
            .iter()
            .find(|mapping| mapping.is_code && (mapping.start..mapping.end).contains(&address))?;
        // The first mapping of a file is its beginning, which the linker put at address 0.
        let base = self
            .mappings
            .iter()
            .find(|first| first.path == mapping.path && first.offset == 0)?
            .start;
        let file = self
            .files
            .entry(&mapping.path)
            .or_insert_with(|| Loader::new(Path::new(&mapping.path)).ok())
            .as_ref()?;
        // A return address is the instruction after the call, which may belong to the next line or function.
        let probe = address.checked_sub(base)?.saturating_sub(1);
        let mut frames = Vec::new();
        if let Ok(mut found) = file.find_frames(probe) {
            while let Ok(Some(frame)) = found.next() {
                let function = frame
                    .function
                    .and_then(|name| name.demangle().ok().map(std::borrow::Cow::into_owned));
                let (path, line) = frame
                    .location
                    .map_or((None, None), |place| (place.file, place.line));
                frames.push(Frame {
                    function: without_hash(&function.unwrap_or_else(|| UNKNOWN.to_owned())),
                    file: path.unwrap_or_default().to_owned(),
                    line: line.unwrap_or(0),
                });
            }
        }
        // The outermost of the frames at one address is the function itself, which the symbol table names where the
        // debug information does not.
        if let Some(symbol) = file.find_symbol(probe) {
            let name = without_hash(&addr2line::demangle_auto(symbol.into(), None));
            match frames.last_mut() {
                Some(outermost) if outermost.function == UNKNOWN => outermost.function = name,
                Some(_) => {}
                None => frames.push(Frame {
                    function: name,
                    file: mapping.path.clone(),
                    line: 0,
                }),
            }
        }
        Some(frames)
    }
}

/// A Rust name without the hash the compiler adds, which changes with every build.
fn without_hash(name: &str) -> String {
    match name.rsplit_once("::h") {
        Some((front, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            front.to_owned()
        }
        _ => name.to_owned(),
    }
}
