//! `jinku bench --corridor`: what it costs to know who asks, whether it may speak now, and what it may see, with many units
//! and policies, caches warm, on one thread; what a decision costs that was not kept, and how long such a set takes to be
//! read again. No engine, no wire.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rcgen::{CertificateParams, KeyPair, SanType};

use crate::admission::{Admission, Arrival, Bounds};
use crate::cli::screen;
use crate::identity::{ClientCertificate, Identity, Presented};
use crate::model::{
    Catalogue, Clock, Delivery, DomainName, Purpose, Registry, RouteGroup, SystemClock,
};
use crate::policy::{DetokenizeScope, Policies};

/// Units, where it is not said.
const UNITS: usize = 10_000;
/// Policies beside the sample's, where it is not said.
const POLICIES_MORE: usize = 1_000;
/// Units that speak in turn.
const SPEAKING: usize = 500;
/// Groups that they are in, beside those of the sample's policies.
const GROUPS: usize = 100;
/// How often the set is read again.
const READINGS: usize = 5;
/// What a request may cost.
const TARGET: Duration = Duration::from_micros(25);
const SCHEMA: &str = include_str!("../../../../policies/schema.cedarschema");
const CLASSES: &str = include_str!("../../../../policies/classes.toml");
const POLICIES: [(&str, &str); 2] = [
    (
        "00-guardrails.cedar",
        include_str!("../../../../policies/policies/00-guardrails.cedar"),
    ),
    (
        "20-detokenize.cedar",
        include_str!("../../../../policies/policies/20-detokenize.cedar"),
    ),
];

/// What is measured.
#[derive(clap::Args)]
#[group(skip)]
pub(super) struct Options {
    /// Measure identity, admission and policy of a request together.
    #[arg(long)]
    corridor: bool,
    /// Units that are registered.
    #[arg(long, requires = "corridor", default_value_t = UNITS)]
    units: usize,
    /// Policies that decide.
    #[arg(long, requires = "corridor", default_value_t = POLICIES_MORE)]
    policies: usize,
}

impl Options {
    /// Measures, if it is asked for; says whether it was.
    pub(super) async fn measured(&self, time: Duration) -> anyhow::Result<bool> {
        if self.corridor {
            let units = self.units.max(1);
            Corridor::new(units, self.policies)?.measured(time).await?;
        }
        Ok(self.corridor)
    }
}

/// Measures with as many units and policies as a large installation has.
pub(super) async fn measured(time: Duration) -> anyhow::Result<()> {
    Corridor::new(UNITS, POLICIES_MORE)?.measured(time).await
}

struct Corridor {
    identity: Identity,
    admission: Admission,
    policies: Policies,
    certificates: Vec<ClientCertificate>,
    domain: DomainName,
    loaded: String,
}

