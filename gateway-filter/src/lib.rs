//! The gateway filter: swaps sensitive fields of a message for tokens, or tokens for what the
//! vault grants, on their way through a gateway. Every byte outside the fields stays identical.
//!
//! One core, four forms. The core is [`Filter`]: [`Filter::admit`] finds the route of a request,
//! [`Filter::request_body`] and [`Filter::response_body`] rewrite the bodies with one vault call
//! per message. [`mod@ext_proc`] offers it to Envoy, [`Proxy`] is a reverse proxy of its own,
//! [`FilterLayer`] wraps a Rust service, and the package `envoy-module` runs within Envoy.
//! The filter asserts no identity (invariant 10): it forwards the unit's proof, the vault decides.
//! Whatever goes wrong, the original body does not go on: [`Problem`] names the answer.
//!
//! ```
//! let text = r#"
//!     [vault]
//!     url = "https://127.0.0.1:8443"
//!     ca = "ca.pem"
//!     [[route]]
//!     name = "payments"
//!     method = "POST"
//!     path = "/payments/{kind}"
//!     domain = "city"
//!     [[route.request]]
//!     field = "$.payer.national_id"
//!     class = "national-id"
//!     action = "tokenize"
//! "#;
//! let settings = gateway_filter::Settings::parse(text, std::path::Path::new("/etc/jinku"))?;
//! assert_eq!(settings.rules.routes().len(), 1);
//! # Ok::<(), gateway_filter::SettingsError>(())
//! ```
//!
//! | module | owns |
//! | --- | --- |
//! | `settings` | the configuration file: as written, and as meant |
//! | `route` | which message is meant: host, method, path template |
//! | `path` | field selectors of JSON: RFC 9535 JSONPath |
//! | `scan`, `field` | one strict pass over a JSON body, and what is selected |
//! | `body` | JSON Lines, forms, CSV, multipart, XML, queries and paths |
//! | `rewrite` | the splice, and how each place spells a text |
//! | `jose` | JWEs: fields and payloads that the vault encrypts or opens |
//! | `media`, `coding` | what headers say of a body; gzip, deflate, br and zstd |
//! | `filter` | the pipeline, and the trait [`Vault`] |
//! | `vault_client` | [`Vault`] over gRPC |
//! | `sign` | signatures and codes that are demanded and made, receipts |
//! | `preview`, [`mod@discover`] | what rules would take of a sample; which rules a sample asks for |
//! | `error`, `problem` | what went wrong, and its one answer |
//! | [`ext_proc`] | Envoy's external processor |
//! | [`proxy`] | the reverse proxy |
//! | `carry` | a message's way through a Rust process: `proxy` and `layer` stand on it |
//! | `layer` | the tower layer |
//! | `embedded` | a message's way through a host that holds it: Envoy's dynamic module |
//! | `live`, [`reload`] | the filter as it is now, and how the settings are read again |
//! | `held` | the bound on bodies in memory |
//! | `metrics`, [`monitor`] | what is counted; `/live`, `/ready`, `/metrics` |
//! | `listen` | sockets, the address file, the end of work |

mod body;
mod carry;
mod coding;
pub mod discover;
mod embedded;
mod error;
pub mod ext_proc;
mod field;
mod filter;
mod held;
mod jose;
mod layer;
mod listen;
mod live;
mod media;
mod metrics;
pub mod monitor;
mod path;
mod preview;
mod problem;
pub mod proxy;
pub mod reload;
mod rewrite;
mod route;
mod scan;
mod settings;
mod sign;
mod vault_client;

pub use body::csv::CsvFault;
pub use body::form::FormFault;
pub use body::multipart::MultipartFault;
pub use body::xml::{XmlFault, XmlPathError};
pub use coding::CodingFault;
pub use embedded::{BodyAnswer, Embedded, Follows, HeadAnswer, failure as embedded_failure};
pub use error::{FilterError, Refusal, Side, UpstreamError, VaultError};
pub use filter::{
    Filter, HeadRewriting, Passage, Reading, Recorded, RequestHead, ResponseHead, Rewriting,
    RuledNames, Vault, Whole,
};
pub use jose::JweFault;
pub use layer::{FilterLayer, Filtered};
pub use listen::{ListenError, Listener, Shutdown, shutdown_on_signal};
pub use live::Live;
pub use media::{Boundary, Coding, Format, Media};
pub use metrics::{Front, Metrics};
pub use path::{Path, PathError, PathFault, SEGMENTS_MAX};
pub use preview::{Found, Preview};
pub use problem::Problem;
pub use proxy::{Proxy, TlsError};
pub use reload::{Hangups, Reread};
pub use rewrite::SpellFault;
pub use route::{Route, TemplateFault};
pub use scan::{Bounds, Fault, Position, ScanError};
pub use settings::{
    ExtProcSettings, ProxySettings, Rules, Settings, SettingsError, SignCodeFault, SigningKeyFault,
    SigningRuleFault, TlsSettings, Unmatched, UpstreamProtocol, UpstreamTlsSettings, VaultSettings,
};
pub use sign::{KeyKind, KeyUse, ParametersFault, PublicKeyFault, SigningFault, Unbelieved};
pub use vault_client::{VaultClient, VaultClientError};
