//! Owns one message's states within Envoy: which part waits, for whom, and what becomes of it. A message
//! that is not settled never goes on by itself.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use gateway_filter::{
    BodyAnswer, Embedded, Follows, HeadAnswer, Problem, RequestHead, Side, VaultClient,
    embedded_failure,
};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use tokio::task::AbortHandle;

use crate::abi::{End, Next, Place, Stream, Switch};
use crate::house::House;

/// One side of the message on its way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Its head is to come, or its body passes unread, or it went on.
    Open,
    /// Its head waits for the vault; its body, if any, is kept by Envoy.
    AskingHead(End),
    /// Its head waits, its body is gathered by Envoy.
    Gathering { bytes_max: usize },
    /// The vault is asked about its body.
    Asking,
    /// The message has an answer of ours, or of Envoy's.
    Answered,
}

/// One HTTP stream.
pub(crate) struct Message {
    house: Arc<House>,
    embedded: Option<Embedded<VaultClient>>,
    request: Way,
    response: Way,
    /// The body was kept whole while its head was asked about.
    kept_whole: bool,
    asked: Option<Asked>,
}

/// A question to the vault that is under way. Dropped, it is called off.
struct Asked {
    side: Side,
    outcome: Arc<Mutex<Option<Told>>>,
    task: AbortHandle,
    _switch: Switch,
}

/// What a question gave.
enum Told {
    Head(Result<(Embedded<VaultClient>, HeadAnswer), Problem>),
    AnswerHead(Embedded<VaultClient>, Result<HeadAnswer, Problem>),
    Body(Embedded<VaultClient>, Result<BodyAnswer, Problem>),
}

type Question = Pin<Box<dyn Future<Output = Told> + Send>>;

impl Drop for Asked {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Message {
    pub(crate) fn new(house: Arc<House>) -> Self {
        Self {
            house,
            embedded: None,
            request: Way::Open,
            response: Way::Open,
            kept_whole: false,
            asked: None,
        }
    }

    pub(crate) fn request_head(&mut self, stream: &Stream, end: End) -> Next {
        let head = match head(stream.headers(Side::Request)) {
            Ok(head) => head,
            Err(problem) => return self.answer(stream, &problem),
        };
        self.request = Way::AskingHead(end);
        let (live, follows) = (self.house.live().clone(), follows(end));
        let question = async move {
            let head = RequestHead {
                host: &head.authority,
                method: &head.method,
                path: &head.path,
                headers: &head.headers,
            };
            Told::Head(Embedded::begin(&live, &head, follows).await)
        };
        self.ask(stream, Side::Request, Box::pin(question), Place::Shown)
    }

    pub(crate) fn response_head(&mut self, stream: &Stream, end: End) -> Next {
        // A request that has not gone on has no answer of the upstream's: Envoy speaks for itself.
        if self.request != Way::Open {
            self.response = Way::Answered;
        }
        if self.response == Way::Answered {
            return Next::Continue;
        }
        let Some(mut embedded) = self.embedded.take() else {
            return Next::Continue;
        };
        let Ok(head) = head(stream.headers(Side::Response)) else {
            return self.answer(stream, &embedded_failure());
        };
        self.response = Way::AskingHead(end);
        self.kept_whole = false;
        let follows = follows(end);
        let question = async move {
            let answer = embedded.response_head(head.status, &head.headers, follows);
            let answer = answer.await;
            Told::AnswerHead(embedded, answer)
        };
        self.ask(stream, Side::Response, Box::pin(question), Place::Shown)
    }

