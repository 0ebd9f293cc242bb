//! The witness at an opening: only people are no stall, bare street waits, and what it names is told with its own score.

use expect_test::{Expect, expect};
use kerbside_domain::detection::Group;
use kerbside_domain::kind::Kind;

use super::street::{rule, street};

type Said = (&'static str, Group, f32);

const GOODS: Said = ("stall", Group::Stall, 0.5);
const PEOPLE: Said = ("people or vehicles", Group::Person, 0.6);
const STREET: Said = ("street", Group::Other, 0.9);

/// Something stands at the kerb with somebody beside it; what is reported, and what is refused.
fn stall(said: &[Said], expect: Expect) {
    let mut street = street(rule(&[Kind::StallOccupying]));
    street.witness_says(said);
    street.put("cart", 0.4, 0.6, 0.1, 0.1);
    street.walker("vendor", 0.36, 0.0);
    street.run(60.0);
    expect.assert_eq(&told(&street));
}

fn bag(said: &[Said], seconds: f64, expect: Expect) {
    let mut street = street(rule(&[Kind::WasteExposed]));
    street.witness_says(said);
    street.put_bag(0.4);
    street.run(seconds);
    expect.assert_eq(&told(&street));
}

/// Openings with confidence and object, then reasons of refusals with their counts.
fn told(street: &super::street::Street) -> String {
    let mut lines = Vec::new();
    for report in street.reports() {
        let object = &report.objects[0];
        let (kind, label) = (report.kind.as_str(), &object.label);
        lines.push(format!("{kind} {:.2}: {label} {:.2}", report.confidence, object.confidence));
    }
    let refusals = street.core.counters().refusals.clone();
    lines.extend(refusals.keys().map(|(_, why)| format!("refused: {}", why.as_str())));
    lines.join("\n")
}

#[test]
fn a_stall_needs_goods_and_not_only_somebody_who_stands() {
    stall(&[], expect!["stall.occupying 0.74: static_object 0.74"]);
    stall(&[GOODS, PEOPLE], expect!["stall.occupying 0.74: stall 0.50"]);
    stall(&[PEOPLE], expect!["refused: only_people"]);
}

#[test]
fn bare_street_waits_for_three_dwells_and_is_doubted() {
    bag(&[], 30.0, expect!["waste.exposed 0.68: static_object 0.68"]);
    bag(&[STREET], 30.0, expect!["refused: no_kind_fits"]);
    bag(
        &[STREET],
        80.0,
        expect![[r#"
        waste.exposed 0.30: static_object 0.30
        refused: no_kind_fits"#]],
    );
}
