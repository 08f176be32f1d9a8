//! Validation of hostile input: there is always an answer.

use proptest::prelude::*;

use rsr_iati::validate::{Options, validate};

/// Pieces that make trouble in any order.
const PIECES: [&str; 16] = [
    "<iati-activities version='2.03'>",
    "</iati-activities>",
    "<iati-activity>",
    "</iati-activity>",
    "<title>",
    "</title>",
    "<narrative/>",
    "<transaction><value value-date='x' currency=''>1e9</value></transaction>",
    "<budget>",
    "</budget>",
    "<x:y xmlns:x='urn:x'/>",
    "text &amp; &#0; &nope;",
    "<![CDATA[<]]>",
    "<sector vocabulary='2' percentage='50'/>",
    "<activity-date type='2' iso-date='2999-01-01' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:nil='1'/>",
    "<",
];

proptest! {
    #[test]
    fn any_pieces_in_any_order_have_an_answer(order in prop::collection::vec(0_usize..PIECES.len(), 0..24)) {
        let xml: String = order.iter().map(|place| PIECES[*place]).collect();
        let mut shown = 0;
        let summary = validate(xml.as_bytes(), &Options::default(), &mut |group| {
            shown += group.findings.len() as u64 + group.n_left_out;
        });
        prop_assert_eq!(shown, summary.n_critical + summary.n_error + summary.n_warning);
    }
}
