//! Serves one page over HTTP: to those who scrape metrics.
//!
//! One thread serves all clients. They are few, each has some seconds, and the oldest gives way when
//! there are too many: so no client can keep another from the page for long, or use up memory.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The most clients at once.
const CLIENTS: usize = 32;
/// The longest request.
const REQUEST: usize = 8 << 10;
/// The most headers of a request.
const HEADERS: usize = 64;
/// How long a client may take, from its connection to the end of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the server waits after a failure to accept clients: there may be too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// A page, which changes.
#[derive(Debug, Default)]
pub(crate) struct Page(Mutex<Arc<str>>);

impl Page {
    /// Replaces its text.
    pub(crate) fn set(&self, text: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text.into();
    }

    fn text(&self) -> Arc<str> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is served.
#[derive(Debug)]
pub(crate) struct Site {
    /// The page's path, `/metrics`.
    pub(crate) path: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) page: Arc<Page>,
}

/// Serves a site until the process ends, in a thread of its own.
///
/// # Errors
///
/// The errors of starting the thread and of preparing the listener.
pub(crate) fn serve(listener: TcpListener, site: Site) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let serve = move || Server { listener, site, clients: Vec::new() }.run();
    thread::Builder::new().name("http".into()).spawn(serve).map(drop)
}

struct Server {
    listener: TcpListener,
    site: Site,
    /// The oldest first.
    clients: Vec<Client>,
}

/// A client, and how far it has come.
struct Client {
    stream: TcpStream,
    deadline: Instant,
    stage: Stage,
}

enum Stage {
    /// The request, as far as it has come.
    Asks(Vec<u8>),
    /// The rest of the answer.
    IsAnswered(Vec<u8>, usize),
    /// All is written; what the client still sends is dropped, since closing the connection before
    /// would destroy the answer on its way.
    Ends,
}

impl Server {
    fn run(mut self) -> ! {
        loop {
            let ready = self.wait();
            let mut ready = ready.into_iter();
            if ready.next() == Some(true) {
                self.accept();
            }
            let site = &self.site;
            let is_expired = |client: &Client| client.deadline <= Instant::now();
            self.clients.retain_mut(|client| {
                // A client that was accepted just now may have sent its request already.
                !(ready.next().unwrap_or(true) && client.go_on(site).is_err() || is_expired(client))
            });
        }
    }

    /// Waits for the listener or a client; returns which is ready, the listener first.
    fn wait(&self) -> Vec<bool> {
        let now = Instant::now();
        let deadlines =
            self.clients.iter().map(|client| client.deadline.saturating_duration_since(now));
        let timeout = deadlines.min().map_or(PollTimeout::NONE, |left| {
            // Rounded up: it must be over when the wait is.
            PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        });
        let mut fds = vec![PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)];
        fds.extend(self.clients.iter().map(|client| {
            let is_answered = matches!(client.stage, Stage::IsAnswered(..));
            let wanted = if is_answered { PollFlags::POLLOUT } else { PollFlags::POLLIN };
            PollFd::new(client.stream.as_fd(), wanted)
        }));
        if poll(&mut fds, timeout).is_err() {
            thread::sleep(PAUSE);
        }
        fds.iter().map(|fd| fd.any().unwrap_or(false)).collect()
    }

    /// Accepts clients; the oldest give way.
    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    if self.clients.len() >= CLIENTS {
                        self.clients.remove(0);
                    }
                    if stream.set_nonblocking(true).is_ok() {
                        let (deadline, stage) =
                            (Instant::now() + PATIENCE, Stage::Asks(Vec::new()));
                        self.clients.push(Client { stream, deadline, stage });
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // The client has gone already.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(_) => return thread::sleep(PAUSE),
            }
        }
    }
}

impl Client {
    /// Reads and writes as far as that works now; an error where the client is done with.
    fn go_on(&mut self, site: &Site) -> io::Result<()> {
        let answer = loop {
            match self.step(site) {
                Ok(()) => {}
                other => break other,
            }
        };
        match answer {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }

    fn step(&mut self, site: &Site) -> io::Result<()> {
        let mut some = [0; 1 << 10];
        match &mut self.stage {
            Stage::Asks(request) => {
                let number = read(&mut self.stream, &mut some)?;
                request.extend(some.get(..number).unwrap_or_default());
                if let Some(answer) = site.answer(request) {
                    self.stage = Stage::IsAnswered(answer, 0);
                }
            }
            Stage::IsAnswered(answer, done) => {
                let rest = answer.get(*done..).unwrap_or_default();
                if rest.is_empty() {
                    self.stream.shutdown(Shutdown::Write)?;
                    self.stage = Stage::Ends;
                } else {
                    *done += self.stream.write(rest)?;
                }
            }
            Stage::Ends => {
                read(&mut self.stream, &mut some)?;
                // One that sends without end has its turn again when the others had theirs.
                return Err(ErrorKind::WouldBlock.into());
            }
        }
        Ok(())
    }
}

/// Reads something; its end is an error.
fn read(stream: &mut TcpStream, some: &mut [u8]) -> io::Result<usize> {
    match stream.read(some)? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        number => Ok(number),
    }
}

