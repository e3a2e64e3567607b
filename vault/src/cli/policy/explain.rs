//! `jinku policy explain`: which policies decide a request, and which single fact would change it.

use std::sync::Arc;

use anyhow::Context;
use serde_json::json;

use super::place::Place;
use crate::cli::screen;
use crate::identity::Proof;
use crate::model::{ClassName, DomainName, GatewayName, Purpose, Unit, UnitName};
use crate::policy::{Explained, Facts, Study};

/// Arguments of `jinku policy explain`.
#[derive(clap::Args)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    place: Place,
    /// The unit that asks.
    #[arg(long)]
    unit: String,
    /// `detokenize`, `tokenize`, or an action of the schema on classes.
    #[arg(long, default_value = "detokenize")]
    action: String,
    /// The token domain.
    #[arg(long)]
    domain: String,
    /// The data class.
    #[arg(long)]
    class: String,
    /// Why. Actions that take no purpose don't look at it.
    #[arg(long)]
    purpose: Option<String>,
    /// The gateway that carries the request.
    #[arg(long)]
    gateway: Option<String>,
    /// How the unit proves itself; where it is not said, by its certificate, or behind a gateway by a token.
    #[arg(long, value_enum)]
    proof: Option<ProofWord>,
    /// In which form values would leave.
    #[arg(long, value_enum, default_value = "inline")]
    delivery: DeliveryWord,
    /// Answer in JSON, for scripts.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum ProofWord {
    MutualTls,
    AccessToken,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum DeliveryWord {
    Inline,
    Sealed,
    Ticket,
}

pub(super) fn run(options: &Options) -> anyhow::Result<bool> {
    let study = options.place.study()?;
    let facts = facts(&study, options)?;
    let domain = DomainName::parse(&options.domain)?;
    let class = ClassName::parse(&options.class)?;
    let explained = study.explain(&facts, &options.action, (&domain, &class))?;
    if options.json {
        screen::line(&document(&explained).to_string());
    } else {
        show(&explained);
    }
    Ok(explained.answer != "denied")
}

fn facts(study: &Study, options: &Options) -> anyhow::Result<Facts> {
    let unit = UnitName::parse(&options.unit)?;
    let unit = study
        .registry()
        .unit(&unit)
        .context("there is no such unit")?;
    let gateway = match &options.gateway {
        Some(name) => {
            let name = GatewayName::parse(name)?;
            let gateway = study.registry().gateway(&name);
            Some(Arc::clone(gateway.context("there is no such gateway")?))
        }
        None => None,
    };
    let proof = match options.proof {
        Some(ProofWord::AccessToken) => Proof::AccessToken,
        None if gateway.is_some() => Proof::AccessToken,
        Some(ProofWord::MutualTls) | None => Proof::MutualTls,
    };
    let purpose = options.purpose.as_deref().map(Purpose::parse).transpose()?;
    if options.action == "detokenize" {
        purpose.as_ref().context("a detokenize needs `--purpose`")?;
    }
    Ok(Facts {
        unit: Unit::clone(unit),
        gateway,
        proof,
        purpose,
        delivery: match options.delivery {
            DeliveryWord::Inline => "inline",
            DeliveryWord::Sealed => "sealed",
            DeliveryWord::Ticket => "ticket",
        },
    })
}

fn document(explained: &Explained) -> serde_json::Value {
    let asked = explained.asked.iter().map(|asked| {
        json!({
            "action": asked.action, "permitted": asked.permitted, "permits": asked.permits,
            "forbids": asked.forbids, "failed": asked.failed,
        })
    });
    let hints = explained
        .hints
        .iter()
        .map(|hint| json!({ "change": hint.change, "answer": hint.answer, "wider": hint.wider }));
    json!({
        "answer": explained.answer,
        "asked": asked.collect::<Vec<_>>(),
        "changes": hints.collect::<Vec<_>>(),
    })
}

fn show(explained: &Explained) {
    screen::field("answer", &explained.answer);
    for asked in &explained.asked {
        screen::headline(&asked.action);
        for (word, ids) in [
            ("permitted by", &asked.permits),
            ("forbidden by", &asked.forbids),
            ("failed", &asked.failed),
        ] {
            if !ids.is_empty() {
                screen::field(word, &ids.join(", "));
            }
        }
        if asked.permits.is_empty() {
            screen::quiet("no policy permits it");
        }
    }
    screen::headline("What would change it, each by itself");
    if explained.hints.is_empty() {
        screen::quiet("no single fact that was tried");
    }
    for hint in &explained.hints {
        let sign = if hint.wider { '+' } else { '-' };
        screen::line(&format!("  {sign} {} -> {}", hint.change, hint.answer));
    }
}
