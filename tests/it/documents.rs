//! Every block of code in the pages that people read does what the page says.
//!
//! A page's `sh` blocks run one after the other in one folder, as a reader would type them. The address of the service
//! is replaced with one of the test's own, so that pages can run beside each other.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rsr_tests::documents::{
    Block, RUST_PAGES, Use, blocks, commands_named, is_printed, pages, read,
};
use rsr_tests::{Said, rsr_path, workspace};

/// The address that every page names.
const ADDRESS: &str = "127.0.0.1:8000";
/// Longest time for one block, so that one that hangs is a failing test.
const SECONDS_MAX: &str = "120";

#[test]
fn the_readme_does_what_it_says() {
    check("README.md");
}

#[test]
fn the_guides_do_what_they_say() {
    for page in pages(&workspace()) {
        let name = name(&page);
        if name.starts_with("docs/guides/") {
            check(&name);
        }
    }
}

#[test]
fn the_other_pages_do_what_they_say() {
    for page in pages(&workspace()) {
        let name = name(&page);
        if name != "README.md" && !name.starts_with("docs/guides/") {
            check(&name);
        }
    }
}

#[test]
fn links_within_the_pages_lead_somewhere() {
    let mut broken = String::new();
    for page in pages(&workspace()) {
        for target in read(&page).split("](").skip(1) {
            let target = target.split([')', '#', ' ']).next().unwrap_or_default();
            let is_elsewhere = target.is_empty() || target.contains("://") || target.contains("::");
            if !is_elsewhere && !page.with_file_name("").join(target).exists() {
                writeln!(broken, "{}: {target}", name(&page)).unwrap();
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{broken}");
}

/// What is named in a sentence, or typed on another machine, is a command that there is, with flags that it has.
#[test]
fn commands_that_are_only_named_are_there() {
    let mut helps = BTreeMap::new();
    let mut unknown = String::new();
    let mut n_named = 0;
    for page in pages(&workspace()) {
        for named in commands_named(&read(&page)) {
            n_named += 1;
            if let Err(why) = is_there(&named, &mut helps) {
                writeln!(unknown, "{}: `{named}`: {why}", name(&page)).unwrap();
            }
        }
    }
    assert!(
        unknown.is_empty(),
        "commands that are not there:\n{unknown}"
    );
    assert!(n_named > 50, "{n_named}: the pages name more than that");
    for wrong in ["rsr memry status", "rsr memory status --wach 5"] {
        assert!(is_there(wrong, &mut helps).is_err(), "{wrong}");
    }
}

/// Follows the words of a command as far as they are commands, and looks for its flags in the help of the last.
fn is_there(named: &str, helps: &mut BTreeMap<String, Option<String>>) -> Result<(), String> {
    let mut help_of = |command: &str| {
        let help = helps.entry(command.to_owned()).or_insert_with(|| {
            let words = command.split_whitespace().chain(["--help"]);
            let said: Said = Command::new(rsr_path())
                .args(words)
                .output()
                .unwrap()
                .into();
            (said.code == 0).then_some(said.out)
        });
        help.clone()
    };
    let mut command = String::new();
    let mut help = help_of("").ok_or("no help")?;
    let mut flags = Vec::new();
    for word in named.split_whitespace().skip(1) {
        if word == "|" || word == ">" || word.starts_with('#') {
            break;
        }
        if let Some(flag) = word.strip_prefix("--") {
            flags.push(flag.split(['=', ',', ']', '[']).next().unwrap_or_default());
            continue;
        }
        let is_word = word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        if !is_word || !flags.is_empty() || !help.contains("Commands:") {
            continue;
        }
        command = format!("{command} {word}");
        help = help_of(&command).ok_or_else(|| format!("there is no `rsr{command}`"))?;
    }
    let missing = |flag: &&&str| !flag.is_empty() && !help.contains(&format!("--{flag}"));
    match flags.iter().find(missing) {
        Some(flag) => Err(format!("`rsr{command}` has no --{flag}")),
        None => Ok(()),
    }
}

#[test]
fn what_is_shown_is_compared() {
    let printed = "first\nTOTAL   12 projects\nlast";
    for (shown, expected) in [
        ("first\nlast", true),
        ("last\nfirst", false),
        ("TOTAL … projects", true),
        ("TOTAL … people", false),
        ("TOTAL 1", false),
        ("TOTAL 1…", true),
    ] {
        assert_eq!(is_printed(shown, printed), expected, "{shown}");
    }
}

fn name(page: &Path) -> String {
    page.strip_prefix(workspace())
        .unwrap()
        .to_string_lossy()
        .into_owned()
}

#[track_caller]
fn check(page: &str) {
    let text = read(&workspace().join(page));
    let blocks = blocks(&text).unwrap_or_else(|why| panic!("{page}, {why}"));
    let mut reader = Reader::new();
    let mut printed = String::new();
    for block in blocks {
        let result = reader.follow(&block, &mut printed, page);
        if let Err(why) = result {
            panic!(
                "{page}, line {}: {why}\n--- block\n{}",
                block.line, block.text
            );
        }
    }
}

/// Someone who follows a page: a folder, an address, and what was left running.
struct Reader {
    folder: tempfile::TempDir,
    address: String,
    servers: Vec<Child>,
}

impl Reader {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&workspace().join("tests/fixtures/documents"), folder.path());
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        Self {
            folder,
            address,
            servers: Vec::new(),
        }
    }

    fn follow(&mut self, block: &Block, printed: &mut String, page: &str) -> Result<(), String> {
        match block.purpose {
            Use::Run(code) => {
                let said: Said = self.shell(&block.text).output().unwrap().into();
                *printed = said.out + &said.err;
                if said.code != code {
                    return Err(format!("exit code {}\n--- printed\n{printed}", said.code));
                }
            }
            Use::Serve => {
                let mut server = self.shell(&block.text);
                server.stdout(Stdio::null()).stderr(Stdio::null());
                self.servers.push(server.spawn().unwrap());
                self.shell(&format!(
                    "curl --silent --retry 60 --retry-connrefused --retry-delay 1 http://{ADDRESS}/health/live"
                ))
                .output()
                .ok()
                .filter(|output| output.status.success())
                .ok_or("the server does not answer")?;
            }
            Use::Beside => self.beside(&block.text)?,
            Use::Elsewhere => self.understands(&block.text)?,
            Use::Printed if printed.is_empty() => {}
            Use::Printed => {
                let shown = block.text.replace(ADDRESS, &self.address);
                if !is_printed(&shown, printed) {
                    return Err(format!("it prints something else:\n{printed}"));
                }
            }
            Use::Toml if block.text.contains("[dependencies]") => features_are_there(&block.text)?,
            Use::Toml => {
                let file = self.folder.path().join("block.toml");
                fs::write(&file, &block.text).unwrap();
                let command = "rsr --config block.toml settings check";
                let said: Said = self.shell(command).output().unwrap().into();
                if said.code != 0 || said.err.contains("warning") {
                    return Err(said.err);
                }
            }
            Use::Json => {
                serde_json::from_str::<serde_json::Value>(&block.text)
                    .map_err(|why| why.to_string())?;
            }
            Use::Rust => {
                // Blocks of the crates' own pages are doc tests of those crates.
                if page.starts_with("docs/") && !RUST_PAGES.contains(&page) {
                    return Err("no doc test: name the page in `tests/documents.rs`".to_owned());
                }
            }
        }
        if !matches!(block.purpose, Use::Run(_)) {
            printed.clear();
        }
        Ok(())
    }

    /// Runs commands beside a demo, which is begun where the page has not begun a service itself.
    fn beside(&mut self, commands: &str) -> Result<(), String> {
        if self.servers.is_empty() {
            let demo = format!("rsr demo --listen {ADDRESS}");
            self.follow(&Block::of(Use::Serve, &demo), &mut String::new(), "")?;
        }
        for command in commands.lines().filter(|line| !line.is_empty()) {
            let said: Said = self.shell(command).output().unwrap().into();
            if !matches!(said.code, 0 | 1) {
                return Err(format!("{command}: exit code {}: {}", said.code, said.err));
            }
        }
        Ok(())
    }

    /// A shell that ends at the first command that fails.
    fn shell(&self, commands: &str) -> Command {
        let programs = rsr_path().parent().unwrap().to_owned();
        let commands = format!("PATH={}:$PATH\n{commands}", programs.display());
        let mut shell = Command::new("timeout");
        shell
            .args([SECONDS_MAX, "bash", "-euo", "pipefail", "-c"])
            .arg(
                commands
                    .replace(ADDRESS, &self.address)
                    .replace("cargo run --release --", "rsr"),
            )
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("XDG_RUNTIME_DIR", self.folder.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RSR_") {
                shell.env_remove(name);
            }
        }
        shell.env("RSR_LISTEN", &self.address);
        shell
    }

    /// What runs elsewhere is at least shell, and the commands of ours in it are there.
    fn understands(&self, commands: &str) -> Result<(), String> {
        let mut shell = Command::new("bash");
        let said: Said = shell.args(["-n", "-c", commands]).output().unwrap().into();
        if said.code != 0 {
            return Err(said.err);
        }
        for line in commands.lines() {
            let Some(words) = line.trim_start().strip_prefix("rsr ") else {
                continue;
            };
            let command: Vec<_> = words
                .split_whitespace()
                .take_while(|word| {
                    word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
                        && !word.starts_with('-')
                })
                .collect();
            let said: Said = self
                .shell(&format!("rsr {} --help", command.join(" ")))
                .output()
                .unwrap()
                .into();
            if said.code != 0 {
                return Err(said.err);
            }
        }
        Ok(())
    }
}