impl Site {
    /// The answer to a request; none as long as the request isn't whole.
    fn answer(&self, request: &[u8]) -> Option<Vec<u8>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut parsed = httparse::Request::new(&mut headers);
        match parsed.parse(request) {
            Ok(httparse::Status::Partial) if request.len() < REQUEST => return None,
            Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                return Some(told("431 Request Header Fields Too Large", "", "too large\n", true));
            }
            Err(_) => return Some(told("400 Bad Request", "", "no HTTP request\n", true)),
            Ok(httparse::Status::Complete(_)) => {}
        }
        let path = parsed.path.unwrap_or_default().split('?').next().unwrap_or_default();
        let has_body = match parsed.method {
            Some("GET") => true,
            Some("HEAD") => false,
            _ => {
                return Some(told(
                    "405 Method Not Allowed",
                    "Allow: GET, HEAD\r\n",
                    "only GET\n",
                    true,
                ));
            }
        };
        Some(if path == self.path {
            let content_type = format!("Content-Type: {}\r\n", self.content_type);
            told("200 OK", &content_type, &self.page.text(), has_body)
        } else if path == "/" {
            told("200 OK", "", &format!("{}\n", self.path), has_body)
        } else {
            told("404 Not Found", "", &format!("there is only {}\n", self.path), has_body)
        })
    }
}

/// An answer. HTTP closes the connection after it, so that nothing has to be kept of a client.
fn told(status: &str, header: &str, body: &str, has_body: bool) -> Vec<u8> {
    let length = body.len();
    let body = if has_body { body } else { "" };
    format!(
        "HTTP/1.1 {status}\r\n{header}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn started(text: &str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("an address");
        let page = Arc::new(Page::default());
        page.set(text.to_owned());
        let site = Site { path: "/metrics", content_type: "text/plain; version=0.0.4", page };
        serve(listener, site).expect("served");
        address
    }

    fn ask(address: SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).expect("connected");
        stream.write_all(request).expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer
    }

    #[test]
    fn the_page_is_served_and_nothing_else() {
        let address = started("a 1\n");
        let answer = ask(address, b"GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("Content-Type: text/plain; version=0.0.4\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\na 1\n"), "{answer}");
        let head = ask(address, b"HEAD /metrics HTTP/1.0\r\n\r\n");
        assert!(head.contains("Content-Length: 4\r\n") && head.ends_with("\r\n\r\n"), "{head}");
        for (request, status) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], "200 OK"),
            (b"GET /other HTTP/1.1\r\n\r\n", "404 "),
            (b"POST /metrics HTTP/1.1\r\n\r\n", "405 "),
            (b"\x16\x03\x01 TLS\r\n\r\n", "400 "),
        ] {
            let answer = ask(address, request);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        }
    }

    #[test]
    fn a_request_may_come_byte_by_byte_and_not_without_an_end() {
        let address = started("a 1\n");
        let mut slow = TcpStream::connect(address).expect("connected");
        for byte in b"GET /metrics HTTP/1.1\r\n\r\n" {
            slow.write_all(&[*byte]).expect("asked");
        }
        let mut answer = String::new();
        slow.read_to_string(&mut answer).expect("answered");
        assert!(answer.ends_with("a 1\n"), "{answer}");
        let endless = [b"GET /metrics HTTP/1.1\r\nX: ".to_vec(), vec![b'x'; 9 << 10]].concat();
        assert!(ask(address, &endless).starts_with("HTTP/1.1 431 "));
    }

    #[test]
    fn clients_that_only_hold_on_keep_nobody_out() {
        let address = started(&"a 1\n".repeat(100_000));
        let held: Vec<_> = (0..3 * CLIENTS)
            .map(|number| {
                let mut stream = TcpStream::connect(address).expect("connected");
                // Some ask and don't read, some don't ask to the end.
                let request: &[u8] =
                    if number % 2 == 0 { b"GET /metrics HTTP/1.1\r\n\r\n" } else { b"GET /met" };
                let _ = stream.write_all(request);
                stream
            })
            .collect();
        let answer = ask(address, b"GET /metrics HTTP/1.1\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("a 1\n"));
        drop(held);
        assert!(ask(address, b"GET / HTTP/1.1\r\n\r\n").ends_with("/metrics\n"));
    }
    #[test]
    fn clients_that_send_without_end_keep_nobody_out() {
        let address = started("a 1\n");
        let floods: Vec<_> = (0..4)
            .map(|_| {
                let mut stream = TcpStream::connect(address).expect("connected");
                stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").expect("asked");
                let other = stream.try_clone().expect("cloned");
                let flood =
                    thread::spawn(move || while stream.write_all(&vec![b'x'; 1 << 16]).is_ok() {});
                (other, flood)
            })
            .collect();
        for _ in 0..100 {
            let mut stream = TcpStream::connect(address).expect("connected");
            stream.set_read_timeout(Some(PATIENCE / 2)).expect("set");
            stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").expect("asked");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("answered");
            assert!(answer.ends_with("a 1\n"), "{answer}");
        }
        for (stream, flood) in floods {
            let _ = stream.shutdown(Shutdown::Both);
            flood.join().expect("it ends");
        }
    }
}
