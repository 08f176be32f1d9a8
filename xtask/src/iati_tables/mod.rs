//! Turns the facts of the IATI schemas (order, cardinality, types) into the Rust tables of `rsr-iati`.
//!
//! The schema files go in, one Rust file comes out; what people wrote for people in them is left behind. The whole is
//! a function from texts to a text: reading the folder is [`read_folder`], the rest is [`generate`].

mod emit;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

pub use schema::FileKind;

/// The schema files of one version and kind of file, by the name other files include them by.
#[derive(Clone, Debug)]
pub struct SchemaTexts {
    /// The version, as its folder is named: "2.03".
    pub version: String,
    /// What the schema describes.
    pub kind: FileKind,
    /// The texts: the schema itself and what it includes.
    pub texts: Vec<String>,
}

/// The tables of these schemas as the text of one Rust file.
///
/// Equal types of different versions are written once. The same schemas give the same text.
///
/// # Errors
///
/// A schema is not XML, or uses something that the tables have no form for (such as nested groups or facets): then
/// the tables and the engine that reads them have to grow first.
pub fn generate(schemas: &[SchemaTexts]) -> Result<String> {
    ensure!(!schemas.is_empty(), "there is no schema to read");
    let mut types = schema::TypePool::default();
    let mut done = Vec::new();
    for texts in schemas {
        let schema = schema::compile(texts, &mut types)
            .with_context(|| format!("schema of {} {}", texts.version, texts.kind.name()))?;
        done.push(schema);
    }
    Ok(emit::file(&done, &types))
}

/// Reads `folder/VERSION/iati-{activities,organisations}-schema.xsd` and the common file beside them.
///
/// # Errors
///
/// The folder holds no version, or a file is missing or unreadable.
pub fn read_folder(folder: &Path) -> Result<Vec<SchemaTexts>> {
    let mut versions = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(|| format!("folder {}", folder.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            let name = entry.file_name().to_string_lossy().into_owned();
            versions.insert(name, entry.path());
        }
    }
    ensure!(
        !versions.is_empty(),
        "{} holds no version folder",
        folder.display()
    );
    let mut schemas = Vec::new();
    for (version, path) in versions {
        let common = read(&path.join("iati-common.xsd"))?;
        for kind in [FileKind::Activities, FileKind::Organisations] {
            let own = read(&path.join(format!("iati-{}-schema.xsd", kind.name())))?;
            schemas.push(SchemaTexts {
                version: version.clone(),
                kind,
                texts: vec![own, common.clone()],
            });
        }
    }
    Ok(schemas)
}

#[expect(
    clippy::disallowed_methods,
    reason = "schema files of the standard, by hand, in a maintenance command"
)]
fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("file {}", path.display()))
}
