//! Units carried between installations, as a units.toml.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use api::v1::{RegisteredUnit, SetUnitRequest, UnitActResponse};
use serde_json::{Value, json};

use super::Session;
use crate::cli::connection::refused;
use crate::cli::{holders, screen};
use crate::config;
use crate::engine::units::Run;
use crate::model::UnitDocument;

/// Which units leave.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Exported {
    /// Those that are registered.
    Registered,
    /// Those of the vault's file too.
    All,
}

/// What an import does about one unit.
struct Line {
    name: String,
    /// `unchanged`, `done`, `proposed`, `waits` or `refused`.
    outcome: String,
    /// Which keys, or why not.
    about: String,
    proposal: Option<String>,
}

impl Session {
    pub(super) async fn export(&self, to: Option<&Path>, of: Exported) -> anyhow::Result<ExitCode> {
        let units = self.all_units().await?;
        let carried = |unit: &&RegisteredUnit| of == Exported::All || unit.revision > 0;
        let documents = units.iter().filter(carried).map(|unit| {
            let document = UnitDocument::kept(&unit.document);
            document.map_err(|_| anyhow!("`{}` is no unit of this build", unit.name))
        });
        let mut documents = documents.collect::<anyhow::Result<Vec<_>>>()?;
        // Nobody can register a retired unit.
        documents.retain(|document| !document.is_retired());
        let text = UnitDocument::to_file(&documents)?;
        match to {
            None => screen::line(text.trim_end()),
            Some(file) => {
                holders::write_new(file, text.trim_end())?;
                screen::good(&format!("{} units in {}", documents.len(), file.display()));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    pub(super) async fn import(&self, file: &Path, run: Run) -> anyhow::Result<ExitCode> {
        let text = config::read(file)?;
        let wished = UnitDocument::of_file(&text)
            .with_context(|| format!("`{}` is no units.toml", file.display()))?;
        let units = self.all_units().await?;
        let now: BTreeMap<&str, &RegisteredUnit> = units
            .iter()
            .map(|unit| (unit.name.as_str(), unit))
            .collect();
        let waiting = self.all_proposals().await?;
        let waiting: BTreeMap<&str, &str> = waiting
            .iter()
            .map(|one| (one.unit.as_str(), one.document.as_str()))
            .collect();
        let mut lines = Vec::new();
        for document in &wished {
            let name = document.name().map(|name| name.to_string());
            let name = name.unwrap_or_default();
            let same = |known: &str| known == document.as_str();
            let line = if now
                .get(name.as_str())
                .is_some_and(|unit| same(&unit.document))
            {
                Line::of(name, "unchanged")
            } else if waiting.get(name.as_str()).is_some_and(|known| same(known)) {
                Line::of(name, "waits")
            } else {
                self.wish(name, document, run).await?
            };
            lines.push(line);
        }
        Ok(self.table(&lines))
    }

    /// A refusal of one unit is a line of the table; the others go on.
    async fn wish(&self, name: String, document: &UnitDocument, run: Run) -> anyhow::Result<Line> {
        let request = SetUnitRequest {
            document: document.as_str().to_owned(),
            dry_run: run == Run::Dry,
            reason: self.reason.clone(),
        };
        let acted = self.client.set_unit(request, self.proof.as_ref());
        match acted.await {
            Ok(UnitActResponse {
                outcome,
                keys,
                proposal,
                ..
            }) => Ok(Line {
                name,
                outcome,
                about: keys.join(", "),
                proposal: proposal.map(|one| one.id),
            }),
            Err(error) if error.is_unreachable() => Err(refused(error)),
            Err(error) => Ok(Line {
                about: refused(error).to_string(),
                ..Line::of(name, "refused")
            }),
        }
    }

    fn table(&self, lines: &[Line]) -> ExitCode {
        if self.json {
            let all = lines.iter().map(Line::json).collect::<Vec<_>>();
            screen::line(&Value::from(all).to_string());
        } else {
            for line in lines {
                let Line {
                    name,
                    outcome,
                    about,
                    proposal,
                } = line;
                let id = proposal.as_deref().unwrap_or_default();
                screen::line(&format!("{outcome:<10} {name:<24} {about} {id}"));
            }
        }
        if lines.iter().any(|line| line.outcome == "refused") {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

impl Line {
    fn of(name: String, outcome: &str) -> Self {
        Self {
            name,
            outcome: outcome.to_owned(),
            about: String::new(),
            proposal: None,
        }
    }

    fn json(&self) -> Value {
        json!({
            "unit": self.name, "outcome": self.outcome, "about": self.about, "proposal": self.proposal,
        })
    }
}
