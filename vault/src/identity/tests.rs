//! Who is believed, and who is not: certificates and tokens made here, and their broken variants.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, KeyPair, SanType};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::{
    Caller, ClientCertificate, Identity, Issuer, KeyTerms, Presented, Proof, SenderConstraint,
    Unidentified, Unproven,
};
use crate::model::{Catalogue, Clock, Registry, Timestamp};

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://issuer.test";
const AUDIENCE: &str = "https://vault.test";
const HEADER: &str = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k1"}"#;
const REGISTRY: &str = r#"
[[unit]]
name = "tax"
title_zh = "稅"
title_en = "Tax"
clearance = "restricted"
certificate_uri = "spiffe://test/unit/tax"
token_subject = "tax-app"
[[unit]]
name = "library"
title_zh = "圖"
title_en = "Library"
clearance = "restricted"
certificate_uri = "spiffe://test/unit/library"
token_subject = "library-app"
[[unit]]
name = "closed"
title_zh = "關"
title_en = "Closed"
clearance = "restricted"
standing = "suspended"
token_subject = "closed-app"
[[gateway]]
name = "gate"
certificate_uri = "spiffe://test/gateway/gate"
"#;

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp(NOW * 1_000_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

struct Desk {
    identity: Identity,
    key: Ed25519KeyPair,
}

fn desk() -> Desk {
    desk_of(|jwks| Issuer::parse(ISSUER, AUDIENCE, jwks).unwrap())
}

fn desk_of(issuer: impl FnOnce(&str) -> Issuer) -> Desk {
    let catalogue = "levels = ['restricted']\nclass = []\ndomain = []";
    let catalogue = Catalogue::parse(catalogue).unwrap();
    let registry = Arc::new(Registry::parse(REGISTRY, &catalogue).unwrap());
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let key = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let x = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
    let jwks = format!(
        r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"k1","x":"{x}"}}]}}"#
    );
    Desk {
        identity: Identity::new(registry, vec![issuer(&jwks)], Arc::new(Fixed)),
        key,
    }
}

fn claims(subject: &str) -> String {
    let (begin, end) = (NOW - 10, NOW + 600);
    format!(
        r#"{{"iss":"{ISSUER}","aud":"{AUDIENCE}","sub":"{subject}","iat":{begin},"exp":{end}}}"#
    )
}