    /// A part of a body came; the parts before it are in Envoy's buffer.
    pub(crate) fn body(&mut self, stream: &Stream, side: Side, end: End) -> Next {
        match *self.way(side) {
            Way::Open => Next::Continue,
            Way::Answered if side == Side::Response => Next::Continue,
            Way::AskingHead(_) => {
                self.kept_whole = end == End::Here;
                Next::Hold
            }
            Way::Asking | Way::Answered => Next::Hold,
            Way::Gathering { bytes_max } => {
                if stream.body_bytes(side) > bytes_max {
                    self.too_large(stream, side, bytes_max)
                } else if end == End::Here {
                    self.ask_about_body(stream, side, Place::Shown)
                } else {
                    Next::Hold
                }
            }
        }
    }

    /// The body is whole, and trailers end the message.
    pub(crate) fn trailers(&mut self, stream: &Stream, side: Side) -> Next {
        match *self.way(side) {
            Way::Open => {
                self.strip_trailers(stream, side, &[]);
                Next::Continue
            }
            Way::Answered if side == Side::Response => Next::Continue,
            Way::AskingHead(_) => {
                self.kept_whole = true;
                Next::Hold
            }
            Way::Asking | Way::Answered => Next::Hold,
            Way::Gathering { .. } => self.ask_about_body(stream, side, Place::Kept),
        }
    }

    /// The vault's answer is there, or its task is gone.
    pub(crate) fn woken(&mut self, stream: &Stream) {
        let Some(asked) = self.asked.take() else {
            return;
        };
        let side = asked.side;
        // Envoy answered meanwhile: nothing of this message goes on any more.
        if self.response == Way::Answered {
            return;
        }
        let told = asked
            .outcome
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let next = match told {
            Some(told) => self.told(stream, side, told, Place::Kept),
            None => self.answer(stream, &embedded_failure()),
        };
        if next == Next::Continue {
            stream.go_on(side);
        }
    }

    /// Ends the message with an answer of ours.
    pub(crate) fn answer(&mut self, stream: &Stream, problem: &Problem) -> Next {
        (self.request, self.response) = (Way::Answered, Way::Answered);
        stream.answer(problem);
        Next::Hold
    }

    fn told(&mut self, stream: &Stream, side: Side, told: Told, place: Place) -> Next {
        match told {
            Told::Head(Err(problem)) => self.answer(stream, &problem),
            Told::Head(Ok((embedded, answer))) | Told::AnswerHead(embedded, Ok(answer)) => {
                self.embedded = Some(embedded);
                stream.rewrite(side, &answer.head);
                self.head_told(stream, side, &answer)
            }
            Told::AnswerHead(embedded, Err(problem)) | Told::Body(embedded, Err(problem)) => {
                self.embedded = Some(embedded);
                self.answer(stream, &problem)
            }
            Told::Body(mut embedded, Ok(BodyAnswer { body, head })) => {
                stream.rewrite(side, &head);
                if let Some(body) = body {
                    stream.replace(side, &body, place);
                }
                *self.way(side) = Way::Open;
                if side == Side::Response {
                    embedded.passed();
                }
                self.embedded = Some(embedded);
                self.strip_trailers(stream, side, &head.without);
                Next::Continue
            }
        }
    }

    /// Takes from the trailers, where they are there already, what tells of the first body and what a rule names.
    fn strip_trailers(&self, stream: &Stream, side: Side, untrue: &[HeaderName]) {
        let Some(embedded) = &self.embedded else {
            return;
        };
        let names = stream.trailers(side);
        if !names.is_empty() {
            stream.remove_trailers(side, untrue);
            stream.remove_trailers(side, &embedded.ruled_trailers(side, names.iter()));
        }
    }

