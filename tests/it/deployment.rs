//! The files that put rsr on a machine: a container, a systemd unit, Kubernetes, compose.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use rsr_tests::documents::read;
use rsr_tests::serving::Server;
use rsr_tests::{Said, rsr, run_expecting, workspace};

fn file(name: &str) -> String {
    read(&workspace().join("docs/deploy").join(name))
}

/// The instructions of a Containerfile with their arguments, lines that go on put together.
fn instructions(text: &str) -> Vec<(String, String)> {
    let mut whole = String::new();
    let mut found = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
    {
        let (part, goes_on) = match line.strip_suffix('\\') {
            Some(part) => (part, true),
            None => (line, false),
        };
        whole.push_str(part);
        if goes_on || whole.trim().is_empty() {
            continue;
        }
        let (name, rest) = whole.trim().split_once(' ').unwrap();
        found.push((name.to_owned(), rest.trim().to_owned()));
        whole.clear();
    }
    found
}

fn image() -> Vec<(String, String)> {
    let all = instructions(&file("Containerfile"));
    let last_stage = all.iter().rposition(|(name, _)| name == "FROM").unwrap();
    all[last_stage..].to_vec()
}

fn of<'a>(image: &'a [(String, String)], name: &str) -> &'a str {
    let found = image.iter().rfind(|(known, _)| known == name);
    &found.unwrap_or_else(|| panic!("no {name}")).1
}

fn environment(image: &[(String, String)]) -> BTreeMap<String, String> {
    of(image, "ENV")
        .split_whitespace()
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn every_setting_that_a_file_names_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let reference = run_expecting(folder.path(), 0, ["settings", "reference"]).out;
    for name in [
        "Containerfile",
        "rsr.service",
        "kubernetes.yaml",
        "compose.yaml",
    ] {
        let text = file(name);
        for word in
            text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
        {
            let is_setting = word.starts_with("RSR_");
            assert!(
                !is_setting || reference.contains(&format!("`{word}`")),
                "{name} sets {word}, which is no setting"
            );
        }
    }
}

#[test]
fn the_container_runs_without_rights() {
    let image = image();
    let user: u32 = of(&image, "USER")
        .parse()
        .expect("a number, so that a cluster can judge it");
    assert_ne!(user, 0);
    assert_eq!(of(&image, "STOPSIGNAL"), "SIGTERM");
    for (name, arguments) in instructions(&file("Containerfile")) {
        if name == "FROM" {
            assert!(
                arguments.contains(':'),
                "{arguments}: an image without a version"
            );
        }
        if name == "RUN" {
            let said: Said = Command::new("bash")
                .args(["-n", "-c", &arguments])
                .output()
                .unwrap()
                .into();
            assert_eq!(said.code, 0, "{}", said.err);
        }
    }
}

