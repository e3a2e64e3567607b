//! Owns the look ahead: what the rules of a route take of a sample, and what the body would be, without
//! a vault. Texts of fields are counted, never shown.

use std::borrow::Cow;

use crate::body;
use crate::coding;
use crate::error::{FilterError, Side};
use crate::field::{Field, Spelling};
use crate::held::Held;
use crate::jose::PayloadAct;
use crate::media::Media;
use crate::rewrite::{Change, Replacement, splice};
use crate::route::{Act, Plan, Route};
use crate::scan::{Places, Position};
use crate::settings::Rules;

/// What stands for whatever a vault would give.
const STAND_IN: &str = "TOKEN";
/// What stands for a JWE, and for what a JWE held.
const JWE_STAND_IN: &str = "JWE";
const OPENED_STAND_IN: &str = "OPENED";

/// What would happen to a sample.
pub struct Preview {
    /// The fields, in the body's order.
    pub found: Vec<Found>,
    /// The body with `TOKEN` (`0` in a number's place), `JWE` or `OPENED` where a vault's word would be.
    pub rewritten: Vec<u8>,
}

/// One field of a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is in the decoded body.
    pub position: Position,
    /// The rule's place, as the settings spell it.
    pub place: String,
    /// What would become of it.
    pub action: String,
    /// How many characters it has.
    pub chars: usize,
}

fn stand_in(act: &Act, field: &Field<'_>) -> Change {
    match act {
        Act::Tokenize { .. } | Act::Detokenize if field.spelling == Spelling::JsonNumber => {
            Change::Text("0".to_owned())
        }
        Act::Tokenize { .. } | Act::Detokenize => Change::Text(STAND_IN.to_owned()),
        Act::Mask(mask) => Change::Text(mask.of(&field.value)),
        Act::Drop => Change::Drop,
        Act::Encrypt(_) => Change::Text(JWE_STAND_IN.to_owned()),
        Act::Decrypt(_) => Change::Text(OPENED_STAND_IN.to_owned()),
    }
}

/// What becomes of the sample as a whole: it stands for what came out of a JWE, or becomes one.
fn whole(plan: &Plan, text: &[u8]) -> Option<Found> {
    let payload = plan.payload.as_ref()?;
    Some(Found {
        position: Position {
            line: 1,
            column: 1,
            offset: 0,
        },
        place: "payload".to_owned(),
        action: payload.describe(),
        chars: String::from_utf8_lossy(text).chars().count(),
    })
}

/// Whether a sample of this type can be looked at: one that comes out of a JWE must be let out.
fn takes(plan: &Plan, media: Media) -> bool {
    match &plan.payload {
        None => plan.takes(media.format),
        Some(_) => !plan.reads_fields() || plan.takes(media.format),
    }
}

fn plan_of(route: &Route, side: Side, media: Media) -> Result<&Plan, FilterError> {
    let plan = match side {
        Side::Request => route.request.as_ref(),
        Side::Response => route.response.as_ref(),
    };
    plan.filter(|plan| plan.reads_body() && takes(plan, media))
        .ok_or(FilterError::MediaUnsupported)
}

/// The sample, decoded.
fn read<'a>(
    route: &Route,
    side: Side,
    media: Media,
    sample: &'a [u8],
) -> Result<Cow<'a, [u8]>, FilterError> {
    let bytes_max = route.body_bytes_max;
    if sample.len() > bytes_max {
        return Err(FilterError::BodyTooLarge { bytes_max });
    }
    let decoded = coding::decoded(media.coding, sample, bytes_max, Held::uncounted())
        .map_err(|unmade| unmade.of_side(side))?;
    Ok(decoded.map_or(Cow::Borrowed(sample), |plain| Cow::Owned(plain.into_vec())))
}

fn spliced(
    plan: &Plan,
    side: Side,
    text: &[u8],
    fields: &[Field<'_>],
) -> Result<Vec<u8>, FilterError> {
    let replacements: Vec<Replacement> = fields
        .iter()
        .filter_map(|field| {
            let act = plan.acts.get(field.rule)?;
            Some(Replacement::of(field, stand_in(act, field)))
        })
        .collect();
    splice(text, &replacements).map_err(|fault| FilterError::Unfit(side, fault))
}

impl Rules {
    /// Looks at a sample as the route would: the same limits, the same refusals.
    pub fn preview(
        &self,
        route: &Route,
        side: Side,
        media: Media,
        sample: &[u8],
    ) -> Result<Preview, FilterError> {
        let plan = plan_of(route, side, media)?;
        let text = read(route, side, media, sample)?;
        let fields = self.fields(plan, side, media, &text)?;
        let mut places = Places::new(&text);
        let found = fields.iter().map(|field| Found {
            position: places.of(field.span.start),
            place: plan.places.get(field.rule).cloned().unwrap_or_default(),
            action: plan
                .acts
                .get(field.rule)
                .map_or_else(String::new, Act::describe),
            chars: field.value.chars().count(),
        });
        let found = whole(plan, &text).into_iter().chain(found).collect();
        let mut rewritten = spliced(plan, side, &text, &fields)?;
        if plan.payload.as_ref().map(|payload| &payload.act) == Some(&PayloadAct::Encrypt) {
            rewritten = JWE_STAND_IN.as_bytes().to_vec();
        }
        Ok(Preview { found, rewritten })
    }

    /// How many fields there are, and the body with stand-ins, without looking where they are.
    pub fn rewritten(
        &self,
        route: &Route,
        side: Side,
        media: Media,
        sample: &[u8],
    ) -> Result<(usize, Vec<u8>), FilterError> {
        let plan = plan_of(route, side, media)?;
        let text = read(route, side, media, sample)?;
        let fields = self.fields(plan, side, media, &text)?;
        Ok((fields.len(), spliced(plan, side, &text, &fields)?))
    }

    fn fields<'a>(
        &self,
        plan: &Plan,
        side: Side,
        media: Media,
        text: &'a [u8],
    ) -> Result<Vec<Field<'a>>, FilterError> {
        if !plan.reads_fields() {
            return Ok(Vec::new());
        }
        body::select(media.format, text, plan, &self.bounds)
            .map_err(|error| FilterError::Body(side, error))
    }

    /// The first route that looks for fields in bodies of this kind, or the one of this name.
    pub fn route_for(&self, name: Option<&str>, side: Side, media: Media) -> Option<&Route> {
        self.routes()
            .iter()
            .map(AsRef::as_ref)
            .find(|route: &&Route| {
                let named = name.is_none_or(|name| route.name() == name);
                named && plan_of(route, side, media).is_ok()
            })
    }
}
