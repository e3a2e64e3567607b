//! Budgets: how many distinct values a unit may be shown in a stretch of time, as `budgets.toml` has them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::class::Catalogue;
use super::name::{BudgetName, ClassName, UnitName};
use super::unit::{Registry, Unit};

/// How a rule counts when it is about several units.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Share {
    /// Each unit has the whole budget for itself.
    #[default]
    Each,
    /// They have it together.
    Together,
}

/// So many distinct values of these classes, to these units, in any stretch of time of this length.
#[derive(Clone, Debug)]
pub struct BudgetRule {
    /// Its name, for logs and alerts.
    pub name: BudgetName,
    /// Whom it is about, as it was read.
    pub units: BTreeSet<UnitName>,
    /// Whom the file names; where it names neither units nor groups, everybody.
    named: Option<(BTreeSet<UnitName>, BTreeSet<String>)>,
    /// How it counts among them.
    pub share: Share,
    /// Values of which classes; `None` is every class. They are counted together.
    pub classes: Option<BTreeSet<ClassName>>,
    /// How long a value counts after it was last shown.
    pub window: Duration,
    /// Most distinct values.
    pub values_max: usize,
}

/// All budgets, and how many approve what goes beyond them.
#[derive(Clone, Debug)]
pub struct Budgets {
    rules: Vec<BudgetRule>,
    approvals: usize,
}

