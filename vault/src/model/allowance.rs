//! When, how fast, how much and where a unit may speak: `[unit.limits]` of `units.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroU64};

use serde::{Deserialize, Serialize};

use super::hours::{Hours, HoursFault, RawHours};
use super::zone::{UnknownZone, Zone};

/// Whose requests go first while the vault is full. None is starved: a class has a weight, not a right of way.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// Sixteen requests to one of `low`.
    High,
    /// Four requests to one of `low`.
    #[default]
    Normal,
    /// One.
    Low,
}

impl Priority {
    /// Its share beside others that wait.
    pub fn weight(self) -> u64 {
        match self {
            Self::High => 16,
            Self::Normal => 4,
            Self::Low => 1,
        }
    }
}

/// A group of paths and calls, on both faces.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteGroup {
    /// Values become tokens.
    Tokenize,
    /// Tokens become values; tickets are redeemed.
    Detokenize,
    /// Acts on tokens that stand.
    Tokens,
    /// Acts on and with keys.
    Keys,
    /// Locks, honeytokens, grants.
    Guard,
    /// Registered units and proposals.
    Units,
    /// Policy sets under the rule of two.
    Policy,
    /// Proofs of entries.
    Receipts,
    /// Access tokens that the vault makes itself, also those that a gateway exchanges for the unit.
    AccessTokens,
    /// Whatever has no group of its own.
    Other,
}

impl RouteGroup {
    /// Every one.
    pub const ALL: [Self; 10] = [
        Self::Tokenize,
        Self::Detokenize,
        Self::Tokens,
        Self::Keys,
        Self::Guard,
        Self::Units,
        Self::Policy,
        Self::Receipts,
        Self::AccessTokens,
        Self::Other,
    ];

    /// The word for it, in `units.toml` and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tokenize => "tokenize",
            Self::Detokenize => "detokenize",
            Self::Tokens => "tokens",
            Self::Keys => "keys",
            Self::Guard => "guard",
            Self::Units => "units",
            Self::Policy => "policy",
            Self::Receipts => "receipts",
            Self::AccessTokens => "access-tokens",
            Self::Other => "other",
        }
    }
}

/// Requests in a day and in a month of the unit's zone.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// In a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<NonZeroU64>,
    /// In a month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<NonZeroU64>,
}

/// How fast.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pace {
    /// In the long run.
    pub requests_per_second: NonZeroU32,
    /// At once, after a pause.
    pub burst: NonZeroU32,
}

/// What holds for one group of routes beside what holds for all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct GroupAllowance {
    /// How fast.
    pub pace: Option<Pace>,
    /// How much.
    pub quota: Quota,
}

/// What a unit's registration says of when, how fast, how much and where it may speak.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Allowance {
    /// Requests at once after a pause; as many as in a second where it is not said.
    pub burst: Option<NonZeroU32>,
    /// Whose requests go first.
    pub priority: Priority,
    /// Whose wall clock its hours and its days go by.
    pub zone: Zone,
    /// When it is served; always where it is not said.
    pub hours: Option<Hours>,
    /// How much it may ask for.
    pub quota: Quota,
    /// Which groups it may use; all where it is not said.
    pub routes: Option<BTreeSet<RouteGroup>>,
    /// What holds for some of them by themselves.
    pub groups: BTreeMap<RouteGroup, GroupAllowance>,
}

/// An allowance as it is written. What says no more than what is not written is not written.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawAllowance {
    #[serde(skip_serializing_if = "Option::is_none")]
    burst: Option<NonZeroU32>,
    #[serde(skip_serializing_if = "is_default")]
    priority: Priority,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    quota: Quota,
    #[serde(skip_serializing_if = "Option::is_none")]
    routes: Option<BTreeSet<RouteGroup>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<RawHours>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    group: BTreeMap<RouteGroup, RawGroup>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    #[serde(skip_serializing_if = "Option::is_none")]
    requests_per_second: Option<NonZeroU32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    burst: Option<NonZeroU32>,
    #[serde(default, skip_serializing_if = "is_default")]
    quota: Quota,
}

/// Whether a part says what holds where it is not written.
pub(super) fn is_default<T: Default + PartialEq>(part: &T) -> bool {
    *part == T::default()
}

