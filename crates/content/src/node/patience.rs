//! How long a client may let the node wait for it, while it sends a request's body or takes an answer.
//!
//! Waiting is paid for with bytes: a client starts with `silence_timeout` of patience, waiting uses it up, and every byte
//! that moves earns its share of a second back, up to the same amount. So one that stands still is given up after
//! `silence_timeout`, and one that trickles below `bytes_per_s_min` a little later; one that is only slow never is.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

use super::ClientLimits;

/// What is left of the patience with one client.
#[derive(Debug)]
struct Patience {
    left: Duration,
    most: Duration,
    bytes_per_s_min: u64,
    /// Since when it is being waited.
    since: Option<Instant>,
    /// Rings when nothing is left.
    alarm: Pin<Box<Sleep>>,
}

impl Patience {
    fn new(limits: &ClientLimits) -> Self {
        let most = limits.silence_timeout;
        let bytes_per_s_min = limits.bytes_per_s_min.max(1);
        Self { left: most, most, bytes_per_s_min, since: None, alarm: Box::pin(sleep(most)) }
    }

    /// It is being waited; an error when that was for too long.
    fn poll_wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if self.since.is_none() {
            let now = Instant::now();
            self.since = Some(now);
            self.alarm.as_mut().reset(now + self.left);
        }
        self.alarm.as_mut().poll(cx).map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "the client is too slow")))
    }

    /// Bytes moved.
    fn earn(&mut self, bytes: usize) {
        let waited = self.since.take().map_or(Duration::ZERO, |since| since.elapsed());
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let earned = Duration::from_millis(bytes.saturating_mul(1_000) / self.bytes_per_s_min);
        self.left = self.left.saturating_sub(waited).saturating_add(earned).min(self.most);
    }
}

/// A connection whose other side has to take what is written.
#[derive(Debug)]
pub(super) struct PatientStream<S> {
    stream: S,
    patience: Patience,
}

impl<S> PatientStream<S> {
    pub(super) fn new(stream: S, limits: &ClientLimits) -> Self {
        Self { stream, patience: Patience::new(limits) }
    }

    fn poll_written(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => self.patience.poll_wait(cx),
            Poll::Ready(written) => {
                self.patience.earn(*written.as_ref().unwrap_or(&0));
                Poll::Ready(written)
            }
        }
    }
}

/// Reading is not measured here: between requests the header timeout runs, during a body [`PatientBody`] does.
impl<S: AsyncRead + Unpin> AsyncRead for PatientStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PatientStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.poll_written(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.poll_written(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A request's body that has to keep coming while somebody reads it.
#[derive(Debug)]
pub(super) struct PatientBody {
    body: Incoming,
    patience: Patience,
}

impl PatientBody {
    pub(super) fn new(body: Incoming, limits: &ClientLimits) -> Self {
        Self { body, patience: Patience::new(limits) }
    }
}

impl Body for PatientBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Pending => self.patience.poll_wait(cx).map(Some),
            Poll::Ready(frame) => {
                let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()).and_then(Frame::data_ref);
                self.patience.earn(data.map_or(0, Bytes::len));
                Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    fn limits(silence_timeout: Duration, bytes_per_s_min: u64) -> ClientLimits {
        ClientLimits { silence_timeout, bytes_per_s_min, ..ClientLimits::default() }
    }

    #[tokio::test]
    async fn c19_a_reader_that_stands_still_is_given_up() {
        let (stream, _never_reads) = duplex(16);
        let started = Instant::now();
        let mut stream = PatientStream::new(stream, &limits(Duration::from_millis(50), 1));
        let error = stream.write_all(&[0; 17]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // The bytes that fitted were no waiting: the whole patience was there.
        assert!(started.elapsed() >= Duration::from_millis(50));
    }

    /// Writes to somebody who takes a byte every ten milliseconds. Gives how many were taken, and how it ended.
    async fn write_slowly(limits: ClientLimits, bytes: usize) -> (usize, Result<(), io::ErrorKind>) {
        let (stream, mut reader) = duplex(1);
        let reading = async move {
            let mut pace = tokio::time::interval(Duration::from_millis(10));
            for taken in 0.. {
                pace.tick().await;
                if reader.read_exact(&mut [0]).await.is_err() {
                    return taken;
                }
            }
            0
        };
        let writing = async move {
            let mut stream = PatientStream::new(stream, &limits);
            stream.write_all(&vec![0; bytes]).await.map_err(|error| error.kind())
        };
        tokio::join!(reading, writing)
    }

    #[tokio::test]
    async fn c19_a_reader_that_trickles_is_given_up_and_one_that_is_only_slow_is_not() {
        let (taken, written) = write_slowly(limits(Duration::from_millis(200), 10_000), 100_000).await;
        assert_eq!(written, Err(io::ErrorKind::TimedOut), "{taken} bytes");
        // It takes longer than the patience, and earns it as it goes. Ample, for busy machines.
        let written = write_slowly(limits(Duration::from_secs(1), 5), 150).await;
        assert_eq!(written, (150, Ok(())));
    }
}