impl Desk {
    fn token(&self, header: &str, claims: &str) -> String {
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let signature = self.key.sign(signed.as_bytes());
        format!("Bearer {signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn who(
        &self,
        certificate: Option<&str>,
        authorization: Option<&str>,
    ) -> Result<Caller, Unidentified> {
        let certificate = certificate.map(certificate_for);
        let presented = Presented {
            certificate: certificate.as_ref(),
            authorization,
        };
        self.identity.identify(&presented)
    }

    fn refused(&self, certificate: Option<&str>, authorization: Option<&str>) -> Unproven {
        match self.who(certificate, authorization) {
            Err(unidentified) => unidentified.reason,
            Ok(caller) => panic!("{} was believed", caller.unit().name),
        }
    }
}

fn certificate_for(uri: &str) -> ClientCertificate {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    for uri in uri.split(' ') {
        params
            .subject_alt_names
            .push(SanType::URI(uri.try_into().unwrap()));
    }
    let signed = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    ClientCertificate::read(signed.der())
}

#[test]
fn a_unit_is_known_by_its_certificate_or_its_token() {
    let desk = desk();
    let token = desk.token(HEADER, &claims("tax-app"));
    let by_certificate = desk.who(Some("spiffe://test/unit/tax"), None).unwrap();
    assert_eq!(by_certificate.unit().name.as_str(), "tax");
    assert_eq!(by_certificate.proof(), Proof::MutualTls);
    let by_token = desk.who(None, Some(&token)).unwrap();
    assert_eq!(
        (by_token.unit().name.as_str(), by_token.proof()),
        ("tax", Proof::AccessToken)
    );
}

// Invariant 10: a gateway asserts nobody; it forwards the unit's own proof.
#[test]
fn a_gateway_is_nobody_without_the_units_own_proof() {
    let desk = desk();
    let gate = Some("spiffe://test/gateway/gate");
    assert_eq!(desk.refused(gate, None), Unproven::GatewayAlone);
    assert_eq!(
        desk.refused(gate, Some("Bearer tax-app")),
        Unproven::InvalidToken
    );
    let token = desk.token(HEADER, &claims("tax-app"));
    let caller = desk.who(gate, Some(&token)).unwrap();
    assert_eq!(caller.unit().name.as_str(), "tax");
    assert_eq!(caller.gateway().unwrap().name.as_str(), "gate");
}

#[test]
fn a_refused_gateway_is_named_for_the_ledger() {
    let unidentified = desk()
        .who(Some("spiffe://test/gateway/gate"), None)
        .err()
        .unwrap();
    assert_eq!(unidentified.gateway.unwrap().as_str(), "gate");
    assert!(unidentified.unit.is_none());
}

#[test]
fn certificates_that_name_nobody_or_two_are_refused() {
    let desk = desk();
    assert_eq!(desk.refused(None, None), Unproven::Nothing);
    let unknown = Some("spiffe://test/unit/nobody");
    assert_eq!(desk.refused(unknown, None), Unproven::UnknownCertificate);
    let two = Some("spiffe://test/unit/tax spiffe://test/unit/library");
    assert_eq!(desk.refused(two, None), Unproven::UnknownCertificate);
    let library = desk.token(HEADER, &claims("library-app"));
    let other = desk.refused(Some("spiffe://test/unit/tax"), Some(&library));
    assert_eq!(other, Unproven::Contradiction);
    let closed = desk.token(HEADER, &claims("closed-app"));
    assert_eq!(desk.refused(None, Some(&closed)), Unproven::Suspended);
}

#[test]
fn broken_tokens_are_refused() {
    let desk = desk();
    let good = claims("tax-app");
    let broken_headers = [
        r#"{"alg":"none","typ":"at+jwt","kid":"k1"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"k1"}"#,
        r#"{"alg":"ES256","typ":"at+jwt","kid":"k1"}"#,
        r#"{"alg":"EdDSA","typ":"JWT","kid":"k1"}"#,
        r#"{"alg":"EdDSA","kid":"k1"}"#,
        r#"{"alg":"EdDSA","typ":"at+jwt"}"#,
        r#"{"alg":"EdDSA","typ":"at+jwt","kid":"../k1"}"#,
        r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k2","jku":"https://evil.test/jwks"}"#,
    ];
    for header in broken_headers {
        let refused = desk.refused(None, Some(&desk.token(header, &good)));
        assert_eq!(refused, Unproven::InvalidToken, "{header}");
    }
    for (from, to) in [
        (ISSUER, "https://other.test"),
        (AUDIENCE, "https://other.test"),
        ("\"sub\"", "\"subject\""),
        ("\"exp\"", "\"expires\""),
        ("\"iss\"", "\"issuer\""),
        ("\"aud\"", "\"audience\""),
        ("tax-app", "nobody-app"),
        ("\"sub\"", "\"sub\":\"library-app\",\"sub\""),
    ] {
        let claims = good.replace(from, to);
        let refused = desk.refused(None, Some(&desk.token(HEADER, &claims)));
        assert_eq!(refused, Unproven::InvalidToken, "{claims}");
    }
    let token = desk.token(HEADER, &good);
    for altered in [
        token.replace("Bearer ", "Basic "),
        token.replace("Bearer ", ""),
        token[..token.len() - 4].to_owned(),
        token.replacen('.', "A.", 1),
        format!("{token}.{}", "a".repeat(9_000)),
    ] {
        assert_eq!(
            desk.refused(None, Some(&altered)),
            Unproven::InvalidToken,
            "{altered}"
        );
    }
}

#[test]
fn a_token_counts_only_in_its_time() {
    let desk = desk();
    let good = claims("tax-app");
    let end = (NOW + 600).to_string();
    for (exp, expected) in [(NOW - 31, true), (NOW - 29, false), (NOW + 1, false)] {
        let token = desk.token(HEADER, &good.replace(&end, &exp.to_string()));
        let expired = desk.who(None, Some(&token)).err().map(|known| known.reason);
        assert_eq!(
            expired == Some(Unproven::ExpiredToken),
            expected,
            "exp {exp}"
        );
    }
    let early = good.replace("\"iat\"", &format!("\"nbf\":{},\"iat\"", NOW + 31));
    assert_eq!(
        desk.refused(None, Some(&desk.token(HEADER, &early))),
        Unproven::ExpiredToken
    );
}

const TERMS: KeyTerms = KeyTerms {
    age_max: Duration::from_secs(100),
    cool_down: Duration::from_secs(10),
};

#[test]
fn a_removed_keys_tokens_end_with_the_fetch_that_saw_it_go() {
    let desk = desk_of(|jwks| {
        let issuer = Issuer::fetched(ISSUER, AUDIENCE, TERMS);
        issuer.install(jwks, Duration::ZERO).unwrap();
        issuer
    });
    let token = desk.token(HEADER, &claims("tax-app"));
    for _ in 0..2 {
        assert!(desk.who(None, Some(&token)).is_ok());
    }
    let x = URL_SAFE_NO_PAD.encode(desk.key.public_key().as_ref());
    let renamed = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k2","x":"{x}"}}]}}"#);
    let issuer = desk.identity.issuer(ISSUER).unwrap();
    assert!(issuer.install(&renamed, Duration::ZERO).unwrap());
    let unknown = Unproven::UnknownKey { issuer: 0 };
    assert_eq!(desk.refused(None, Some(&token)), unknown);
}

#[test]
fn a_bound_token_needs_the_certificate_that_it_names() {
    let desk = desk();
    let certificate = certificate_for("spiffe://test/unit/tax");
    let hash = URL_SAFE_NO_PAD.encode(certificate.hash());
    let bound = |cnf: &str| {
        let claims = claims("tax-app").replace("\"iat\"", &format!("\"cnf\":{cnf},\"iat\""));
        desk.token(HEADER, &claims)
    };
    let token = bound(&format!(r#"{{"x5t#S256":"{hash}"}}"#));
    let presented = Presented {
        certificate: Some(&certificate),
        authorization: Some(&token),
    };
    assert!(desk.identity.identify(&presented).is_ok());
    let another = Some("spiffe://test/unit/tax");
    assert_eq!(
        desk.refused(another, Some(&token)),
        Unproven::BoundElsewhere
    );
    assert_eq!(desk.refused(None, Some(&token)), Unproven::BoundElsewhere);
    for cnf in [
        "{}",
        r#"{"kid":"x"}"#,
        r#"{"x5t#S256":"short"}"#,
        r#"{"jwk":{"kty":"OKP"}}"#,
        r#""x""#,
    ] {
        let token = bound(cnf);
        assert_eq!(
            desk.refused(None, Some(&token)),
            Unproven::InvalidToken,
            "{cnf}"
        );
    }
    let both = bound(&format!(r#"{{"x5t#S256":"{hash}","jkt":"{hash}"}}"#));
    let presented = Presented {
        certificate: Some(&certificate),
        authorization: Some(&both),
    };
    let refused = desk.identity.identify(&presented).err().unwrap();
    assert_eq!(refused.reason, Unproven::ProofMissing);
}

#[test]
fn an_issuer_may_ask_for_bound_tokens() {
    for (constraint, expected) in [
        (SenderConstraint::None, None),
        (SenderConstraint::Certificate, Some(Unproven::Unbound)),
        (SenderConstraint::Dpop, Some(Unproven::Unbound)),
        (SenderConstraint::Any, Some(Unproven::Unbound)),
    ] {
        let desk = desk_of(|jwks| {
            let issuer = Issuer::parse(ISSUER, AUDIENCE, jwks).unwrap();
            issuer.constrained(constraint)
        });
        let token = desk.token(HEADER, &claims("tax-app"));
        let refused = desk.who(None, Some(&token)).err();
        assert_eq!(
            refused.map(|refused| refused.reason),
            expected,
            "{constraint:?}"
        );
    }
}
