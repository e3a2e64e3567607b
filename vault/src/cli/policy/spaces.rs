//! `jinku policy spaces`: each class's free space, and what its mask leaves.

use std::path::Path;
use std::process::ExitCode;

use crate::cli::screen;
use crate::config;
use crate::model::{Catalogue, DataClass};
use crate::token;

/// A class whose format can't serve it, or whose mask shows too much, is an error, with the number.
pub(super) fn show(classes: &Path) -> anyhow::Result<ExitCode> {
    let catalogue = Catalogue::parse(&config::read(classes)?)?;
    screen::quiet(
        "tokens that can stand for one value, and values that a masked view leaves possible, at the least",
    );
    for class in catalogue.classes() {
        let (name, format) = (class.name.as_str(), class.format.name());
        let (space, mask) = (token::space(class).to_string(), &class.mask);
        let kept = format!("{}+{}", mask.keep_first, mask.keep_last);
        screen::line(&format!(
            "  {name:<20}  {format:<18}  {space:<37}  keeps {kept:<5}  {}",
            left_possible(class)
        ));
    }
    token::fit(&catalogue)?;
    Ok(ExitCode::SUCCESS)
}

/// What a class's mask leaves, its floor, and what its tokens give away besides.
fn left_possible(class: &DataClass) -> String {
    let floor = token::grouped(u128::from(class.mask.candidates_min));
    let Some(left) = token::residue(class) else {
        return match token::hidden_min(class) {
            Some(_) if (class.mask.keep_first, class.mask.keep_last) == (0, 0) => {
                "not counted, nothing shown".to_owned()
            }
            Some(least) => format!(
                "not counted, floor {floor}: {least} or more letters or digits hidden, or all"
            ),
            None => "not counted".to_owned(),
        };
    };
    let counted = left.candidates.counted("candidates");
    let of_mask = if left.shows {
        format!("{counted}, floor {floor}")
    } else {
        format!("{counted}, nothing shown")
    };
    match token::residue_beside_token(class) {
        Some(both) => {
            let both = both.candidates.counted("candidates");
            format!("{of_mask}; beside its token {both}")
        }
        None => of_mask,
    }
}
