//! A PostgreSQL server of the test process's own.
//!
//! It lies in a temporary folder, listens on a Unix socket there and nowhere else, and writes without waiting for the
//! disk. A shell watches over it that reads from a pipe of the test process: however that process ends, the pipe
//! closes, and the server stops and its folder goes.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use crate::left_out;

/// The superuser of the server.
const USER: &str = "rsr";
const PORT: u16 = 5432;
/// Users whose rights a server can have where tests run as root, which servers refuse.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// Its arguments: the folder of the programs, the superuser, lines for `postgresql.conf`, commands to run before the start.
const WATCH: &str = r#"
set -e
unset LC_ALL LANG
dir=$(mktemp -d "${TMPDIR:-/tmp}/rsr-postgres.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap '' INT TERM HUP
"$1/initdb" -D "$dir/data" -U "$2" -A trust -E UTF8 --locale=C -N >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; exit 1; }
cat >>"$dir/data/postgresql.conf" <<CONF
unix_socket_directories = '$dir'
listen_addresses = ''
fsync = off
synchronous_commit = off
full_page_writes = off
max_connections = 200
shared_buffers = 32MB
$3
CONF
cd "$dir"
eval "$4"
"$1/pg_ctl" -D "$dir/data" -s -w -t 60 -l "$dir/log" start >&2 || { cat "$dir/log" >&2; exit 1; }
echo "$dir"
cat >/dev/null
"$1/pg_ctl" -D "$dir/data" -s -m immediate stop >/dev/null 2>&1 || true
"#;

/// A running server.
#[derive(Debug)]
struct Server {
    programs: PathBuf,
    folder: String,
    port: u16,
    n_databases: AtomicU64,
    /// Its standard input is what keeps the server alive.
    _watch: Mutex<Child>,
}

/// An empty database of one test. It goes when this does.
#[derive(Debug)]
pub struct PostgresDatabase {
    server: &'static Server,
    name: String,
}

impl PostgresDatabase {
    /// Makes a database, and starts the server where it does not run yet. `None`, with a word about it for the test
    /// run's summary, where PostgreSQL is not on this machine.
    ///
    /// # Panics
    ///
    /// Where PostgreSQL is there and does not start.
    #[must_use]
    pub fn make() -> Option<Self> {
        let server = server()?;
        let nth = server.n_databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{nth}");
        server.run("createdb", &["--template=template0", &name]);
        Some(Self { server, name })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        let Self { server, name } = self;
        format!("postgres:///{name}?user={USER}&host={}", server.folder)
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.server
                .run("dropdb", &["--force", "--if-exists", &self.name]);
        }
    }
}

