//! What two policy sets decide otherwise: which unit, class and purpose, and whether it is more or less than before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cedar_policy::PolicySet;

use super::cells::{Shape, Way};
use super::explain::rank;
use super::lint::CELLS_MAX;
use super::{Facts, Place, Study, StudyError};
use crate::model::{Purpose, Unit, UnitName, View};
use crate::policy::{action_name, answers_yes};

/// What is asked with the strongest view as its answer.
const SEE: &str = "detokenize";

/// A decision that is another under the new set, for units and classes that are alike in it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Changed {
    /// The units.
    pub units: Vec<String>,
    /// `detokenize`, or an action of the schema.
    pub act: String,
    /// The purpose, where the action takes one; one that no policy names stands for all of those.
    pub purpose: String,
    /// How it comes, where policies look at that; else empty.
    pub way: String,
    /// The answer before.
    pub old: String,
    /// The answer after.
    pub new: String,
    /// Whether more is given than before.
    pub widens: bool,
    /// The classes, as `domain/class`.
    pub classes: Vec<String>,
}

/// A policy that is not what it was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyEdit {
    /// Its `@id`.
    pub id: String,
    /// `added`, `removed` or `altered`.
    pub edit: &'static str,
    /// What it can be about besides classes, of which the table says nothing: keys, units, grants.
    pub beyond: Vec<String>,
}

/// What two sets decide otherwise.
pub struct Compared {
    /// Decisions on classes.
    pub changed: Vec<Changed>,
    /// Policies.
    pub edits: Vec<PolicyEdit>,
    /// Whether the schemas are the same text.
    pub same_schema: bool,
    /// Decisions that were compared.
    pub cells: u64,
}

impl Compared {
    /// Whether nothing is decided otherwise on classes, and no policy is another.
    pub fn is_same(&self) -> bool {
        self.changed.is_empty() && self.edits.is_empty() && self.same_schema
    }
}

/// A row of the table, without its units and classes.
type Cell = (String, String, String, String, String);

/// One unit under one set: the policies about it, by action.
struct Stand<'a> {
    study: &'a Study,
    unit: Option<&'a Unit>,
    slices: BTreeMap<String, (Shape, PolicySet)>,
}

/// The two sets, and what is compared.
struct Pair<'a> {
    old: &'a Study,
    new: &'a Study,
    acts: BTreeSet<String>,
    /// Classes that neither set can tell apart.
    places: Vec<Vec<Place>>,
    ways: Vec<Way>,
    cells: u64,
}

impl Study {
    /// Compares this set with a newer one, for all units or one.
    pub fn compare(&self, new: &Self, only: Option<&UnitName>) -> Result<Compared, StudyError> {
        let sides = [self, new];
        let acts = sides.into_iter().flat_map(|side| {
            let actions = side.actions_on("Jinku::DataClass").into_iter();
            actions.filter(|action| !action.starts_with("Detokenize"))
        });
        let mut pair = Pair {
            old: self,
            new,
            acts: acts.chain([SEE.to_owned()]).collect(),
            places: alike_places(self, new),
            ways: all_ways(self, new),
            cells: 0,
        };
        let mut table: BTreeMap<(Vec<String>, Cell), Vec<String>> = BTreeMap::new();
        for units in alike(self, new, only) {
            for (cell, classes) in pair.changed(&units)? {
                table
                    .entry((units.clone(), cell))
                    .or_default()
                    .extend(classes);
            }
        }
        let changed = table.into_iter().map(|((units, cell), classes)| {
            let (act, purpose, way, old, new) = cell;
            let widens = rank(&new) > rank(&old);
            Changed {
                units,
                act,
                purpose,
                way,
                old,
                new,
                widens,
                classes,
            }
        });
        Ok(Compared {
            changed: changed.collect(),
            edits: edits(self, new),
            same_schema: self.policies.texts().schema == new.policies.texts().schema,
            cells: pair.cells,
        })
    }
}

