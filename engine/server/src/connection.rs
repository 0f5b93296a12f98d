//! One connection: requests in, answers out in the order of their requests.
//!
//! The task runs when bytes arrive, when the socket takes more, when the broker
//! wakes a parked request, or at a deadline. In each run it handles every whole
//! request that has arrived and then writes all answers at once. A request that
//! cannot be answered yet does not hold up the handling of later ones, only
//! their answers.
//!
//! Invariants: at most `pending_max` requests are unanswered and at most
//! `outbound_bytes_max` bytes of answers wait (plus the last one); beyond
//! either the socket is not read, so a slow reader stops itself. Nor is it while
//! the service mutes the peer, whose answers leave meanwhile. Nothing that a
//! peer sends panics: it is answered or the connection closes with a log line.

use crate::arrival::Arrival;
use crate::context::{Context, Ticket};
use crate::handicap::Handicap;
use crate::inbound::Inbound;
use crate::outbound::{FileFailed, Outbound};
use crate::service::{Outcome, Response, Service, Wake};
use crate::stream::Stream;
use crate::timer::Timer;
use crate::wake::TaskWake;
use plimsoll_wire::frame::FrameError;
use plimsoll_wire::time::{Instant, Now};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{self, Poll, ready};
use std::time::Duration;

/// How many reads one run of the task makes before others get their turn.
const ROUNDS_MAX: usize = 16;

/// When a parked request is asked again that had no answer at its deadline.
const OVERDUE_RETRY: Duration = Duration::from_millis(5);

/// A request in the order of arrival.
struct Slot<P> {
    asked: Asked,
    answer: Answer<P>,
}

/// What a slot holds.
enum Answer<P> {
    Ready(Response),
    Parked(P),
}

/// Which API a request asked, and when.
#[derive(Clone, Copy)]
struct Asked {
    api: i16,
    at: Instant,
}

/// Why a connection ended.
enum End {
    /// The peer closed it, or the server is stopping.
    Closed,
    /// Nothing moved for the idle time.
    Idle,
    /// The peer sent what is not a frame.
    Frame(FrameError),
    /// The broker gave up on it.
    Refused(Box<dyn fmt::Display + Send>),
    /// The socket or a file failed.
    Io(io::Error),
}

/// What a look at the socket brought.
enum Arrived {
    Something,
    Nothing,
    Eof,
}

/// A connection and everything it holds.
pub struct Connection<S: Service> {
    stream: Stream,
    peer: SocketAddr,
    context: Arc<Context<S>>,
    session: S::Session,
    inbound: Inbound,
    /// Whether this peer may send less than the limit of all.
    narrow: bool,
    pending: VecDeque<Slot<S::Parked>>,
    outbound: Outbound,
    /// Requests whose answers go out with the next write.
    answered: Vec<Asked>,
    task: Arc<TaskWake>,
    waker: Arc<dyn Wake>,
    timer: Timer,
    /// What is claimed of the budget for the frame that is being read.
    claimed: usize,
    /// When a byte last moved in either direction.
    active: Instant,
    /// Set when no more requests are taken: what is ready leaves, then it ends.
    leaving: Option<End>,
    _ticket: Ticket,
}

impl<S: Service> Connection<S> {
    /// Takes over a socket that was just accepted.
    pub fn new(arrival: Arrival, stream: Stream, context: Arc<Context<S>>) -> Self {
        let Arrival {
            peer,
            entrance,
            ticket,
            ..
        } = arrival;
        let task = Arc::clone(ticket.wake());
        let session = context.service.connect(peer, entrance);
        let narrow = context.service.frame_bytes_max(&session);
        let limit = context.limits.frame_bytes_max;
        Self {
            session,
            inbound: Inbound::new(narrow.map_or(limit, |narrow| narrow.min(limit))),
            narrow: narrow.is_some(),
            pending: VecDeque::new(),
            outbound: Outbound::default(),
            answered: Vec::new(),
            waker: Arc::clone(&task) as Arc<dyn Wake>,
            task,
            timer: Timer::default(),
            claimed: 0,
            active: context.clock.now().mono,
            leaving: None,
            stream,
            peer,
            context,
            _ticket: ticket,
        }
    }

