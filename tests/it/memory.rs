//! The memory monitor of the running service, from outside.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use rsr_base::{ByteSize, read_at_most, read_file_at_most};
use rsr_testkit::left_out;
use rsr_tests::serving::Server;
use rsr_tests::{rsr, run, run_expecting};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn serving(folder: &Path, more: &[(&str, &str)]) -> Server {
    let path = |name: &str| folder.join(name).display().to_string();
    let own = [
        ("RSR_PROFILING_OUTPUT_DIR", path("profiles")),
        ("RSR_MEMORY_SNAPSHOT_PATH", path("snapshot.json")),
        ("RSR_LEAK_HISTORY_PATH", path("history")),
    ];
    let own = own.map(|(name, value)| (name.to_owned(), value));
    let more = more
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Server::start_with(folder, &[], own.into_iter().chain(more))
}

/// The bytes of an answer on the admin socket, and its status.
fn admin(folder: &Path, path: &str) -> (String, Vec<u8>) {
    let mut stream = UnixStream::connect(folder.join("rsr/admin.sock")).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut bytes = read_at_most(stream, ByteSize::from_mib(64)).unwrap();
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a head");
    let body = bytes.split_off(end + 4);
    let head = String::from_utf8(bytes).unwrap();
    (head.lines().next().unwrap_or_default().to_owned(), body)
}

#[test]
fn profiles_begin_and_end_without_a_restart_and_other_tools_read_them() {
    let folder = tempfile::tempdir().unwrap();
    let server = serving(folder.path(), &[("RSR_PROFILING_ENABLED", "true")]);
    let started = run_expecting(folder.path(), 0, ["memory", "start-profiling", "--json"]);
    let id = json(&started.out)["profile_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let listed = run_expecting(folder.path(), 0, ["memory", "stop-profiling", "--json"]);
    assert_eq!(json(&listed.out)["running"][0], id.as_str());
    assert!(server.get("/metrics/").body.contains("rsr_profiles_active"));
    run_expecting(
        folder.path(),
        0,
        ["memory", "stop-profiling", "--profile-id", &id],
    );
    let again = run(
        folder.path(),
        ["memory", "stop-profiling", "--profile-id", &id],
    );
    assert_eq!(again.code, 2, "it no longer runs: {}", again.err);
    run_expecting(folder.path(), 0, ["memory", "start-profiling"]);

    let inside = folder.path().join("profiles");
    let mode = fs::metadata(&inside).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let (status, pprof) = admin(folder.path(), "/debug/pprof/heap");
    assert!(status.ends_with("200 OK"), "{status}");
    assert!(pprof.windows(2).any(|two| two == [0x1f, 0x8b]), "gzip");
    let (status, _) = admin(folder.path(), &format!("/debug/pprof/heap?base={id}"));
    assert!(status.ends_with("200 OK"), "{status}");
    let (status, _) = admin(folder.path(), "/debug/pprof/heap?base=../../secret");
    assert!(status.contains("404"), "{status}");
    let (status, _) = admin(folder.path(), "/debug/pprof/allocs");
    assert!(status.ends_with("200 OK"), "{status}");

    let file = inside.join(format!("{id}.heap")).display().to_string();
    for form in ["summary", "table", "tree", "svg", "json"] {
        let shown = run_expecting(folder.path(), 0, ["memory", "profile", &file, "--as", form]);
        assert!(!shown.out.is_empty() || form == "tree", "{form}");
    }
    let out = folder.path().join("heap.pb.gz").display().to_string();
    run_expecting(
        folder.path(),
        0,
        ["memory", "profile", &file, "--as", "pprof", "-o", &out],
    );
    match Command::new("go")
        .args(["tool", "pprof", "-top", &out])
        .output()
    {
        Ok(read) => {
            let said = String::from_utf8_lossy(&read.stdout).into_owned();
            assert!(
                read.status.success() && said.contains("inuse_space"),
                "{said}"
            );
        }
        Err(_missing) => left_out("Go's pprof as a second reader of profiles: install golang-go"),
    }
}

#[test]
fn a_report_a_check_and_the_findings_can_be_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = serving(folder.path(), &[]);
    let off = run(folder.path(), ["memory", "start-profiling"]);
    assert!(
        off.code != 0 && off.err.contains("profiling.enabled"),
        "{}",
        off.err
    );
    let leaks = run_expecting(folder.path(), 0, ["memory", "check-leaks"]);
    assert!(
        leaks.out.starts_with("unknown: ") && leaks.out.contains("about"),
        "{}",
        leaks.out
    );
    let report = json(&run_expecting(folder.path(), 0, ["memory", "report", "--json"]).out);
    assert_eq!(report["leaks"]["verdict"], "unknown");
    let page = folder.path().join("report.html").display().to_string();
    run_expecting(
        folder.path(),
        0,
        [
            "memory",
            "report",
            "--format",
            "html",
            "--check-alerts",
            "-o",
            &page,
        ],
    );
    let page = read_file_at_most(page.as_ref(), ByteSize::from_mib(8)).unwrap();
    assert!(page.contains("<svg ") && !page.contains("http://") && !page.contains("src="));
    let none = run_expecting(folder.path(), 0, ["findings", "list"]);
    assert_eq!(none.out, "nothing was found\n");
    let unknown = run(
        folder.path(),
        ["findings", "ack", "7", "--for", "2h", "--note", "known"],
    );
    assert_eq!(unknown.code, 2, "{}", unknown.err);
    let advice = json(&run_expecting(folder.path(), 0, ["memory", "advise", "--json"]).out);
    assert!(advice["memory.limit"].as_u64() > advice["peak_bytes"].as_u64());
    run_expecting(folder.path(), 0, ["memory", "update-metrics"]);
    let size = server.get("/metrics/").body.len();
    assert!(
        size < 64 << 10,
        "an idle service's metrics take {size} bytes"
    );
}

