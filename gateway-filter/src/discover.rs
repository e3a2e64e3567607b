//! Proposes rules: reads samples of traffic, or an `OpenAPI` document, and says which fields look like
//! which class, by checksums, patterns and names. A person accepts the proposal; nothing here decides.
//!
//! The classes are those of `policies/classes.toml`. No value of a sample is in the proposal.

mod detect;
mod fragment;
mod hints;
mod openapi;
mod samples;
#[cfg(test)]
mod tests;

pub use fragment::fragment;
pub use openapi::openapi;
pub use samples::samples;

/// What a direction of a route should take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The route's name, for people.
    pub name: String,
    /// Upper-case method, or `*`.
    pub method: String,
    /// A path template.
    pub path: String,
    /// Fields of requests.
    pub request: Vec<Candidate>,
    /// Fields of responses.
    pub response: Vec<Candidate>,
}

/// One field that looks like a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Where it is.
    pub place: Place,
    /// The class that it looks like.
    pub class: &'static str,
    /// Why: `4 of 4 values pass the check digit of a national ID`.
    pub reason: String,
}

/// Where a field is, as a rule says it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// `field`
    Json(String),
    /// `form`
    Form(String),
    /// `csv`
    Csv(String),
    /// `xml`
    Xml(String),
    /// `part`
    Part(String),
    /// `query`
    Query(String),
    /// `segment`
    Segment(String),
    /// `header`
    Header(String),
}

/// Why nothing can be proposed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoverError {
    /// A sample that the filter itself would refuse.
    #[error(transparent)]
    Sample(#[from] crate::scan::ScanError),
    /// A kind of body that samples are not read of.
    #[error(
        "samples are read of JSON, JSON Lines, forms, CSV, XML and multipart; of YAML, only `OpenAPI` 3 documents"
    )]
    Format,
    /// Not an `OpenAPI` 3 document in JSON or YAML.
    #[error("not an OpenAPI 3 document in JSON or YAML")]
    OpenApi,
}
