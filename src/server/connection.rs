//! Connections: given a bounded time to say what they want, and closed so that the last answer arrives.
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a client that is still sending gets to take the answer before the connection is closed.
const LINGER: Duration = Duration::from_secs(30);
/// The same for one that sends nothing more.
const SILENCE: Duration = Duration::from_secs(2);

/// Answers requests until `closing`, then ends when every connection has had the answer that it waits for.
///
/// A connection on which no complete head of a request arrives within `head` is closed, be it new or kept open.
pub async fn serve(mut listener: TcpListener, router: Router, head: Duration, closing: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let (stream, _) = tokio::select! {
            accepted = Listener::accept(&mut listener) => accepted,
            () = closing.cancelled() => break,
        };
        connections.spawn(converse(stream, router.clone(), head, closing.clone()));
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn converse(stream: TcpStream, router: Router, head: Duration, closing: CancellationToken) {
    // Speech goes out when it is made, however little it is.
    let _ = stream.set_nodelay(true);
    let answered = Arc::new(AtomicBool::new(false));
    let stream = TokioIo::new(Lingering { stream: Some(stream), answered: answered.clone() });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .serve_connection(stream, TowerToHyperService::new(router))
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    match ended {
        Ok(()) => answered.store(true, Ordering::Relaxed),
        Err(error) => tracing::debug!("a connection broke: {error}"),
    }
}

/// A connection that is closed in two steps if all was answered: first nothing more is sent, then, when the client has closed
/// its side or some time has passed, nothing more is received.
///
/// A request that is refused before all of it has arrived is answered at once. Were the connection closed then, what the
/// client sends would be met by a reset, and the answer lost (RFC 9112, section 9.6).
struct Lingering {
    stream: Option<TcpStream>,
    answered: Arc<AtomicBool>,
}

impl Drop for Lingering {
    fn drop(&mut self) {
        if !self.answered.load(Ordering::Relaxed) {
            return;
        }
        if let (Some(stream), Ok(runtime)) = (self.stream.take(), Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(LINGER, linger(stream)));
        }
    }
}

async fn linger(mut stream: TcpStream) {
    let mut unread = [0; 16 << 10];
    if std::future::poll_fn(|cx| Pin::new(&mut stream).poll_shutdown(cx)).await.is_err() {
        return;
    }
    while let Ok(Ok(())) = tokio::time::timeout(SILENCE, stream.readable()).await {
        match stream.try_read(&mut unread) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

impl Lingering {
    fn stream(self: Pin<&mut Self>) -> io::Result<Pin<&mut TcpStream>> {
        self.get_mut().stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for Lingering {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }
}
