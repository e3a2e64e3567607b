//! Data classes and domains: what a field is, how sensitive, and what its tokens look like.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::format::Format;
use super::kind::ValueKind;
use super::life::{LifeFault, Lifetimes, Repeatability};
use super::name::{ClassName, Compartment, DomainName};

/// How sensitive a class is, or how far a unit is cleared. Ordered; labels are configurable.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Level(pub u8);

/// Whether a class takes values of its kind alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Demand {
    /// A value must be real: of its kind, with right check digits.
    Real,
    /// Anything that is neither empty nor one of the class's own tokens.
    Anything,
}

/// How a class spells values before they are compared. Versioned: an index is made of one of them.
///
/// Another version finds the same values where the spellings agree, and others not: stored values
/// keep the index they were given.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum NormalForm {
    /// NFKC, trimmed; case, separators and other writings of the same as the kind has them.
    #[default]
    First,
    /// As the first; in text, white space is one space, and e-mail addresses are in lower case.
    Second,
}

impl NormalForm {
    /// Its number, as classes and rows have it.
    pub fn number(self) -> u8 {
        match self {
            Self::First => 1,
            Self::Second => 2,
        }
    }

    /// The one with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::First, Self::Second]
            .into_iter()
            .find(|form| form.number() == number)
    }
}

/// Shares of a format's free space, in percent.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SpaceShares {
    /// From here on the vault warns.
    pub warn_percent: u8,
    /// From here on it issues no more tokens.
    pub full_percent: u8,
}

impl Default for SpaceShares {
    fn default() -> Self {
        Self {
            warn_percent: 50,
            full_percent: 80,
        }
    }
}

/// How a class's values look when they are masked. Counts are characters.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Mask {
    /// Characters kept at the start.
    pub keep_first: u8,
    /// Characters kept at the end.
    pub keep_last: u8,
    /// The floor: so many values must stay possible for who sees a masked one.
    #[serde(default = "candidates_min")]
    pub candidates_min: u64,
}

impl Mask {
    /// The floor of a class that names none: as safe from one guess as a PIN of four digits.
    pub const CANDIDATES_MIN: u64 = 10_000;
}

fn candidates_min() -> u64 {
    Mask::CANDIDATES_MIN
}

/// One data class of the catalogue.
#[derive(Clone, Debug)]
pub struct DataClass {
    /// Its name.
    pub name: ClassName,
    /// A unit's clearance must reach it.
    pub level: Level,
    /// A unit must hold all of them.
    pub compartments: BTreeSet<Compartment>,
    /// What values must be.
    pub kind: ValueKind,
    /// What its tokens look like.
    pub format: Format,
    /// What the masked view shows.
    pub mask: Mask,
    /// Whether a value gets the same token again, where its domain says nothing else.
    pub tokens: Repeatability,
    /// How long its tokens serve, and how often.
    pub life: Lifetimes,
    /// Whether a value's tokens can be searched for; those of repeatable classes can.
    pub searchable: bool,
    /// Whether values must be real.
    pub demand: Demand,
    /// How values are spelled before they are compared.
    pub normal_form: NormalForm,
    /// How much of the format's free space may be used.
    pub space: SpaceShares,
}

impl DataClass {
    /// Whether its lifetimes and its being searchable go with this repeatability.
    fn serves_as(&self, tokens: Repeatability) -> Result<(), CatalogueError> {
        self.life
            .check(tokens)
            .map_err(|fault| CatalogueError::Life(self.name.clone(), fault))?;
        if self.searchable && tokens == Repeatability::Bound {
            return Err(CatalogueError::SearchableBound(self.name.clone()));
        }
        Ok(())
    }
}

/// A token namespace and the classes it holds.
#[derive(Clone, Debug)]
pub struct Domain {
    /// Its name.
    pub name: DomainName,
    /// Classes whose values may be tokenized in it, in the catalogue's order.
    pub classes: Vec<ClassName>,
    /// Where it differs from what its classes say.
    pub tokens: BTreeMap<ClassName, Repeatability>,
}

/// All classes, domains and levels, as `classes.toml` has them.
#[derive(Clone, Debug)]
pub struct Catalogue {
    levels: Vec<String>,
    classes: BTreeMap<ClassName, DataClass>,
    domains: BTreeMap<DomainName, Domain>,
}

