//! The words of the house as types: names, classes, levels, purposes, views, secrets, time.
//!
//! Parsing happens here, at the door; every other room works with valid words only.

mod alert;
mod allowance;
mod budget;
mod calendar;
mod certificate;
mod class;
mod clock;
mod delivery;
mod format;
mod grant;
mod hours;
mod jwk;
mod key;
mod kind;
mod life;
mod name;
mod oauth;
mod once;
mod policy_set;
mod proposal;
mod public_url;
mod reason;
mod secret;
mod signing;
mod unit;
mod view;
mod written;
mod zone;

pub use alert::{Alarm, AlertKind, Hook};
pub use allowance::{
    Allowance, AllowanceFault, GroupAllowance, Pace, Priority, Quota, RawAllowance, RouteGroup,
};
pub use budget::{BudgetRule, Budgets, BudgetsError, Share};
pub use calendar::{Calendar, CalendarError, Calendars};
pub use certificate::{Attribute, AttributeValue, CertificateSubject, InvalidCertificateSubject};
pub use class::{
    Catalogue, CatalogueError, DataClass, Demand, Domain, Level, Mask, NormalForm, SpaceShares,
};
#[cfg(test)]
pub(crate) use clock::Hand;
pub use clock::{Clock, SystemClock, Timestamp};
pub use delivery::Delivery;
pub use format::{
    Format, InvalidFormat, Kept, LENGTH_MAX, LENGTH_MIN, Length, Slot, Template, UiForm, is_hidden,
};
pub use grant::{Grant, GrantId, GrantState, GrantTerms, InvalidGrantId};
pub use hours::{Hours, HoursFault, RawHours};
pub use jwk::{JwsAlgorithm, VerifyingKey, VerifyingKeyFault};
pub use key::{
    Description, EncryptionContext, InvalidKeyWord, KeyOrigin, KeyRecord, KeyRef, KeyState,
    KeyVersion, Tags, VAULT, VersionState,
};
pub use kind::{Lengths, ValueKind};
pub use life::{InvalidSubject, Life, LifeFault, Lifetimes, Repeatability, Subject};
pub use name::{
    BudgetName, ClassName, Compartment, DomainName, GatewayName, HookName, InvalidName, KeyAlias,
    Matter, Purpose, RequestId, RouteName, UnitName,
};
pub use oauth::{Bearer, UnitTokens};
pub use once::{IdempotencyKey, InvalidIdempotencyKey, Once};
pub use policy_set::{InvalidSetDigest, KeptSet, SetDigest};
pub use proposal::{InvalidProposalId, Proposal, ProposalId, ProposedAct};
pub use public_url::{InvalidUrl, PublicUrl};
pub use reason::{InvalidReason, Reason};
pub use secret::{AccessTokenText, Plaintext, TicketText, TokenText};
pub use signing::{InvalidSigningKey, SigningKey, SigningPlace};
pub use unit::{
    DocumentFault, Gateway, Need, Registration, Registry, RegistryError, Standing, Unit,
    UnitDocument, UnitKey, UnitText, Units,
};
pub use view::View;
pub use zone::{Period, UnknownZone, Zone};