    /// A head is settled; its body is gathered, or is there already.
    fn head_told(&mut self, stream: &Stream, side: Side, answer: &HeadAnswer) -> Next {
        let end = match *self.way(side) {
            Way::AskingHead(end) => end,
            Way::Open | Way::Gathering { .. } | Way::Asking | Way::Answered => End::Here,
        };
        match answer.bytes_max {
            Some(bytes_max) if end == End::Later => {
                *self.way(side) = Way::Gathering { bytes_max };
                if stream.body_bytes(side) > bytes_max {
                    self.too_large(stream, side, bytes_max)
                } else if self.kept_whole {
                    self.ask_about_body(stream, side, Place::Kept)
                } else {
                    Next::Hold
                }
            }
            Some(_) | None => {
                *self.way(side) = Way::Open;
                if let (Side::Response, Some(embedded)) = (side, &mut self.embedded) {
                    if end == End::Here {
                        stream.rewrite(side, &embedded.bodiless_head());
                    }
                    embedded.passed();
                }
                self.strip_trailers(stream, side, &[]);
                Next::Continue
            }
        }
    }

    fn too_large(&mut self, stream: &Stream, side: Side, bytes_max: usize) -> Next {
        let problem = match &mut self.embedded {
            Some(embedded) => embedded.too_large(side, bytes_max),
            None => embedded_failure(),
        };
        self.answer(stream, &problem)
    }

    fn ask_about_body(&mut self, stream: &Stream, side: Side, place: Place) -> Next {
        *self.way(side) = Way::Asking;
        let Some(mut embedded) = self.embedded.take() else {
            return self.answer(stream, &embedded_failure());
        };
        let body = stream.body(side, place);
        let question = async move {
            let answer = match side {
                Side::Request => embedded.request_body(body).await,
                Side::Response => embedded.response_body(body).await,
            };
            Told::Body(embedded, answer)
        };
        self.ask(stream, side, Box::pin(question), place)
    }

    /// Takes the answer at once where nobody needs to be waited for; else a task of ours waits, and wakes
    /// the worker however it ends: done, panicked or called off.
    fn ask(&mut self, stream: &Stream, side: Side, mut question: Question, place: Place) -> Next {
        let threads = self.house.threads().clone();
        let entered = threads.enter();
        let mut context = Context::from_waker(Waker::noop());
        let first = question.as_mut().poll(&mut context);
        drop(entered);
        if let Poll::Ready(told) = first {
            return self.told(stream, side, told, place);
        }
        let (waker, switch) = stream.waker();
        let outcome = Arc::new(Mutex::new(None));
        let there = outcome.clone();
        let task = threads.spawn(async move {
            let _waker = waker;
            let told = question.await;
            *there.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
        });
        self.asked = Some(Asked {
            side,
            outcome,
            task: task.abort_handle(),
            _switch: switch,
        });
        Next::Hold
    }

    fn way(&mut self, side: Side) -> &mut Way {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }
}

fn follows(end: End) -> Follows {
    match end {
        End::Here => Follows::Nothing,
        End::Later => Follows::Body,
    }
}

/// A head: pseudo headers apart, the others as a header map.
struct Head {
    authority: String,
    status: StatusCode,
    method: Method,
    path: String,
    headers: HeaderMap,
}

/// A head that HTTP does not allow has no reading: it fails.
fn head(lines: Vec<(Vec<u8>, Vec<u8>)>) -> Result<Head, Problem> {
    let mut head = Head {
        authority: String::new(),
        status: StatusCode::OK,
        method: Method::GET,
        path: String::new(),
        headers: HeaderMap::new(),
    };
    let text = |value: Vec<u8>| String::from_utf8(value).map_err(|_| embedded_failure());
    for (name, value) in lines {
        match name.as_slice() {
            b":authority" => head.authority = text(value)?,
            b":method" => {
                head.method = Method::from_bytes(&value).map_err(|_| embedded_failure())?;
            }
            b":path" => head.path = text(value)?,
            b":status" => {
                head.status = StatusCode::from_bytes(&value).map_err(|_| embedded_failure())?;
            }
            pseudo if pseudo.starts_with(b":") => {}
            name => {
                let name = HeaderName::from_bytes(name).map_err(|_| embedded_failure())?;
                let value =
                    http::HeaderValue::from_bytes(&value).map_err(|_| embedded_failure())?;
                head.headers.append(name, value);
            }
        }
    }
    Ok(head)
}
