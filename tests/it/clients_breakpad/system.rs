//! What the `symupload` of each system sends, and how it reads the answers.

use crate::support::{App, ID, RawAnswer, RawConnection, sym};

/// Whose tool it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    Linux,
    MacOs,
    Windows,
}

pub(super) const SYSTEMS: [System; 3] = [System::Linux, System::MacOs, System::Windows];

const PART: &str = "Content-Disposition: form-data; name=\"symbol_file\"; filename=\"minidump.dmp\"\r\n\
     Content-Type: application/octet-stream\r\n\r\n";

impl System {
    /// The head of a request. `length` is `None` for a body in chunks.
    pub(super) fn head(
        self,
        app: &App,
        request: &str,
        content_type: &str,
        length: Option<usize>,
    ) -> String {
        let host = app.address;
        let content_type = match content_type {
            "" => String::new(),
            content_type => format!("Content-Type: {content_type}\r\n"),
        };
        let length = match length {
            Some(length) => format!("Content-Length: {length}\r\n"),
            None => "Transfer-Encoding: chunked\r\n".to_owned(),
        };
        match self {
            Self::Linux => {
                format!(
                    "{request} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n{content_type}{length}\r\n"
                )
            }
            Self::MacOs => format!(
                "{request} HTTP/1.1\r\nHost: {host}\r\n{content_type}Connection: keep-alive\r\nAccept: */*\r\n\
                 User-Agent: symupload (unknown version) CFNetwork/1410.0.3 Darwin/22.6.0\r\n{length}\
                 Accept-Language: en-US,en;q=0.9\r\nAccept-Encoding: gzip, deflate\r\n\r\n"
            ),
            Self::Windows => format!(
                "{request} HTTP/1.1\r\n{content_type}User-Agent: Breakpad/1.0 (Windows)\r\nHost: {host}\r\n{length}\
                 Cache-Control: no-cache\r\n\r\n"
            ),
        }
    }

