//! The attributes of `iati-activity` as one fragment: a start tag that holds nothing.

use rsr_iati::model::{ActivityElement, ActivityHead, RawAttribute, RawElement, Value};

const NAME: &str = "iati-activity";
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// The head as a fragment.
pub(crate) fn head_to_xml(head: &ActivityHead) -> String {
    let mut raw = RawElement {
        name: NAME.to_owned(),
        ..RawElement::default()
    };
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            raw.attributes.push(RawAttribute {
                name: name.to_owned(),
                namespace: name.starts_with("xml:").then(|| XML.to_owned()),
                value: value.to_owned(),
            });
        }
    };
    add(
        "last-updated-datetime",
        head.last_updated.as_ref().map(Value::text),
    );
    add("xml:lang", head.language.as_deref());
    add("default-currency", head.default_currency.as_deref());
    add("humanitarian", head.humanitarian.as_ref().map(Value::text));
    add("hierarchy", head.hierarchy.as_ref().map(Value::text));
    add("linked-data-uri", head.linked_data_uri.as_deref());
    add("budget-not-provided", head.budget_not_provided.as_deref());
    raw.attributes.extend_from_slice(head.extra.attributes());
    ActivityElement::Unknown(raw).to_xml()
}

/// The head of a fragment; an empty one where the fragment is none.
pub(crate) fn head_from_xml(xml: &str) -> ActivityHead {
    let mut head = ActivityHead::default();
    let Ok(ActivityElement::Unknown(raw)) = ActivityElement::from_xml(xml) else {
        return head;
    };
    for attribute in raw.attributes {
        let value = attribute.value.as_str();
        match attribute.name.as_str() {
            "last-updated-datetime" => head.last_updated = Some(value.into()),
            "xml:lang" => head.language = Some(value.to_owned()),
            "default-currency" => head.default_currency = Some(value.to_owned()),
            "humanitarian" => head.humanitarian = Some(value.into()),
            "hierarchy" => head.hierarchy = Some(value.into()),
            "linked-data-uri" => head.linked_data_uri = Some(value.to_owned()),
            "budget-not-provided" => head.budget_not_provided = Some(value.to_owned()),
            name if name == "xmlns" || name.starts_with("xmlns:") => {}
            _ => head.extra.push_attribute(attribute),
        }
    }
    head
}