    /// Serves the connection to its end.
    pub async fn serve(mut self) {
        let handicap = Handicap::of(self.context.limits.test_only_slowdown);
        let end = poll_fn(|cx| {
            let end = self.run(cx);
            if let Some(handicap) = handicap {
                handicap.burn();
            }
            end
        })
        .await;
        self.stream.close();
        self.log(&end);
    }

    /// One run of the task.
    fn run(&mut self, cx: &mut task::Context<'_>) -> Poll<End> {
        self.task.take(cx.waker());
        if self.context.is_stopping() && self.leaving.is_none() {
            self.leave(End::Closed);
        }
        for _ in 0..ROUNDS_MAX {
            let now = self.context.clock.now();
            self.release(now);
            for asked in self.answered.drain(..) {
                let took = now.mono.since(asked.at);
                self.context.service.answered(asked.api, took);
            }
            let flushed = match self.flush(cx, now) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(e)) => return Poll::Ready(self.lost(e)),
                Poll::Pending => false,
            };
            if flushed && let Some(end) = self.leaving.take() {
                return Poll::Ready(end);
            }
            let arrived = if self.takes_requests(now) {
                self.take(cx, now)
            } else {
                Ok(Arrived::Nothing)
            };
            match arrived {
                Ok(Arrived::Something) => {}
                Ok(Arrived::Eof) => self.leave(End::Closed),
                Ok(Arrived::Nothing) => {
                    self.inbound.rest(&self.context.pool);
                    return self.wait(cx, now);
                }
                Err(end) => self.leave(end),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// What a failed write comes from: the socket, or the file that was sent.
    fn lost(&self, error: io::Error) -> End {
        match error.downcast::<FileFailed>() {
            Ok(FileFailed { path, source }) => {
                self.context.service.file_failed(&path, source);
                End::Closed
            }
            Err(error) => End::Io(error),
        }
    }

    /// No request is taken any more and none that is parked is waited for.
    fn leave(&mut self, end: End) {
        let ready = self
            .pending
            .iter()
            .take_while(|slot| matches!(slot.answer, Answer::Ready(_)))
            .count();
        self.pending.truncate(ready);
        self.leaving = Some(end);
    }

    fn takes_requests(&self, now: Now) -> bool {
        self.leaving.is_none()
            && self.muted_until() <= now.mono
            && self.pending.len() < self.context.limits.pending_max
            && self.outbound.held_bytes() < self.context.limits.outbound_bytes_max
    }

    /// Until when the peer is not listened to.
    fn muted_until(&self) -> Instant {
        self.context.service.muted_until(&self.session)
    }

    /// Moves answers whose turn has come to the way out.
    fn release(&mut self, now: Now) {
        while let Some(front) = self.pending.front_mut() {
            if let Answer::Parked(parked) = &mut front.answer {
                match self.context.service.poll(now, parked) {
                    Some(response) => front.answer = Answer::Ready(response),
                    None => return,
                }
            }
            if let Some(slot) = self.pending.pop_front()
                && let Answer::Ready(response) = slot.answer
            {
                self.answered.push(slot.asked);
                self.outbound.push(response);
            }
        }
    }

    /// Handles the requests that are here; without any, reads once.
    fn take(&mut self, cx: &mut task::Context<'_>, now: Now) -> Result<Arrived, End> {
        let mut handled = false;
        while self.takes_requests(now) {
            let Some(frame) = self.inbound.frame().map_err(End::Frame)? else {
                break;
            };
            handled = true;
            self.context
                .budget
                .give_back(std::mem::take(&mut self.claimed));
            let asked = Asked {
                api: frame
                    .first_chunk()
                    .map_or(-1, |api| i16::from_be_bytes(*api)),
                at: now.mono,
            };
            let slot = |answer| Slot { asked, answer };
            match self
                .context
                .service
                .handle(now, &mut self.session, frame, &self.waker)
            {
                Outcome::Ready(response) if self.pending.is_empty() => {
                    self.answered.push(asked);
                    self.outbound.push(response);
                }
                Outcome::Ready(response) => self.pending.push_back(slot(Answer::Ready(response))),
                Outcome::Parked(parked) => self.pending.push_back(slot(Answer::Parked(parked))),
                Outcome::NoReply => {}
                Outcome::Last(response, reason) => {
                    self.pending.push_back(slot(Answer::Ready(response)));
                    self.release(now);
                    return Err(End::Refused(reason));
                }
                Outcome::Close(reason) => return Err(End::Refused(reason)),
            }
            if self.narrow {
                self.widen();
            }
        }
        if handled {
            Ok(Arrived::Something)
        } else {
            self.read(cx, now).map_err(End::Io)
        }
    }

    /// Lifts the limit on a peer's frames once its service does.
    fn widen(&mut self) {
        let narrow = self.context.service.frame_bytes_max(&self.session);
        if narrow.is_none() {
            self.narrow = false;
            self.inbound.limit(self.context.limits.frame_bytes_max);
        }
    }

    fn read(&mut self, cx: &mut task::Context<'_>, now: Now) -> io::Result<Arrived> {
        if self.claimed == 0
            && let Some(bytes) = self.inbound.claim()
        {
            if !self.context.budget.claim(bytes, &self.task) {
                return Ok(Arrived::Nothing);
            }
            self.claimed = bytes;
        }
        let mut room = self.inbound.room(&self.context.pool);
        match self.stream.poll_read(cx, &mut room)? {
            Poll::Ready(0) => Ok(Arrived::Eof),
            Poll::Ready(_) => {
                self.active = now.mono;
                Ok(Arrived::Something)
            }
            Poll::Pending => Ok(Arrived::Nothing),
        }
    }

    fn flush(&mut self, cx: &mut task::Context<'_>, now: Now) -> Poll<io::Result<()>> {
        while !self.outbound.is_empty() {
            let mut written = 0;
            let result = self.stream.write(&mut self.outbound, &mut written);
            if written > 0 {
                self.active = now.mono;
            }
            match result {
                Ok(()) if self.outbound.is_empty() => break,
                Ok(()) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.stream.poll_write_ready(cx))?;
                }
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
        self.stream.poll_flush(cx)
    }

    /// Waits for the next event, or ends the connection that had none for too
    /// long. A connection that waits for an answer is not idle.
    fn wait(&mut self, cx: &mut task::Context<'_>, now: Now) -> Poll<End> {
        let muted = self.muted_until();
        let idle = self.active.max(muted).after(self.context.limits.idle);
        let next = match self.pending.front() {
            Some(Slot {
                answer: Answer::Parked(parked),
                ..
            }) => S::deadline(parked).max(now.mono.after(OVERDUE_RETRY)),
            _ if now.mono >= idle => return Poll::Ready(End::Idle),
            _ => idle,
        };
        let next = match muted > now.mono {
            true => next.min(muted),
            false => next,
        };
        if self.timer.arm(cx, &self.context.clock, next).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn log(&self, end: &End) {
        let peer = self.peer;
        match end {
            End::Closed => tracing::debug!(%peer, "connection closed"),
            End::Idle => {
                tracing::debug!(%peer, idle = ?self.context.limits.idle, "idle connection closed")
            }
            End::Frame(error) => tracing::warn!(%peer, "connection closed: {error}"),
            End::Refused(reason) => tracing::warn!(%peer, "connection closed: {reason}"),
            End::Io(error) => tracing::debug!(%peer, "connection lost: {error}"),
        }
    }
}

impl<S: Service> Drop for Connection<S> {
    fn drop(&mut self) {
        self.context.budget.give_back(self.claimed);
    }
}
