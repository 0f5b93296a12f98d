//! Replies that coordinators give later, and the requests that wait for them.
//!
//! A coordinator names each of its replies by a token. Whoever asked holds the
//! [`Slot`] that the reply is put into, and dropping it gives the reply up. A
//! slot is filled once: with the reply, or with the reason why there will be
//! none.

use crate::broker::Broker;
use crate::outcome::{Outcome, Response, Wake};
use crate::parked::{self, Parked};
use parking_lot::Mutex;
use plimsoll_coordinator::Token;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::{Instant, Now};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

/// What a coordinator says, or why it says nothing.
pub(crate) type Answer<R> = Result<R, ErrorCode>;

/// Where one answer is put for the one who waits.
pub(crate) struct Slot<R> {
    answer: Mutex<Option<Answer<R>>>,
    waker: Arc<dyn Wake>,
}

impl<R> Slot<R> {
    /// An empty slot; `waker` is told when it is filled.
    pub(crate) fn new(waker: &Arc<dyn Wake>) -> Arc<Self> {
        Arc::new(Self {
            answer: Mutex::new(None),
            waker: Arc::clone(waker),
        })
    }

    /// Puts the answer in.
    pub(crate) fn fill(&self, answer: Answer<R>) {
        *self.answer.lock() = Some(answer);
        self.waker.wake();
    }

    /// The answer, when it has come.
    pub(crate) fn take(&self) -> Option<Answer<R>> {
        self.answer.lock().take()
    }
}

/// Who waits for one coordinator's replies.
pub(crate) struct Waiting<R> {
    slots: Mutex<BTreeMap<Token, Weak<Slot<R>>>>,
}

impl<R> Default for Waiting<R> {
    fn default() -> Self {
        Self {
            slots: Mutex::default(),
        }
    }
}

impl<R> Waiting<R> {
    pub(crate) fn add(&self, token: Token, slot: &Arc<Slot<R>>) {
        self.slots.lock().insert(token, Arc::downgrade(slot));
    }

    /// Nobody waits for this one any more.
    pub(crate) fn forget(&self, token: Token) {
        self.slots.lock().remove(&token);
    }

    /// Puts a reply where it is waited for. Nobody waits for some: their
    /// connections are gone.
    pub(crate) fn deliver(&self, token: Token, reply: R) {
        let slot = self.slots.lock().remove(&token);
        if let Some(slot) = slot.and_then(|slot| slot.upgrade()) {
            slot.fill(Ok(reply));
        }
    }

    /// The coordinator is gone: everyone is told to look for another.
    pub(crate) fn abandon(&self) {
        let slots = std::mem::take(&mut *self.slots.lock());
        for slot in slots.into_values().filter_map(|slot| slot.upgrade()) {
            slot.fill(Err(ErrorCode::NotCoordinator));
        }
    }
}

/// An answer that is here, or is to come.
pub(crate) enum Pending<R> {
    Here(Answer<R>),
    Coming(Arc<Slot<R>>),
}

impl<R> Pending<R> {
    /// Looks whether the answer has come.
    pub(crate) fn is_here(&mut self) -> bool {
        if let Self::Coming(slot) = self
            && let Some(answer) = slot.take()
        {
            *self = Self::Here(answer);
        }
        matches!(self, Self::Here(_))
    }

    /// The answer, or that the coordinator took too long.
    pub(crate) fn settle(self) -> Answer<R> {
        match self {
            Self::Here(answer) => answer,
            Self::Coming(slot) => slot
                .take()
                .unwrap_or(Err(ErrorCode::CoordinatorNotAvailable)),
        }
    }
}

/// The response once all answers are here, at the latest at `deadline`.
pub(crate) fn respond_later<R: Send + 'static>(
    mut pending: Vec<Pending<R>>,
    deadline: Instant,
    encode: impl FnOnce(Vec<Answer<R>>) -> Response + Send + 'static,
) -> Outcome {
    if are_here(&mut pending) {
        let answers = pending.into_iter().map(Pending::settle);
        return Outcome::Ready(encode(answers.collect()));
    }
    let parked = ParkedReplies {
        pending,
        encode: Some(Box::new(encode)),
    };
    Outcome::Parked(Parked::new(deadline, parked))
}

fn are_here<R>(pending: &mut [Pending<R>]) -> bool {
    pending.iter_mut().all(Pending::is_here)
}

/// Makes a response of answers.
type Encode<R> = Box<dyn FnOnce(Vec<Answer<R>>) -> Response + Send>;

/// A request that waits for coordinators.
struct ParkedReplies<R> {
    pending: Vec<Pending<R>>,
    encode: Option<Encode<R>>,
}

impl<R: Send> parked::Waiting for ParkedReplies<R> {
    fn poll(&mut self, _: &Broker, _: Now, expired: bool) -> Option<Response> {
        if !expired && !are_here(&mut self.pending) {
            return None;
        }
        let answers = std::mem::take(&mut self.pending).into_iter();
        let encode = self.encode.take()?;
        Some(encode(answers.map(Pending::settle).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn waker() -> (Arc<Count>, Arc<dyn Wake>) {
        let count = Arc::new(Count::default());
        let waker: Arc<dyn Wake> = Arc::clone(&count) as Arc<dyn Wake>;
        (count, waker)
    }

    #[test]
    fn a_reply_reaches_the_one_who_waits_and_wakes_him_once() {
        let (count, waker) = waker();
        let waiting = Waiting::default();
        let slot = Slot::new(&waker);
        waiting.add(Token(7), &slot);
        waiting.deliver(Token(8), "another's");
        assert!(slot.take().is_none());
        waiting.deliver(Token(7), "ours");
        waiting.abandon();
        assert_eq!(slot.take(), Some(Ok("ours")));
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn whoever_waits_for_a_coordinator_that_is_gone_looks_for_another() {
        let (_, waker) = waker();
        let waiting = Waiting::<()>::default();
        let (slot, given_up) = (Slot::new(&waker), Slot::new(&waker));
        waiting.add(Token(1), &slot);
        waiting.add(Token(2), &given_up);
        drop(given_up);
        waiting.abandon();
        assert_eq!(slot.take(), Some(Err(ErrorCode::NotCoordinator)));
    }

    #[test]
    fn an_answer_that_does_not_come_says_so() {
        let (_, waker) = waker();
        let slot = Slot::<()>::new(&waker);
        let mut pending = Pending::Coming(Arc::clone(&slot));
        assert!(!pending.is_here());
        let late = Err(ErrorCode::CoordinatorNotAvailable);
        assert_eq!(pending.settle(), late);
        let mut pending = Pending::Coming(slot);
        if let Pending::Coming(slot) = &pending {
            slot.fill(Ok(()));
        }
        assert!(pending.is_here());
        assert_eq!(pending.settle(), Ok(()));
    }
}