/// Why budgets were refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BudgetsError {
    /// The text is not TOML of the expected shape.
    #[error("the budgets can't be read: {0}")]
    Syntax(#[from] toml::de::Error),
    /// Two rules share a name.
    #[error("budget `{0}` stands twice: give each a name of its own")]
    Twice(BudgetName),
    /// A rule names a unit that is not registered.
    #[error("budget `{0}` names a unit that is not in the unit registry")]
    UnknownUnit(BudgetName),
    /// A rule names a group that no unit is in.
    #[error("budget `{0}` names a group that no unit is in")]
    EmptyGroup(BudgetName),
    /// A rule is about nobody, or no class.
    #[error("budget `{0}` has an empty list: leave `units`, `groups` or `classes` out to mean all")]
    Empty(BudgetName),
    /// A rule names a class that the catalogue does not have.
    #[error("budget `{0}` names a class that is not in the catalogue")]
    UnknownClass(BudgetName),
    /// A number is out of its range.
    #[error("`{key}` of budget `{name}` must be {range}")]
    Range {
        /// Which rule.
        name: BudgetName,
        /// Which number.
        key: &'static str,
        /// What it may be.
        range: &'static str,
    },
    /// The number of approvals is out of its range.
    #[error("`grants.approvals` must be between 1 and 16")]
    Approvals,
    /// All budgets together would take too much memory.
    #[error(
        "the budgets hold {found} values in all, and the vault keeps up to {max} in memory: lower `values_max`"
    )]
    TooMuch {
        /// Values of all rules, once for each unit that has one for itself.
        found: usize,
        /// Most values.
        max: usize,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBudgets {
    #[serde(default)]
    grants: RawGrants,
    #[serde(default)]
    budget: Vec<RawBudget>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawGrants {
    approvals: usize,
}

impl Default for RawGrants {
    fn default() -> Self {
        Self { approvals: 1 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBudget {
    name: BudgetName,
    units: Option<BTreeSet<UnitName>>,
    groups: Option<BTreeSet<String>>,
    #[serde(default)]
    share: Share,
    classes: Option<BTreeSet<ClassName>>,
    window_seconds: u64,
    values_max: usize,
}

impl Budgets {
    /// Most values that all budgets together may count: about 200 bytes of memory each.
    pub const VALUES_MAX: usize = 2_000_000;
    /// Longest window, in seconds: 31 days. At its start the vault reads so much of the ledger.
    pub const WINDOW_SECONDS_MAX: u64 = 31 * 24 * 3_600;

    /// No budget at all; one approval for a grant.
    pub fn none() -> Self {
        Self {
            rules: Vec::new(),
            approvals: RawGrants::default().approvals,
        }
    }

    /// Reads `budgets.toml`; units, groups and classes must be known.
    pub fn parse(
        text: &str,
        catalogue: &Catalogue,
        registry: &Registry,
    ) -> Result<Self, BudgetsError> {
        let raw: RawBudgets = toml::from_str(text)?;
        if !(1..=16).contains(&raw.grants.approvals) {
            return Err(BudgetsError::Approvals);
        }
        let mut budgets = Self {
            rules: Vec::new(),
            approvals: raw.grants.approvals,
        };
        for rule in raw.budget {
            let rule = rule.meant(catalogue, registry)?;
            if budgets.rules.iter().any(|known| known.name == rule.name) {
                return Err(BudgetsError::Twice(rule.name));
            }
            budgets.rules.push(rule);
        }
        let found = budgets.rules.iter().map(BudgetRule::places).sum();
        if found > Self::VALUES_MAX {
            let max = Self::VALUES_MAX;
            return Err(BudgetsError::TooMuch { found, max });
        }
        Ok(budgets)
    }

    /// The rules, in the order of the file. All that apply must hold.
    pub fn rules(&self) -> &[BudgetRule] {
        &self.rules
    }

    /// How many units other than the asking one must approve a grant.
    pub fn approvals(&self) -> usize {
        self.approvals
    }
}

impl BudgetRule {
    /// Whom it is about where this registry is in force.
    pub fn units_of(&self, registry: &Registry) -> BTreeSet<UnitName> {
        let named = |unit: &&Arc<Unit>| match &self.named {
            None => true,
            Some((units, groups)) => {
                units.contains(&unit.name) || !groups.is_disjoint(&unit.groups)
            }
        };
        let units = registry.units().filter(named);
        units.map(|unit| unit.name.clone()).collect()
    }

    /// Values that its counters hold at most.
    fn places(&self) -> usize {
        match self.share {
            Share::Each => self.values_max.saturating_mul(self.units.len()),
            Share::Together => self.values_max,
        }
    }
}

impl RawBudget {
    fn meant(self, catalogue: &Catalogue, registry: &Registry) -> Result<BudgetRule, BudgetsError> {
        let units = self.units(registry)?;
        let named = match (&self.units, &self.groups) {
            (None, None) => None,
            (units, groups) => Some((
                units.clone().unwrap_or_default(),
                groups.clone().unwrap_or_default(),
            )),
        };
        let name = self.name;
        if let Some(classes) = &self.classes {
            if classes.is_empty() {
                return Err(BudgetsError::Empty(name));
            }
            if classes.iter().any(|class| catalogue.class(class).is_none()) {
                return Err(BudgetsError::UnknownClass(name));
            }
        }
        let range = |key, range| BudgetsError::Range {
            name: name.clone(),
            key,
            range,
        };
        if !(1..=Budgets::WINDOW_SECONDS_MAX).contains(&self.window_seconds) {
            return Err(range("window_seconds", "between 1 and 2678400 (31 days)"));
        }
        if !(1..=1_000_000).contains(&self.values_max) {
            return Err(range("values_max", "between 1 and 1000000"));
        }
        Ok(BudgetRule {
            name,
            units,
            named,
            share: self.share,
            classes: self.classes,
            window: Duration::from_secs(self.window_seconds),
            values_max: self.values_max,
        })
    }

    /// The units named, and those of the groups named; all of them where neither is.
    fn units(&self, registry: &Registry) -> Result<BTreeSet<UnitName>, BudgetsError> {
        let all = || registry.units().map(|unit| unit.name.clone());
        if self.units.is_none() && self.groups.is_none() {
            return Ok(all().collect());
        }
        let mut units = self.units.clone().unwrap_or_default();
        // Where units come and go, a rule may be about somebody who is not there now.
        let fixed = registry.registered().next().is_none();
        if fixed && units.iter().any(|unit| registry.unit(unit).is_none()) {
            return Err(BudgetsError::UnknownUnit(self.name.clone()));
        }
        for group in self.groups.iter().flatten() {
            let of_group = registry
                .units()
                .filter(|unit| unit.groups.contains(group))
                .map(|unit| unit.name.clone());
            let mut of_group = of_group.peekable();
            if fixed && of_group.peek().is_none() {
                return Err(BudgetsError::EmptyGroup(self.name.clone()));
            }
            units.extend(of_group);
        }
        if fixed && units.is_empty() {
            return Err(BudgetsError::Empty(self.name.clone()));
        }
        Ok(units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Budgets, BudgetsError> {
        let catalogue = Catalogue::parse(include_str!("../../../policies/classes.toml")).unwrap();
        let units = include_str!("../../../policies/units.toml");
        let registry = Registry::parse(units, &catalogue).unwrap();
        Budgets::parse(text, &catalogue, &registry)
    }

    fn one(lines: &str) -> Result<Budgets, BudgetsError> {
        parsed(&format!("[[budget]]\nname = \"a\"\n{lines}"))
    }

    #[test]
    fn the_samples_budgets_can_be_read() {
        let budgets = parsed(include_str!("../../../policies/budgets.toml")).unwrap();
        assert!(budgets.rules().len() >= 2);
        assert_eq!(budgets.approvals(), 1);
    }

    #[test]
    fn units_and_groups_name_whom_a_rule_is_about_and_nothing_is_all() {
        let some = one(
            "units = [\"treasury\"]\ngroups = [\"revenue\"]\nwindow_seconds = 60\nvalues_max = 5",
        );
        let named: Vec<String> = some.unwrap().rules()[0]
            .units
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(named, ["tax-bureau", "treasury"]);
        let all = one("window_seconds = 60\nvalues_max = 5").unwrap();
        assert!(all.rules()[0].units.len() > 5);
        assert!(all.rules()[0].classes.is_none());
    }

    #[test]
    fn what_can_t_be_meant_is_refused() {
        const ROOM: &str = "window_seconds = 60\nvalues_max = 5\n";
        for (lines, said) in [
            ("units = [\"nobody\"]", "not in the unit registry"),
            ("groups = [\"nobodies\"]", "no unit is in"),
            ("classes = [\"nothing\"]", "not in the catalogue"),
            ("classes = []", "empty list"),
            ("units = []", "empty list"),
            ("quota = 5", "unknown field"),
            (
                "[[budget]]\nname = \"a\"\nwindow_seconds = 1\nvalues_max = 1",
                "stands twice",
            ),
        ] {
            let error = one(&format!("{ROOM}{lines}")).unwrap_err().to_string();
            assert!(error.contains(said), "{lines}: {error}");
        }
        for (lines, said) in [
            ("window_seconds = 0\nvalues_max = 5", "window_seconds"),
            ("window_seconds = 2678401\nvalues_max = 5", "window_seconds"),
            ("window_seconds = 60\nvalues_max = 0", "values_max"),
            ("window_seconds = 60\nvalues_max = 1000001", "values_max"),
            (
                "window_seconds = 60\nvalues_max = 1000000",
                "lower `values_max`",
            ),
        ] {
            let error = one(lines).unwrap_err().to_string();
            assert!(error.contains(said), "{lines}: {error}");
        }
        assert!(matches!(
            parsed("[grants]\napprovals = 0"),
            Err(BudgetsError::Approvals)
        ));
    }
}
