//! Owns the work at a desk: what rules take of a sample file, and which rules samples ask for.

use std::path::Path;

use anyhow::{Context as _, bail};
use gateway_filter::discover::{Proposal, fragment, openapi, samples};
use gateway_filter::{Format, Media, Rules, Side};

use crate::cli::{Check, Discover};
use crate::screen;

/// Prints what the rules would replace in the sample.
pub(crate) fn check(rules: &Rules, check: &Check, file: &Path) -> anyhow::Result<()> {
    let sample = std::fs::read(file).with_context(|| file.display().to_string())?;
    let media = match &check.content_type {
        Some(content_type) => Media::of_type(content_type),
        None => media_of(file, &sample),
    };
    if media.format == Format::Other {
        bail!(
            "the file's extension does not tell its type: add --as TYPE, for example --as application/json"
        );
    }
    let side = if check.response {
        Side::Response
    } else {
        Side::Request
    };
    let route = rules
        .route_for(check.route.as_deref(), side, media)
        .context("no route looks for fields in such a body: check --route, --response and --as")?;
    let preview = rules.preview(route, side, media, &sample)?;
    if check.rewritten {
        return Ok(screen::bytes(&preview.rewritten)?);
    }
    tracing::info!(
        route = route.name(),
        fields = preview.found.len(),
        "no vault was asked"
    );
    Ok(screen::found(&preview.found)?)
}

/// Prints the proposed rules.
pub(crate) fn discover(discover: &Discover) -> anyhow::Result<()> {
    let mut bodies = Vec::new();
    for file in &discover.files {
        let body = std::fs::read(file).with_context(|| file.display().to_string())?;
        bodies.push((media_of(file, &body).format, body));
    }
    let proposals = match bodies.as_slice() {
        [(Format::Json | Format::Other, document)] if openapi(document).is_ok() => {
            openapi(document)?
        }
        _ => vec![Proposal {
            name: "discovered".to_owned(),
            method: "*".to_owned(),
            path: discover.path.clone(),
            request: samples(&bodies)?,
            response: Vec::new(),
        }],
    };
    Ok(screen::bytes(
        fragment(&proposals, &discover.domain).as_bytes(),
    )?)
}

fn media_of(file: &Path, sample: &[u8]) -> Media {
    let extension = file.extension().and_then(|text| text.to_str());
    let content_type = match extension.unwrap_or_default() {
        "json" => "application/json".to_owned(),
        "jsonl" | "ndjson" => "application/jsonl".to_owned(),
        "csv" => "text/csv".to_owned(),
        "xml" => "application/xml".to_owned(),
        "form" => "application/x-www-form-urlencoded".to_owned(),
        "multipart" => {
            // The first line is the boundary.
            let line = sample
                .split(|byte| *byte == b'\r')
                .next()
                .unwrap_or_default();
            let boundary = String::from_utf8_lossy(line);
            let boundary = boundary.trim_start_matches("--");
            format!("multipart/form-data; boundary=\"{boundary}\"")
        }
        _ => String::new(),
    };
    Media::of_type(&content_type)
}