/// Why a catalogue was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// The text is not TOML of the expected shape.
    #[error("the class catalogue can't be read: {0}")]
    Syntax(#[from] toml::de::Error),
    /// A class names a level that `levels` does not list.
    #[error("class `{0}` names a level that is not in `levels`")]
    UnknownLevel(ClassName),
    /// A domain names a class that does not exist.
    #[error("domain `{0}` names the class `{1}`, which is not in the catalogue")]
    UnknownClass(DomainName, ClassName),
    /// A class names a normal form that there is not.
    #[error("class `{0}` names a `normal_form` that there is not: 1 or 2")]
    NormalForm(ClassName),
    /// A class's shares of its free space are no shares.
    #[error("class `{0}`: `space` is 1 <= warn_percent <= full_percent <= 95")]
    SpaceShares(ClassName),
    /// A class's floor for its mask is none.
    #[error(
        "class `{0}`: `candidates_min` is 2 or more: whoever may know the value sees it `plain`"
    )]
    MaskFloor(ClassName),
    /// A class's lifetimes can't be.
    #[error("class `{0}`: `life`: {1}")]
    Life(ClassName, LifeFault),
    /// What can be searched for without its token needs the token's text beside it.
    #[error(
        "class `{0}`: `bound` tokens can't be `searchable`: the vault does not keep their text"
    )]
    SearchableBound(ClassName),
    /// A class or domain stands twice.
    #[error("`{0}` stands twice in the class catalogue")]
    Twice(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCatalogue {
    levels: Vec<String>,
    class: Vec<RawClass>,
    domain: Vec<RawDomain>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClass {
    name: ClassName,
    level: String,
    #[serde(default)]
    compartments: BTreeSet<Compartment>,
    kind: ValueKind,
    format: Format,
    mask: Mask,
    #[serde(default)]
    tokens: Repeatability,
    #[serde(default)]
    life: Lifetimes,
    #[serde(default)]
    searchable: bool,
    #[serde(default = "yes")]
    require_valid: bool,
    #[serde(default = "first")]
    normal_form: u8,
    #[serde(default)]
    space: SpaceShares,
}

fn yes() -> bool {
    true
}

fn first() -> u8 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDomain {
    name: DomainName,
    classes: Vec<ClassName>,
    #[serde(default)]
    tokens: BTreeMap<ClassName, Repeatability>,
}

impl Catalogue {
    /// Reads `classes.toml`.
    pub fn parse(text: &str) -> Result<Self, CatalogueError> {
        let raw: RawCatalogue = toml::from_str(text)?;
        let mut catalogue = Self {
            levels: raw.levels,
            classes: BTreeMap::new(),
            domains: BTreeMap::new(),
        };
        for class in raw.class {
            catalogue.add_class(class)?;
        }
        for domain in raw.domain {
            catalogue.add_domain(domain)?;
        }
        Ok(catalogue)
    }

    fn add_class(&mut self, raw: RawClass) -> Result<(), CatalogueError> {
        let level = self
            .level(&raw.level)
            .ok_or_else(|| CatalogueError::UnknownLevel(raw.name.clone()))?;
        let normal_form = NormalForm::from_number(raw.normal_form)
            .ok_or_else(|| CatalogueError::NormalForm(raw.name.clone()))?;
        let SpaceShares {
            warn_percent,
            full_percent,
        } = raw.space;
        // Nearly full, draws meet standing tokens again and again: nobody waits for the last ones.
        if warn_percent == 0 || warn_percent > full_percent || full_percent > 95 {
            return Err(CatalogueError::SpaceShares(raw.name));
        }
        if raw.mask.candidates_min < 2 {
            return Err(CatalogueError::MaskFloor(raw.name));
        }
        let class = DataClass {
            name: raw.name.clone(),
            level,
            compartments: raw.compartments,
            kind: raw.kind,
            format: raw.format,
            mask: raw.mask,
            tokens: raw.tokens,
            life: raw.life,
            searchable: raw.searchable,
            demand: if raw.require_valid {
                Demand::Real
            } else {
                Demand::Anything
            },
            normal_form,
            space: raw.space,
        };
        class.serves_as(class.tokens)?;
        match self.classes.insert(raw.name, class) {
            None => Ok(()),
            Some(twice) => Err(CatalogueError::Twice(twice.name.to_string())),
        }
    }

    fn add_domain(&mut self, raw: RawDomain) -> Result<(), CatalogueError> {
        let unknown = |class: &&ClassName| !self.classes.contains_key(*class);
        if let Some(class) = raw.classes.iter().find(unknown) {
            return Err(CatalogueError::UnknownClass(raw.name, class.clone()));
        }
        for (name, tokens) in &raw.tokens {
            let class = self
                .classes
                .get(name)
                .filter(|_| raw.classes.contains(name));
            let class = class
                .ok_or_else(|| CatalogueError::UnknownClass(raw.name.clone(), name.clone()))?;
            class.serves_as(*tokens)?;
        }
        let domain = Domain {
            name: raw.name.clone(),
            classes: raw.classes,
            tokens: raw.tokens,
        };
        match self.domains.insert(raw.name, domain) {
            None => Ok(()),
            Some(twice) => Err(CatalogueError::Twice(twice.name.to_string())),
        }
    }

    /// The level with this label.
    pub fn level(&self, label: &str) -> Option<Level> {
        let place = self.levels.iter().position(|known| known == label)?;
        u8::try_from(place).ok().map(Level)
    }

    /// The levels' labels, lowest first.
    pub fn levels(&self) -> &[String] {
        &self.levels
    }

    /// The class with this name.
    pub fn class(&self, name: &ClassName) -> Option<&DataClass> {
        self.classes.get(name)
    }

    /// Whether a value of the class gets the same token again in the domain.
    pub fn repeatability(&self, domain: &DomainName, class: &DataClass) -> Repeatability {
        let of_domain = self.domains.get(domain);
        let of_domain = of_domain.and_then(|domain| domain.tokens.get(&class.name));
        of_domain.copied().unwrap_or(class.tokens)
    }

    /// All classes, by name.
    pub fn classes(&self) -> impl Iterator<Item = &DataClass> {
        self.classes.values()
    }

    /// The domain with this name.
    pub fn domain(&self, name: &DomainName) -> Option<&Domain> {
        self.domains.get(name)
    }

    /// All domains, by name.
    pub fn domains(&self) -> impl Iterator<Item = &Domain> {
        self.domains.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(class: &str) -> Result<Catalogue, String> {
        let text = format!(
            "levels = [\"public\"]\n[[class]]\nname = \"a\"\nlevel = \"public\"\nkind = \"text\"\n\
            format = \"opaque\"\nmask = {{ keep_first = 0, keep_last = 0 }}\n{class}\n\
            [[domain]]\nname = \"city\"\nclasses = [\"a\"]\n"
        );
        Catalogue::parse(&text).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_class_does_not_say_is_the_strict_and_the_first() {
        let catalogue = read("").unwrap();
        let class = catalogue.classes().next().unwrap();
        assert_eq!(class.demand, Demand::Real);
        assert_eq!(class.normal_form, NormalForm::First);
        assert_eq!(class.space, SpaceShares::default());
    }

    #[test]
    fn what_a_class_says_is_read() {
        let catalogue = read(
            "require_valid = false\nnormal_form = 2\nspace = { warn_percent = 10, full_percent = 20 }",
        )
        .unwrap();
        let class = catalogue.classes().next().unwrap();
        assert_eq!(class.demand, Demand::Anything);
        assert_eq!(class.normal_form, NormalForm::Second);
        assert_eq!(
            (class.space.warn_percent, class.space.full_percent),
            (10, 20)
        );
    }

    #[test]
    fn a_mask_has_a_floor_and_two_is_the_lowest() {
        let with = |mask: &str| {
            let text = format!(
                "levels = [\"public\"]\ndomain = []\n[[class]]\nname = \"a\"\nlevel = \"public\"\n\
                kind = \"text\"\nformat = \"opaque\"\nmask = {{ keep_first = 1, keep_last = 0{mask} }}\n"
            );
            let catalogue = Catalogue::parse(&text).map_err(|error| error.to_string())?;
            Ok::<_, String>(catalogue.classes().next().unwrap().mask.candidates_min)
        };
        assert_eq!(with(""), Ok(10_000));
        assert_eq!(with(", candidates_min = 2"), Ok(2));
        for floor in [0, 1] {
            let error = with(&format!(", candidates_min = {floor}")).unwrap_err();
            assert!(error.contains("2 or more"), "{error}");
        }
    }

    #[test]
    fn a_domain_may_say_otherwise_for_a_class_of_its_own() {
        let of = |domain: &str| read(&format!("tokens = \"repeatable\"\n[[domain]]\n{domain}"));
        let catalogue =
            of("name = \"bank\"\nclasses = [\"a\"]\ntokens = { a = \"bound\" }").unwrap();
        let class = catalogue.classes().next().unwrap();
        let repeatability = |domain| {
            let domain = DomainName::parse(domain).unwrap();
            catalogue.repeatability(&domain, class)
        };
        assert_eq!(repeatability("city"), Repeatability::Repeatable);
        assert_eq!(repeatability("bank"), Repeatability::Bound);
        let error = of("name = \"bank\"\nclasses = []\ntokens = { a = \"bound\" }").unwrap_err();
        assert!(error.contains("not in the catalogue"), "{error}");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (line, says) in [
            ("normal_form = 3", "`normal_form` that there is not"),
            (
                "space = { warn_percent = 0, full_percent = 50 }",
                "1 <= warn_percent",
            ),
            (
                "space = { warn_percent = 60, full_percent = 50 }",
                "1 <= warn_percent",
            ),
            (
                "space = { warn_percent = 60, full_percent = 96 }",
                "1 <= warn_percent",
            ),
            ("space = { warn_percent = 60 }", "full_percent"),
            ("demand = true", "unknown field"),
            ("tokens = \"often\"", "unknown variant"),
            (
                "life = { ttl_seconds = 9, ttl_max_seconds = 8 }",
                "1 to 8 seconds",
            ),
            (
                "tokens = \"repeatable\"\nlife = { uses = 1 }",
                "no limited uses",
            ),
            (
                "tokens = \"bound\"\nsearchable = true",
                "can't be `searchable`",
            ),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(says), "{line}: {error}");
        }
    }
}
