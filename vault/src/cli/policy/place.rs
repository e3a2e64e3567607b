//! Where a policy set lies, with the units and classes that it is about.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config;
use crate::model::{Budgets, Calendars, Catalogue, Registry};
use crate::policy::Study;
use crate::token;

/// The files of one set.
#[derive(clap::Args)]
pub(super) struct Place {
    /// Directory with `schema.cedarschema`, `policies/` and `tests/`.
    #[arg(long, default_value = "policies")]
    policies: PathBuf,
    /// The class catalogue; where it is not said, `classes.toml` in that directory.
    #[arg(long)]
    classes: Option<PathBuf>,
    /// The unit registry; where it is not said, `units.toml` in that directory.
    #[arg(long)]
    units: Option<PathBuf>,
}

impl Place {
    pub(super) fn study(&self) -> anyhow::Result<Study> {
        let (classes, units) = (self.classes.as_deref(), self.units.as_deref());
        study(&self.policies, classes, units)
    }

    /// Budgets and calendars must fit the same units and classes: those that are named, and of those that are not the
    /// files of the set's directory, where they are there.
    pub(super) fn fits(
        &self,
        study: &Study,
        budgets: Option<&Path>,
        calendars: Option<&Path>,
    ) -> anyhow::Result<()> {
        let beside = |named: Option<&Path>, name: &str| {
            let there = || Some(self.policies.join(name)).filter(|path| path.exists());
            named.map(Path::to_owned).or_else(there)
        };
        let (catalogue, registry) = (study.catalogue(), study.registry());
        if let Some(path) = beside(budgets, "budgets.toml") {
            Budgets::parse(&config::read(&path)?, catalogue, registry)?;
        }
        if let Some(path) = beside(calendars, "calendars.toml") {
            Calendars::parse(&config::read(&path)?)?.serve_all(registry)?;
        }
        Ok(())
    }
}

/// Opens a set, with files of its own directory where no others are named.
pub(super) fn study(
    policies: &Path,
    classes: Option<&Path>,
    units: Option<&Path>,
) -> anyhow::Result<Study> {
    let beside = |named: Option<&Path>, name: &str| {
        named.map_or_else(|| policies.join(name), Path::to_owned)
    };
    let text = config::read(&beside(classes, "classes.toml"))?;
    let catalogue = Arc::new(Catalogue::parse(&text)?);
    token::fit(&catalogue)?;
    let text = config::read_units(&beside(units, "units.toml"))?;
    let registry = Registry::parse(&text, &catalogue)?;
    Ok(Study::open(policies, catalogue, registry)?)
}
