//! REST: material that comes and goes, wrapped, and stored values that move to a newer version.

use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::body::{base64, bytes};
use super::keys::{Call, instant, one_key};
use super::to_json;
use crate::engine::key::{ImportMaterial, KeyBackup};
use crate::policy::key_act;
use crate::server::corridor;
use crate::server::key_words::IMPORT_ALGORITHM;
use crate::server::problem::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResealBody {
    #[serde(default)]
    place: i64,
    limit: u32,
    reason: Option<String>,
}

#[derive(Serialize)]
struct ResealedBody {
    moved: u64,
    remaining: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
    entry: u64,
}

#[derive(Serialize)]
struct ImportParametersBody {
    public_key: String,
    algorithm: &'static str,
    ticket: String,
    expires_at: String,
    entry: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportBody {
    ticket: String,
    wrapped: String,
    reason: Option<String>,
}

#[derive(Serialize)]
struct BackupBody {
    backup: String,
    entry: u64,
}

/// Material that comes and goes, and stored values that move.
pub(super) async fn carried(call: &Call<'_>, act: &str) -> Result<Response, Problem> {
    let Call {
        vault, ticket, key, ..
    } = call;
    let (engine, request) = (&vault.engine, call.request());
    match act {
        "import-parameters" => {
            call.because().await?;
            let proof = corridor::on_key::<key_act::Import>(vault, ticket, key, None).await?;
            let (parameters, entry) = engine.import_parameters(proof, request).await?;
            to_json(&ImportParametersBody {
                public_key: parameters.public_key_pem,
                algorithm: IMPORT_ALGORITHM,
                ticket: base64(&parameters.ticket),
                expires_at: instant(parameters.expires),
                entry: entry.seq(),
            })
        }
        "import" => {
            let body: ImportBody = call.body().await?;
            ticket.because(body.reason)?;
            let material = ImportMaterial {
                ticket: bytes("ticket", &body.ticket)?,
                wrapped: bytes("wrapped", &body.wrapped)?,
            };
            let proof = corridor::on_key::<key_act::Import>(vault, ticket, key, None).await?;
            one_key(engine.import(proof, material, request).await?)
        }
        "backup" => {
            call.because().await?;
            let proof = corridor::on_key::<key_act::Backup>(vault, ticket, key, None).await?;
            let (backup, entry) = engine.backup_key(proof, request).await?;
            let entry = entry.seq();
            to_json(&BackupBody { backup, entry })
        }
        "reseal" => {
            let ResealBody {
                place,
                limit,
                reason,
            } = call.body().await?;
            ticket.because(reason)?;
            let proof = corridor::on_key::<key_act::Reseal>(vault, ticket, key, None).await?;
            let (progress, entry) = engine.reseal(proof, place, limit, request).await?;
            to_json(&ResealedBody {
                moved: progress.moved,
                remaining: progress.remaining,
                next: progress.next,
                entry: entry.seq(),
            })
        }
        _ => Err(Problem::no_such_path()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RestoreBody {
    backup: String,
    reason: Option<String>,
}

pub(super) async fn restored(call: &Call<'_>) -> Result<Response, Problem> {
    let body: RestoreBody = call.body().await?;
    call.ticket.because(body.reason)?;
    let backup = KeyBackup::parse(&body.backup)?;
    let record = backup.record().clone();
    let proof =
        corridor::on_wished_key::<key_act::Restore>(call.vault, call.ticket, |_| Ok(record));
    one_key(
        call.vault
            .engine
            .restore_key(proof.await?, backup, call.request())
            .await?,
    )
}
