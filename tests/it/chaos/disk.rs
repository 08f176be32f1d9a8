//! A disk that is full, and one that may only be read.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rsr_testkit::{PostgresServer, left_out};
use rsr_tests::Said;
use rsr_tests::serving::Server;

use super::files::{each_import, filled, portfolio};
use super::place::{Place, each_round};

/// What a disk of the tests' own holds.
const SIZE: u64 = 24 << 20;
/// The same for a whole database of PostgreSQL.
const SERVED_SIZE: u64 = 64 << 20;
/// Of that, most that is left when it is almost full.
const LEFT_MAX: u64 = 1 << 20;

/// What opening a database takes beside it.
const TO_OPEN: u64 = 48 << 10;

/// A small disk in memory; where none may be mounted, a folder in which files may not grow.
struct Disk {
    folder: PathBuf,
    is_mounted: bool,
}

impl Disk {
    /// For whoever the folder above belongs to.
    fn new(folder: PathBuf, size: u64) -> Self {
        fs::create_dir(&folder).unwrap();
        let owner = fs::metadata(folder.parent().unwrap()).unwrap();
        let (user, group) = (owner.uid(), owner.gid());
        let options = format!("size={size},uid={user},gid={group},mode=700");
        let is_mounted = mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], &folder);
        Self { folder, is_mounted }
    }

    /// Runs the program while there is room for so many bytes more.
    fn almost_full(&self, place: &Place, arguments: &[&str], left: u64) -> Said {
        let program = place.command(arguments);
        if !self.is_mounted {
            let database = fs::metadata(self.folder.join("rsr.db")).unwrap().len();
            return limited(&program, database + left);
        }
        self.fill(left);
        let mut program = program;
        let said = program.output().unwrap().into();
        self.make_room();
        said
    }

    /// Leaves room for so many bytes.
    fn fill(&self, left: u64) {
        let space = rustix::fs::statvfs(&self.folder).unwrap();
        let free = space.f_bavail * space.f_frsize;
        let filler = vec![b'x'; usize::try_from(free.saturating_sub(left)).unwrap()];
        fs::write(self.folder.join("filler"), filler).unwrap();
    }

    fn make_room(&self) {
        fs::remove_file(self.folder.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted {
            drop(
                Command::new("umount")
                    .arg("--lazy")
                    .arg(&self.folder)
                    .status(),
            );
        }
    }
}

fn mount(options: &[&str], at: &Path) -> bool {
    let mut mount = Command::new("mount");
    let done = mount.args(options).arg(at).output();
    done.is_ok_and(|done| done.status.success())
}

/// Runs a program whose files may not grow beyond so many bytes.
fn limited(program: &Command, bytes: u64) -> Said {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\""])
        .arg((bytes / 512).to_string())
        .arg(program.get_program())
        .args(program.get_args())
        .current_dir(program.get_current_dir().unwrap());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.output().unwrap().into()
}

/// One line that says what is wrong.
#[track_caller]
fn check_one_line(said: &Said, words: &[&str], what: &str) {
    assert_eq!(said.err.lines().count(), 1, "{what}: {}", said.err);
    let is_told = words.iter().any(|word| said.err.contains(word));
    assert!(is_told, "{what}: {}", said.err);
}

/// A portfolio on a disk of its own.
fn on_a_disk() -> (Place, Disk) {
    let place = Place::file("disk/rsr.db");
    let disk = Disk::new(place.folder().join("disk"), SIZE);
    (filled(place), disk)
}

/// The same in PostgreSQL, whose log has another disk. What goes first stands first.
fn served_on_a_disk() -> Option<(Place, Disk, PostgresServer)> {
    let server = PostgresServer::start("autovacuum = off", "")?;
    let disk = Disk::new(server.folder().join("disk"), SERVED_SIZE);
    if !disk.is_mounted {
        left_out("no disk may be mounted here: PostgreSQL ran on no full one");
        return None;
    }
    server.create_in(&disk.folder, "rsr");
    let place = filled(Place::served(server.url("rsr")));
    Some((place, disk, server))
}

mod full {
    use super::*;

    #[test]
    fn an_import_stops_and_goes_on_once_there_is_room() {
        let (place, disk) = on_a_disk();
        each_import("disk full", &place, |import, random, what| {
            let said = disk.almost_full(&place, import, random.below(LEFT_MAX));
            if said.code != 0 {
                assert!([3, 4].contains(&said.code), "{what}: {}", said.err);
                check_one_line(&said, &["disk is full"], what);
            }
            said.code != 0
        });
    }

    #[test]
    fn an_import_into_postgresql_does_so_too() {
        let Some((place, disk, _server)) = served_on_a_disk() else {
            return;
        };
        each_import("disk full", &place, |import, random, what| {
            let said = disk.almost_full(&place, import, random.below(LEFT_MAX / 4));
            if said.code != 0 {
                assert_eq!(said.code, 4, "{what}: {}", said.err);
                check_one_line(&said, &["disk is full"], what);
            }
            said.code != 0
        });
    }

