//! Laws that hold for any input.

use proptest::prelude::*;
use rsr_iati::model::{
    ActivityElement, Amount, Coded, Decimal, Description, Narrative, RawAttribute, RawElement,
    RawNode, Transaction,
};
use rsr_iati::xml::{Reader, Token};

/// What the cursor sees, pieces of one text joined.
fn seen(bytes: &[u8]) -> String {
    let mut reader = Reader::new(bytes);
    let mut seen = String::new();
    loop {
        match reader.advance() {
            Ok(Token::Start) => {
                seen.push_str(&format!("<{}", reader.path()));
                reader
                    .attributes()
                    .for_each(|a| seen.push_str(&format!(" {}={:?}", a.name, a.value)));
            }
            Ok(Token::Text) => seen.push_str(reader.text()),
            Ok(Token::End) => seen.push_str(&format!("</{}", reader.name())),
            Ok(Token::Done) => return seen,
            Err(error) => return format!("{seen} {error}"),
        }
    }
}

/// A source that gives `n` bytes at a time.
struct Drip<'a>(&'a [u8], usize);

impl std::io::Read for Drip<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n = self.1.min(into.len());
        std::io::Read::read(&mut self.0, into.get_mut(..n).unwrap_or_default())
    }
}

/// A name of an extension.
fn name() -> impl Strategy<Value = String> {
    "x:[a-z]{1,6}"
}

/// Any text that XML allows.
fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        any::<char>().prop_filter("XML allows it", |&c| {
            c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}') || "\t\n\r".contains(c)
        }),
        1..20,
    )
    .prop_map(String::from_iter)
}

fn raw() -> impl Strategy<Value = RawElement> {
    let attributes = || {
        proptest::collection::btree_map("[a-z]{1,4}", text(), 0..3).prop_map(|map| {
            let attribute = |(name, value)| RawAttribute {
                name,
                namespace: None,
                value,
            };
            map.into_iter().map(attribute).collect::<Vec<_>>()
        })
    };
    let of = |name, attributes, children| RawElement {
        name,
        namespace: Some("urn:x".to_owned()),
        attributes,
        children,
    };
    let leaf =
        (name(), attributes()).prop_map(move |(name, attributes)| of(name, attributes, Vec::new()));
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let children = proptest::collection::vec((text(), inner), 0..4).prop_map(|pairs| {
            pairs
                .into_iter()
                .flat_map(|(text, element)| [RawNode::Text(text), RawNode::Element(element)])
                .collect::<Vec<_>>()
        });
        (name(), attributes(), children)
            .prop_map(move |(name, attributes, children)| of(name, attributes, children))
    })
}

proptest! {
    #[test]
    fn extensions_come_back_as_they_were(raw in raw()) {
        let element = ActivityElement::Extension(raw);
        prop_assert_eq!(ActivityElement::from_xml(&element.to_xml()).unwrap(), element);
    }

    #[test]
    fn typed_elements_come_back_as_they_were(
        texts in proptest::collection::vec((text(), proptest::option::of("[a-z]{2}")), 1..4),
        kind in proptest::option::of(text()),
        amount in text(),
        extension in raw(),
    ) {
        let narratives: Vec<Narrative> =
            texts.into_iter().map(|(text, language)| Narrative { text, language, ..Narrative::default() }).collect();
        let description =
            ActivityElement::Description(Description { kind: kind.clone(), narratives, ..Description::default() });
        prop_assert_eq!(ActivityElement::from_xml(&description.to_xml()).unwrap(), description);
        let mut transaction = Transaction {
            reference: kind.clone(),
            kind: kind.map(Coded::new),
            value: Some(Amount { amount: Decimal::new(amount), ..Amount::default() }),
            ..Transaction::default()
        };
        transaction.extra.push_element(extension);
        let transaction = ActivityElement::Transaction(transaction);
        prop_assert_eq!(ActivityElement::from_xml(&transaction.to_xml()).unwrap(), transaction);
    }

    #[test]
    fn whatever_the_bytes_reading_ends_and_does_not_depend_on_how_they_arrive(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("<a>"), Just("</a>"), Just("<b x='1' y=\"&lt;\"/>"), Just("<!--"), Just("-->"), Just("<![CDATA["),
                Just("]]>"), Just("&amp;"), Just("&#0;"), Just("&x;"), Just("<?p"), Just("?>"), Just("é\r\n"), Just("\u{1}"),
                Just("'"), Just("<"), Just(">"), Just("<!DOCTYPE a ["), Just("text "),
            ],
            0..30,
        ),
        drip in 1_usize..7,
    ) {
        let text = format!("<a>{}", pieces.concat());
        let mut slow = Vec::new();
        std::io::copy(&mut Drip(text.as_bytes(), drip), &mut slow).unwrap();
        prop_assert_eq!(&slow, text.as_bytes());
        let mut reader = Reader::new(Drip(text.as_bytes(), drip));
        let mut n = 0;
        let mut whole = Reader::new(text.as_bytes());
        loop {
            let (one, other) = (reader.advance(), whole.advance());
            prop_assert_eq!(reader.text(), whole.text());
            prop_assert_eq!(reader.name(), whole.name());
            match (one, other) {
                (Ok(one), Ok(other)) => prop_assert_eq!(one, other),
                (Err(one), Err(other)) => {
                    prop_assert_eq!(one.to_string(), other.to_string());
                    break;
                }
                (one, other) => prop_assert!(false, "{:?} {:?}", one, other),
            }
            if reader.token() == Token::Done {
                break;
            }
            n += 1;
            prop_assert!(n < 1000, "it ends");
        }
        prop_assert_eq!(seen(text.as_bytes()), seen(&slow));
    }
}
