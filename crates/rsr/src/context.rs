//! What every command starts from: the settings, the clock, how to print.

use std::path::Path;

use rsr_base::{SharedClock, system_clock};
use rsr_settings::{Inputs, Loaded, Settings, load};
use rsr_store::{Store, WorkBudgets};
use serde_json::json;

use crate::cli::Common;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::output::{self, Format};

/// The surroundings of one command.
#[derive(Debug)]
pub(crate) struct Context {
    /// The settings, with the source of each.
    pub(crate) loaded: Loaded,
    /// The clock of this process.
    pub(crate) clock: SharedClock,
    /// How results are printed.
    pub(crate) format: Format,
    /// Whether only errors and results are wanted.
    pub(crate) is_quiet: bool,
    /// Whether everything that happens is to be told.
    is_verbose: bool,
    /// Raised by Ctrl-C.
    pub(crate) interrupt: Interrupt,
}

/// What was done with IATI files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IatiWork {
    /// `import`, `export` or `validate`.
    pub(crate) operation: &'static str,
    /// Activities kept, written or valid.
    pub(crate) n_good: u64,
    /// Activities skipped, left out or with findings.
    pub(crate) n_bad: u64,
    /// Bytes read or written.
    pub(crate) n_bytes: u64,
}

impl Context {
    /// Loads the settings, with flags over all other sources, and starts logging.
    pub(crate) fn new(
        common: &Common,
        overrides: &[(&str, &str, String)],
    ) -> Result<Self, Failure> {
        let loaded = load(&inputs(common, overrides))
            .map_err(|invalid| Failure::of(Exit::Usage, invalid))?;
        crate::logging::start(&loaded.settings.log, common.verbose, common.quiet)?;
        for warning in &loaded.warnings {
            output::note(format_args!("warning: {warning}"));
        }
        let interrupt = Interrupt::listen().map_err(|error| {
            Failure::of(Exit::PartWay, error).context("signals cannot be listened for")
        })?;
        Ok(Self {
            loaded,
            clock: system_clock(),
            format: common.format(),
            is_quiet: common.quiet,
            is_verbose: common.verbose > 0,
            interrupt,
        })
    }

    /// The values of the settings.
    pub(crate) fn settings(&self) -> &Settings {
        &self.loaded.settings
    }

    /// Whether everything that happens is to be told.
    pub(crate) fn is_verbose(&self) -> bool {
        self.is_verbose
    }

    /// Whether programs read what is printed.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Refuses a format that the command does not have.
    pub(crate) fn accept(&self, formats: &[Format]) -> Result<(), Failure> {
        if formats.contains(&self.format) {
            return Ok(());
        }
        Err(Failure::new(
            Exit::Usage,
            "--format: this command prints text or json, see its --help",
        ))
    }

    /// The database, open and of this version's schema.
    pub(crate) fn store(&self) -> Result<Store, Failure> {
        let database = &self.settings().database;
        let store = Store::open(database, self.clock.clone()).map_err(|error| {
            Failure::from(error).context(format_args!("cannot open {}", database.url))
        })?;
        let budget = rsr_service::process_budget(self.settings(), &self.clock);
        Ok(store.within(WorkBudgets::below(&budget)))
    }

    /// The database that is there already: a name that was mistyped makes no new, empty one.
    pub(crate) fn existing_store(&self) -> Result<Store, Failure> {
        let url = &self.settings().database.url;
        match url.sqlite_path() {
            Some(path) if !Path::new(path).exists() => Err(Failure::new(
                Exit::Unreachable,
                format_args!(
                    "there is no database {url}: `rsr import iati` or `rsr demo` makes it, --database names another"
                ),
            )),
            _ => self.store(),
        }
    }

    /// Tells the running service, where there is one, what was done with IATI files, so that its counters know. That
    /// nobody listens is no trouble of the work that was done.
    pub(crate) fn count(&self, work: &IatiWork, store: Option<&Store>) {
        if !self.settings().server.admin_socket.exists() {
            return;
        }
        let body = json!({
            "operation": work.operation,
            "good": work.n_good,
            "bad": work.n_bad,
            "bytes": work.n_bytes,
            "database": store.map(Store::identity),
        });
        let told = self.client().post_blocking("/admin/v1/iati/counts/", &body);
        if let Err(error) = told {
            tracing::debug!(%error, "the service was not told");
        }
    }

    /// A client of the running service.
    pub(crate) fn client(&self) -> rsr_service::client::Client {
        rsr_service::client::Client::new(&self.settings().server.admin_socket)
    }
}

/// The sources of the settings: the process's own, and the flags.
pub(crate) fn inputs(common: &Common, overrides: &[(&str, &str, String)]) -> Inputs {
    let mut inputs = Inputs::of_process();
    inputs.config.clone_from(&common.config);
    inputs.profile.clone_from(&common.profile);
    if let Some(url) = &common.database {
        inputs = inputs.with_override("--database", "database.url", url);
    }
    for (flag, key, text) in overrides {
        inputs = inputs.with_override(*flag, *key, text);
    }
    inputs
}