    #[test]
    fn a_service_over_postgresql_keeps_what_it_acknowledged() {
        let Some((place, disk, _server)) = served_on_a_disk() else {
            return;
        };
        each_round("disk full, service", place.name, |_nth, random, what| {
            let server = Server::start_with(place.folder(), &[], place.variables());
            disk.fill(random.below(256 << 10));
            let body = format!(
                r#"{{"title":"One more","is_published":true,"subtitle":"{}"}}"#,
                "x".repeat(900)
            );
            let make = || server.send_json("POST", "/api/v1/projects/", &body);
            let mut kept = Vec::new();
            let refused = (0..2_000).find_map(|_nth| {
                let answer = make();
                if answer.status == 201 {
                    kept.push(answer.header("location").to_owned());
                }
                (answer.status != 201).then_some(answer)
            });
            let refused = refused.expect("no room, and no write was refused");
            assert_eq!(refused.status, 503, "{what}: {}", refused.body);
            let is_told = refused.body.contains("disk is full");
            assert!(is_told, "{what}: {}\n{}", refused.body, server.stop().1);
            assert_ne!(refused.header("retry-after"), "", "{what}");
            for path in kept
                .iter()
                .map(String::as_str)
                .chain(["/api/v1/projects/1/"])
            {
                assert_eq!(server.get(path).status, 200, "{what}: {path} is read on");
            }
            disk.make_room();
            assert_eq!(make().status, 201, "{what}: room again");
            assert_eq!(server.stop().0, 0, "{what}");
            place.settle(what);
            true
        });
    }

    #[test]
    fn an_export_leaves_what_stood_there() {
        let (place, disk) = on_a_disk();
        if !disk.is_mounted {
            left_out("no disk may be mounted here: nothing was exported to a full one");
            return;
        }
        let target = disk.folder.join("out.xml");
        let export = ["export", "iati", "-o", "disk/out.xml"];
        place.run(0, &export, "whole");
        let size = fs::metadata(&target).unwrap().len();
        each_round("disk full, export", place.name, |_nth, random, what| {
            fs::write(&target, "what stood there before").unwrap();
            let n_files = fs::read_dir(&disk.folder).unwrap().count();
            let left = TO_OPEN + random.below(size.saturating_sub(TO_OPEN + (16 << 10)));
            let said = disk.almost_full(&place, &export, left);
            assert_eq!(said.code, 4, "{what}: {}", said.err);
            check_one_line(&said, &["out.xml"], what);
            let kept = rsr_tests::documents::read(&target);
            assert_eq!(kept, "what stood there before", "{what}");
            let n_left = fs::read_dir(&disk.folder).unwrap().count();
            assert_eq!(n_left, n_files, "{what}: nothing unfinished is left");
            place.run(0, &export, what);
            true
        });
    }

    #[test]
    fn a_service_refuses_writes_and_goes_on_reading() {
        let (place, disk) = on_a_disk();
        if !disk.is_mounted {
            left_out("no disk may be mounted here: no service ran on a full one");
            return;
        }
        each_round("disk full, service", place.name, |_nth, random, what| {
            disk.fill((256 << 10) + random.below(256 << 10));
            let server = Server::start_with(place.folder(), &[], place.variables());
            let write = |title: &str| {
                let body = format!(r#"{{"title":"{title}","subtitle":"{}"}}"#, "x".repeat(900));
                server
                    .send_json("PATCH", "/api/v1/projects/1/", &body)
                    .status
            };
            let title = || {
                let answer = server.get("/api/v1/projects/1/");
                assert_eq!(answer.status, 200, "{what}: reading goes on");
                let project: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
                project["title"].as_str().unwrap().to_owned()
            };
            let mut kept = title();
            let mut is_refused = false;
            for nth in 0..500 {
                let new = format!("title {nth} of {what}");
                match write(&new) {
                    200 => kept = new,
                    503 => {
                        is_refused = true;
                        break;
                    }
                    status => panic!("{what}: {status}"),
                }
            }
            assert!(is_refused, "{what}: no room, and no write was refused");
            assert_eq!(title(), kept, "{what}: what was acknowledged, nothing else");
            disk.make_room();
            assert_eq!(write("room again"), 200, "{what}");
            assert_eq!(title(), "room again", "{what}");
            assert_eq!(server.stop().0, 0, "{what}");
            place.settle(what);
            true
        });
    }
}

mod read_only {
    use super::*;

    /// Reads go on, and a write is refused in a line.
    #[track_caller]
    fn refuses(place: &Place, import: &[&str], before: &BTreeMap<String, String>, what: &str) {
        let said = Said::from(place.command(import).output().unwrap());
        let is_refused = [3, 4].contains(&said.code);
        assert!(is_refused, "{what}: {} {}", said.code, said.err);
        check_one_line(&said, &["read-only", "takes no writes"], what);
        assert!(&place.export(what) == before, "{what}: it reads on");
        place.run(0, &["audit"], what);
    }

    fn import_of(place: &Place, nth: u32) -> [&'static str; 3] {
        fs::write(place.folder().join("new.xml"), portfolio(nth)).unwrap();
        ["import", "iati", "new.xml"]
    }

    #[test]
    fn on_sqlite() {
        let (place, disk) = on_a_disk();
        if !disk.is_mounted {
            left_out("no disk may be mounted here: none was read-only");
            return;
        }
        let remount = |options| assert!(mount(&["-o", options], &disk.folder), "{options}");
        each_round("read-only disk", place.name, |nth, _random, what| {
            let import = import_of(&place, nth);
            let before = place.export(what);
            remount("remount,ro");
            refuses(&place, &import, &before, what);
            remount("remount,rw");
            place.run(0, &import, what);
            place.settle(what);
            true
        });
    }

    #[test]
    fn on_postgresql() {
        let Some(first) = PostgresServer::start("", "") else {
            return;
        };
        first.create("rsr");
        let place = filled(Place::served(first.url("rsr")));
        let before = place.export("before");
        // A server that follows another one takes no writes until it is told to.
        let second = first.standby();
        drop(first);
        let place = Place::served(second.url("rsr"));
        let import = import_of(&place, 1);
        refuses(&place, &import, &before, "a standby");
        second.promote();
        place.run(0, &import, "promoted");
        place.settle("promoted");
    }
}
