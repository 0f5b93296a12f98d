//! Requests that wait for a coordinator's reply.

use crate::broker::Broker;
use crate::outcome::{Response, Wake};
use crate::parked;
use parking_lot::Mutex;
use plimsoll_coordinator::{Reply, Token};
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::time::Now;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Makes a response of a reply.
pub(super) type Encode = Box<dyn FnOnce(Result<Reply, ErrorCode>) -> Response + Send>;

/// Where a reply is put for the one who waits.
pub(super) struct Slot {
    reply: Mutex<Option<Reply>>,
    /// The coordinator is not here any more.
    gone: AtomicBool,
    waker: Arc<dyn Wake>,
}

impl Slot {
    pub(super) fn new(waker: Arc<dyn Wake>) -> Arc<Self> {
        Arc::new(Self {
            reply: Mutex::new(None),
            gone: AtomicBool::new(false),
            waker,
        })
    }

    /// The reply, when it has come.
    pub(super) fn take(&self) -> Option<Reply> {
        self.reply.lock().take()
    }
}

/// Who waits for a coordinator's replies.
#[derive(Default)]
pub(super) struct Waiting {
    slots: Mutex<HashMap<Token, Arc<Slot>>>,
}

impl Waiting {
    pub(super) fn add(&self, token: Token, slot: &Arc<Slot>) {
        self.slots.lock().insert(token, Arc::clone(slot));
    }

    /// The coordinator is gone: everyone is told to look for another.
    pub(super) fn abandon(&self) {
        for (_, slot) in self.slots.lock().drain() {
            slot.gone.store(true, Ordering::Release);
            slot.waker.wake();
        }
    }

    pub(super) fn forget(&self, token: Token) {
        self.slots.lock().remove(&token);
    }

    /// Puts a reply where it is waited for. Nobody waits for some: their
    /// connections are gone.
    pub(super) fn deliver(&self, token: Token, reply: Reply) {
        let slot = self.slots.lock().remove(&token);
        if let Some(slot) = slot {
            *slot.reply.lock() = Some(reply);
            slot.waker.wake();
        }
    }
}

/// A request to a coordinator whose reply comes later.
pub(super) struct ParkedGroup<F: FnMut() + Send> {
    slot: Arc<Slot>,
    encode: Option<Encode>,
    forget: F,
}

impl<F: FnMut() + Send> ParkedGroup<F> {
    pub(super) fn new(slot: Arc<Slot>, encode: Encode, forget: F) -> Self {
        Self {
            slot,
            encode: Some(encode),
            forget,
        }
    }
}

impl<F: FnMut() + Send> parked::Waiting for ParkedGroup<F> {
    fn poll(&mut self, _: &Broker, _: Now, _: bool) -> Option<Response> {
        let reply = match self.slot.take() {
            Some(reply) => Ok(reply),
            None if self.slot.gone.load(Ordering::Acquire) => Err(ErrorCode::NotCoordinator),
            None => return None,
        };
        self.encode.take().map(|encode| encode(reply))
    }
}

impl<F: FnMut() + Send> Drop for ParkedGroup<F> {
    fn drop(&mut self) {
        (self.forget)();
    }
}
