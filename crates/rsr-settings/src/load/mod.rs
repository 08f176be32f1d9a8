//! From sources to one checked tree, or to all that is wrong with them.

mod file;
mod inputs;
mod nearest;
mod problem;
mod rules;

use std::fmt;
use std::path::{Path, PathBuf};

use rsr_base::{ByteSize, read_file_at_most};

use crate::choice::Profile;
use crate::secret::{MASK, mask_passwords};
use crate::table::Setting;
use crate::tree::{Settings, TABLE};

pub(crate) use inputs::Folders;
pub use inputs::{Inputs, environment};
pub(crate) use nearest::key as nearest_key;
pub use problem::{Invalid, Problem, Warning};

/// Variables that begin with `RSR_` and are no setting: what they mean, for the reference page.
pub(crate) const OTHER_VARIABLES: &[(&str, &str)] = &[
    (
        PROFILE_VARIABLE,
        "one of production, development, low-memory, high-memory, test",
    ),
    (
        CONFIG_VARIABLE,
        "the settings file; without it `rsr.toml` in the working folder, where there is one",
    ),
    (
        "RSR_IATI_DATA",
        "folder of the IATI test data; read by tests alone",
    ),
];
const PROFILE_VARIABLE: &str = "RSR_PROFILE";
const CONFIG_VARIABLE: &str = "RSR_CONFIG";

/// Most bytes of a settings file.
const FILE_LIMIT: ByteSize = ByteSize::from_mib(1);

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The built-in default.
    Default,
    /// The chosen profile.
    Profile(Profile),
    /// A settings file.
    File(PathBuf),
    /// An environment variable, by its name.
    Variable(&'static str),
    /// A command-line flag, or whoever else set the value by hand.
    Override(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Profile(profile) => write!(f, "profile {profile}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Override(name) => f.write_str(name),
        }
    }
}

/// One setting with its present value, for people. A secret's value is masked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The key in a settings file, such as `cache.ttl`.
    pub key: &'static str,
    /// The environment variable.
    pub variable: &'static str,
    /// The value as it would be written in a variable.
    pub value: String,
    /// Where the value came from.
    pub source: Source,
    /// Whether it may change while the service runs.
    pub is_live: bool,
}

/// A checked tree, with the source of each value.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The values.
    pub settings: Settings,
    /// The profile that was asked for.
    pub profile: Option<Profile>,
    /// The settings file that was read.
    pub file: Option<PathBuf>,
    /// What was strange but no error, in the order of the variables' names.
    pub warnings: Vec<Warning>,
    /// One source for each row of the table.
    sources: Vec<Source>,
}

impl Loaded {
    /// Where the value of `key` came from; [`Source::Default`] for a key that is none.
    #[must_use]
    pub fn source(&self, key: &str) -> &Source {
        TABLE
            .iter()
            .position(|setting| setting.key == key)
            .and_then(|place| self.sources.get(place))
            .unwrap_or(&Source::Default)
    }

    /// Every setting with its value and source, in the order of the reference page.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        TABLE
            .iter()
            .zip(&self.sources)
            .map(|(setting, source)| Entry {
                key: setting.key,
                variable: setting.row.variable,
                value: (setting.show)(&self.settings),
                source: source.clone(),
                is_live: setting.row.live,
            })
            .collect()
    }

    pub(crate) fn set_source(&mut self, place: usize, source: Source) {
        if let Some(slot) = self.sources.get_mut(place) {
            *slot = source;
        }
    }
}

/// A text that was meant for `setting`, fit to be printed.
pub(crate) fn printable(setting: &Setting, text: &str) -> String {
    if setting.secret || (text.contains('@') && !text.contains("://")) {
        MASK.to_owned()
    } else {
        mask_passwords(text)
    }
}

/// Reads and checks every source that `inputs` names.
///
/// Reads one file at most, of 1 MiB at most. Each layer is checked, also where a stronger one replaces its value: a
/// mistake in a file does not wait until a variable is gone.
///
/// # Errors
///
/// [`Invalid`] with *everything* that is wrong: the caller prints its problems and ends.
pub fn load(inputs: &Inputs) -> Result<Loaded, Invalid> {
    let mut load = Load {
        folders: inputs.folders(),
        settings: Settings::default(),
        sources: vec![Source::Default; TABLE.len()],
        problems: Vec::new(),
    };
    load.defaults();
    let profile = load.profile(inputs);
    let file = load.file(inputs);
    let warnings = load.variables(inputs);
    load.overrides(inputs);

    let loaded = Loaded {
        settings: load.settings,
        profile,
        file,
        warnings,
        sources: load.sources,
    };
    // Rules over several settings make sense only of values that are right one by one.
    if !load.problems.is_empty() {
        return Err(Invalid::new(load.problems));
    }
    check_rules(&loaded)?;
    Ok(loaded)
}