/// Why an allowance was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AllowanceFault {
    /// Its zone is none.
    #[error("`zone`: {0}")]
    Zone(#[from] UnknownZone),
    /// Its hours are none.
    #[error("`hours`: {0}")]
    Hours(#[from] HoursFault),
    /// No route at all.
    #[error("`routes` names no group: to keep the unit out, say `standing = \"suspended\"`")]
    NoRoutes,
    /// A burst without a rate.
    #[error("`burst` of a group needs `requests_per_second` beside it")]
    Burst,
    /// A group with limits that the unit may not use.
    #[error("a group has limits and is not among `routes`")]
    Closed,
}

impl Allowance {
    /// From an allowance as it is written.
    pub fn read(raw: &RawAllowance) -> Result<Self, AllowanceFault> {
        if raw.routes.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(AllowanceFault::NoRoutes);
        }
        let open = |group| raw.routes.as_ref().is_none_or(|open| open.contains(group));
        if !raw.group.keys().all(open) {
            return Err(AllowanceFault::Closed);
        }
        let groups = raw.group.iter();
        let groups = groups.map(|(group, raw)| Ok((*group, GroupAllowance::read(*raw)?)));
        Ok(Self {
            burst: raw.burst,
            priority: raw.priority,
            zone: raw
                .zone
                .as_deref()
                .map_or(Ok(Zone::default()), Zone::parse)?,
            hours: raw.hours.as_ref().map(Hours::read).transpose()?,
            quota: raw.quota,
            routes: raw.routes.clone(),
            groups: groups.collect::<Result<_, AllowanceFault>>()?,
        })
    }

    /// How fast, where the registration gives so many requests a second.
    pub fn pace(&self, requests_per_second: NonZeroU32) -> Pace {
        Pace {
            requests_per_second,
            burst: self.burst.unwrap_or(requests_per_second),
        }
    }
}

impl GroupAllowance {
    fn read(raw: RawGroup) -> Result<Self, AllowanceFault> {
        let pace = match (raw.requests_per_second, raw.burst) {
            (None, Some(_)) => return Err(AllowanceFault::Burst),
            (None, None) => None,
            (Some(requests_per_second), burst) => Some(Pace {
                requests_per_second,
                burst: burst.unwrap_or(requests_per_second),
            }),
        };
        Ok(Self {
            pace,
            quota: raw.quota,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Allowance, String> {
        let raw: RawAllowance = toml::from_str(text).map_err(|error| error.to_string())?;
        Allowance::read(&raw).map_err(|fault| fault.to_string())
    }

    const FULL: &str = "burst = 40\npriority = 'high'\nzone = 'Asia/Taipei'\nquota = { day = 1000, month = 20000 }\n\
        routes = ['tokenize', 'detokenize']\n\
        hours = { weekly = [{ days = 'mon-fri', from = '08:00', to = '18:00' }], holidays = 'tw' }\n\
        group.detokenize = { requests_per_second = 5, burst = 10, quota = { day = 100 } }\n";

    #[test]
    fn an_allowance_says_what_is_written_and_can_be_written_again() {
        let allowance = read(FULL).unwrap();
        let rate = NonZeroU32::new(20).unwrap();
        assert_eq!(allowance.pace(rate).burst.get(), 40);
        assert_eq!(Allowance::default().pace(rate).burst.get(), 20);
        let group = allowance.groups[&RouteGroup::Detokenize];
        assert_eq!(group.pace.unwrap().burst.get(), 10);
        assert_eq!(group.quota.day.unwrap().get(), 100);
        let raw: RawAllowance = toml::from_str(FULL).unwrap();
        let again = toml::to_string(&raw).unwrap();
        assert_eq!(read(&again).unwrap(), allowance);
        assert_eq!(read("").unwrap(), Allowance::default());
    }

    #[test]
    fn what_can_t_be_meant_is_refused() {
        for (text, wrong) in [
            ("zone = 'Formosa'", "no such time zone"),
            ("routes = []", "suspended"),
            ("group.keys = { burst = 3 }", "needs `requests_per_second`"),
            (
                "routes = ['keys']\ngroup.guard = { quota = { day = 1 } }",
                "not among",
            ),
            ("quota = { day = 0 }", "nonzero"),
            ("quota = { week = 1 }", "unknown field"),
            ("priority = 'highest'", "unknown variant"),
            ("routes = ['all']", "unknown variant"),
            ("hours = { weekly = [] }", "1 to 64"),
            ("burst = 0", "nonzero"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(wrong), "{text}: {said}");
        }
    }

    #[test]
    fn each_group_has_its_own_word() {
        for group in RouteGroup::ALL {
            let written = format!("routes = ['{}']", group.as_str());
            assert_eq!(
                read(&written).unwrap().routes.unwrap().first(),
                Some(&group)
            );
        }
    }
}
