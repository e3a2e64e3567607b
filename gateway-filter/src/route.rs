//! Owns the question which route a message takes: host, method, path template; the first match
//! wins. Yields the plans for its bodies.

mod address;
mod plan;

use http::Method;

pub use address::TemplateFault;
pub(crate) use address::{CleanPath, decoded_segment};
use address::{Host, Template};
pub(crate) use plan::{Act, Mask, Plan};

use crate::sign::Signing;

/// One route of the settings.
#[derive(Debug)]
pub struct Route {
    name: String,
    target: Target,
    pub(crate) domain: String,
    pub(crate) purpose: Option<String>,
    pub(crate) body_bytes_max: usize,
    pub(crate) proof: ProofBeyond,
    pub(crate) request: Option<Plan>,
    pub(crate) response: Option<Plan>,
    pub(crate) request_signing: Signing,
    pub(crate) response_signing: Signing,
}

/// Whether the upstream gets the unit's proof. It opens the vault, and the upstream is not to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProofBeyond {
    /// The header `authorization` ends at the filter.
    Withheld,
    /// The upstream needs it and is trusted with it.
    Forwarded,
}

/// Which messages a route means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    host: Host,
    method: Option<Method>,
    path: Template,
}

impl Target {
    /// `host` is a name, `*` or `*.name`; `method` a method or `*`; `path` a template.
    pub(crate) fn parse(host: &str, method: &str, path: &str) -> Result<Self, TemplateFault> {
        let method = match method {
            "*" => None,
            other => Some(
                Method::from_bytes(other.as_bytes())
                    .ok()
                    .filter(|_| !other.bytes().any(|byte| byte.is_ascii_lowercase()))
                    .ok_or(TemplateFault::Method)?,
            ),
        };
        Ok(Self {
            host: Host::parse(host)?,
            method,
            path: Template::parse(path)?,
        })
    }

    /// Where the path's one segment of this name is, from 0.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.path.place(name)
    }
}

impl Route {
    pub(crate) fn new(name: String, target: Target, domain: String) -> Self {
        Self {
            name,
            target,
            domain,
            purpose: None,
            body_bytes_max: 0,
            proof: ProofBeyond::Withheld,
            request: None,
            response: None,
            request_signing: Signing::default(),
            response_signing: Signing::default(),
        }
    }

    /// The name that the settings give it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One line for people: what it matches and what it does.
    pub fn describe(&self) -> String {
        let method = self.target.method.as_ref().map_or("*", Method::as_str);
        let side = |plan: &Option<Plan>, signing: &Signing| {
            let (before, after) = signing.describe();
            let fields = plan.as_ref().map_or_else(String::new, Plan::describe);
            let told: Vec<String> = [before, fields, after]
                .into_iter()
                .filter(|words| !words.is_empty())
                .collect();
            if told.is_empty() {
                "-".to_owned()
            } else {
                told.join(", ")
            }
        };
        format!(
            "{}\t{}\t{method}\t{}\t{}\t{}\t{}",
            self.name,
            self.target.host,
            self.target.path,
            self.domain,
            side(&self.request, &self.request_signing),
            side(&self.response, &self.response_signing),
        )
    }

    pub(crate) fn is_meant(&self, host: &str, method: &Method, path: &CleanPath) -> bool {
        self.target
            .method
            .as_ref()
            .is_none_or(|wanted| wanted == method)
            && self.target.host.takes(host)
            && self.target.path.takes(path)
    }

    /// True where another route takes exactly the same messages.
    pub(crate) fn shadows(&self, later: &Self) -> bool {
        self.target == later.target
    }
}
