//! The export over HTTP.

use http::Method;
use rsr_store::Error;

use crate::support::{World, token};

/// Real activities' shape in the least: what 2.03 needs and no more.
pub(crate) fn file(n: usize) -> String {
    let mut text = String::from("<iati-activities version=\"2.03\">\n");
    for nth in 0..n {
        text.push_str(&format!(
            "<iati-activity default-currency=\"EUR\"><iati-identifier>XM-TEST-{nth}</iati-identifier>\
             <reporting-org ref=\"XM-TEST-{}\" type=\"10\"><narrative>Us</narrative></reporting-org>\
             <title><narrative>Wells {nth}</narrative></title>\
             <description><narrative>Water for all</narrative></description>\
             <participating-org role=\"1\" type=\"10\"><narrative>Them</narrative></participating-org>\
             <activity-status code=\"2\"/><activity-date type=\"2\" iso-date=\"2024-01-01\"/></iati-activity>\n",
            nth % 2
        ));
    }
    text.push_str("</iati-activities>\n");
    text
}

pub(crate) fn import(world: &World, text: &str) {
    let path = world.folder().join("in.xml");
    std::fs::write(&path, text).unwrap();
    world
        .import(&path)
        .unwrap_or_else(|error: Error| panic!("{error}"));
}

#[tokio::test]
async fn activities_come_as_a_file_of_the_standard() {
    let world = World::new();
    import(&world, &file(4));
    let all = world.get_all("/api/v1/iati/activities.xml").await;
    assert_eq!(all.status, 200, "{}", all.text());
    assert_eq!(all.header("content-type"), Some("application/xml"));
    assert!(all.text().contains("version=\"2.03\""));
    assert_eq!(all.text().matches("<iati-identifier>").count(), 4);
    let some = world
        .get_all("/api/v1/iati/activities.xml?reporting_org=XM-TEST-1")
        .await;
    assert_eq!(some.text().matches("<iati-identifier>").count(), 2);

    let etag = all.header("etag").unwrap().to_owned();
    let known = [token(), ("if-none-match", etag.as_str())];
    let again = world
        .ask(Method::GET, "/api/v1/iati/activities.xml", &known, "")
        .await;
    assert_eq!(again.status, 304);
    import(&world, &file(5));
    let changed = world
        .ask(Method::GET, "/api/v1/iati/activities.xml", &known, "")
        .await;
    assert_eq!(changed.status, 200, "another version of the data");
}

/// The value of one series.
async fn series(world: &World, name: &str) -> u64 {
    let text = world.get_all("/metrics").await;
    let line = text.text();
    let line = line.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("{name} is not there"))
        .trim()
        .parse()
        .unwrap()
}

const EXPORTED_BYTES: &str = "rsr_iati_bytes_total{operation=\"export\"}";
const EXPORTED: &str = "rsr_iati_activities_total{operation=\"export\",outcome=\"written\"}";

#[tokio::test]
async fn exports_are_counted_exactly_small_or_not_compressed_or_not() {
    for n in [1, 3_000] {
        let world = World::new();
        import(&world, &file(n));
        let plain = world.get_all("/api/v1/iati/activities.xml").await;
        let size = plain.body.len() as u64;
        assert_eq!(series(&world, EXPORTED_BYTES).await, size);
        assert_eq!(series(&world, EXPORTED).await, n as u64);
        let zipped = [token(), ("accept-encoding", "gzip")];
        let zipped = world
            .ask(Method::GET, "/api/v1/iati/activities.xml", &zipped, "")
            .await;
        assert_eq!(zipped.header("content-encoding"), Some("gzip"));
        assert_eq!(
            series(&world, EXPORTED_BYTES).await,
            2 * size,
            "bytes of IATI"
        );
        assert_eq!(series(&world, EXPORTED).await, 2 * n as u64);
    }
}

#[tokio::test]
async fn what_commands_do_is_counted_where_it_is_this_database() {
    let world = World::new();
    let identity = world.store.identity();
    let tell = async |operation: &str, database: &str| {
        let body = format!(
            r#"{{"operation":"{operation}","good":5,"bad":2,"bytes":700,"database":"{database}"}}"#
        );
        world
            .admin(Method::POST, "/admin/v1/iati/counts/", &body)
            .await
    };
    assert_eq!(tell("import", &identity).await.json()["counted"], true);
    assert_eq!(tell("validate", &identity).await.json()["counted"], true);
    assert_eq!(tell("import", "elsewhere").await.json()["counted"], false);
    assert_eq!(tell("delete", &identity).await.status, 400);
    for (name, value) in [
        (
            "rsr_iati_activities_total{operation=\"import\",outcome=\"kept\"}",
            5,
        ),
        (
            "rsr_iati_activities_total{operation=\"import\",outcome=\"skipped\"}",
            2,
        ),
        ("rsr_iati_bytes_total{operation=\"import\"}", 700),
        (
            "rsr_iati_activities_total{operation=\"validate\",outcome=\"valid\"}",
            5,
        ),
        ("rsr_iati_bytes_total{operation=\"validate\"}", 700),
    ] {
        assert_eq!(series(&world, name).await, value, "{name}");
    }
}

#[tokio::test]
async fn nothing_to_export_is_said_before_the_first_byte() {
    let world = World::new();
    world
        .get("/api/v1/iati/activities.xml")
        .await
        .is_problem(404, "not-found", None);
    let bad = world.get("/api/v1/iati/activities.xml?project=x").await;
    bad.is_problem(400, "invalid-parameter", Some("project"));
    let bad = world.get("/api/v1/iati/activities.xml?colour=red").await;
    bad.is_problem(400, "invalid-parameter", Some("colour"));
}