/// Checks the rules over several settings.
pub(crate) fn check_rules(loaded: &Loaded) -> Result<(), Invalid> {
    match rules::check(loaded) {
        problems if problems.is_empty() => Ok(()),
        problems => Err(Invalid::new(problems)),
    }
}

struct Load {
    folders: Folders,
    settings: Settings,
    sources: Vec<Source>,
    problems: Vec<Problem>,
}

impl Load {
    /// Sets the row at `place`, or notes why it cannot be.
    fn assign(&mut self, place: usize, text: &str, source: Source) {
        let Some((setting, slot)) = TABLE.get(place).zip(self.sources.get_mut(place)) else {
            return;
        };
        if (setting.read)(&setting.row, &mut self.settings, text) {
            *slot = source;
        } else {
            self.problems.push(Problem::Refused {
                key: setting.key,
                value: format!("{:?}", printable(setting, text)),
                origin: source,
                accepted: setting.accepted_in_words(),
            });
        }
    }

    fn defaults(&mut self) {
        for (place, setting) in TABLE.iter().enumerate() {
            let text = self.folders.fill_in(setting.row.default);
            self.assign(place, &text, Source::Default);
        }
    }

    fn profile(&mut self, inputs: &Inputs) -> Option<Profile> {
        let (text, source) = match &inputs.profile {
            Some(text) => (text, Source::Override("--profile".to_owned())),
            None => (
                inputs.variable(PROFILE_VARIABLE)?,
                Source::Variable(PROFILE_VARIABLE),
            ),
        };
        let Ok(profile) = text.parse::<Profile>() else {
            self.problems.push(Problem::Refused {
                key: "profile",
                value: format!("{text:?}"),
                origin: source,
                accepted: format!("one of {}", Profile::KNOWN),
            });
            return None;
        };
        for (place, setting) in TABLE.iter().enumerate() {
            if let Some(text) = setting.row.in_profile(profile) {
                self.assign(place, text, Source::Profile(profile));
            }
        }
        Some(profile)
    }

    fn file(&mut self, inputs: &Inputs) -> Option<PathBuf> {
        let named = inputs
            .config
            .clone()
            .or_else(|| inputs.variable(CONFIG_VARIABLE).map(PathBuf::from));
        let path = match named {
            Some(path) => path,
            None => inputs.default_file.clone().filter(|path| path.exists())?,
        };
        match read_file(&path) {
            Ok(values) => {
                for value in values {
                    self.file_value(&path, value);
                }
            }
            Err(problem) => self.problems.push(problem),
        }
        Some(path)
    }

    fn file_value(&mut self, path: &Path, value: file::FileValue) {
        let source = Source::File(path.to_owned());
        let Some(place) = TABLE.iter().position(|setting| setting.key == value.key) else {
            self.problems.push(Problem::UnknownKey {
                nearest: nearest::key(&value.key),
                key: value.key,
                file: path.to_owned(),
            });
            return;
        };
        let fits = |setting: &&Setting| value.is_text || (value.is_scalar && !setting.text_only);
        if TABLE.get(place).filter(fits).is_some() {
            self.assign(place, &value.text, source);
        } else if let Some(setting) = TABLE.get(place) {
            self.problems.push(Problem::Refused {
                key: setting.key,
                value: if setting.secret {
                    MASK.to_owned()
                } else {
                    value.text
                },
                origin: source,
                accepted: setting.accepted_in_words(),
            });
        }
    }

    fn variables(&mut self, inputs: &Inputs) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for (name, text) in &inputs.environment {
            if !name.starts_with("RSR_") || OTHER_VARIABLES.iter().any(|(other, _)| other == name) {
                continue;
            }
            match TABLE
                .iter()
                .enumerate()
                .find(|(_, setting)| setting.row.variable == name)
            {
                Some((place, setting)) => {
                    self.assign(place, text, Source::Variable(setting.row.variable));
                }
                None => warnings.push(Warning::UnknownVariable {
                    nearest: nearest::variable(name),
                    name: name.clone(),
                }),
            }
        }
        warnings
    }

    fn overrides(&mut self, inputs: &Inputs) {
        for (name, key, text) in &inputs.overrides {
            match TABLE.iter().position(|setting| setting.key == key) {
                Some(place) => self.assign(place, text, Source::Override(name.clone())),
                None => self.problems.push(Problem::UnknownKey {
                    nearest: nearest::key(key),
                    key: key.clone(),
                    file: PathBuf::from(name),
                }),
            }
        }
    }
}

fn read_file(path: &Path) -> Result<Vec<file::FileValue>, Problem> {
    let text = read_file_at_most(path, FILE_LIMIT).map_err(|error| Problem::File {
        path: path.to_owned(),
        reason: problem::read_reason(&error),
    })?;
    file::values(&text).map_err(|reason| Problem::File {
        path: path.to_owned(),
        reason,
    })
}
