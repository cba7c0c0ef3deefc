//! Between a connection and the application: when a client gets its 100, and when an answer closes the connection.
//!
//! A client that sends `Expect: 100-continue` waits for a 100 before it sends its body. The library would send the 100
//! at once and then call the application. Here the application begins first, and the 100 is sent when it reads the
//! body. An answer before that goes out alone, so that a client without a valid token, or one that exceeds a limit,
//! need not send its gigabyte.
//!
//! An answer that is ready before the end of its request's body is the connection's last. It says so, and the
//! connection reads little more (see [`Line`]).

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_http::body::{BoxBody, MessageBody};
use actix_http::error::PayloadError;
use actix_http::{ConnectionType, HttpMessage, Payload, Request, Response};
use actix_service::{IntoService, Service, ServiceFactory, fn_factory};
use actix_web::dev::{AppConfig, ServiceResponse};
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt, Stream, StreamExt};

use super::connection::Line;

/// An answer on its way.
type Answering = LocalBoxFuture<'static, Response<BoxBody>>;

/// An answer that was begun before the client got its 100; kept in the extensions of the request.
struct Begun(Answering);

/// A factory of the application, which every worker calls.
pub(super) trait Application<B>:
    ServiceFactory<
        Request,
        Config = AppConfig,
        Response = ServiceResponse<B>,
        Error = actix_web::Error,
        InitError = (),
        Service: Service<Request, Future: 'static> + 'static,
        Future: 'static,
    > + 'static
{
}

impl<B, F> Application<B> for F where
    F: ServiceFactory<
            Request,
            Config = AppConfig,
            Response = ServiceResponse<B>,
            Error = actix_web::Error,
            InitError = (),
            Service: Service<Request, Future: 'static> + 'static,
            Future: 'static,
        > + 'static
{
}

/// The body of a request, and how far the application has read it.
#[derive(Clone)]
struct Body {
    payload: Rc<RefCell<Payload>>,
    reading: Rc<Cell<Reading>>,
}

/// How far the application has read a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reading {
    /// It has not begun.
    #[default]
    NotBegun,
    /// It has begun.
    Begun,
    /// It has met an error.
    Failed,
}

/// A request without an answer. The library drops it in this state if a chunk of its body breaks the grammar.
struct Unanswered {
    line: Line,
    body: Body,
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if self.line.is_answering() && self.body.has_failed() {
            self.line.give_up();
        }
    }
}

/// Answers requests. An answer that [`expecting`] began is finished.
pub(super) fn answering<B: MessageBody + 'static>(
    application: impl Application<B>,
) -> impl ServiceFactory<
    Request,
    Config = (),
    Response = Response<BoxBody>,
    Error = Response<BoxBody>,
    InitError = (),
    Future: 'static,
    Service: Service<Request, Future: 'static> + 'static,
> + 'static {
    fn_factory(move || {
        let starting = application.new_service(AppConfig::default());
        async move {
            let application = starting.await?;
            let answer = move |request: Request| {
                let begun = request.extensions_mut().remove::<Begun>();
                begun
                    .map_or_else(|| begin(&application, request).0, |begun| begun.0)
                    .map(Ok)
            };
            Ok(answer.into_service())
        }
    })
}

/// Begins to answer requests whose clients wait for a 100. Once the application reads the body, [`answering`] takes
/// over.
pub(super) fn expecting<B: MessageBody + 'static>(
    application: impl Application<B>,
) -> impl ServiceFactory<
    Request,
    Config = (),
    Response = Request,
    Error = Response<BoxBody>,
    InitError = (),
    Future: 'static,
    Service: Service<Request, Future: 'static> + 'static,
> + 'static {
    fn_factory(move || {
        let starting = application.new_service(AppConfig::default());
        async move {
            let application = starting.await?;
            let expect = move |request: Request| {
                let (answering, body) = begin(&application, request);
                until_wanted(answering, body)
            };
            Ok(expect.into_service())
        }
    })
}

/// Drives an answer until it is ready or reads the body.
async fn until_wanted(mut answering: Answering, body: Body) -> Result<Request, Response<BoxBody>> {
    poll_fn(|context| match answering.poll_unpin(context) {
        Poll::Ready(response) => Poll::Ready(Err(response)),
        Poll::Pending if body.reading.get() != Reading::NotBegun => Poll::Ready(Ok(())),
        Poll::Pending => Poll::Pending,
    })
    .await?;
    let request = Request::new();
    request.extensions_mut().insert(Begun(answering));
    Ok(request)
}

/// Begins to answer a request.
fn begin<S, B>(application: &S, mut request: Request) -> (Answering, Body)
where
    S: Service<Request, Response = ServiceResponse<B>, Error = actix_web::Error, Future: 'static>,
    B: MessageBody + 'static,
{
    let line = request.conn_data::<Line>().cloned();
    let line = line.expect("every connection brings its line");
    line.begin();
    let body = Body {
        payload: Rc::new(RefCell::new(request.take_payload())),
        reading: Rc::default(),
    };
    *request.payload() = Payload::Stream {
        payload: Box::pin(body.clone()),
    };
    let answer = application.call(request);
    let unanswered = Unanswered {
        line,
        body: body.clone(),
    };
    let answering = async move {
        let mut response = match answer.await {
            Ok(response) => Response::from(response).map_into_boxed_body(),
            Err(error) => Response::from(error),
        };
        // From here on the line awaits something else than an answer.
        if unanswered.body.has_ended() {
            unanswered.line.await_next();
        } else {
            let head = response.head_mut();
            head.set_connection_type(ConnectionType::Close);
            unanswered.line.await_rest();
        }
        response
    };
    (answering.boxed_local(), body)
}

impl Body {
    /// Returns whether the body has ended. A piece that arrives meanwhile is lost, so call this only after the answer.
    fn has_ended(&self) -> bool {
        let mut payload = self.payload.borrow_mut();
        matches!(payload.next().now_or_never(), Some(None))
    }

    /// Returns whether the body ends in an error. Pieces that have arrived before it are lost, as they are when nobody
    /// answers any more.
    fn has_failed(&self) -> bool {
        let mut payload = self.payload.borrow_mut();
        let mut is_failure = self.reading.get() == Reading::Failed;
        while let Some(Some(piece)) = payload.next().now_or_never() {
            is_failure |= piece.is_err();
            if is_failure {
                break;
            }
        }
        is_failure
    }
}

impl Stream for Body {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.payload.borrow_mut().poll_next_unpin(context);
        self.reading.set(match polled {
            Poll::Ready(Some(Err(_))) => Reading::Failed,
            _ => Reading::Begun,
        });
        polled
    }
}