/// Ways that either set can tell apart.
fn all_ways(old: &Study, new: &Study) -> Vec<Way> {
    let mut ways: BTreeMap<String, Way> = BTreeMap::new();
    for way in old.ways.iter().chain(&new.ways) {
        ways.entry(way.label()).or_insert_with(|| way.clone());
    }
    ways.into_values().collect()
}

/// Units that neither set can tell apart.
fn alike(old: &Study, new: &Study, only: Option<&UnitName>) -> Vec<Vec<String>> {
    let mut places: BTreeMap<String, [Option<usize>; 2]> = BTreeMap::new();
    for (side, study) in [old, new].into_iter().enumerate() {
        for (place, like) in study.profiles().into_iter().enumerate() {
            for unit in like {
                if only.is_none_or(|only| *only == unit.name) {
                    let sides = places.entry(unit.name.to_string()).or_default();
                    if let Some(slot) = sides.get_mut(side) {
                        *slot = Some(place);
                    }
                }
            }
        }
    }
    let mut alike: BTreeMap<[Option<usize>; 2], Vec<String>> = BTreeMap::new();
    for (unit, sides) in places {
        alike.entry(sides).or_default().push(unit);
    }
    alike.into_values().collect()
}

/// Classes that neither set can tell apart.
fn alike_places(old: &Study, new: &Study) -> Vec<Vec<Place>> {
    let mut sides: BTreeMap<Place, [Option<usize>; 2]> = BTreeMap::new();
    for (side, study) in [old, new].into_iter().enumerate() {
        for (number, like) in study.classes().into_iter().enumerate() {
            for place in like {
                if let Some(slot) = sides.entry(place).or_default().get_mut(side) {
                    *slot = Some(number);
                }
            }
        }
    }
    let mut alike: BTreeMap<[Option<usize>; 2], Vec<Place>> = BTreeMap::new();
    for (place, numbers) in sides {
        alike.entry(numbers).or_default().push(place);
    }
    alike.into_values().collect()
}

impl<'a> Stand<'a> {
    fn of(study: &'a Study, name: &str) -> Self {
        let name = UnitName::parse(name).ok();
        let unit = name.and_then(|name| study.registry.unit(&name));
        Self {
            study,
            unit: unit.map(Arc::as_ref),
            slices: BTreeMap::new(),
        }
    }

    /// A unit or class that is not there is denied everything.
    fn answer(&mut self, act: &str, place: &Place, facts: &Facts) -> &'static str {
        if act != SEE {
            return if self.permits(act, place, facts) {
                "permitted"
            } else {
                "denied"
            };
        }
        let mut views = View::STRONGEST_FIRST.into_iter();
        let view = views.find(|view| self.permits(action_name(*view), place, facts));
        view.map_or("denied", View::as_str)
    }

    fn permits(&mut self, action: &str, place: &Place, facts: &Facts) -> bool {
        let Some(unit) = self.unit else {
            return false;
        };
        if !self.slices.contains_key(action) {
            let Some(shape) = self.study.shape(action) else {
                return false;
            };
            let live = self.study.policies.live();
            let slice = live.set.slices().slice(action, unit);
            self.slices.insert(action.to_owned(), (shape, slice));
        }
        let Some((shape, slice)) = self.slices.get(action) else {
            return false;
        };
        if slice.is_empty() {
            return false;
        }
        let question = self.study.question(action, facts, place, *shape);
        question.is_some_and(|question| answers_yes(slice, &question))
    }

    fn purposes(&self, act: &str) -> BTreeSet<Purpose> {
        let Some(unit) = self.unit else {
            return BTreeSet::new();
        };
        if act == SEE {
            let views = View::STRONGEST_FIRST.into_iter();
            let purposes = views.flat_map(|view| self.study.purposes(action_name(view), unit));
            purposes.collect()
        } else {
            self.study.purposes(act, unit)
        }
    }

    fn shape(&self, act: &str) -> Option<Shape> {
        let action = if act == SEE { "DetokenizePlain" } else { act };
        self.study.shape(action)
    }
}

