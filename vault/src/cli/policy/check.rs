//! `jinku policy check`: the set against its schema, its tests, and what is odd in it.

use std::path::PathBuf;

use serde_json::json;

use super::place::Place;
use crate::cli::screen;
use crate::policy::{CheckReport, Finding, Weight};

/// Arguments of `jinku policy check`.
#[derive(clap::Args)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    place: Place,
    /// Budgets of distinct values; where it is not said, `budgets.toml` in that directory, if it is there.
    #[arg(long)]
    budgets: Option<PathBuf>,
    /// Calendars of holidays; where it is not said, `calendars.toml` in that directory, if it is there.
    #[arg(long)]
    calendars: Option<PathBuf>,
    /// Show what is odd in the policies, and end well all the same.
    #[arg(long)]
    lenient: bool,
    /// Answer in JSON, for scripts.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<bool> {
    let study = options.place.study()?;
    let (budgets, calendars) = (options.budgets.as_deref(), options.calendars.as_deref());
    options.place.fits(&study, budgets, calendars)?;
    let report = study.check()?;
    let findings = study.lint()?;
    let fault = |finding: &&Finding| finding.weight == Weight::Fault;
    let faults = findings.iter().filter(fault).count();
    if options.json {
        screen::line(&document(&report, &findings).to_string());
    } else {
        show(&report, &findings);
    }
    Ok(report.failed.is_empty() && (faults == 0 || options.lenient))
}

fn document(report: &CheckReport, findings: &[Finding]) -> serde_json::Value {
    let finding = |finding: &Finding| {
        json!({
            "weight": weight(finding.weight), "code": finding.code, "policy": finding.policy,
            "text": finding.text,
        })
    };
    json!({
        "passed": report.passed,
        "failed": report.failed.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "findings": findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn weight(weight: Weight) -> &'static str {
    match weight {
        Weight::Fault => "fault",
        Weight::Remark => "remark",
    }
}

fn show(report: &CheckReport, findings: &[Finding]) {
    for finding in findings {
        let Finding {
            code, policy, text, ..
        } = finding;
        let of = if policy.is_empty() {
            String::new()
        } else {
            format!("`{policy}`: ")
        };
        match finding.weight {
            Weight::Fault => screen::bad(&format!("{of}{text} ({code})")),
            Weight::Remark => screen::quiet(&format!("{of}{text} ({code})")),
        }
    }
    for failure in &report.failed {
        screen::bad(&failure.to_string());
    }
    let passed = report.passed;
    if report.failed.is_empty() {
        screen::good(&format!("the policies are valid, and {passed} cases pass"));
    } else {
        let all = passed + report.failed.len();
        screen::bad(&format!("{} of {all} cases fail", report.failed.len()));
    }
}
