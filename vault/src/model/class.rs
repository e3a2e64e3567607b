//! Data classes and domains: what a field is, how sensitive, and what its tokens look like.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::name::{ClassName, Compartment, DomainName};

/// How sensitive a class is, or how far a unit is cleared. Ordered; labels are configurable.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Level(pub u8);

/// The shape of a class's tokens. Closed: a new shape is a new variant with its documented space.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `jk1_` + 128 random bits + check characters: 128 bits of free space.
    Opaque,
    /// The shape of a Taiwanese national ID whose second character no issuer assigns.
    TwNationalId,
    /// A card number's digits with first six and last four kept, and an invalid Luhn digit sum.
    Pan,
    /// An address in the reserved domain `token.invalid` (RFC 2606).
    Email,
}

/// What a class's values must be.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum ValueKind {
    /// Any text.
    Text,
    /// National ID or UI number (new or old form) with a right check digit.
    TwNationalId,
    /// Mobile number, `09xxxxxxxx` or `+8869xxxxxxxx`.
    TwMobile,
    /// 12 to 19 digits with a right Luhn digit.
    Pan,
    /// Something with one `@` and a host.
    Email,
}

/// How a class's values look when they are masked. Counts are characters.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Mask {
    /// Characters kept at the start.
    pub keep_first: u8,
    /// Characters kept at the end.
    pub keep_last: u8,
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
    /// Same value, same token within a domain.
    pub repeatable: bool,
}

/// A token namespace and the classes it holds.
#[derive(Clone, Debug)]
pub struct Domain {
    /// Its name.
    pub name: DomainName,
    /// Classes whose values may be tokenized in it, in the catalogue's order.
    pub classes: Vec<ClassName>,
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
    repeatable: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDomain {
    name: DomainName,
    classes: Vec<ClassName>,
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
        let class = DataClass {
            name: raw.name.clone(),
            level,
            compartments: raw.compartments,
            kind: raw.kind,
            format: raw.format,
            mask: raw.mask,
            repeatable: raw.repeatable,
        };
        match self.classes.insert(raw.name, class) {
            None => Ok(()),
            Some(twice) => Err(CatalogueError::Twice(twice.name.to_string())),
        }
    }

    fn add_domain(&mut self, raw: RawDomain) -> Result<(), CatalogueError> {
        if let Some(class) = raw
            .classes
            .iter()
            .find(|class| !self.classes.contains_key(*class))
        {
            return Err(CatalogueError::UnknownClass(raw.name, class.clone()));
        }
        let domain = Domain {
            name: raw.name.clone(),
            classes: raw.classes,
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

    /// The class with this name.
    pub fn class(&self, name: &ClassName) -> Option<&DataClass> {
        self.classes.get(name)
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
