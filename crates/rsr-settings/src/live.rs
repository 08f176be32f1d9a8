//! The settings of a running service: read at every use, changed as a whole.

use std::sync::{Arc, PoisonError, RwLock};

use crate::load::{Inputs, Invalid, Loaded, Source, Warning, check_rules, load, printable};
use crate::table::Setting;
use crate::tree::{Settings, TABLE};

/// One value that changed, or would. Secrets are masked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The setting.
    pub key: &'static str,
    /// The value before.
    pub old: String,
    /// The value after.
    pub new: String,
    /// Where the new value comes from.
    pub source: Source,
}

/// What reading all sources again came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reload {
    /// Changes that are in effect now.
    pub changed: Vec<Change>,
    /// Changes that wait for a restart: these settings keep their old values until then.
    pub waiting: Vec<Change>,
    /// What was strange but no error.
    pub warnings: Vec<Warning>,
}

/// A change by hand that was refused; the old value stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetError {
    /// No setting has the key.
    #[error("{key} is no setting: the nearest is {nearest}")]
    Unknown {
        /// The key as it was given.
        key: String,
        /// The setting whose key is most like it.
        nearest: &'static str,
    },
    /// The setting is read only when the service starts.
    #[error("{key} cannot change while the service runs: set it in the settings file and restart")]
    NeedsRestart {
        /// The setting.
        key: &'static str,
    },
    /// The value is not accepted, alone or beside the others.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// A tree of settings that many read and that changes as a whole.
///
/// Clones of the `Arc` that [`LiveSettings::current`] gives are snapshots: they do not change under their reader.
/// Reading takes a shared lock for the time of one counter increment.
///
/// ```
/// use rsr_settings::{Inputs, LiveSettings, load};
///
/// let live = LiveSettings::new(load(&Inputs::default())?);
/// let before = live.current();
/// let change = live.set("hierarchy.chunk_size", "50", "uid 1000")?.expect("it was 500");
/// assert_eq!((change.old.as_str(), change.new.as_str()), ("500", "50"));
/// assert_eq!(before.hierarchy.chunk_size, 500);
/// assert_eq!(live.current().hierarchy.chunk_size, 50);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LiveSettings {
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    settings: Arc<Settings>,
    loaded: Loaded,
}

impl LiveSettings {
    /// Settings that may change from now on.
    #[must_use]
    pub fn new(loaded: Loaded) -> Self {
        let settings = Arc::new(loaded.settings.clone());
        Self {
            state: RwLock::new(State { settings, loaded }),
        }
    }

    /// The values at this moment.
    #[must_use]
    pub fn current(&self) -> Arc<Settings> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&state.settings)
    }

    /// The values at this moment, with their sources.
    #[must_use]
    pub fn loaded(&self) -> Loaded {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .loaded
            .clone()
    }

    /// Loads all sources again and takes over what may change while the service runs.
    ///
    /// A value set by [`LiveSettings::set`] gives way to what the sources say.
    ///
    /// # Errors
    ///
    /// [`Invalid`] where the sources are wrong, or do not go with what cannot change; every old value is kept then.
    pub fn reload(&self, inputs: &Inputs) -> Result<Reload, Invalid> {
        let fresh = load(inputs)?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = state.loaded.clone();
        let mut reload = Reload {
            changed: Vec::new(),
            waiting: Vec::new(),
            warnings: fresh.warnings.clone(),
        };
        for (place, setting) in TABLE.iter().enumerate() {
            let source = fresh.source(setting.key).clone();
            let is_changed = differs(setting, &next.settings, &fresh.settings);
            if is_changed {
                let change = change(setting, &next.settings, &fresh.settings, source.clone());
                let list = if setting.row.live {
                    &mut reload.changed
                } else {
                    &mut reload.waiting
                };
                list.push(change);
            }
            if setting.row.live {
                (setting.copy)(&fresh.settings, &mut next.settings);
            }
            if setting.row.live || !is_changed {
                next.set_source(place, source);
            }
        }
        check_rules(&next)?;
        next.warnings = fresh.warnings;
        next.file = fresh.file;
        state.replace(next);
        Ok(reload)
    }

    /// Changes one setting by hand; `who` is shown as the value's source. Nothing where it had that value already.
    ///
    /// # Errors
    ///
    /// [`SetError`] says why the value was not taken; the old one is kept.
    pub fn set(&self, key: &str, text: &str, who: &str) -> Result<Option<Change>, SetError> {
        let Some((place, setting)) = TABLE
            .iter()
            .enumerate()
            .find(|(_, setting)| setting.key == key)
        else {
            return Err(SetError::Unknown {
                key: key.to_owned(),
                nearest: crate::load::nearest_key(key),
            });
        };
        if !setting.row.live {
            return Err(SetError::NeedsRestart { key: setting.key });
        }
        let source = Source::Override(who.to_owned());
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = state.loaded.clone();
        if !(setting.read)(&setting.row, &mut next.settings, text) {
            return Err(Invalid::refused(setting, &printable(setting, text), source).into());
        }
        if !differs(setting, &state.loaded.settings, &next.settings) {
            return Ok(None);
        }
        let change = change(
            setting,
            &state.loaded.settings,
            &next.settings,
            source.clone(),
        );
        next.set_source(place, source);
        check_rules(&next)?;
        state.replace(next);
        Ok(Some(change))
    }
}

impl State {
    fn replace(&mut self, loaded: Loaded) {
        self.settings = Arc::new(loaded.settings.clone());
        self.loaded = loaded;
    }
}

/// Whether a setting differs between two trees, secrets included.
fn differs(setting: &Setting, left: &Settings, right: &Settings) -> bool {
    let mut copied = left.clone();
    (setting.copy)(right, &mut copied);
    copied != *left
}

fn change(setting: &Setting, old: &Settings, new: &Settings, source: Source) -> Change {
    Change {
        key: setting.key,
        old: (setting.show)(old),
        new: (setting.show)(new),
        source,
    }
}
