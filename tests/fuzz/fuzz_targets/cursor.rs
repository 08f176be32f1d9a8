//! No text but one that was sealed opens as a cursor, and what was sealed opens as what it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsr_base::ProjectId;
use rsr_hierarchy::{ChildrenRequest, CursorKey, Key, Viewer, Waypoint};

fuzz_target!(|bytes: &[u8]| {
    let ours = CursorKey::new([7; 32]);
    let request = ChildrenRequest::new(ProjectId(1), Viewer::Anonymous);
    let text = String::from_utf8_lossy(bytes);
    // Nobody can guess a tag: whatever comes in is refused, in all three forms.
    assert!(ours.open(&text, &request).is_err());
    assert!(ours.open_stream(&text, ProjectId(1), None).is_err());
    assert!(ours.open_id(&text, "jobs").is_err());

    let (head, tail) = bytes.split_at(bytes.len().min(8));
    let id = head
        .iter()
        .fold(0_i64, |id, byte| id << 8 | i64::from(*byte));
    let value = String::from_utf8_lossy(tail);
    let key = Key::new(Some(value.as_ref()), ProjectId(id));
    let sealed = ours.seal(&key, &request);
    assert_eq!(ours.open(&sealed, &request).as_ref(), Ok(&key));
    assert!(
        CursorKey::new([8; 32]).open(&sealed, &request).is_err(),
        "another key"
    );
    let other = ChildrenRequest::new(ProjectId(2), Viewer::Anonymous);
    assert!(ours.open(&sealed, &other).is_err(), "another question");

    let last = Waypoint {
        id: ProjectId(id),
        parent: ProjectId(!id),
    };
    let sealed = ours.seal_stream(&last, ProjectId(1), None);
    assert_eq!(ours.open_stream(&sealed, ProjectId(1), None), Ok(last));
    assert_eq!(ours.open_id(&ours.seal_id(id, &value), &value), Ok(id));
});
