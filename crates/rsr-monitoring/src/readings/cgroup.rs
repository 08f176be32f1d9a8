//! Control groups, both versions: what holds this process and how much it may use.

use std::path::{Component, Path, PathBuf};

use rsr_base::ByteSize;

use super::StallReading;
use super::file::{field, text};

/// Memory of the control group the process is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupReading {
    /// Everything charged to the group, file caches included.
    pub usage: ByteSize,
    /// `usage` without file caches that the kernel can drop at once. It is this that gets a group killed.
    pub working_set: ByteSize,
}

/// A limit on memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limit {
    /// Most bytes.
    pub size: ByteSize,
    /// Who set it.
    pub source: LimitSource,
}

/// Where a [`Limit`] comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LimitSource {
    /// `memory.max` of a control group (version 2): above it the process is killed.
    GroupMax,
    /// `memory.high` of a control group (version 2): above it the process is slowed down.
    GroupHigh,
    /// `memory.limit_in_bytes` of a control group (version 1).
    GroupV1,
    /// No group sets one; the machine has no more memory.
    Machine,
}

/// Finds the group each time it is asked: a process can be moved.
#[derive(Debug)]
pub(super) struct Groups {
    root: PathBuf,
}

/// The groups that hold the process in one hierarchy, its own first.
#[derive(Debug, Default)]
pub(super) struct Found {
    v2: Vec<PathBuf>,
    v1: Vec<PathBuf>,
}

/// A limit of version 1 above this is the kernel's way of saying that there is none.
const UNLIMITED_V1: u64 = 1 << 60;

/// Deeper than any real tree of groups.
const DEPTH_MAX: usize = 64;

impl Groups {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn find(&self) -> Found {
        let memberships = text(&self.root.join("proc/self/cgroup")).unwrap_or_default();
        let mounts = text(&self.root.join("proc/self/mountinfo")).unwrap_or_default();
        let mut found = Found::default();
        for line in memberships.lines() {
            let mut parts = line.splitn(3, ':');
            let (Some(_number), Some(controllers), Some(path)) =
                (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            if controllers.is_empty() {
                let mount = mount(&mounts, "cgroup2", None);
                found.v2 = self.ancestors(mount, "/sys/fs/cgroup", path);
            } else if controllers.split(',').any(|name| name == "memory") {
                let mount = mount(&mounts, "cgroup", Some("memory"));
                found.v1 = self.ancestors(mount, "/sys/fs/cgroup/memory", path);
            }
        }
        found
    }

    /// The folders from the process's own group up to the mount point, as far as they can be seen from here.
    ///
    /// Inside a container the path is often the host's and is not there: what is left of it is its visible part.
    fn ancestors(&self, mount: Option<Mount<'_>>, usual: &str, path: &str) -> Vec<PathBuf> {
        let (mount_root, mount_point) =
            mount.map_or(("/", usual), |mount| (mount.root, mount.point));
        let top = self.root.join(mount_point.trim_start_matches('/'));
        let inside = Path::new(path)
            .strip_prefix(mount_root)
            .unwrap_or(Path::new(path));
        let names: Vec<_> = inside
            .components()
            .filter_map(|part| match part {
                Component::Normal(name) => Some(name),
                _ => None,
            })
            .take(DEPTH_MAX)
            .collect();
        (0..=names.len())
            .rev()
            .map(|depth| top.join(names.iter().take(depth).collect::<PathBuf>()))
            .filter(|folder| folder.is_dir())
            .collect()
    }
}

struct Mount<'a> {
    root: &'a str,
    point: &'a str,
}

/// Finds where a kind of hierarchy is mounted. **Source:** `proc_pid_mountinfo(5)`.
fn mount<'a>(mounts: &'a str, kind: &str, option: Option<&str>) -> Option<Mount<'a>> {
    mounts.lines().find_map(|line| {
        let (place, source) = line.split_once(" - ")?;
        let mut source = source.split(' ');
        let is_kind = source.next()? == kind;
        let options = source.nth(1).unwrap_or_default();
        let fits = option.is_none_or(|wanted| options.split(',').any(|name| name == wanted));
        let mut place = place.split(' ').skip(3);
        (is_kind && fits).then_some(Mount {
            root: place.next()?,
            point: place.next()?,
        })
    })
}

impl Found {
    /// The tightest of all limits from the own group upwards.
    pub(super) fn limit(&self) -> Option<Limit> {
        let each = |folders: &[PathBuf], file: &str, source: LimitSource| {
            folders
                .iter()
                .filter_map(|folder| number(&folder.join(file)))
                .filter(|bytes| *bytes < UNLIMITED_V1)
                .min()
                .map(|bytes| Limit {
                    size: ByteSize::from_bytes(bytes),
                    source,
                })
        };
        [
            each(&self.v2, "memory.max", LimitSource::GroupMax),
            each(&self.v2, "memory.high", LimitSource::GroupHigh),
            each(&self.v1, "memory.limit_in_bytes", LimitSource::GroupV1),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|limit| limit.size)
    }

    pub(super) fn reading(&self) -> Option<GroupReading> {
        let v2 = || group(self.v2.first()?, "memory.current", "inactive_file");
        let v1 = || {
            let folder = self.v1.first()?;
            group(folder, "memory.usage_in_bytes", "total_inactive_file")
        };
        v2().or_else(v1)
    }

    pub(super) fn stall(&self) -> Option<StallReading> {
        StallReading::parse(&text(&self.v2.first()?.join("memory.pressure"))?)
    }
}

fn group(folder: &Path, usage: &str, droppable: &str) -> Option<GroupReading> {
    let usage = ByteSize::from_bytes(number(&folder.join(usage))?);
    let droppable = text(&folder.join("memory.stat"))
        .and_then(|stat| field(&stat, droppable))
        .map_or(ByteSize::ZERO, ByteSize::from_bytes);
    Some(GroupReading {
        usage,
        working_set: usage - droppable,
    })
}

/// The number in a file; `max`, the kernel's word for no limit, is none.
fn number(file: &Path) -> Option<u64> {
    text(file)?.trim().parse().ok()
}
