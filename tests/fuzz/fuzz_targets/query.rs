//! Any query string is a request within the limits, or is refused by the name of its field.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsr_base::ProjectId;
use rsr_hierarchy::{
    ChildrenRequest, CursorKey, FILTER_MAX_CONDITIONS, Limits, RequestError, Viewer,
};

/// Most levels that an answer nests.
const DEPTH_MAX: u32 = 10;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let pairs: Vec<(&str, &str)> = text
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    let key = CursorKey::new([7; 32]);
    match ChildrenRequest::parse(ProjectId(1), Viewer::Anonymous, pairs.iter().copied(), &key) {
        Ok(request) => {
            let limits = Limits::new(1000, 500);
            assert!((1..=1000).contains(&request.page_size(&limits).get()));
            assert!((1..=DEPTH_MAX).contains(&request.depth_max.get()));
            assert!(request.filter.conditions().len() <= FILTER_MAX_CONDITIONS);
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            match error.field() {
                Some("cursor") => assert!(pairs.iter().any(|(name, _)| *name == "cursor")),
                Some(field) => assert!(pairs.iter().any(|(name, _)| *name == field), "{field}"),
                None => assert!(matches!(error, RequestError::TooManyConditions)),
            }
        }
    }
});
