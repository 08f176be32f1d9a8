use super::*;

const HEAD: &str = r#"<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema">"#;

fn generated(body: &str) -> Result<String> {
    let text = format!("{HEAD}{body}</xsd:schema>");
    generate(&[SchemaTexts {
        version: "2.03".to_owned(),
        kind: FileKind::Activities,
        texts: vec![text],
    }])
}

#[track_caller]
fn check(body: &str, expected: &str) {
    let text = generated(body).expect("it has a form in the tables");
    assert!(text.contains(expected), "{expected} is not in {text}");
}

#[track_caller]
fn check_refused(body: &str, expected: &str) {
    let error = format!(
        "{:#}",
        generated(body).expect_err("it has no form in the tables")
    );
    assert!(error.contains(expected), "{error}");
}

const TWO: &str =
    r#"<xsd:element name="b" type="xsd:date"/><xsd:element name="c" type="xsd:date"/>"#;

#[test]
fn a_sequence_knows_what_must_come_before_each_of_its_elements() {
    check(
        &format!(
            r###"{TWO}<xsd:element name="a"><xsd:complexType><xsd:sequence>
                <xsd:element ref="b"/>
                <xsd:element ref="c" minOccurs="0" maxOccurs="unbounded"/>
                <xsd:any namespace="##other" processContents="lax" minOccurs="0" maxOccurs="unbounded"/>
            </xsd:sequence></xsd:complexType></xsd:element>"###
        ),
        "Sequence { mixed: false, particles: &[P(1, 0, false, 0), P(2, 0, true, 1), P(65535, 0, true, 1)], need: 1 }",
    );
}

#[test]
fn a_repeated_choice_is_a_set() {
    check(
        &format!(
            r#"{TWO}<xsd:element name="a"><xsd:complexType mixed="true"><xsd:choice maxOccurs="unbounded">
                <xsd:element ref="b"/><xsd:element ref="c"/>
            </xsd:choice></xsd:complexType></xsd:element>"#
        ),
        "Choice { mixed: true, particles: &[P(1, 0, false, 0), P(2, 0, false, 1)], required: true }",
    );
}

#[test]
fn an_extension_adds_to_its_base() {
    let body = r#"<xsd:complexType name="base"><xsd:sequence><xsd:element name="b" type="xsd:int"/></xsd:sequence>
            <xsd:attribute name="url" type="xsd:anyURI" use="required"/></xsd:complexType>
        <xsd:element name="a"><xsd:complexType><xsd:complexContent><xsd:extension base="base">
            <xsd:sequence><xsd:element name="c" type="xsd:int" minOccurs="0"/></xsd:sequence>
        </xsd:extension></xsd:complexContent></xsd:complexType></xsd:element>"#;
    check(
        body,
        "particles: &[P(1, 0, false, 0), P(2, 0, false, 1)], need: 1 }, attributes: &[A(3, Uri, true)]",
    );
}

#[test]
fn equal_types_are_written_once() {
    let text = generated(TWO).expect("it has a form in the tables");
    assert!(text.contains("TYPES: [T; 1]"), "{text}");
}

#[test]
fn what_people_wrote_for_people_stays_behind() {
    let text = generated(
        r#"<xsd:element name="a" type="xsd:date"><xsd:annotation><xsd:documentation>Long story</xsd:documentation></xsd:annotation></xsd:element>"#,
    );
    assert!(!text.expect("it has a form in the tables").contains("story"));
}

#[test]
fn what_the_tables_cannot_hold_is_refused() {
    check_refused(
        r#"<xsd:element name="a" nillable="true" type="xsd:date"/>"#,
        "nillable",
    );
    check_refused(r#"<xsd:element name="a" type="xsd:gYear"/>"#, "gYear");
    check_refused(r#"<xsd:element name="a" type="unknown"/>"#, "not declared");
    let bounded = r#"<xsd:element name="b" type="xsd:date" maxOccurs="3"/>"#;
    let inside = |body: &str| {
        format!(
            r#"<xsd:element name="a"><xsd:complexType><xsd:sequence>{body}</xsd:sequence></xsd:complexType></xsd:element>"#
        )
    };
    check_refused(&inside(bounded), "maxOccurs 3");
    check_refused(&inside("<xsd:choice/>"), "choice");
    let same = r#"<xsd:element name="b" type="xsd:date"/>"#;
    check_refused(&inside(&format!("{same}{same}")), "twice");
    let itself = r#"<xsd:element name="b"><xsd:complexType><xsd:sequence><xsd:element ref="a"/></xsd:sequence></xsd:complexType></xsd:element>"#;
    check_refused(&inside(itself), "contains itself");
    assert!(generate(&[]).is_err());
}