impl Corridor {
    fn new(units: usize, policies: usize) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let catalogue = Arc::new(Catalogue::parse(CLASSES)?);
        let begun = Instant::now();
        let registry = Arc::new(Registry::parse(&registry(units)?, &catalogue)?);
        let read = begun.elapsed();
        let folder = std::env::temp_dir().join(format!("jinku-corridor-{}", std::process::id()));
        let policies = write_policies(&folder, policies)
            .and_then(|()| Ok(Policies::load(&folder, catalogue, Vec::new())?));
        let loaded = policies.and_then(|policies| Ok((read_again(&policies)?, policies)));
        std::fs::remove_dir_all(&folder).context("the policies' folder can't be removed")?;
        let bounds = Bounds {
            in_flight_max: 512,
            waiting_max: 1_024,
            wait_max: Duration::from_secs(1),
        };
        let certificates =
            (0..SPEAKING.min(units)).map(|nth| certificate(nth * units / SPEAKING.min(units)));
        let (again, policies) = loaded?;
        let identity = Identity::new(registry, Vec::new(), Arc::clone(&clock));
        Ok(Self {
            admission: Admission::new(bounds, clock),
            policies: policies.over(Arc::clone(identity.units())),
            identity,
            certificates: certificates.collect::<anyhow::Result<_>>()?,
            domain: DomainName::parse("city")?,
            loaded: format!(
                "units read in {read:.0?}; policies read again and validated in {again:.0?}"
            ),
        })
    }

    async fn measured(&self, time: Duration) -> anyhow::Result<()> {
        let purpose = Purpose::parse("tax-assessment")?;
        for certificate in &self.certificates {
            let (_, permitted) = self.walked(certificate, &purpose).await?;
            ensure!(permitted, "a policy set that permits nothing was measured");
        }
        let (mut parts, mut times) = ([Duration::ZERO; 3], Vec::new());
        let started = Instant::now();
        while started.elapsed() < time {
            for certificate in &self.certificates {
                let (walked, _) = self.walked(certificate, &purpose).await?;
                for (sum, part) in parts.iter_mut().zip(walked) {
                    *sum += part;
                }
                times.push(walked.iter().sum::<Duration>());
            }
        }
        self.show(&parts, times)?;
        self.show_anew(time).await
    }

    /// Each request says a purpose that none has said before: nothing that was decided is of use.
    async fn show_anew(&self, time: Duration) -> anyhow::Result<()> {
        let (mut decided, mut requests) = (Duration::ZERO, 0_u32);
        let started = Instant::now();
        while started.elapsed() < time {
            for certificate in &self.certificates {
                requests += 1;
                let purpose = Purpose::parse(&format!("other-{requests}"))?;
                let ([_, _, policy], _) = self.walked(certificate, &purpose).await?;
                decided += policy;
            }
        }
        let mean = decided / requests.max(1);
        let micros = mean.as_secs_f64() * 1e6;
        screen::line(&format!("{:<12} {micros:>7.2} µs", "made anew"));
        Ok(())
    }

    /// One request: how long each room took, and whether it was permitted anything.
    async fn walked(
        &self,
        certificate: &ClientCertificate,
        purpose: &Purpose,
    ) -> anyhow::Result<([Duration; 3], bool)> {
        let scope = DetokenizeScope {
            domain: &self.domain,
            purpose,
            delivery: Delivery::Inline,
        };
        let presented = Presented {
            certificate: Some(certificate),
            authorization: None,
        };
        let arrival = Arrival {
            source: std::net::Ipv4Addr::LOCALHOST.into(),
            group: RouteGroup::Detokenize,
            patience: None,
        };
        let begun = Instant::now();
        let caller = self.identity.identify(&presented);
        let caller = caller.map_err(|unknown| anyhow::Error::from(unknown.reason))?;
        let known = begun.elapsed();
        let admitted = self.admission.admit(caller, arrival).await;
        let admitted = admitted.map_err(|refused| anyhow::Error::from(refused.reason))?;
        let let_in = begun.elapsed();
        let decision = self.policies.authorize_detokenize(admitted, scope);
        let all = begun.elapsed();
        let parts = [
            known,
            let_in.saturating_sub(known),
            all.saturating_sub(let_in),
        ];
        Ok((parts, decision.is_ok()))
    }

    fn show(&self, parts: &[Duration; 3], mut times: Vec<Duration>) -> anyhow::Result<()> {
        times.sort_unstable();
        let requests = u32::try_from(times.len())?;
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let at = |share: usize| {
            micros(
                times
                    .get(times.len() * share / 100)
                    .copied()
                    .unwrap_or_default(),
            )
        };
        screen::headline(
            "Identity, admission and policy of a request together: one thread, warm caches",
        );
        screen::line(&self.loaded);
        for (room, sum) in ["identity", "admission", "policy"].iter().zip(parts) {
            screen::line(&format!("{room:<12} {:>7.2} µs", micros(*sum / requests)));
        }
        let mean = parts.iter().sum::<Duration>() / requests;
        let within = if mean < TARGET { "within" } else { "OVER" };
        screen::line(&format!(
            "{:<12} {:>7.2} µs   p50 {:.2} µs   p99 {:.2} µs   {:.2} of {TARGET:?}: {within}",
            "together",
            micros(mean),
            at(50),
            at(99),
            mean.as_secs_f64() / TARGET.as_secs_f64(),
        ));
        Ok(())
    }
}

fn uri(nth: usize) -> String {
    format!("spiffe://bench.example/unit/u{nth}")
}

fn registry(units: usize) -> anyhow::Result<String> {
    let mut text = String::new();
    for nth in 0..units {
        writeln!(
            text,
            "[[unit]]\nname = \"u{nth}\"\ntitle_zh = \"局\"\ntitle_en = \"Unit {nth}\"\nclearance = \"restricted\"\n\
             compartments = [\"tax\"]\ngroups = [\"city\", \"revenue\", \"g{}\"]\ncertificate_uri = \"{}\"\n\
             token_subject = \"u{nth}\"\nrequests_per_second = 1000000\nnetworks = [\"127.0.0.0/8\"]\n\
             [unit.limits]\nburst = 2000000\nzone = \"Asia/Taipei\"\nquota = {{ day = 1000000000 }}\n\
             hours = {{ weekly = [{{ days = \"mon-sun\", from = \"00:00\", to = \"24:00\" }}] }}",
            nth % GROUPS,
            uri(nth),
        )?;
    }
    Ok(text)
}

/// The median time of some readings.
fn read_again(policies: &Policies) -> anyhow::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..READINGS {
        let begun = Instant::now();
        policies.reload()?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(times.get(READINGS / 2).copied().unwrap_or_default())
}

/// The sample's, and as many more that name single units and groups in turn.
fn write_policies(folder: &Path, policies: usize) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder.join("policies"))?;
    std::fs::write(folder.join("schema.cedarschema"), SCHEMA)?;
    for (name, text) in POLICIES {
        std::fs::write(folder.join("policies").join(name), text)?;
    }
    let mut more = String::new();
    for nth in 0..policies {
        let (unit, group) = if nth % 2 == 0 {
            (format!(" == Jinku::Unit::\"u{nth}\""), String::new())
        } else {
            let group = nth % GROUPS;
            let group = format!("principal.groups.contains(\"g{group}\") && ");
            (String::new(), group)
        };
        writeln!(
            more,
            "@id(\"grant-{nth}\")\npermit (principal{unit}, action == Jinku::Action::\"DetokenizeMasked\", resource)\n\
             when {{ {group}context.purpose == \"purpose-{nth}\" }};"
        )?;
    }
    Ok(std::fs::write(folder.join("policies/90-more.cedar"), more)?)
}

fn certificate(nth: usize) -> anyhow::Result<ClientCertificate> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.subject_alt_names = vec![SanType::URI(uri(nth).try_into()?)];
    let signed = params.self_signed(&KeyPair::generate()?)?;
    Ok(ClientCertificate::read(signed.der()))
}
