//! What was read and written once is read and written again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsr_iati::model::{ActivityElement, OrganisationElement};
use rsr_iati::reader::{ActivityReader, Event, OrganisationEvent, OrganisationReader};

fuzz_target!(|bytes: &[u8]| {
    let mut reader = ActivityReader::new(bytes);
    while let Ok(Some(event)) = reader.next_event() {
        drop(reader.take_findings());
        if let Event::Element(element, _) = event {
            let once = element.to_xml();
            let read = ActivityElement::from_xml(&once).expect("what was written can be read");
            assert_eq!(read.to_xml(), once);
        }
    }
    let mut reader = OrganisationReader::new(bytes);
    while let Ok(Some(event)) = reader.next_event() {
        drop(reader.take_findings());
        if let OrganisationEvent::Element(element, _) = event {
            let once = element.to_xml();
            let read = OrganisationElement::from_xml(&once).expect("what was written can be read");
            assert_eq!(read.to_xml(), once);
        }
    }
});
