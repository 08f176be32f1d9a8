//! Any bytes end in events, findings or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsr_iati::lossless::filter;
use rsr_iati::reader::{ActivityReader, Event};

fuzz_target!(|bytes: &[u8]| {
    let mut reader = ActivityReader::new(bytes);
    let (mut n_begun, mut n_ended) = (0, 0);
    let whole = loop {
        match reader.next_event() {
            Ok(Some(Event::ActivityStart(..))) => n_begun += 1,
            Ok(Some(Event::ActivityEnd | Event::ActivitySkipped(_))) => n_ended += 1,
            Ok(Some(Event::Element(..))) => {}
            Ok(None) => break true,
            Err(_) => break false,
        }
        drop(reader.take_findings());
    };
    assert_eq!(reader.counts().n_read, n_begun);
    assert!(!whole || n_begun == n_ended, "every activity of a whole file ends");
    let passed_on = filter(bytes, std::io::sink(), &mut |_| true);
    assert!(!whole || passed_on.is_err() || passed_on.is_ok_and(|tally| tally.n_read >= n_begun));
});
