//! The external processor, spoken to as Envoy speaks: whole conversations, and every way in which
//! one must end as an error instead of letting a body through.

pub(crate) mod talk;

use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Message;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Reply;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    CommonResponse, HttpBody, HttpTrailers, ProcessingRequest,
};
use tonic::Code;

use crate::city::MemoryVault;
use talk::*;

#[tokio::test]
async fn a_whole_conversation_rewrites_both_bodies() {
    let vault = MemoryVault::default();
    let mut talk = talk(&vault).await;
    let Reply::RequestHeaders(reply) = talk.open(payment()).await.unwrap() else {
        panic!()
    };
    assert_eq!(
        removed(reply.response.as_ref()),
        [
            "accept-encoding",
            "range",
            "if-range",
            "authorization",
            "dpop"
        ]
    );

    let reply = talk.say(request_body(BODY)).await.unwrap();
    let Reply::RequestBody(reply) = reply else {
        panic!()
    };
    let tokens = r#"{ "payer":{"national_id":"tok-national-id-0"}}"#;
    assert_eq!(body_of(reply.response.as_ref()).as_deref(), Some(tokens));
    let common = reply.response.unwrap();
    assert_eq!(
        header_of(&common, "content-length"),
        Some(tokens.len().to_string())
    );
    assert!(removed(Some(&common)).contains(&"content-digest".to_owned()));

    let reply = talk.say(answer_head()).await.unwrap();
    assert!(matches!(reply, Reply::ResponseHeaders(_)));
    let body = r#"{"national_id":"tok-national-id-0"}"#;
    let Reply::ResponseBody(reply) = talk.say(response_body(body)).await.unwrap() else {
        panic!()
    };
    let common = reply.response.unwrap();
    assert_eq!(
        body_of(Some(&common)).as_deref(),
        Some(r#"{"national_id":"A1"}"#)
    );
    assert_eq!(header_of(&common, "content-length").as_deref(), Some("20"));
    assert!(removed(Some(&common)).contains(&"etag".to_owned()));

    // Only now, and because Envoy ends it, does the stream end OK.
    drop(talk.messages);
    assert!(talk.answers.message().await.unwrap().is_none());
}

#[tokio::test]
async fn a_body_without_fields_goes_on_untouched() {
    let mut talk = talk(&MemoryVault::default()).await;
    talk.open(payment()).await.unwrap();
    let Reply::RequestBody(reply) = talk.say(request_body("{}")).await.unwrap() else {
        panic!()
    };
    assert_eq!(reply.response, Some(CommonResponse::default()));
}

#[tokio::test]
async fn refusals_are_immediate_responses_and_pass_on_their_way_out() {
    let vault = MemoryVault::default();
    let mut talk = talk(&vault).await;
    talk.open(payment()).await.unwrap();
    let reply = talk.say(request_body(r#"{"a":1,"a":2}"#)).await;
    assert_eq!(refused(reply), (400, "json-duplicate-key".to_owned()));
    let problem = [
        (":status", "400"),
        ("content-type", "application/problem+json"),
    ];
    let reply = talk
        .say(Message::ResponseHeaders(head(&problem, Rest::Body)))
        .await
        .unwrap();
    assert!(matches!(reply, Reply::ResponseHeaders(_)));
    let Reply::ResponseBody(reply) = talk.say(response_body("{}")).await.unwrap() else {
        panic!()
    };
    assert_eq!(body_of(reply.response.as_ref()), None);
    assert_eq!(
        failed(talk.say(request_body(BODY)).await),
        Code::FailedPrecondition
    );
}

#[tokio::test]
async fn refusals_come_as_early_as_they_can() {
    let vault = MemoryVault::default();
    let processor = processor(&vault, "").await;
    let json = ("content-type", "application/json");
    for (message, status, code) in [
        (
            request("GET", "/nowhere", &[], Rest::Nothing),
            404,
            "route-unmatched",
        ),
        (
            request("POST", "/payments/../x", &[], Rest::Nothing),
            400,
            "path-ambiguous",
        ),
        (
            request("GET", "/people/7", &[], Rest::Nothing),
            400,
            "purpose-missing",
        ),
        (
            request(
                "POST",
                "/payments/a",
                &[json, ("content-length", "2001")],
                Rest::Body,
            ),
            413,
            "body-too-large",
        ),
        (
            request(
                "POST",
                "/payments/a",
                &[("content-length", "1")],
                Rest::Body,
            ),
            415,
            "media-type-unsupported",
        ),
    ] {
        let reply = processor.talk().await.unwrap().open(message).await;
        assert_eq!(refused(reply), (status, code.to_owned()));
    }
    let mut talk = processor.talk().await.unwrap();
    talk.open(request("POST", "/payments/a", &[], Rest::Body))
        .await
        .unwrap();
    assert_eq!(refused(talk.say(request_body(BODY)).await).0, 415);
    let mut talk = processor.talk().await.unwrap();
    talk.open(payment()).await.unwrap();
    assert_eq!(
        refused(talk.say(request_body(&" ".repeat(2001))).await).0,
        413
    );
    assert_eq!(vault.calls(), []);
}

#[tokio::test]
async fn an_answer_that_cannot_be_used_is_refused() {
    let mut talk = talk(&MemoryVault::default()).await;
    talk.open(person()).await.unwrap();
    talk.say(answer_head()).await.unwrap();
    let reply = talk.say(response_body("{")).await;
    assert_eq!(refused(reply), (502, "upstream-json-invalid".to_owned()));
}

#[tokio::test]
async fn an_answer_that_is_no_json_or_empty_goes_on() {
    let vault = MemoryVault::default();
    let processor = processor(&vault, "").await;
    let mut talk = processor.talk().await.unwrap();
    talk.open(person()).await.unwrap();
    talk.say(Message::ResponseHeaders(head(
        &[(":status", "200")],
        Rest::Body,
    )))
    .await
    .unwrap();
    let part = HttpBody {
        body: b"t1".to_vec(),
        ..Default::default()
    };
    for body in [part, whole("t2")] {
        let reply = talk.say(Message::ResponseBody(body)).await.unwrap();
        let Reply::ResponseBody(reply) = reply else {
            panic!()
        };
        assert_eq!(body_of(reply.response.as_ref()), None);
    }
    let mut talk = processor.talk().await.unwrap();
    talk.open(person()).await.unwrap();
    let nothing = head(&[(":status", "304"), ("etag", "\"1\"")], Rest::Nothing);
    let reply = talk.say(Message::ResponseHeaders(nothing)).await.unwrap();
    let Reply::ResponseHeaders(reply) = reply else {
        panic!()
    };
    // What it tells is of a body that the unit never gets.
    assert!(removed(reply.response.as_ref()).contains(&"etag".to_owned()));
    assert!(!removed(reply.response.as_ref()).contains(&"content-length".to_owned()));
    assert_eq!(
        failed(talk.say(response_body("")).await),
        Code::FailedPrecondition
    );
}

#[tokio::test]
async fn the_gateways_own_answer_before_the_body_passes() {
    let mut talk = talk(&MemoryVault::default()).await;
    talk.open(payment()).await.unwrap();
    let local = Message::ResponseHeaders(head(&[(":status", "413")], Rest::Body));
    assert!(matches!(
        talk.say(local).await.unwrap(),
        Reply::ResponseHeaders(_)
    ));
    let reply = talk.say(response_body("Payload Too Large")).await.unwrap();
    assert!(matches!(reply, Reply::ResponseBody(_)));
}

#[tokio::test]
async fn a_gateway_that_does_not_announce_its_modes_is_refused() {
    let processor = processor(&MemoryVault::default(), "unmatched = \"pass\"").await;
    for message in [payment(), person()] {
        let reply = processor.talk().await.unwrap().say(message).await;
        assert_eq!(failed(reply), Code::FailedPrecondition);
    }
    let mut talk = processor.talk().await.unwrap();
    assert!(
        talk.say(request("GET", "/nowhere", &[], Rest::Nothing))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn of_a_request_that_was_never_shown_only_a_refusals_status_goes_on() {
    let processor = processor(&MemoryVault::default(), "").await;
    let answer = |status| Message::ResponseHeaders(head(&[(":status", status)], Rest::Body));
    let reply = processor.talk().await.unwrap().open(answer("400")).await;
    assert_eq!(refused(reply), (400, "refused-by-gateway".to_owned()));
    for status in ["200", "302", "500"] {
        let reply = processor.talk().await.unwrap().open(answer(status)).await;
        assert_eq!(failed(reply), Code::FailedPrecondition);
    }
}

#[tokio::test]
async fn messages_out_of_order_are_grpc_errors() {
    let vault = MemoryVault::default();
    let processor = processor(&vault, "").await;
    let trailers = || Message::RequestTrailers(HttpTrailers::default());
    for (before, wrong) in [
        (vec![], request_body(BODY)),
        (vec![], answer_head()),
        (vec![payment()], payment()),
        (vec![payment()], response_body("{}")),
        (vec![payment()], trailers()),
        (vec![payment(), request_body(BODY)], request_body(BODY)),
        (vec![payment(), request_body(BODY)], response_body("{}")),
        (vec![person(), answer_head()], answer_head()),
        (
            vec![person(), answer_head(), response_body("{}")],
            response_body("{}"),
        ),
    ] {
        let mut talk = processor.talk().await.unwrap();
        for message in before {
            talk.open(message).await.unwrap();
        }
        assert_eq!(failed(talk.open(wrong).await), Code::FailedPrecondition);
    }
    let mut talk = processor.talk().await.unwrap();
    let reply = talk.send(ProcessingRequest::default()).await;
    assert_eq!(failed(reply), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_body_in_parts_is_a_grpc_error() {
    let vault = MemoryVault::default();
    let processor = processor(&vault, "").await;
    let part = || HttpBody {
        body: b"{}".to_vec(),
        ..Default::default()
    };
    let mut talk = processor.talk().await.unwrap();
    talk.open(payment()).await.unwrap();
    assert_eq!(
        failed(talk.say(Message::RequestBody(part())).await),
        Code::FailedPrecondition
    );
    let mut talk = processor.talk().await.unwrap();
    talk.open(person()).await.unwrap();
    talk.say(answer_head()).await.unwrap();
    assert_eq!(
        failed(talk.say(Message::ResponseBody(part())).await),
        Code::FailedPrecondition
    );
}

#[tokio::test]
async fn a_gateway_that_would_hide_a_body_is_refused() {
    use BodySendMode::{Buffered, BufferedPartial, None, Streamed};
    let vault = MemoryVault::default();
    let processor = processor(&vault, "").await;
    for (message, request, response) in [
        (payment(), None, Buffered),
        (payment(), BufferedPartial, Buffered),
        (payment(), Streamed, Buffered),
        (payment(), Buffered, None),
        (person(), None, BufferedPartial),
    ] {
        let mut talk = processor.talk().await.unwrap();
        let reply = talk.send(opening(message, request, response)).await;
        assert_eq!(
            failed(reply),
            Code::FailedPrecondition,
            "{request:?} {response:?}"
        );
    }
    let mut talk = processor.talk().await.unwrap();
    assert!(talk.send(opening(person(), None, Buffered)).await.is_ok());
    let mut talk = processor.talk().await.unwrap();
    let mut observed = opening(payment(), Buffered, Buffered);
    observed.observability_mode = true;
    assert_eq!(failed(talk.send(observed).await), Code::FailedPrecondition);
}

#[tokio::test]
async fn the_mode_that_hides_the_rest_is_refused_whatever_the_message() {
    use BodySendMode::{Buffered, BufferedPartial};
    let processor = processor(&MemoryVault::default(), "unmatched = \"pass\"").await;
    for (request_mode, response_mode) in [(BufferedPartial, Buffered), (Buffered, BufferedPartial)]
    {
        let mut talk = processor.talk().await.unwrap();
        let nothing = request("GET", "/nowhere", &[], Rest::Nothing);
        let reply = talk
            .send(opening(nothing, request_mode, response_mode))
            .await;
        assert_eq!(failed(reply), Code::FailedPrecondition);
    }
}

#[tokio::test]
async fn a_panic_is_a_grpc_error() {
    let vault = MemoryVault {
        panics: true,
        ..MemoryVault::default()
    };
    let mut talk = talk(&vault).await;
    talk.open(payment()).await.unwrap();
    assert_eq!(failed(talk.say(request_body(BODY)).await), Code::Internal);
}

#[tokio::test]
async fn overload_is_a_grpc_error() {
    let vault = MemoryVault::default();
    let processor = processor(&vault, "in_flight_max = 1").await;
    let mut first = processor.talk().await.unwrap();
    first.open(payment()).await.unwrap();
    let refused = processor.talk().await.err().unwrap();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(first.say(request_body(BODY)).await.is_ok());
}

#[tokio::test]
async fn a_gateway_that_is_gone_has_its_call_of_the_vault_called_off() {
    let stuck = MemoryVault {
        stuck: true,
        ..MemoryVault::default()
    };
    let processor = processor(&stuck, "in_flight_max = 1").await;
    let mut first = processor.talk().await.unwrap();
    first.open(payment()).await.unwrap();
    let message = ProcessingRequest {
        request: Some(request_body(BODY)),
        ..Default::default()
    };
    first.messages.send(message).await.unwrap();
    while stuck.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(first);
    // Its place is free again, though the vault never answers.
    while processor.talk().await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_shutdown_lets_the_stream_under_way_finish() {
    let vault = MemoryVault::default();
    let processor = processor(&vault, "").await;
    let mut talk = processor.talk().await.unwrap();
    talk.open(payment()).await.unwrap();
    processor.shutdown.send(true).unwrap();
    let Reply::RequestBody(reply) = talk.say(request_body(BODY)).await.unwrap() else {
        panic!()
    };
    assert!(
        body_of(reply.response.as_ref())
            .unwrap()
            .contains("tok-national-id-0")
    );
}

#[tokio::test]
async fn trailers_behind_a_rewritten_body_tell_nothing_of_the_first() {
    let vault = MemoryVault::default();
    for (body, rewritten) in [(BODY, true), ("{}", false)] {
        let mut talk = talk(&vault).await;
        let streamed = BodySendMode::FullDuplexStreamed;
        let part = HttpBody {
            end_of_stream: false,
            ..whole(body)
        };
        for message in [
            opening(payment(), streamed, streamed),
            said(Message::RequestBody(part)),
            said(Message::RequestTrailers(HttpTrailers::default())),
        ] {
            talk.messages.send(message).await.unwrap();
        }
        let mut last = None;
        while !matches!(last, Some(Reply::RequestTrailers(_))) {
            last = talk.answers.message().await.unwrap().unwrap().response;
        }
        let Some(Reply::RequestTrailers(trailers)) = last else {
            panic!()
        };
        let without = trailers.header_mutation.unwrap_or_default().remove_headers;
        let digest = without.contains(&"content-digest".to_owned());
        assert_eq!(digest, rewritten, "{body}");
    }
}
