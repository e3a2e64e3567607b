//! What is asked, and what is granted.

use std::collections::BTreeSet;

use super::cache::Views;
use crate::model::{ClassName, Delivery, DomainName, Purpose, View};

/// What a tokenize asks for.
#[derive(Clone, Copy)]
pub struct TokenizeScope<'a> {
    /// In which namespace.
    pub domain: &'a DomainName,
    /// Values of which classes.
    pub classes: &'a BTreeSet<ClassName>,
}

/// What a detokenize asks for. The classes are not known before the tokens are looked up.
#[derive(Clone, Copy)]
pub struct DetokenizeScope<'a> {
    /// In which namespace.
    pub domain: &'a DomainName,
    /// Why.
    pub purpose: &'a Purpose,
    /// In which form.
    pub delivery: Delivery,
}

/// What a ticket is asked for: the asking unit's own right to see is what another's redeeming rests on.
#[derive(Clone, Copy)]
pub struct TicketScope<'a> {
    /// In which namespace.
    pub domain: &'a DomainName,
    /// Why.
    pub purpose: &'a Purpose,
}

/// Granted: values of these classes may be tokenized.
pub struct Tokenize {
    domain: DomainName,
    classes: BTreeSet<ClassName>,
}

impl Tokenize {
    pub(super) fn new(scope: TokenizeScope<'_>) -> Self {
        Self {
            domain: scope.domain.clone(),
            classes: scope.classes.clone(),
        }
    }

    /// In which namespace.
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// The classes.
    pub fn classes(&self) -> &BTreeSet<ClassName> {
        &self.classes
    }
}

/// Granted: for this purpose, these views of these classes.
pub struct Detokenize {
    domain: DomainName,
    purpose: Purpose,
    delivery: Delivery,
    views: Views,
}

impl Detokenize {
    pub(super) fn new(scope: DetokenizeScope<'_>, views: Views) -> Self {
        Self {
            domain: scope.domain.clone(),
            purpose: scope.purpose.clone(),
            delivery: scope.delivery,
            views,
        }
    }

    /// In which namespace.
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// Why.
    pub fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// In which form.
    pub fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// What may be seen of a class; nothing where it is `None`.
    pub fn view(&self, class: &ClassName) -> Option<View> {
        self.views.get(class).copied()
    }
}

/// Granted: a ticket for another unit may be made, for this purpose.
pub struct IssueTicket {
    domain: DomainName,
    purpose: Purpose,
}

impl IssueTicket {
    pub(super) fn new(scope: TicketScope<'_>) -> Self {
        Self {
            domain: scope.domain.clone(),
            purpose: scope.purpose.clone(),
        }
    }

    /// In which namespace.
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// Why.
    pub fn purpose(&self) -> &Purpose {
        &self.purpose
    }
}