    /// The form of the first protocol. Linux sorts the fields, macOS does not; Windows ends the file with nothing but
    /// its own last line end.
    pub(super) fn form(self, debug_file: &str, file: &[u8]) -> (String, Vec<u8>) {
        let (boundary, fields, header, end) = match self {
            Self::Linux => (
                "------------------------ab6c71a7c37449bc",
                vec![
                    ("code_file", debug_file),
                    ("cpu", "x86_64"),
                    ("debug_file", debug_file),
                    ("debug_identifier", ID),
                    ("os", "Linux"),
                ],
                "Content-Disposition: form-data; name=\"symbol_file\"; filename=\"app.sym\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n",
                "\r\n",
            ),
            Self::MacOs => (
                "---------------------------1E9A3C7B6B7D3A2A",
                vec![
                    ("os", "mac"),
                    ("debug_file", debug_file),
                    ("code_file", debug_file),
                    ("cpu", "x86_64"),
                    ("debug_identifier", ID),
                ],
                PART,
                "\r\n",
            ),
            Self::Windows => (
                "---------------------------0000002900004823",
                vec![
                    ("code_file", "app.exe"),
                    ("cpu", "x86"),
                    ("debug_file", debug_file),
                    ("debug_identifier", ID),
                    ("os", "windows"),
                    ("product", "App"),
                    ("version", "1.2.3.4"),
                ],
                "Content-Disposition: form-data; name=\"symbol_file\"; filename=\"C:\\Users\\ci\\Temp\\symA1.tmp\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n",
                "",
            ),
        };
        let mut body = Vec::new();
        for (name, value) in fields {
            let part = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            );
            body.extend_from_slice(part.as_bytes());
        }
        body.extend_from_slice(format!("--{boundary}\r\n{header}").as_bytes());
        body.extend_from_slice(file);
        body.extend_from_slice(format!("{end}--{boundary}--\r\n").as_bytes());
        (format!("multipart/form-data; boundary={boundary}"), body)
    }

    pub(super) async fn upload_v1(
        self,
        app: &App,
        key: &str,
        debug_file: &str,
        file: &[u8],
    ) -> RawAnswer {
        let (content_type, body) = self.form(debug_file, file);
        let request = format!("POST /symupload?key={key}");
        let head = self.head(app, &request, &content_type, Some(body.len()));
        send(app, &head, &body).await
    }

    pub(super) async fn check_status(self, app: &App, key: &str, debug_file: &str) -> RawAnswer {
        let request = format!("GET /v1/symbols/{debug_file}/{ID}:checkStatus?key={key}");
        let head = self.head(app, &request, "", Some(0));
        let head = match self {
            Self::Windows => head,
            _ => head.replace("Content-Length: 0\r\n", ""),
        };
        send(app, &head, b"").await
    }

    pub(super) async fn create(self, app: &App, key: &str) -> RawAnswer {
        let request = format!("POST /v1/uploads:create?key={key}");
        let content_type = match self {
            Self::Linux => "application/x-www-form-urlencoded",
            _ => "",
        };
        send(app, &self.head(app, &request, content_type, Some(0)), b"").await
    }

    /// Puts a file: Linux in chunks, macOS with the header of a form's part before it, Windows as it is.
    pub(super) async fn put(self, app: &App, url: &str, file: &[u8]) -> RawAnswer {
        let path = url
            .strip_prefix(&format!("http://{}", app.address))
            .unwrap();
        let request = format!("PUT {path}");
        let (content_type, length, body) = match self {
            Self::Linux => {
                let size = format!("{:x}\r\n", file.len());
                ("", None, [size.as_bytes(), file, b"\r\n0\r\n\r\n"].concat())
            }
            Self::MacOs => {
                let body = [PART.as_bytes(), file].concat();
                ("application/x-www-form-urlencoded", Some(body.len()), body)
            }
            Self::Windows => ("", Some(file.len()), file.to_vec()),
        };
        send(app, &self.head(app, &request, content_type, length), &body).await
    }

    pub(super) async fn complete(
        self,
        app: &App,
        key: &str,
        upload_key: &str,
        debug_file: &str,
        kind: &str,
    ) -> RawAnswer {
        let (content_type, body) = match self {
            Self::Linux => (
                "application/son",
                format!(
                    "{{ symbol_id: {{debug_file: \"{debug_file}\", debug_id: \"{ID}\" }}, \
                     symbol_upload_type: \"{kind}\" }}"
                ),
            ),
            Self::MacOs => (
                "application/json",
                format!(
                    "{{\n  \"symbol_id\" : {{\n    \"debug_id\" : \"{ID}\",\n    \
                     \"debug_file\" : \"{debug_file}\"\n  }},\n  \
                     \"use_async_processing\" : \"true\",\n  \"symbol_upload_type\" : \"{kind}\"\n}}"
                ),
            ),
            Self::Windows => (
                "",
                format!(
                    "{{ symbol_id: {{debug_file: \"{debug_file}\", debug_id: \"{ID}\" }}, \
                     metadata: {{product_name: \"App\"}},symbol_upload_type: \"{kind}\", use_async_processing: true }}"
                ),
            ),
        };
        let request = format!("POST /v1/uploads/{upload_key}:complete?key={key}");
        let head = self.head(app, &request, content_type, Some(body.len()));
        send(app, &head, body.as_bytes()).await
    }

    /// A whole upload of the second protocol, whose steps may go to different nodes.
    pub(super) async fn upload_v2(
        self,
        nodes: [&App; 3],
        key: &str,
        debug_file: &str,
        kind: &str,
        file: &[u8],
    ) -> RawAnswer {
        let created = self.create(nodes[0], key).await;
        assert_eq!(created.status, 200, "{created:?}");
        let (url, upload_key) = (
            matched(&created, "uploadUrl"),
            matched(&created, "uploadKey"),
        );
        // The load balancer chooses the node.
        let url = url.replace(&nodes[0].address.to_string(), &nodes[1].address.to_string());
        let put = self.put(nodes[1], &url, file).await;
        assert_eq!(put.status, 200, "{put:?}");
        self.complete(nodes[2], key, &upload_key, debug_file, kind)
            .await
    }
}

pub(super) async fn send(app: &App, head: &str, body: &[u8]) -> RawAnswer {
    let mut connection = RawConnection::open(app.address).await;
    connection.send(head).await;
    connection.send(body).await;
    connection.read_answer().await
}

/// What the tools' `"name": "([^"]+)"` matches. macOS wants exactly one match.
pub(super) fn matched(answer: &RawAnswer, name: &str) -> String {
    let pattern = regex_lite::Regex::new(&format!("\"{name}\": \"([^\"]+)\"")).unwrap();
    let matches: Vec<_> = pattern.captures_iter(&answer.body).collect();
    assert_eq!(matches.len(), 1, "{answer:?}");
    matches[0][1].to_owned()
}

/// Breakpad's text, with the line ends of its system.
pub(super) fn text(system: System, debug_file: &str) -> Vec<u8> {
    let text = String::from_utf8(sym(debug_file, ID, 30)).unwrap();
    match system {
        System::Windows => text.replace('\n', "\r\n").into_bytes(),
        _ => text.into_bytes(),
    }
}
