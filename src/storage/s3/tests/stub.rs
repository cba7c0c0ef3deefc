//! An S3 server of the tests' own: objects in memory, every request recorded, faults by script.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::wire::{Answer, Call, Request, error, error_body, ok, range_of, read_head};

/// The one bucket.
pub(super) const BUCKET: &str = "symbols";

/// How many keys a page of a listing has.
const PAGE: usize = 100;

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// An answer with this status and this code.
    Answer(u16, &'static str),
    /// An answer 200 whose body is an error with this code, after the spaces that keep a connection alive meanwhile.
    ErrorIn200(&'static str),
    /// The request is read, and nothing ever answered.
    Silence,
    /// The connection is closed before the request's body is read.
    Reset,
    /// The answer's body is cut after so many bytes.
    CutAfter(usize),
    /// The answer's body stands still after so many bytes.
    StallAfter(usize),
}

#[derive(Clone, Debug, Default)]
struct Object {
    headers: Vec<(String, String)>,
    body: Bytes,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Object>,
    /// Parts by upload, with the headers that the object is to have.
    uploads: HashMap<String, (Object, BTreeMap<u32, Bytes>)>,
    requests: Vec<Request>,
    /// Which call, how many of them to let pass first, how many to spoil.
    faults: Vec<(Call, usize, usize, Fault)>,
    connections: usize,
    sent: usize,
}

/// A running server.
pub(super) struct Stub {
    pub(super) endpoint: String,
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
    accepting: JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Stub {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (state, changed) = (Arc::<Mutex<State>>::default(), Arc::<Notify>::default());
        let (shared, notify) = (Arc::clone(&state), Arc::clone(&changed));
        let accepting = tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                shared.lock().unwrap().connections += 1;
                tokio::spawn(serve(connection, Arc::clone(&shared), Arc::clone(&notify)));
            }
        });
        Self {
            endpoint,
            state,
            changed,
            accepting,
        }
    }

    /// Spoils the n-th of these calls from now on, the first being 1.
    pub(super) fn spoil(&self, call: Call, nth: usize, fault: Fault) {
        let mut state = self.state.lock().unwrap();
        state.faults.push((call, nth - 1, 1, fault));
    }

    /// Spoils all of these calls.
    pub(super) fn spoil_all(&self, call: Call, fault: Fault) {
        let mut state = self.state.lock().unwrap();
        state.faults.push((call, 0, usize::MAX, fault));
    }

    /// Ends all faults.
    pub(super) fn mend(&self) {
        self.state.lock().unwrap().faults.clear();
    }

    /// Stores an object as another program did.
    pub(super) fn store(&self, key: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let object = Object {
            headers: headers.collect(),
            body: body.into(),
        };
        let mut state = self.state.lock().unwrap();
        state.objects.insert(key.to_owned(), object);
    }

    /// Changes a bit of an object and nothing else.
    pub(super) fn flip(&self, key: &str, at: usize) {
        let mut state = self.state.lock().unwrap();
        let object = state.objects.get_mut(key).unwrap();
        let mut body = object.body.to_vec();
        body[at] ^= 0x10;
        object.body = body.into();
    }

    pub(super) fn object(&self, key: &str) -> Option<Bytes> {
        let state = self.state.lock().unwrap();
        state.objects.get(key).map(|object| object.body.clone())
    }

    /// Requests of this kind, in the order of their arrival.
    pub(super) fn requests(&self, call: Call) -> Vec<Request> {
        let state = self.state.lock().unwrap();
        let requests = state.requests.iter();
        requests.filter(|one| one.call == call).cloned().collect()
    }

    pub(super) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// How many bytes of bodies have been sent.
    pub(super) fn sent(&self) -> usize {
        self.state.lock().unwrap().sent
    }

    pub(super) fn unfinished_uploads(&self) -> usize {
        self.state.lock().unwrap().uploads.len()
    }

    /// Waits until a request of this kind has arrived.
    pub(super) async fn wait_for(&self, call: Call) {
        let arrived = async {
            loop {
                let changed = self.changed.notified();
                if !self.requests(call).is_empty() {
                    return;
                }
                changed.await;
            }
        };
        let patience = std::time::Duration::from_mins(2);
        let waited = tokio::time::timeout(patience, arrived).await;
        waited.unwrap_or_else(|_| panic!("{call:?} never arrived"));
    }
}

