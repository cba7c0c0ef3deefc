//! Uploads with a token for try symbols never change the answers to clients that do not request try symbols.

use reqwest::multipart::{Form, Part};
use reqwest::{Method, StatusCode};
use symbold::auth::Permission;

use crate::support::{Answer, App, ID, Zip, sym};

/// An answer to a symbol request, as far as it does not change from one request to the next.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    status: StatusCode,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

fn key(name: &str) -> String {
    format!("{name}.pdb/{ID}/{name}.sym")
}

/// Everything that is seen of some keys by those who do not ask for try symbols.
async fn snapshot(app: &App, keys: &[String], headers: &[(&str, &str)]) -> Vec<Seen> {
    let mut seen = Vec::new();
    for key in keys {
        for (method, query) in [
            (Method::GET, ""),
            (Method::HEAD, ""),
            (Method::GET, "?_refresh"),
        ] {
            let mut request = app.request(method, &format!("/{key}{query}"));
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let response = request.send().await.unwrap();
            let changing = ["date", "x-request-id"];
            let mut headers: Vec<(String, String)> = response
                .headers()
                .iter()
                .filter(|(name, _)| !changing.contains(&name.as_str()))
                .map(|(name, value)| (name.to_string(), format!("{value:?}")))
                .collect();
            headers.sort();
            seen.push(Seen {
                status: response.status(),
                headers,
                body: response.bytes().await.unwrap().to_vec(),
            });
        }
    }
    seen
}

fn form(archive: Zip, wants_try: &[&str]) -> Form {
    let part = Part::bytes(archive.bytes()).file_name("x.zip");
    let form = Form::new().part("x.zip", part);
    wants_try
        .iter()
        .fold(form, |form, value| form.text("try", (*value).to_owned()))
}

/// A server that holds a release, and what is seen of it.
struct Release {
    app: App,
    /// A token that may only upload try symbols.
    token: String,
    /// Keys of which the first three are stored.
    keys: Vec<String>,
    before: [Vec<Seen>; 2],
}

impl Release {
    async fn publish() -> Self {
        let app = App::start().await;
        let permissions = [Permission::UploadTrySymbols];
        let token = app.token("try@example.com", &permissions, 1).await;
        let keys: Vec<String> = ["one", "two", "three", "gone", "never"].map(key).into();
        let archive = archive(&keys[..3], 20);
        assert_eq!(app.upload(archive).await.status, StatusCode::CREATED);
        let mut release = Self {
            app,
            token,
            keys,
            before: [vec![], vec![]],
        };
        release.before = release.seen().await;
        release
    }

    /// What is seen of all keys now, with and without gzip.
    async fn seen(&self) -> [Vec<Seen>; 2] {
        [
            snapshot(&self.app, &self.keys, &[]).await,
            snapshot(&self.app, &self.keys, &[("Accept-Encoding", "gzip")]).await,
        ]
    }

    /// Checks that nothing has changed.
    async fn is_as_before(&self, after: &str) {
        assert_eq!(self.seen().await, self.before, "{after}");
    }
}

/// Files of all these keys, which differ for different numbers of functions.
fn archive(keys: &[String], functions: u32) -> Zip {
    keys.iter().fold(Zip::new(), |zip, key| {
        let name = key.split('/').next().unwrap();
        zip.file(key, sym(name, ID, functions))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_form_says_a_try_only_token_changes_no_regular_answer() {
    let release = Release::publish().await;
    let (app, keys) = (&release.app, &release.keys);
    let mut functions = 100;
    for (wants_try, status) in [
        (&["", "0"][..], StatusCode::BAD_REQUEST),
        (&["no", ""], StatusCode::BAD_REQUEST),
        (&["0", "0"], StatusCode::CREATED),
        (&[], StatusCode::CREATED),
        (&[""], StatusCode::CREATED),
        (&["0"], StatusCode::CREATED),
        (&["false"], StatusCode::CREATED),
        (&["1"], StatusCode::CREATED),
    ] {
        for query in ["", "?try=", "?try=0", "?try"] {
            functions += 1;
            let what = format!("{wants_try:?}{query}");
            let request = app.request(Method::POST, &format!("/upload/{query}"));
            let request = request.header("Auth-Token", &release.token);
            let form = form(archive(keys, functions), wants_try);
            let answer = Answer::of(request.multipart(form).send().await.unwrap()).await;
            assert_eq!(answer.status, status, "{what}");
            if status == StatusCode::CREATED {
                assert_eq!(answer.json["upload"]["try_symbols"], true, "{what}");
            }
            release.is_as_before(&what).await;
        }
    }
    // They are there for those who ask, after the regular ones.
    for (name, expected) in [("gone", functions), ("one", 20)] {
        let seen = app.fetch(&format!("try/{}", key(name))).await;
        assert_eq!(seen, sym(&format!("{name}.pdb"), ID, expected), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_of_a_member_leads_out_of_the_try_symbols() {
    let release = Release::publish().await;
    let app = &release.app;
    for (name, status) in [
        ("../../v1/one.pdb/AB12/one.sym", StatusCode::BAD_REQUEST),
        ("../v1/AB12/one.sym", StatusCode::BAD_REQUEST),
        ("/v1/AB12/one.sym", StatusCode::BAD_REQUEST),
        ("..\\v1/AB12/one.sym", StatusCode::BAD_REQUEST),
        ("%2e%2e/AB12/one.sym", StatusCode::BAD_REQUEST),
        ("v1/AB12/one.sym", StatusCode::CREATED),
        ("try/AB12/one.sym", StatusCode::CREATED),
    ] {
        let archive = Zip::new().file(name, "MODULE");
        let answer = app.upload_as(&release.token, archive).await;
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        if status == StatusCode::CREATED {
            let regular = app.status(&format!("/{name}")).await;
            assert_eq!(regular, StatusCode::NOT_FOUND, "{name}");
        }
        release.is_as_before(name).await;
    }
}