#[test]
fn a_run_that_ended_short_of_memory_is_told_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let left = r#"{"written":"2026-01-01T00:00:00Z","largest":[{"name":"exports","bytes":1}]}"#;
    fs::write(folder.path().join("snapshot.json"), left).unwrap();
    let server = serving(folder.path(), &[]);
    let status = json(&run_expecting(folder.path(), 0, ["memory", "status", "--json"]).out);
    assert_eq!(status["last_run"]["largest"][0]["name"], "exports");
    let (code, _) = server.stop();
    assert_eq!(code, 0);
    assert!(
        !folder.path().join("snapshot.json").exists(),
        "an orderly end leaves none"
    );
}

/// What a command says to lines on its standard input.
fn analyse(lines: &str) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut child = rsr(folder.path())
        .args(["memory", "analyse", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    let ended = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        ended.status.code().unwrap(),
        text(ended.stdout),
        text(ended.stderr),
    )
}

#[test]
fn recorded_series_are_judged_without_a_service() {
    let series = |id: &str, per_step: f64| {
        let allocated: Vec<f64> = (0..432).map(|n| 300.0 + f64::from(n) * per_step).collect();
        serde_json::json!({ "id": id, "step_s": 300, "allocated": allocated }).to_string()
    };
    let lines = format!("{}\n\n{}\n", series("leaks", 1.0), series("does not", 0.0));
    let (code, out, err) = analyse(&lines);
    assert_eq!((code, err.as_str()), (0, ""));
    let verdicts: Vec<Value> = out.lines().map(json).collect();
    assert_eq!(verdicts.len(), 2);
    assert_eq!(verdicts[0]["id"], "leaks");
    assert!(
        verdicts[0]["alarm_s"]
            .as_u64()
            .is_some_and(|at| at > 3_600 && at < 43_200)
    );
    assert_eq!(verdicts[1], json(r#"{"id":"does not","alarm_s":null}"#));

    let (code, out, err) = analyse(&format!("{}\n{{\"id\":1}}\n", series("a", 0.0)));
    assert_eq!(
        (code, out.lines().count()),
        (2, 1),
        "what came before is judged"
    );
    assert_eq!(err, "rsr: -, line 2: step_s is missing\n");
}

/// Waits until the service's metrics have this line.
#[track_caller]
fn comes(server: &Server, line: &str) {
    let clock = rsr_base::system_clock();
    let patience = std::time::Duration::from_secs(30);
    loop {
        let page = server.get("/metrics/").body;
        if page.lines().any(|known| known == line) {
            return;
        }
        assert!(clock.elapsed() < patience, "{line} never came:\n{page}");
    }
}

#[test]
fn the_ladder_of_pressure_goes_up_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    run_expecting(
        folder.path(),
        0,
        ["demo", "--once", "--listen", "127.0.0.1:0"],
    );
    let config = folder.path().join("rsr.toml");
    let steps = |reclaim: f64, pause: f64, shed: f64, refuse: f64| {
        let text = format!(
            "[memory]\nlimit = \"16MiB\"\nreclaim_at = {reclaim}\npause_at = {pause}\nshed_at = {shed}\nrefuse_at = {refuse}\n"
        );
        fs::write(&config, text).unwrap();
    };
    // A few MiB are held; the steps move under them instead of the load over the steps.
    steps(0.96, 0.97, 0.98, 0.99);
    let server = serving(
        folder.path(),
        &[("RSR_CONFIG", &config.display().to_string())],
    );
    let heavy = || server.get("/api/v1/iati/activities.xml");
    let reload = || {
        let told = Command::new("kill")
            .args(["-HUP", &server.pid().to_string()])
            .status();
        assert!(told.unwrap().success());
    };
    comes(&server, "rsr_memory_pressure_level 0");
    assert_eq!(heavy().status, 200);
    for (level, wanted) in [
        (1, [0.01, 0.97, 0.98, 0.99]),
        (2, [0.01, 0.02, 0.98, 0.99]),
        (3, [0.01, 0.02, 0.03, 0.99]),
        (4, [0.01, 0.02, 0.03, 0.04]),
    ] {
        let [reclaim, pause, shed, refuse] = wanted;
        steps(reclaim, pause, shed, refuse);
        reload();
        comes(&server, &format!("rsr_memory_pressure_level {level}"));
        let answer = heavy();
        assert_eq!(answer.status == 503, level >= 3, "level {level}");
        if level >= 3 {
            assert!(!answer.header("retry-after").is_empty());
        }
        let light = server.get("/api/v1/projects/1/").status;
        assert_eq!(light == 503, level == 4, "level {level}: {light}");
        assert_eq!(server.get("/health/live").status, 200, "level {level}");
    }
    assert!(
        folder.path().join("snapshot.json").exists(),
        "what was large at the step of shedding is kept"
    );
    steps(0.96, 0.97, 0.98, 0.99);
    reload();
    let clock = rsr_base::system_clock();
    comes(&server, "rsr_memory_pressure_level 0");
    let back = clock.elapsed();
    assert!(back < std::time::Duration::from_secs(15), "{back:?}");
    assert_eq!(heavy().status, 200);
    assert!(!folder.path().join("snapshot.json").exists());
    let (code, log) = server.stop();
    assert_eq!(code, 0, "{log}");
    let changes: Vec<_> = log
        .lines()
        .filter(|line| line.contains("memory pressure changed"))
        .map(|line| {
            let word = |key: &str| {
                let rest = line.split_once(key).map_or("", |(_before, rest)| rest);
                rest.trim_matches('"')
                    .split(['"', ' '])
                    .next()
                    .unwrap_or_default()
            };
            (word("from="), word("to="))
        })
        .collect();
    // Each is logged once: every one begins where the one before ended.
    let ups = &changes[..changes.len().min(4)];
    assert_eq!(
        ups,
        [
            ("normal", "reclaim"),
            ("reclaim", "defer"),
            ("defer", "shed"),
            ("shed", "critical")
        ],
        "{log}"
    );
    assert!(
        changes
            .windows(2)
            .all(|two| two[0].1 == two[1].0 && two[1].0 != two[1].1),
        "{changes:?}"
    );
    assert_eq!(changes.last().map(|change| change.1), Some("normal"));
}

#[test]
fn the_allocator_is_set_up_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = rsr(folder.path());
    // jemalloc tells its own settings at the end of the program, those of the command line's environment last.
    command
        .arg("--version")
        .env("MALLOC_CONF", "stats_print:true,stats_print_opts:mdablxeh");
    let told = command.output().unwrap();
    let told = String::from_utf8(told.stderr).unwrap();
    for setting in [
        "opt.background_thread: true",
        "opt.dirty_decay_ms: 5000",
        "opt.prof: true",
        "opt.prof_active: false",
    ] {
        let has = told
            .lines()
            .any(|line| line.trim_start().starts_with(setting));
        assert!(has, "no {setting} in:\n{told}");
    }
}

#[test]
fn every_action_answers_in_text_and_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let _server = serving(folder.path(), &[("RSR_PROFILING_ENABLED", "true")]);
    for action in [
        "status",
        "health-check",
        "check-leaks",
        "summary",
        "report",
        "update-metrics",
        "profiles",
        "advise",
        "stop-profiling",
        "cleanup-profiles",
    ] {
        let text = run_expecting(folder.path(), 0, ["memory", action]);
        assert!(!text.out.trim().is_empty(), "{action}");
        let answer = run_expecting(folder.path(), 0, ["memory", action, "--json"]);
        for line in answer.out.lines() {
            json(line);
        }
        assert_eq!(answer.err, "", "{action}: standard error is for mistakes");
    }
    let summary = json(&run_expecting(folder.path(), 0, ["memory", "summary", "--json"]).out);
    for part in ["types", "caches", "pools", "stacks"] {
        assert!(!summary[part].is_null(), "by {part}: {summary}");
    }
    let reset = run_expecting(folder.path(), 0, ["memory", "check-leaks", "--reset"]);
    assert!(reset.out.starts_with("unknown: "), "{}", reset.out);
}