async fn serve(mut connection: TcpStream, state: Arc<Mutex<State>>, changed: Arc<Notify>) {
    let mut buffer = BytesMut::new();
    while let Some((mut request, method)) = read_head(&mut connection, &mut buffer).await {
        let fault = next_fault(&state, request.call);
        if matches!(fault, Some(Fault::Reset)) {
            return;
        }
        let length = request.headers.get("content-length");
        let length = length.map_or(0, |length| length.parse().unwrap());
        while buffer.len() < length {
            if connection.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        }
        request.body = buffer.split_to(length).freeze();
        let mut answer = state.lock().unwrap().take(&request, fault);
        changed.notify_waiters();
        if matches!(fault, Some(Fault::Silence)) {
            return std::future::pending().await;
        }
        let head = answer.head();
        if method == "HEAD" {
            answer.body = Bytes::new();
        }
        let cut = match fault {
            Some(Fault::CutAfter(length) | Fault::StallAfter(length)) => length,
            _ => answer.body.len(),
        };
        if connection.write_all(head.as_bytes()).await.is_err() {
            return;
        }
        for piece in answer.body[..cut].chunks(64 * 1024) {
            if connection.write_all(piece).await.is_err() {
                return;
            }
            state.lock().unwrap().sent += piece.len();
        }
        match fault {
            Some(Fault::CutAfter(_)) => return,
            Some(Fault::StallAfter(_)) => return std::future::pending().await,
            _ => {}
        }
    }
}

fn next_fault(state: &Mutex<State>, call: Call) -> Option<Fault> {
    let mut state = state.lock().unwrap();
    for (spoiled, pass, count, fault) in &mut state.faults {
        if *spoiled != call || *count == 0 {
            continue;
        }
        if *pass > 0 {
            *pass -= 1;
            continue;
        }
        *count -= 1;
        return Some(*fault);
    }
    None
}

/// What a request stores.
fn object(request: &Request) -> Object {
    let kept = request.headers.iter().filter(|(name, _)| {
        matches!(name.as_str(), "content-type" | "content-encoding")
            || name.starts_with("x-amz-meta-")
    });
    Object {
        headers: kept
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        body: request.body.clone(),
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

impl State {
    /// A page of a listing. Its token is the key that it ended with.
    fn page(&self, request: &Request) -> Answer {
        let prefix = decoded(request.parameter("prefix"));
        let after = decoded(request.parameter("continuation-token"));
        let below = self.objects.iter();
        let mut rest = below.filter(|(key, _)| key.starts_with(&prefix) && **key > after);
        let mut body = String::from("<ListBucketResult>");
        let mut last = String::new();
        for (key, object) in rest.by_ref().take(PAGE) {
            let (size, name) = (object.body.len(), key.replace('&', "&amp;"));
            write!(
                body,
                "<Contents><Key>{name}</Key><Size>{size}</Size><ETag>&quot;stub&quot;</ETag>\
                 <LastModified>2015-10-21T07:28:00.000Z</LastModified></Contents>"
            )
            .unwrap();
            last = name;
        }
        if rest.next().is_some() {
            let next = format!("<NextContinuationToken>{last}</NextContinuationToken>");
            write!(body, "<IsTruncated>true</IsTruncated>{next}").unwrap();
        }
        ok(body + "</ListBucketResult>")
    }

    fn take(&mut self, request: &Request, fault: Option<Fault>) -> Answer {
        self.requests.push(request.clone());
        match fault {
            Some(Fault::Answer(status, code)) => error(status, code),
            Some(Fault::ErrorIn200(code)) => ok(error_body("    ", code)),
            _ => self.answer(request),
        }
    }

    fn answer(&mut self, request: &Request) -> Answer {
        let id = request.parameter("uploadId").to_owned();
        match request.call {
            Call::HeadBucket => ok(""),
            Call::List => self.page(request),
            Call::Head | Call::Get => match self.objects.get(&request.key) {
                Some(object) => {
                    let mut answer = range_of(&object.body, request.headers.get("range"));
                    answer.headers.extend(object.headers.iter().cloned());
                    answer
                }
                None => error(404, "NoSuchKey"),
            },
            Call::Put => {
                self.objects.insert(request.key.clone(), object(request));
                ok("")
            }
            Call::Copy => {
                let source = decoded(&request.headers["x-amz-copy-source"]);
                let source = source.strip_prefix(&format!("{BUCKET}/")).unwrap();
                let Some(object) = self.objects.get(source).cloned() else {
                    return error(404, "NoSuchKey");
                };
                self.objects.insert(request.key.clone(), object);
                ok("<CopyObjectResult><ETag>\"stub\"</ETag></CopyObjectResult>")
            }
            Call::BeginParts => {
                let id = format!("upload-{}", self.requests.len());
                let parts = (object(request), BTreeMap::new());
                self.uploads.insert(id.clone(), parts);
                let body = format!(
                    "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
                );
                ok(body)
            }
            Call::PutPart => {
                let number = request.parameter("partNumber").parse().unwrap();
                let Some((_, parts)) = self.uploads.get_mut(&id) else {
                    return error(404, "NoSuchUpload");
                };
                parts.insert(number, request.body.clone());
                ok("")
            }
            Call::CompleteParts => {
                let Some((mut object, parts)) = self.uploads.remove(&id) else {
                    return error(404, "NoSuchUpload");
                };
                object.body = parts.into_values().collect::<Vec<_>>().concat().into();
                self.objects.insert(request.key.clone(), object);
                let body = "<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>";
                ok(body)
            }
            Call::AbortParts => {
                self.uploads.remove(&id);
                ok("")
            }
            Call::Delete => {
                self.objects.remove(&request.key);
                ok("")
            }
        }
    }
}
