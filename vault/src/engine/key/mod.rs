//! Use cases of the key service: keys with versions that units may use, each act an entry.
//!
//! No wire's shapes are here: contexts, ids, versions, batches and faults are those that every
//! face's dialect can say. A batch is one entry; its items fail one by one.
//!
//! | file | owns |
//! | --- | --- |
//! | `fault` | why an act, or one item of it, was not done |
//! | `shelf` | records and opened versions, cached within bounds |
//! | `act` | the way from a proof to an entry, for one item or many |
//! | `cipher`, `tag`, `signature` | what keys do: encrypt, move, authenticate, sign |
//! | `jwe` | messages for who has the same key |
//! | `life`, `versions` | making, changing, retiring; rotating, compromising, destroying versions |
//! | `import`, `backup` | material that comes and goes, wrapped |
//! | `request` | requests' signatures under keys of the service |
//! | `reseal` | the vault's own keys: stored values under a newer version |
//! | `token_signer` | the key that signs the vault's own access tokens |
//! | `upkeep` | what is due: scheduled rotations and destructions |

mod act;
mod backup;
mod cipher;
mod fault;
mod import;
mod jwe;
mod life;
mod request;
mod reseal;
mod shelf;
mod signature;
mod tag;
mod token_signer;
mod upkeep;
mod versions;

pub use act::Acted;
pub use backup::KeyBackup;
pub use cipher::{
    DataKey, DataKeyRequest, DecryptRequest, Decrypted, EncryptRequest, Encrypted, MoveRequest,
    Moved,
};
pub use fault::{ItemFault, KeyFault};
pub use import::{ImportMaterial, ImportParameters};
pub use jwe::{JweDecrypted, JweEncryptRequest, JweEncrypted, JweWish};
pub use life::{KeyChange, KeyDetail, KeyPage, NewKey, PAGE_KEYS_MAX, Waiting};
pub use reseal::Resealing;
pub use shelf::{KeyShelf, ShelfSettings};
pub use signature::{SignRequest, Signed, VerifyRequest};
pub use tag::{Mac, MacRequest, MacVerifyRequest, Verdict};
pub use token_signer::TokenKeys;
pub use upkeep::Upkeep;
