//! Any bytes end in events, findings or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsr_iati::lossless::filter;
use rsr_iati::reader::{ActivityReader, Event, OrganisationEvent, OrganisationReader};

fuzz_target!(|bytes: &[u8]| {
    let mut reader = ActivityReader::new(bytes);
    let (mut n_activities, mut n_ended) = (0, 0);
    let whole = loop {
        match reader.next_event() {
            Ok(Some(Event::ActivityStart(..))) => n_activities += 1,
            Ok(Some(Event::ActivityEnd | Event::ActivitySkipped(_))) => n_ended += 1,
            Ok(Some(Event::Element(..))) => {}
            Ok(None) => break true,
            Err(_) => break false,
        }
        drop(reader.take_findings());
    };
    assert_eq!(reader.counts().n_read, n_activities);
    assert!(
        !whole || n_activities == n_ended,
        "every activity of a whole file ends"
    );
    let mut reader = OrganisationReader::new(bytes);
    let (mut n_begun, mut n_ended, mut n_skipped) = (0, 0, 0);
    let is_whole = loop {
        match reader.next_event() {
            Ok(Some(OrganisationEvent::Start(..))) => n_begun += 1,
            Ok(Some(OrganisationEvent::End)) => n_ended += 1,
            Ok(Some(OrganisationEvent::Skipped(_))) => n_skipped += 1,
            Ok(Some(OrganisationEvent::Element(..))) => {}
            Ok(None) => break true,
            Err(_) => break false,
        }
        drop(reader.take_findings());
    };
    let counts = reader.counts();
    // One whose own start tag goes over a limit is skipped before it begins.
    assert!(n_begun <= counts.n_read && counts.n_skipped == n_skipped);
    assert!(!is_whole || counts.n_read == n_ended + n_skipped);
    let passed_on = filter(bytes, std::io::sink(), &mut |_| true);
    // Organisations are none of the activities that are passed on.
    assert!(
        !whole || passed_on.is_err() || passed_on.is_ok_and(|tally| tally.n_read >= n_activities)
    );
});
