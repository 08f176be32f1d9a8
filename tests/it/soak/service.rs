//! The real service, under a limit that kills.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rsr_tests::serving::{Server, ask};
use rsr_tests::{documents::read, rsr, run};

/// Bytes the service may take.
pub(super) const LIMIT_MIB: u64 = 192;

/// How often the heap is looked at for one figure.
const HEAP_READINGS: usize = 12;

/// A control group of the test's own; it goes with this.
#[derive(Debug)]
struct Group {
    folder: PathBuf,
    is_v2: bool,
}

impl Group {
    /// Under the group this process is in; `None` where this machine lets nobody make one.
    fn make() -> Option<Self> {
        let own = fs::File::open("/proc/self/cgroup").ok()?;
        let own = rsr_base::read_text_at_most(own, rsr_base::ByteSize::from_mib(1)).ok()?;
        let place = |wanted: &str| {
            own.lines().find_map(|line| {
                let mut parts = line.splitn(3, ':').skip(1);
                (parts.next()? == wanted).then(|| parts.next())?
            })
        };
        let name = format!("rsr-soak-{}", std::process::id());
        let v1 = place("memory").map(|path| (format!("/sys/fs/cgroup/memory{path}"), false));
        let v2 = place("").map(|path| (format!("/sys/fs/cgroup{path}"), true));
        [v1, v2].into_iter().flatten().find_map(|(parent, is_v2)| {
            let folder = Path::new(&parent).join(&name);
            fs::create_dir(&folder).ok()?;
            let group = Self { folder, is_v2 };
            let limit = (LIMIT_MIB << 20).to_string();
            let file = if is_v2 {
                "memory.max"
            } else {
                "memory.limit_in_bytes"
            };
            fs::write(group.folder.join(file), limit).ok()?;
            Some(group)
        })
    }

    fn number(&self, file: &str, key: &str) -> Option<u64> {
        let path = self.folder.join(file);
        let text = path.exists().then(|| read(&path))?;
        let mut lines = text.lines();
        let found = match key {
            "" => lines.next(),
            key => lines.find_map(|line| line.strip_prefix(key)),
        };
        found?.trim().parse().ok()
    }

    /// Processes the kernel killed in it.
    fn n_killed(&self) -> u64 {
        let file = if self.is_v2 {
            "memory.events"
        } else {
            "memory.oom_control"
        };
        self.number(file, "oom_kill ").unwrap_or_default()
    }

    fn peak(&self) -> Option<u64> {
        let file = if self.is_v2 {
            "memory.peak"
        } else {
            "memory.max_usage_in_bytes"
        };
        self.number(file, "")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Empty by now: the server is gone.
        drop(fs::remove_dir(&self.folder));
    }
}

/// A server with its folder and its group.
pub(super) struct Service {
    pub(super) server: Server,
    pub(super) folder: PathBuf,
    group: Option<Group>,
}

impl Service {
    pub(super) fn start(folder: &Path) -> Self {
        let group = Group::make();
        let mut command = rsr(folder);
        if let Some(group) = &group {
            // The shell moves into the group and becomes the server.
            let program = command.get_program().to_owned();
            let mut shell = Command::new("sh");
            shell.args([
                OsString::from("-c"),
                OsString::from("echo $$ > \"$0\" && exec \"$@\""),
                group.folder.join("cgroup.procs").into(),
                program,
            ]);
            shell.current_dir(folder);
            for (name, value) in command.get_envs() {
                match value {
                    Some(value) => shell.env(name, value),
                    None => shell.env_remove(name),
                };
            }
            command = shell;
        }
        let path = |name: &str| folder.join(name).display().to_string();
        command
            .env("RSR_MEMORY_LIMIT", format!("{LIMIT_MIB}MiB"))
            .env("RSR_MEMORY_SNAPSHOT_PATH", path("snapshot.json"))
            .env("RSR_PROFILING_OUTPUT_DIR", path("profiles"))
            .env("RSR_PROFILING_ENABLED", "true")
            .env("RSR_LOG_LEVEL", "warn");
        Self {
            server: Server::begin(command, &[]),
            folder: folder.to_owned(),
            group,
        }
    }

    /// What holds the server.
    pub(super) fn held_by(&self) -> String {
        match &self.group {
            None => {
                format!("memory.limit of {LIMIT_MIB} MiB alone: no control group can be made here")
            }
            Some(group) => {
                let version = if group.is_v2 { "v2" } else { "v1" };
                format!(
                    "a memory cgroup ({version}) of {LIMIT_MIB} MiB, and memory.limit of the same"
                )
            }
        }
    }

    /// Processes of it that the kernel killed.
    pub(super) fn n_killed(&self) -> u64 {
        self.group.as_ref().map_or(0, Group::n_killed)
    }

    /// Most bytes it took, in the kernel's own count where there is a group: page cache included.
    pub(super) fn peak_bytes(&self) -> u64 {
        let own = || self.metric("rsr_memory_peak_usage_bytes");
        let counted = self.group.as_ref().and_then(Group::peak);
        counted.unwrap_or_else(own)
    }

    /// Most resident bytes of the process.
    pub(super) fn peak_resident(&self) -> u64 {
        self.metric("rsr_memory_peak_usage_bytes")
    }

    /// A figure of the metrics page, of the one series that begins so.
    pub(super) fn metric(&self, series: &str) -> u64 {
        let page = ask(self.server.address(), "/metrics/").unwrap().body;
        let found = page.lines().find_map(|line| line.strip_prefix(series));
        let value: f64 = found
            .and_then(|rest| rest.trim().parse().ok())
            .unwrap_or_else(|| panic!("no {series}:\n{page}"));
        format!("{value:.0}").parse().unwrap_or_default()
    }

    /// The heap without what caches and the connections to the database keep to be faster: the least of some readings, since
    /// the service's own duties take a little for a moment.
    pub(super) fn heap(&self) -> u64 {
        let readings = (0..HEAP_READINGS).map(|_nth| {
            run(&self.folder, ["cache", "clear"]);
            self.metric("rsr_memory_usage_bytes{kind=\"heap_allocated\"}")
        });
        readings.min().unwrap_or_default()
    }
}
