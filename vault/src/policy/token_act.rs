//! Acts on tokens that stand: each a type of its own, with its word in Cedar and its word in the ledger.

use std::marker::PhantomData;

use ledger::Operation;

use super::authorized::{self, Authorized, Denied, Refused};
use super::cache::{Classes, Key};
use super::{Asker, Live, Policies};
use crate::admission::Admitted;
use crate::model::{ClassName, DomainName, Purpose};

/// One act on tokens. A closed set: the types below.
pub trait TokenAct: Send + Sync + 'static {
    /// The action's name in the Cedar schema.
    const ACTION: &'static str;
    /// What its entry says was done.
    const OPERATION: Operation;
}

acts! {
    TokenAct:
    /// What a token is, is read, without its value.
    Describe = "DescribeToken" TokenRead,
    /// Tokens are switched off.
    Disable = "DisableToken" TokenDisable,
    /// Tokens are switched on again.
    Enable = "EnableToken" TokenEnable,
    /// Tokens get others in their place.
    Replace = "ReplaceToken" TokenReplace,
    /// Tokens move to another class.
    Move = "MoveToken" TokenMove,
    /// Tokens are purged by their age.
    Purge = "PurgeTokens" TokenPurge,
    /// A legal hold is placed.
    Hold = "PlaceHold" HoldPlace,
    /// A legal hold is lifted.
    Release = "LiftHold" HoldLift,
    /// Legal holds are listed, by those who may place them.
    ListHolds = "PlaceHold" TokenRead,
    /// A value's tokens are searched for.
    Search = "Search" Search,
    /// Values are indexed anew.
    Reindex = "ReindexTokens" Reindex,
    /// Tokens and their values are erased.
    Erase = "Erase" Erase,
    /// The reason that was given for an act is read, by those who may look after all tokens of the domain.
    ReadDetail = "DescribeToken" DetailRead,
    /// It is erased, by those who may erase them all.
    EraseDetail = "Erase" DetailErase,
}

/// What an act on tokens asks for. The classes are not known before the tokens are looked up.
#[derive(Clone, Copy)]
pub struct TokensScope<'a> {
    /// In which namespace.
    pub domain: &'a DomainName,
    /// Why.
    pub purpose: &'a Purpose,
}

/// Granted: this act, for this purpose, on tokens of these classes.
///
/// One act's proof does not serve another:
///
/// ```compile_fail,E0308
/// # use vault::policy::{Authorized, OnTokens, token_act};
/// fn erase(_: Authorized<OnTokens<token_act::Erase>>) {}
/// fn other(proof: Authorized<OnTokens<token_act::Describe>>) {
///     erase(proof);
/// }
/// ```
///
/// The twin that compiles:
///
/// ```
/// # use vault::policy::{Authorized, OnTokens, token_act};
/// fn erase(_: Authorized<OnTokens<token_act::Erase>>) {}
/// fn same(proof: Authorized<OnTokens<token_act::Erase>>) {
///     erase(proof);
/// }
/// ```
pub struct OnTokens<A> {
    domain: DomainName,
    purpose: Purpose,
    classes: Classes,
    whole: bool,
    act: PhantomData<fn() -> A>,
}

impl<A: TokenAct> OnTokens<A> {
    /// In which namespace.
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// Why.
    pub fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// Whether tokens of this class are among them.
    pub fn covers(&self, class: &ClassName) -> bool {
        self.classes.contains(class)
    }

    /// The classes, by name.
    pub fn classes(&self) -> impl Iterator<Item = &ClassName> {
        self.classes.iter()
    }

    /// Whether every class of the domain is among them.
    pub fn covers_all(&self) -> bool {
        self.whole
    }
}

/// Granted: this act, for this purpose, on reasons that were given for acts.
pub struct OnDetails<A> {
    domain: Option<DomainName>,
    purpose: Purpose,
    act: PhantomData<fn() -> A>,
}

impl<A: TokenAct> OnDetails<A> {
    /// In whose affairs they were given; `None`: in no domain's.
    pub fn domain(&self) -> Option<&DomainName> {
        self.domain.as_ref()
    }

    /// Why.
    pub fn purpose(&self) -> &Purpose {
        &self.purpose
    }
}

impl Policies {
    /// On tokens of which classes may the unit do `A`, for this purpose? On none is a denial.
    pub fn authorize_on_tokens<A: TokenAct>(
        &self,
        admitted: Admitted,
        scope: TokensScope<'_>,
    ) -> Result<Authorized<OnTokens<A>>, Box<Refused>> {
        let live = self.live();
        let asker = Asker::of(admitted.caller(), Some(scope.purpose));
        let granted = self.token_classes(&live, asker, A::ACTION, scope.domain);
        let granted = granted.map(|(classes, whole)| OnTokens {
            domain: scope.domain.clone(),
            purpose: scope.purpose.clone(),
            classes,
            whole,
            act: PhantomData,
        });
        authorized::decided(admitted, live.set.digest(), granted)
    }

    /// May the unit do `A` to reasons that were given in a domain's affairs, for this purpose? It must be permitted on every
    /// class of it; of those that were given in no domain's, on every class of every domain.
    pub fn authorize_on_details<A: TokenAct>(
        &self,
        admitted: Admitted,
        (domain, purpose): (Option<&DomainName>, &Purpose),
    ) -> Result<Authorized<OnDetails<A>>, Box<Refused>> {
        let live = self.live();
        let asker = Asker::of(admitted.caller(), Some(purpose));
        let all = || {
            self.catalogue
                .domains()
                .map(|domain| &domain.name)
                .collect()
        };
        let domains: Vec<&DomainName> = domain.map_or_else(all, |domain| vec![domain]);
        let covered =
            |domain: &DomainName| match self.token_classes(&live, asker, A::ACTION, domain)? {
                (_, true) => Ok(()),
                (_, false) => Err(Denied::NotPermitted),
            };
        let granted = domains.into_iter().try_for_each(covered);
        let granted = granted.map(|()| OnDetails {
            domain: domain.cloned(),
            purpose: purpose.clone(),
            act: PhantomData,
        });
        authorized::decided(admitted, live.set.digest(), granted)
    }

    /// The classes of the domain on whose tokens the act is permitted, and whether that is all of them.
    pub(super) fn token_classes(
        &self,
        live: &Live,
        asker: Asker<'_>,
        action: &'static str,
        domain: &DomainName,
    ) -> Result<(Classes, bool), Denied> {
        let domain = self.domain(domain)?;
        let key = Key::of_tokens(action, asker, &domain.name);
        let classes = live
            .cache
            .classes(key, || self.permitted_classes(live, asker, action, domain));
        // INVARIANT 9: no matching policy is a denial.
        if classes.is_empty() {
            return Err(Denied::NotPermitted);
        }
        let whole = domain.classes.iter().all(|class| classes.contains(class));
        Ok((classes, whole))
    }
}
