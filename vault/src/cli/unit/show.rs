//! Units and proposals, for people and for scripts.

use std::process::ExitCode;

use anyhow::Context;
use api::v1::{
    ListProposalsRequest, ListUnitsRequest, RegisteredUnit, UnitActResponse, UnitProposal,
};
use serde_json::{Value, json};

use super::Session;
use crate::cli::connection::refused;
use crate::cli::screen;
use crate::model::ProposalId;

/// Units asked for at once.
const PAGE: u32 = 1_000;

impl Session {
    pub(super) async fn described(&self, name: &str) -> anyhow::Result<RegisteredUnit> {
        let answer = self
            .client
            .describe_unit(self.named(name), self.proof.as_ref());
        let answer = answer.await.map_err(refused)?;
        answer.unit.context("the vault's answer is empty")
    }

    /// All units, page by page.
    pub(super) async fn all_units(&self) -> anyhow::Result<Vec<RegisteredUnit>> {
        let (mut units, mut after) = (Vec::new(), String::new());
        loop {
            let request = ListUnitsRequest { after, limit: PAGE };
            let page = self.client.list_units(request, self.proof.as_ref());
            let page = page.await.map_err(refused)?;
            units.extend(page.units);
            if page.next.is_empty() {
                return Ok(units);
            }
            after = page.next;
        }
    }

    pub(super) async fn all_proposals(&self) -> anyhow::Result<Vec<UnitProposal>> {
        let request = ListProposalsRequest {};
        let listed = self.client.list_proposals(request, self.proof.as_ref());
        Ok(listed.await.map_err(refused)?.proposals)
    }

    pub(super) async fn list(&self) -> anyhow::Result<ExitCode> {
        let units = self.all_units().await?;
        if self.json {
            let units = units.iter().map(unit_json).collect::<Result<Vec<_>, _>>()?;
            screen::line(&Value::from(units).to_string());
            return Ok(ExitCode::SUCCESS);
        }
        for unit in &units {
            let document = document(&unit.document)?;
            let word = |key: &str| document[key].as_str().unwrap_or_default().to_owned();
            screen::line(&format!(
                "{:<24} {:<9} {:<10} {:<13} {}",
                unit.name,
                source(unit),
                word("standing"),
                word("clearance"),
                words(&document["groups"]),
            ));
        }
        Ok(ExitCode::SUCCESS)
    }

    pub(super) async fn list_proposals(&self) -> anyhow::Result<ExitCode> {
        let proposals = self.all_proposals().await?;
        if self.json {
            let all = proposals.iter().map(proposal_json);
            let all = all.collect::<Result<Vec<_>, _>>()?;
            screen::line(&Value::from(all).to_string());
            return Ok(ExitCode::SUCCESS);
        }
        for one in &proposals {
            let (by, needed) = (one.approved_by.len(), one.approvals_needed);
            screen::line(&format!(
                "{} {:<9} {:<24} by {:<24} {by} of {needed} until {}",
                one.id, one.act, one.unit, one.proposed_by, one.ends_at
            ));
        }
        Ok(ExitCode::SUCCESS)
    }

    pub(super) async fn show(&self, name: &str) -> anyhow::Result<ExitCode> {
        if ProposalId::parse(name).is_err() {
            let unit = self.described(name).await?;
            return self.say(&unit_json(&unit)?, || {
                screen::field("unit", &unit.name);
                screen::field("registered", &source(&unit));
                keys(&unit.document)
            });
        }
        let answer = self
            .client
            .describe_proposal(self.proposal(name), self.proof.as_ref());
        let answer = answer.await.map_err(refused)?;
        let one = answer.proposal.context("the vault's answer is empty")?;
        self.say(&proposal_json(&one)?, || waiting(&one))
    }

    /// What became of a wish.
    pub(super) fn acted(&self, acted: &UnitActResponse) -> anyhow::Result<ExitCode> {
        let proposal = acted.proposal.as_ref().map(proposal_json).transpose()?;
        let said = json!({
            "outcome": acted.outcome, "revision": acted.revision, "keys": acted.keys,
            "document": document(&acted.document)?, "proposal": proposal, "entry": acted.entry,
        });
        self.say(&said, || {
            let name = document(&acted.document)?["name"].clone();
            let (name, keys) = (name.as_str().unwrap_or_default(), acted.keys.join(", "));
            match (acted.outcome.as_str(), &acted.proposal) {
                ("proposed", Some(one)) => {
                    screen::good(&format!(
                        "`{name}` waits for another unit's approval: {keys}"
                    ));
                    screen::field("proposal", &one.id);
                }
                ("proposed", None) => {
                    screen::quiet(&format!(
                        "`{name}` would take another unit's approval: {keys}"
                    ));
                }
                ("done", _) if acted.entry.is_none() => {
                    screen::quiet(&format!("`{name}` would be changed at once: {keys}"));
                }
                ("done", _) => screen::good(&format!(
                    "`{name}` is in force at revision {}: {keys}",
                    acted.revision
                )),
                _ => screen::quiet(&format!("`{name}` is so already")),
            }
            Ok(())
        })
    }

    fn say(
        &self,
        said: &Value,
        text: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<ExitCode> {
        if self.json {
            screen::line(&said.to_string());
        } else {
            text()?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn document(text: &str) -> anyhow::Result<Value> {
    serde_json::from_str(text).context("the vault's answer is no unit")
}

fn source(unit: &RegisteredUnit) -> String {
    match unit.revision {
        0 => "file".to_owned(),
        revision => format!("rev {revision}"),
    }
}

fn words(list: &Value) -> String {
    let words = list.as_array().into_iter().flatten();
    words
        .filter_map(Value::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

fn unit_json(unit: &RegisteredUnit) -> anyhow::Result<Value> {
    Ok(json!({
        "name": unit.name, "revision": unit.revision, "document": document(&unit.document)?,
    }))
}

fn proposal_json(one: &UnitProposal) -> anyhow::Result<Value> {
    let salt: [u8; 16] = one.salt.as_slice().try_into().unwrap_or_default();
    let salt = format!("{:032x}", u128::from_be_bytes(salt));
    Ok(json!({
        "id": one.id, "act": one.act, "unit": one.unit, "base_revision": one.base_revision,
        "document": document(&one.document)?, "salt": salt, "proposed_by": one.proposed_by,
        "proposed_at": one.proposed_at, "ends_at": one.ends_at,
        "approvals_needed": one.approvals_needed, "approved_by": one.approved_by,
    }))
}

fn waiting(one: &UnitProposal) -> anyhow::Result<()> {
    screen::field("proposal", &one.id);
    screen::field("act", &format!("{} `{}`", one.act, one.unit));
    screen::field("by", &format!("{} at {}", one.proposed_by, one.proposed_at));
    let (by, needed) = (one.approved_by.join(", "), one.approvals_needed);
    screen::field(
        "approved",
        &format!("{} of {needed} {by}", one.approved_by.len()),
    );
    screen::field("ends", &one.ends_at);
    keys(&one.document)
}

/// The keys of a document, one a line.
fn keys(text: &str) -> anyhow::Result<()> {
    let document = document(text)?;
    for (key, value) in document.as_object().into_iter().flatten() {
        let shown = match value {
            Value::String(text) => text.clone(),
            Value::Array(_) => words(value),
            other => other.to_string(),
        };
        screen::field(key, &shown);
    }
    Ok(())
}