/// The features that a part of a manifest asks of our crates are declared there.
fn features_are_there(manifest: &str) -> Result<(), String> {
    for line in manifest.lines().filter(|line| line.starts_with("rsr-")) {
        let (package, rest) = line.split_once(' ').unwrap_or((line, ""));
        let theirs = read(&workspace().join("crates").join(package).join("Cargo.toml"));
        let features = rest.split_once("features = [").map_or("", |(_, list)| list);
        let features = features.split(']').next().unwrap_or_default();
        for feature in features
            .split(',')
            .map(|name| name.trim_matches([' ', '"']))
        {
            if !feature.is_empty() && !theirs.contains(&format!("\n{feature} = [")) {
                return Err(format!("{package} has no feature {feature}"));
            }
        }
    }
    Ok(())
}

impl Drop for Reader {
    fn drop(&mut self) {
        for server in &mut self.servers {
            // It is `timeout`, which hands the signal on. A server that ended by itself is no matter here.
            let pid = rustix::process::Pid::from_child(server);
            if rustix::process::kill_process(pid, rustix::process::Signal::TERM).is_ok() {
                drop(server.wait());
            }
        }
    }
}

fn copy(from: &Path, to: &Path) {
    let mut folders: Vec<(PathBuf, PathBuf)> = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = folders.pop() {
        fs::create_dir_all(&to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push((entry.path(), target));
            } else {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }
}
