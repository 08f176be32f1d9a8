//! The API held against its own description by a program that is not ours.

use std::process::Command;

use rsr_testkit::left_out;
use rsr_tests::serving::Server;
use rsr_tests::{run_expecting, workspace};

use crate::chaos::asked;

/// What must hold of every answer. Left out: whether each request that the description lets pass is accepted, since it does
/// not know which ids are stored, and whether the token it asks for is asked for on this machine, where it is not.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,unsupported_method,allow_header_conformance";

/// `RSR_SCHEMATHESIS_EXAMPLES` asks for more requests of each kind, `RSR_SCHEMATHESIS_SEED` for others.
fn setting(name: &str, otherwise: u32) -> String {
    asked(name).unwrap_or(otherwise).to_string()
}

#[test]
fn answers_are_as_described_whatever_is_asked() {
    let program = workspace().join("target/tools/schemathesis/bin/schemathesis");
    if !program.is_file() {
        left_out(
            "the API beside its description: schemathesis is not installed (cargo xtask test fetches it where python3 is)",
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    run_expecting(folder.path(), 0, ["demo", "--once", "--quiet"]);
    let server = Server::start(folder.path(), &[]);
    let first = server.get("/api/v1/projects/1/");
    assert_eq!(
        first.status, 200,
        "there is something to ask about: {}",
        first.body
    );
    let mut schemathesis = Command::new(program);
    schemathesis
        .current_dir(folder.path())
        .args([
            "--no-color",
            "run",
            &format!("http://{}/api/openapi.json", server.address()),
        ])
        .args(["--checks", CHECKS, "--phases", "coverage,fuzzing"])
        .args(["--max-examples", &setting("RSR_SCHEMATHESIS_EXAMPLES", 5)])
        .args(["--seed", &setting("RSR_SCHEMATHESIS_SEED", 1)])
        .args(["--generation-database", "none", "--warnings", "off"])
        .args(["--request-timeout", "5", "--continue-on-failure"]);
    let output = schemathesis.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("Tested: 38"),
        "every operation was asked: {said}"
    );
    let alive = server.get("/health/live");
    assert_eq!(alive.status, 200, "{}", alive.body);
    drop(server);
    run_expecting(folder.path(), 0, ["database", "check"]);
}
