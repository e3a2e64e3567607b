//! Heads of answers through a real Envoy, bodies whole and in parts.

use super::modes::in_parts;
use super::*;

#[tokio::test]
async fn heads_of_answers_are_ruled_in_both_modes() {
    for plan in [whole(), in_parts()] {
        let city = planned(plan, MemoryVault::default(), |seen| {
            let answer = Response::builder()
                .header("content-type", "application/json")
                .header("x-account", "t1")
                .header("x-account", "unknown")
                .header("x-name", "Wang")
                .header("x-debug", "A1")
                .header("x-phone", "0912345678");
            let body = match seen.head.uri.path() {
                "/accounts/empty" => String::new(),
                _ => r#"{"national_id":"t1"}"#.to_owned(),
            };
            answer.body(Full::from(body)).unwrap()
        })
        .await;
        city.vault.keep("t1", "A1");
        for (path, body) in [
            ("/accounts/7", r#"{"national_id":"A1"}"#),
            ("/accounts/empty", ""),
        ] {
            let answer = city.send("GET", path, "", Version::HTTP_11).await;
            assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, body));
            let accounts: Vec<_> = answer.headers.get_all("x-account").iter().collect();
            assert_eq!(accounts, ["A1", "unknown"]);
            assert_eq!(answer.headers["x-name"], "Wang");
            assert_eq!(answer.headers["x-phone"], "*******678");
            assert!(!answer.headers.contains_key("x-debug"));
        }
        // No rule of this route reads its body.
        let answer = city.send("GET", "/registry/7", "", Version::HTTP_11).await;
        assert_eq!(answer.headers["x-name"], "tok-name-0");
        assert_eq!(answer.body, r#"{"national_id":"t1"}"#);
        *city.vault.refusal.lock().unwrap() = Some(VaultError::Unavailable);
        let answer = city.send("GET", "/registry/7", "", Version::HTTP_11).await;
        assert_eq!(answer.problem(), (503, "vault-unavailable".to_owned()));
        assert!(!answer.headers.contains_key("x-name"));
    }
}
