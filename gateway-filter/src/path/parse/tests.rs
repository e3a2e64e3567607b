//! What is no path, each by its name.

use super::PathFault;
use crate::path::Path;

fn fault(text: &str) -> PathFault {
    text.parse::<Path>().expect_err(text).fault
}

#[test]
fn what_is_no_path_is_refused_by_name() {
    assert_eq!(fault("a.b"), PathFault::NoRoot);
    assert_eq!(fault(""), PathFault::NoRoot);
    assert_eq!(fault("$x"), PathFault::Segment);
    assert_eq!(fault("$.a "), PathFault::Segment);
    assert_eq!(fault("$."), PathFault::Name);
    assert_eq!(fault("$.1a"), PathFault::Name);
    assert_eq!(fault("$..."), PathFault::Name);
    assert_eq!(fault("$.a-b"), PathFault::Segment);
    assert_eq!(fault("$[01]"), PathFault::Index);
    assert_eq!(fault("$[-0]"), PathFault::Index);
    assert_eq!(fault("$[9007199254740992]"), PathFault::Index);
    assert_eq!(fault("$['a"), PathFault::Quoted);
    assert_eq!(fault(r"$['\q']"), PathFault::Quoted);
    assert_eq!(fault(r"$['\ud800']"), PathFault::Quoted);
    assert_eq!(fault("$[a]"), PathFault::Bracket);
    assert_eq!(fault("$[0"), PathFault::Bracket);
    assert_eq!(fault(&format!("${}", ".a".repeat(64))), PathFault::TooLong);
}

#[test]
fn a_filter_that_cannot_be_meant_is_refused_by_name() {
    assert_eq!(fault("$[?]"), PathFault::Test);
    assert_eq!(fault("$[?1]"), PathFault::LiteralAlone);
    assert_eq!(fault("$[?@.a==]"), PathFault::Operand);
    assert_eq!(fault("$[?@.*==1]"), PathFault::NotSingular);
    assert_eq!(fault("$[?@.a==01]"), PathFault::Number);
    assert_eq!(fault("$[?size(@)==1]"), PathFault::Function);
    assert_eq!(fault("$[?length(@.*)==1]"), PathFault::Arguments);
    assert_eq!(fault("$[?length(@)]"), PathFault::FunctionType);
    assert_eq!(fault("$[?match(@,'a')==true]"), PathFault::FunctionType);
    assert_eq!(fault("$[?match(@,'(')]"), PathFault::Pattern);
    let deep = format!("$[?{}@{}]", "(".repeat(17), ")".repeat(17));
    assert_eq!(fault(&deep), PathFault::TooDeep);
}

#[test]
fn every_spelling_of_one_path_is_the_same_selection() {
    let plain: Path = "$.a.b[0]".parse().unwrap();
    for spelling in [
        r"$['a']['b'][0]",
        r#"$["a"].b[ 0 ]"#,
        r"$['\u0061'].b[0]",
        "$ .a .b [0]",
    ] {
        assert!(
            plain.selects_same_as(&spelling.parse().unwrap()),
            "{spelling}"
        );
    }
    assert!(!plain.selects_same_as(&"$.a.b['0']".parse().unwrap()));
    assert!(!plain.selects_same_as(&"$.a..b[0]".parse().unwrap()));
}
