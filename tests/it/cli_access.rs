//! `rsr users` and `rsr tokens`, and what a running service makes of them.

use rsr_tests::run_expecting;
use serde_json::Value;

fn json(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn people_and_tokens_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let rsr = |code: i32, line: &str| run_expecting(folder.path(), code, line.split(' '));
    let missing = rsr(3, "users list");
    assert!(
        missing.err.contains("there is no database"),
        "{}",
        missing.err
    );
    rsr(0, "users add Ada --email ada@example.org --admin");
    let unknown = rsr(2, "users add Bo --role editor:7");
    assert!(unknown.err.contains("project 7"), "{}", unknown.err);
    let listed = json(&rsr(0, "users list --json").out);
    assert_eq!(listed.len(), 1, "a role that cannot be given makes no user");
    assert_eq!(listed[0]["admin"], true);
    rsr(2, "users add Cy --role king:7");
    let taken = rsr(2, "users add Ada --email ada@example.org");
    assert!(taken.err.contains("ada@example.org"), "{}", taken.err);

    let made = rsr(0, "tokens add 1 --name laptop --scope write --expires 30d");
    let secret = made.out.trim().to_owned();
    assert_eq!(made.out.lines().count(), 1, "the token alone, for scripts");
    assert!(secret.starts_with("rsr_") && secret.len() > 36, "{secret}");
    assert!(!made.err.contains(&secret), "{}", made.err);
    let again = json(&rsr(0, "tokens add 1 --name phone --json").out);
    assert!(
        again[0]["token"]
            .as_str()
            .is_some_and(|token| token != secret)
    );
    assert_eq!(again[0]["scope"], "read", "the least where nothing is said");
    rsr(2, "tokens add 1 --name laptop");
    rsr(2, "tokens add 9 --name x");
    rsr(2, "tokens add 1 --expires soon");

    let listed = rsr(0, "tokens list --json");
    assert!(!listed.out.contains(&secret), "a token is printed once");
    assert_eq!(json(&listed.out)[0]["state"], "valid");
    rsr(0, "tokens revoke 1");
    rsr(2, "tokens revoke 99");
    rsr(0, "users revoke 1");
    let states: Vec<Value> = json(&rsr(0, "tokens list --json").out);
    assert!(states.iter().all(|token| token["state"] == "revoked"));
    assert_eq!(json(&rsr(0, "users list --json").out)[0]["active"], false);

    let file = std::fs::File::open(folder.path().join("rsr.db")).unwrap();
    let bytes = rsr_base::read_at_most(file, rsr_base::ByteSize::from_mib(64)).unwrap();
    let is_inside = bytes
        .windows(secret.len())
        .any(|window| window == secret.as_bytes());
    assert!(!is_inside, "the database holds no token");
}
