//! The words of the house as types: names, classes, levels, purposes, views, secrets, time.
//!
//! Parsing happens here, at the door; every other room works with valid words only.

mod alert;
mod allowance;
mod budget;
mod calendar;
mod class;
mod clock;
mod delivery;
mod format;
mod grant;
mod hours;
mod key;
mod kind;
mod life;
mod name;
mod once;
mod policy_set;
mod proposal;
mod secret;
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
pub use key::{
    Description, EncryptionContext, InvalidKeyWord, KeyOrigin, KeyRecord, KeyRef, KeyState,
    KeyVersion, Tags, VAULT, VersionState,
};
pub use kind::{Lengths, ValueKind};
pub use life::{InvalidSubject, Life, LifeFault, Lifetimes, Repeatability, Subject};
pub use name::{
    BudgetName, ClassName, Compartment, DomainName, GatewayName, HookName, InvalidName, KeyAlias,
    Matter, Purpose, RequestId, UnitName,
};
pub use once::{IdempotencyKey, InvalidIdempotencyKey, Once};
pub use policy_set::{InvalidSetDigest, KeptSet, SetDigest};
pub use proposal::{InvalidProposalId, Proposal, ProposalId, ProposedAct};
pub use secret::{Plaintext, TicketText, TokenText};
pub use unit::{
    DocumentFault, Gateway, Need, Registration, Registry, RegistryError, Standing, Unit,
    UnitDocument, UnitKey, UnitText, Units,
};
pub use view::View;
pub use zone::{Period, UnknownZone, Zone};