impl Pair<'_> {
    /// What is decided otherwise for units that are alike.
    fn changed(&mut self, units: &[String]) -> Result<BTreeMap<Cell, Vec<String>>, StudyError> {
        let mut table: BTreeMap<Cell, Vec<String>> = BTreeMap::new();
        let Some(first) = units.first() else {
            return Ok(table);
        };
        let (mut old, mut new) = (Stand::of(self.old, first), Stand::of(self.new, first));
        for act in &self.acts {
            let shapes = [old.shape(act), new.shape(act)];
            let takes = |part: fn(&Shape) -> bool| shapes.iter().flatten().any(part);
            let purposes: Vec<Option<Purpose>> = if takes(|shape| shape.purpose) {
                let spoken = old.purposes(act).into_iter().chain(new.purposes(act));
                spoken
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .map(Some)
                    .collect()
            } else {
                vec![None]
            };
            let delivers = takes(|shape| shape.delivery);
            for way in self
                .ways
                .iter()
                .filter(|way| delivers || way.delivery == "inline")
            {
                for purpose in &purposes {
                    for like in &self.places {
                        let Some(place) = like.first() else {
                            continue;
                        };
                        self.cells += 1;
                        if self.cells > CELLS_MAX {
                            return Err(StudyError::TooMany { max: CELLS_MAX });
                        }
                        let before = old.under(way, purpose.as_ref());
                        let before = before.map_or("denied", |f| old.answer(act, place, &f));
                        let after = new.under(way, purpose.as_ref());
                        let after = after.map_or("denied", |f| new.answer(act, place, &f));
                        if before != after {
                            let said = purpose.as_ref().map(ToString::to_string);
                            let cell = (
                                act.clone(),
                                said.unwrap_or_default(),
                                way.label(),
                                before.to_owned(),
                                after.to_owned(),
                            );
                            let name = |place: &Place| format!("{}/{}", place.domain, place.class);
                            table.entry(cell).or_default().extend(like.iter().map(name));
                        }
                    }
                }
            }
        }
        Ok(table)
    }
}

impl Stand<'_> {
    fn under(&self, way: &Way, purpose: Option<&Purpose>) -> Option<Facts> {
        Some(Facts {
            gateway: way.gateway.clone(),
            proof: way.proof,
            delivery: way.delivery,
            ..Study::plainest(self.unit?, purpose.cloned())
        })
    }
}

/// Policies and links that are in one of the sets only, or are not the same in both.
fn edits(old: &Study, new: &Study) -> Vec<PolicyEdit> {
    let trees = |study: &Study| -> BTreeMap<String, Option<serde_json::Value>> {
        let live = study.policies.live();
        let policies = live.set.policies().policies();
        let tree = |policy: &cedar_policy::Policy| {
            let id: &str = policy.id().as_ref();
            (id.to_owned(), policy.to_json().ok())
        };
        policies.map(tree).collect()
    };
    let (before, after) = (trees(old), trees(new));
    let ids: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let edit = |id: &&String| match (before.get(*id), after.get(*id)) {
        (None, Some(_)) => Some("added"),
        (Some(_), None) => Some("removed"),
        (Some(before), Some(after)) if before != after => Some("altered"),
        _ => None,
    };
    let edited = ids.into_iter().filter_map(|id| Some((id, edit(&id)?)));
    edited
        .map(|(id, edit)| {
            let kinds = [old, new].into_iter().flat_map(|side| side.kinds_of(id));
            let beyond: BTreeSet<String> =
                kinds.filter(|kind| kind != "Jinku::DataClass").collect();
            PolicyEdit {
                id: id.clone(),
                edit,
                beyond: beyond.into_iter().collect(),
            }
        })
        .collect()
}
