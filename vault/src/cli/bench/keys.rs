//! What the engine makes of a key's primitives: items a second as a ratio to `ring` alone.
//!
//! Both sides use all processors. An engine's item walks identity, admission and policy with its
//! batch, and its batch's ledger entry is durable before the answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kms::{KeyKind, SecretBytes};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::{Desk, measure};
use crate::cli::screen;
use crate::engine::key::{DecryptRequest, EncryptRequest, MacRequest, NewKey};
use crate::model::{Description, EncryptionContext, KeyOrigin, KeyRecord, RequestId, Tags};
use crate::policy::key_act;

/// Sizes of a payload, and items of a call that carries it.
const SIZES: [(usize, u32); 3] = [(64, 1_000), (1024, 500), (64 * 1024, 16)];

const REQUEST: RequestId = RequestId([2; 16]);

/// What is done to a payload.
#[derive(Clone, Copy)]
enum Act {
    Encrypt,
    Decrypt,
    Mac,
}

impl Act {
    const ALL: [Self; 3] = [Self::Encrypt, Self::Decrypt, Self::Mac];

    fn name(self) -> &'static str {
        match self {
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
            Self::Mac => "mac",
        }
    }
}

/// Prints a line for each act and size: name, engine's rate, `ring`'s rate, p50, p99.
pub(super) async fn measured(
    desk: &Arc<Desk>,
    keeper: &Desk,
    time: Duration,
) -> anyhow::Result<()> {
    let cipher = made(keeper, KeyKind::Aes256).await?;
    let tags = made(keeper, KeyKind::HmacSha256).await?;
    for act in Act::ALL {
        for (bytes, items) in SIZES {
            let key = match act {
                Act::Mac => Arc::clone(&tags),
                Act::Encrypt | Act::Decrypt => Arc::clone(&cipher),
            };
            let payload = Arc::new(match act {
                Act::Decrypt => desk.encrypted(&key, &vec![7; bytes]).await?,
                Act::Encrypt | Act::Mac => vec![7; bytes],
            });
            let bare = tokio::task::spawn_blocking(move || bare(act, bytes, time)).await??;
            let desk = Arc::clone(desk);
            let rate = measure(time, items, move |_| {
                let (desk, key, payload) =
                    (Arc::clone(&desk), Arc::clone(&key), Arc::clone(&payload));
                async move { desk.batch(act, &key, &payload, items).await }
            })
            .await?;
            let (p50, p99) = (rate.p50.as_secs_f64(), rate.p99.as_secs_f64());
            let name = format!("{} {bytes} B, engine", act.name());
            screen::line(&format!("{name}\t{}\t{p50}\t{p99}\t{bare}", rate.items));
        }
    }
    Ok(())
}

async fn made(keeper: &Desk, kind: KeyKind) -> anyhow::Result<Arc<KeyRecord>> {
    let tags = [("group".to_owned(), "revenue".to_owned())].into();
    let new = NewKey {
        kind,
        origin: KeyOrigin::Vault,
        alias: None,
        description: Description::default(),
        tags: Tags::parse(tags)?,
        rotation: None,
    };
    let record = Arc::new(new.wished("key-office")?);
    let policies = &keeper.vault.policies;
    let proof = policies
        .authorize_on_key::<key_act::Create>(keeper.admitted().await?, record, None)
        .map_err(|refused| anyhow::Error::from(refused.denial))?;
    let (detail, _) = keeper.vault.engine.create_key(proof, REQUEST).await?;
    Ok(detail.record)
}

impl Desk {
    async fn encrypted(&self, key: &Arc<KeyRecord>, plaintext: &[u8]) -> anyhow::Result<Vec<u8>> {
        let item = EncryptRequest {
            plaintext: SecretBytes::new(plaintext.to_vec()),
            context: EncryptionContext::default(),
        };
        let proof = self.proof::<key_act::Encrypt>(key).await?;
        let done = self
            .vault
            .engine
            .encrypt(proof, None, vec![item], REQUEST)
            .await?;
        let sealed = done.items.into_iter().next();
        Ok(sealed
            .ok_or_else(|| anyhow::anyhow!("no answer"))??
            .ciphertext)
    }