impl Server {
    fn run(&self, program: &str, arguments: &[&str]) {
        let done = Command::new(self.programs.join(program))
            .args(["--host", &self.folder, "--username", USER])
            .args(["--port", &self.port.to_string()])
            .args(arguments)
            .output()
            .expect("PostgreSQL's own programs can be run");
        assert!(
            done.status.success(),
            "{program} {arguments:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
}

/// A server of one test's own, to be stopped, started and reached over TCP and TLS.
#[derive(Debug)]
pub struct PostgresServer {
    server: Server,
}

impl PostgresServer {
    /// Starts one that listens on a free port of 127.0.0.1 too, with more lines for its `postgresql.conf`, after shell commands
    /// in its own folder, beside its folder `data`. `None` as with [`PostgresDatabase::make`].
    ///
    /// # Panics
    ///
    /// Where PostgreSQL is there and does not start.
    #[must_use]
    pub fn start(conf: &str, before: &str) -> Option<Self> {
        // That PostgreSQL is missing is told once, by the server that all share.
        let programs = server()?.programs.clone();
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = free.expect("some port is free").port();
        let conf = format!("listen_addresses = '127.0.0.1'\n{conf}");
        Some(Self {
            server: start(programs, port, &conf, before),
        })
    }

    /// Starts a copy of it that follows it, as `pg_basebackup` and streaming replication make one, to be
    /// [promoted](Self::promote) where the first is lost.
    ///
    /// # Panics
    ///
    /// Where it does not start.
    #[must_use]
    pub fn standby(&self) -> Self {
        let Server { folder, port, .. } = &self.server;
        let copy = format!(
            r#"rm -rf data
"$1/pg_basebackup" -h '{folder}' -p {port} -U {USER} -D data -R -X stream -c fast >&2
chmod 700 data
printf "unix_socket_directories = '%s'\n%s\n" "$dir" "$3" >>data/postgresql.conf"#
        );
        Self::start("", &copy).expect("the first server is there, so this machine has PostgreSQL")
    }

    /// Makes a standby the server that takes writes.
    pub fn promote(&self) {
        self.control(&["promote"]);
    }

    /// Makes an empty database.
    pub fn create(&self, name: &str) {
        self.server.run("createdb", &["--template=template0", name]);
    }

    /// Makes an empty database whose tables lie in a folder of the server's user, such as one on a disk of its own.
    pub fn create_in(&self, folder: &Path, name: &str) {
        let place = format!("CREATE TABLESPACE {name} LOCATION '{}'", folder.display());
        self.server.run(
            "psql",
            &["--quiet", "--dbname=postgres", "--command", &place],
        );
        let place = format!("--tablespace={name}");
        self.server
            .run("createdb", &["--template=template0", &place, name]);
    }

    /// The address of a database over the server's socket.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        let Server { folder, port, .. } = &self.server;
        format!("postgres:///{name}?user={USER}&host={folder}&port={port}")
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// The folder that its data lies in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        Path::new(&self.server.folder)
    }

    /// Stops it at once, as a crash would.
    pub fn crash(&self) {
        self.control(&["-m", "immediate", "stop"]);
    }

    /// Starts it again.
    pub fn restart(&self) {
        let log = self.folder().join("log");
        self.control(&["-l", &log.display().to_string(), "start"]);
    }

    fn control(&self, arguments: &[&str]) {
        let status = as_owner(&self.server.programs.join("pg_ctl"))
            .arg("-D")
            .arg(self.folder().join("data"))
            .args(["-s", "-w", "-t", "60"])
            .args(arguments)
            .stdin(Stdio::null())
            .status()
            .expect("PostgreSQL's own programs can be run");
        assert!(status.success(), "pg_ctl {arguments:?}");
    }
}

fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER
        .get_or_init(|| match programs() {
            Some(programs) => Some(start(programs, PORT, "", "")),
            None => {
                left_out(
                    "everything with PostgreSQL: there is no initdb under /usr/lib/postgresql; install postgresql",
                );
                None
            }
        })
        .as_ref()
}

/// The folder of PostgreSQL's programs: Debian keeps them off the `PATH`, a folder for each version.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            let programs = path.join("bin");
            programs
                .join("initdb")
                .is_file()
                .then_some((version, programs))
        })
        .collect();
    found.sort();
    found.pop().map(|(_version, programs)| programs)
}

/// A command of the user whose rights servers get.
fn as_owner(program: &Path) -> Command {
    let mut command = match unprivileged() {
        Some(user) => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", user, "--regid"]);
            command.args([&group_of(user), "--clear-groups"]);
            command.arg(program);
            command
        }
        None => Command::new(program),
    };
    command.current_dir("/");
    command
}

fn start(programs: PathBuf, port: u16, conf: &str, before: &str) -> Server {
    let mut watch = as_owner(Path::new("sh"))
        .args(["-c", WATCH, "sh"])
        .arg(&programs)
        .args([USER, &format!("port = {port}\n{conf}"), before])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell can be started");
    let output = watch.stdout.take().expect("the output was asked for");
    let mut folder = String::new();
    // The line ends with the folder's name, which is short.
    BufReader::new(output)
        .read_line(&mut folder)
        .expect("the shell's output can be read");
    let folder = folder.trim().to_owned();
    assert!(
        Path::new(&folder).is_dir(),
        "PostgreSQL did not start; the lines above say why"
    );
    Server {
        programs,
        folder,
        port,
        n_databases: AtomicU64::new(0),
        _watch: Mutex::new(watch),
    }
}

/// Whose rights the server gets; `None` for those of the tests.
fn unprivileged() -> Option<&'static str> {
    if id(&["-u"]).as_deref() != Some("0") {
        return None;
    }
    UNPRIVILEGED
        .into_iter()
        .find(|user| id(&["-u", user]).is_some())
}

fn group_of(user: &str) -> String {
    id(&["-g", user]).expect("a user has a group")
}

fn id(arguments: &[&str]) -> Option<String> {
    let done = Command::new("id").args(arguments).output().ok()?;
    done.status
        .success()
        .then(|| String::from_utf8_lossy(&done.stdout).trim().to_owned())
}