/// What the image would do, without an engine for containers: its variables, its command, its health check, its signal.
#[test]
fn the_container_serves_and_is_healthy() {
    let image = image();
    assert_eq!(of(&image, "ENTRYPOINT"), r#"["rsr"]"#);
    assert_eq!(of(&image, "CMD"), r#"["serve"]"#);
    let folder = tempfile::tempdir().unwrap();
    let here = |value: &str| value.replace("/var/lib/rsr", &folder.path().to_string_lossy());
    let inside: Vec<(String, String)> = environment(&image)
        .into_iter()
        .filter(|(name, _)| name != "RSR_LISTEN")
        .map(|(name, value)| (name, here(&value)))
        .chain([(
            "RSR_API_TOKEN".to_owned(),
            "a-token-for-this-test".to_owned(),
        )])
        .collect();
    let server = Server::start_with(folder.path(), &[], inside.clone());
    assert_eq!(server.get("/health/live").status, 200);

    let (_, check) = of(&image, "HEALTHCHECK").split_once("CMD ").unwrap();
    let check: Vec<String> = serde_json::from_str(check).unwrap();
    assert_eq!(check[0], "rsr");
    let said: Said = rsr(folder.path())
        .args(&check[1..])
        .envs(inside)
        .output()
        .unwrap()
        .into();
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
}

/// Puts a copy of this machine's files over them, where whatever is written goes away again, and runs the rest there. Its
/// arguments: an empty folder, the workspace, a script.
const ELSEWHERE: &str = r#"
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/written" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/written,workdir=$1/work" "$1/root" || exit 77
mkdir "$1/root/source"
mount --bind "$2" "$1/root/source"
mount -t proc proc "$1/root/proc"
mount --bind /dev "$1/root/dev"
exec chroot "$1/root" sh -e -c "$3"
"#;

/// The instructions as a script. What the tests have done already is left out: packages, and the build.
fn script(instructions: &[(String, String)]) -> String {
    let done = ["apt-get", "rm -rf /var/lib/apt", "cargo build"];
    let list = |arguments: &str| -> String {
        let words: Vec<String> = serde_json::from_str(arguments).unwrap();
        words.join(" ")
    };
    let mut script = String::new();
    let mut owner = String::new();
    let mut program = String::new();
    for (name, arguments) in instructions {
        let line = match name.as_str() {
            "RUN" => arguments
                .split("&&")
                .map(str::trim)
                .filter(|command| !done.iter().any(|known| command.starts_with(known)))
                .map(|command| format!("{command}\n"))
                .collect(),
            "WORKDIR" => format!("mkdir -p {arguments}; cd {arguments}\n"),
            "COPY" if arguments == ". ." => String::new(),
            "COPY" => {
                let from = arguments.strip_prefix("--from=build ").unwrap();
                let (from, to) = from.split_once(' ').unwrap();
                format!("cp -al {from}. {to}\n")
            }
            "ENV" => format!("export {arguments}\n"),
            "USER" => {
                owner = format!("setpriv --reuid {arguments} --regid {arguments} --clear-groups");
                String::new()
            }
            "ENTRYPOINT" => {
                program = list(arguments);
                String::new()
            }
            "CMD" => format!("{owner} {program} {} & serves=$!\n", list(arguments)),
            "FROM" | "VOLUME" | "EXPOSE" | "STOPSIGNAL" | "HEALTHCHECK" => String::new(),
            other => panic!("the test does not know {other}"),
        };
        script += &line;
    }
    let (_, check) = of(instructions, "HEALTHCHECK").split_once("CMD ").unwrap();
    let check = format!("{owner} {}", list(check));
    let signal = of(instructions, "STOPSIGNAL").trim_start_matches("SIG");
    script
        + &format!(
            "timeout 60 sh -c 'until {check} >/dev/null 2>&1; do :; done'\n{check}\n\
             test \"$(stat -c %u /proc/$serves)\" != 0\nkill -s {signal} $serves\nwait $serves\necho ended well\n"
        )
}

/// Every step of the Containerfile, in order, on a copy of this machine and in a network of its own.
#[test]
fn the_steps_of_the_container_run() {
    let script = script(&instructions(&file("Containerfile")));
    let folder = tempfile::tempdir().unwrap();
    let said: Said = Command::new("unshare")
        .args([
            "--mount", "--net", "--pid", "--fork", "sh", "-c", ELSEWHERE, "sh",
        ])
        .arg(folder.path())
        .arg(workspace())
        .arg(&script)
        .env("RSR_API_TOKEN", "a-token-for-this-test")
        .env_remove("RSR_TEST_LEFT_OUT")
        .output()
        .unwrap()
        .into();
    if said.code == 77 || said.err.contains("unshare failed") || said.err.contains("permission") {
        rsr_testkit::left_out(
            "no file system may be mounted here: the container's steps did not run",
        );
        return;
    }
    assert_eq!(
        said.code, 0,
        "{script}\n--- out\n{}\n--- err\n{}",
        said.out, said.err
    );
    assert!(
        said.out.ends_with("ended well\n"),
        "{}{}",
        said.out,
        said.err
    );
}

#[test]
fn systemd_accepts_the_unit() {
    let unit = file("rsr.service");
    let folder = tempfile::tempdir().unwrap();
    let program = rsr_tests::rsr_path();
    let path = folder.path().join("rsr.service");
    std::fs::write(
        &path,
        unit.replace("/usr/local/bin/rsr", &program.to_string_lossy()),
    )
    .unwrap();
    let judged = Command::new("systemd-analyze")
        .arg("verify")
        .arg(&path)
        .stdin(Stdio::null())
        .output();
    match judged {
        Ok(output) => {
            let said: Said = output.into();
            let ours = said.err.lines().filter(|line| line.contains("rsr.service"));
            assert_eq!(ours.collect::<Vec<_>>(), Vec::<&str>::new());
        }
        Err(_) => rsr_testkit::left_out("systemd-analyze is not there: the unit was not verified"),
    }
}

#[test]
fn the_yaml_files_are_yaml() {
    let folder = workspace().join("docs/deploy");
    let python = "import sys, yaml\nfor path in sys.argv[1:]: list(yaml.safe_load_all(open(path)))";
    let judged = Command::new("python3")
        .args(["-c", python])
        .args(["kubernetes.yaml", "compose.yaml"].map(|name| folder.join(Path::new(name))))
        .output();
    match judged {
        Ok(output) if String::from_utf8_lossy(&output.stderr).contains("No module named") => {
            rsr_testkit::left_out("python3-yaml is not there: the YAML files were not read");
        }
        Ok(output) => {
            let said: Said = output.into();
            assert_eq!(said.code, 0, "{}", said.err);
        }
        Err(_) => rsr_testkit::left_out("python3 is not there: the YAML files were not read"),
    }
}