    async fn batch(
        &self,
        act: Act,
        key: &Arc<KeyRecord>,
        payload: &[u8],
        items: u32,
    ) -> anyhow::Result<()> {
        let secret = || SecretBytes::roomy(payload);
        let context = EncryptionContext::default;
        let engine = &self.vault.engine;
        match act {
            Act::Encrypt => {
                let item = |_| EncryptRequest {
                    plaintext: secret(),
                    context: context(),
                };
                let proof = self.proof::<key_act::Encrypt>(key).await?;
                all_done(
                    engine
                        .encrypt(proof, None, (0..items).map(item).collect(), REQUEST)
                        .await?,
                )
            }
            Act::Decrypt => {
                let item = |_| DecryptRequest {
                    ciphertext: payload.to_vec(),
                    context: context(),
                };
                let proof = self.proof::<key_act::Decrypt>(key).await?;
                all_done(
                    engine
                        .decrypt(proof, (0..items).map(item).collect(), REQUEST)
                        .await?,
                )
            }
            Act::Mac => {
                let item = |_| MacRequest { message: secret() };
                let proof = self.proof::<key_act::Mac>(key).await?;
                all_done(
                    engine
                        .mac(proof, None, (0..items).map(item).collect(), REQUEST)
                        .await?,
                )
            }
        }
    }

    async fn proof<A: key_act::KeyAct>(
        &self,
        key: &Arc<KeyRecord>,
    ) -> anyhow::Result<crate::policy::Authorized<crate::policy::OnKey<A>>> {
        let key = Arc::clone(key);
        let decided = self
            .vault
            .policies
            .authorize_on_key::<A>(self.admitted().await?, key, None);
        decided.map_err(|refused| refused.denial.into())
    }
}

fn all_done<T>(acted: crate::engine::key::Acted<T>) -> anyhow::Result<()> {
    for item in acted.items {
        item?;
    }
    Ok(())
}

/// Items a second of `ring` alone on all processors, with the same copies in and out.
fn bare(act: Act, bytes: usize, time: Duration) -> anyhow::Result<f64> {
    let threads = std::thread::available_parallelism()?.get();
    let started = Instant::now();
    let workers: Vec<_> = (0..threads)
        .map(|_| std::thread::spawn(move || bare_items(act, bytes, started, time)))
        .collect();
    let mut items = 0;
    for worker in workers {
        let done = worker
            .join()
            .map_err(|_| anyhow::anyhow!("a worker ended early"))?;
        items += done?;
    }
    Ok(f64::from(items) / started.elapsed().as_secs_f64())
}

fn bare_items(act: Act, bytes: usize, started: Instant, time: Duration) -> anyhow::Result<u32> {
    let unspecified = |_| anyhow::anyhow!("ring refused");
    let key = UnboundKey::new(&AES_256_GCM, &[1; 32]).map_err(unspecified)?;
    let key = LessSafeKey::new(key);
    let mac = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[1; 32]);
    let message = vec![7; bytes];
    let nonce = || Nonce::assume_unique_for_key([0; 12]);
    let mut sealed = message.clone();
    key.seal_in_place_append_tag(nonce(), Aad::empty(), &mut sealed)
        .map_err(unspecified)?;
    let mut items = 0;
    while started.elapsed() < time {
        for _ in 0..16 {
            match act {
                Act::Encrypt => {
                    let mut out = Vec::with_capacity(bytes + 16);
                    out.extend_from_slice(&message);
                    key.seal_in_place_append_tag(nonce(), Aad::empty(), &mut out)
                        .map_err(unspecified)?;
                    std::hint::black_box(&out);
                }
                Act::Decrypt => {
                    let mut out = sealed.clone();
                    key.open_in_place(nonce(), Aad::empty(), &mut out)
                        .map_err(unspecified)?;
                    std::hint::black_box(&out);
                }
                Act::Mac => {
                    std::hint::black_box(ring::hmac::sign(&mac, &message));
                }
            }
            items += 1;
        }
    }
    Ok(items)
}
