//! What the settings are made from, as parameters.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The sources of one load. Nothing else is read.
///
/// ```
/// use rsr_settings::{Inputs, load};
///
/// let inputs = Inputs::from_environment([("RSR_LISTEN", "127.0.0.1:9000")])
///     .with_override("--listen", "server.listen", "127.0.0.1:9001");
/// let loaded = load(&inputs)?;
/// assert_eq!(loaded.settings.server.listen.port(), 9001, "a flag wins over a variable");
/// # Ok::<(), rsr_settings::Invalid>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Inputs {
    /// The environment: every variable, not the `RSR_*` ones alone.
    pub environment: BTreeMap<String, String>,
    /// The settings file asked for by a flag; wins over `RSR_CONFIG`.
    pub config: Option<PathBuf>,
    /// The file read where none is asked for, if it is there.
    pub default_file: Option<PathBuf>,
    /// The profile asked for by a flag; wins over `RSR_PROFILE`.
    pub profile: Option<String>,
    /// Values set by flags: the flag's name, the key, the text. Later ones win.
    pub overrides: Vec<(String, String, String)>,
}

impl Inputs {
    /// The sources of a program just started: its environment, and `rsr.toml` in the working folder.
    #[must_use]
    pub fn of_process() -> Self {
        Self {
            environment: environment(),
            default_file: Some(PathBuf::from("rsr.toml")),
            ..Self::default()
        }
    }

    /// These variables, no flags, and no file but the one `RSR_CONFIG` may name.
    #[must_use]
    pub fn from_environment<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let variables = variables.into_iter();
        Self {
            environment: variables
                .map(|(name, text)| (name.to_owned(), text.to_owned()))
                .collect(),
            ..Self::default()
        }
    }

    /// Adds a value that wins over all sources named so far; `name` says who set it, such as `--listen`.
    #[must_use]
    pub fn with_override(
        mut self,
        name: impl Into<String>,
        key: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        self.overrides.push((name.into(), key.into(), text.into()));
        self
    }

    /// A variable that is set and not blank.
    pub(super) fn variable(&self, name: &str) -> Option<&String> {
        self.environment
            .get(name)
            .filter(|text| !text.trim().is_empty())
    }

    pub(super) fn folders(&self) -> Folders {
        let folder = |name: &str| {
            self.variable(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let home = folder("HOME");
        let state = folder("XDG_STATE_HOME")
            .or_else(|| home.map(|home| home.join(".local/state")))
            .map(|state| state.join("rsr"));
        let runtime = folder("XDG_RUNTIME_DIR").map(|runtime| runtime.join("rsr"));
        let none = Folders::default();
        Folders {
            runtime: runtime.or_else(|| state.clone()).unwrap_or(none.runtime),
            state: state.unwrap_or(none.state),
        }
    }
}

/// The environment of this process. The only place of the product that reads it.
///
/// A variable that is not UTF-8 has its wrong bytes replaced; as a setting it is then refused, or a path not found.
#[must_use]
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .map(|(name, text)| {
            (
                name.to_string_lossy().into_owned(),
                text.to_string_lossy().into_owned(),
            )
        })
        .collect()
}

/// The user's own folders, which some defaults lie in.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    state: PathBuf,
    runtime: PathBuf,
}

/// Those of a user without a home: below the working folder.
impl Default for Folders {
    fn default() -> Self {
        Self {
            state: PathBuf::from(".rsr"),
            runtime: PathBuf::from(".rsr"),
        }
    }
}

impl Folders {
    /// `text` with `{state}` and `{runtime}` replaced.
    pub(crate) fn fill_in(&self, text: &str) -> String {
        let shown = |path: &Path| path.display().to_string();
        text.replace("{state}", &shown(&self.state))
            .replace("{runtime}", &shown(&self.runtime))
    }
}
