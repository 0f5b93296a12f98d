//! What the connections of one worker share, and the account of who is open.

use crate::budget::Budget;
use crate::clock::Clock;
use crate::limits::Limits;
use crate::pool::BufferPool;
use crate::service::Wake as _;
use crate::wake::TaskWake;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the connections of one worker share.
pub struct Context<S> {
    pub service: Arc<S>,
    pub clock: Clock,
    pub limits: Arc<Limits>,
    pub pool: Arc<BufferPool>,
    pub guests: Arc<Guests>,
    pub budget: Arc<Budget>,
}

impl<S> Context<S> {
    /// Whether connections should finish what they have and end.
    pub fn is_stopping(&self) -> bool {
        self.guests.stopping.load(Ordering::Acquire)
    }
}

/// Every open connection of a server.
#[derive(Debug, Default)]
pub struct Guests {
    stopping: AtomicBool,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    next: u64,
    open: HashMap<u64, Arc<TaskWake>>,
    by_ip: HashMap<IpAddr, usize>,
}

/// Why a connection was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `max.connections` is reached.
    #[error("max.connections ({0}) is reached")]
    Full(usize),
    /// `max.connections.per.ip` is reached.
    #[error("max.connections.per.ip ({0}) is reached")]
    FullForIp(usize),
    /// The server stops.
    #[error("the server is stopping")]
    Stopping,
}

impl Guests {
    /// Lets a connection in, until the ticket is dropped.
    pub fn admit(self: &Arc<Self>, peer: SocketAddr, limits: &Limits) -> Result<Ticket, Refusal> {
        if self.stopping.load(Ordering::Acquire) {
            return Err(Refusal::Stopping);
        }
        let mut book = self.book.lock();
        if book.open.len() >= limits.connections_max {
            return Err(Refusal::Full(limits.connections_max));
        }
        let ip = peer.ip();
        if book
            .by_ip
            .get(&ip)
            .is_some_and(|&n| n >= limits.connections_per_ip_max)
        {
            return Err(Refusal::FullForIp(limits.connections_per_ip_max));
        }
        *book.by_ip.entry(ip).or_default() += 1;
        let id = book.next;
        book.next += 1;
        let wake = Arc::new(TaskWake::default());
        book.open.insert(id, Arc::clone(&wake));
        Ok(Ticket {
            guests: Arc::clone(self),
            id,
            ip,
            wake,
        })
    }

    /// How many connections are open.
    pub fn count(&self) -> usize {
        self.book.lock().open.len()
    }

    /// Asks every connection to end, and lets nobody in from now on.
    pub fn dismiss(&self) {
        self.stopping.store(true, Ordering::Release);
        for wake in self.book.lock().open.values() {
            wake.wake();
        }
    }
}

/// A connection's place in the book.
#[derive(Debug)]
pub struct Ticket {
    guests: Arc<Guests>,
    id: u64,
    ip: IpAddr,
    wake: Arc<TaskWake>,
}

impl Ticket {
    /// The wake of the connection's task.
    pub const fn wake(&self) -> &Arc<TaskWake> {
        &self.wake
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut book = self.guests.book.lock();
        book.open.remove(&self.id);
        if let Some(n) = book.by_ip.get_mut(&self.ip) {
            *n -= 1;
            if *n == 0 {
                book.by_ip.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_counted_in_all_and_by_address() {
        let limits = Limits {
            connections_max: 3,
            connections_per_ip_max: 2,
            ..Limits::default()
        };
        let guests = Arc::new(Guests::default());
        let peer = |last: u8| SocketAddr::from(([127, 0, 0, last], 9));
        let mut tickets = Vec::new();
        let mut check = |guests: &Arc<Guests>, last: u8, expected: Result<(), Refusal>| {
            let admitted = guests.admit(peer(last), &limits);
            assert_eq!(admitted.as_ref().map(|_| ()).map_err(|r| *r), expected);
            tickets.extend(admitted);
            tickets.len()
        };
        check(&guests, 1, Ok(()));
        check(&guests, 1, Ok(()));
        check(&guests, 1, Err(Refusal::FullForIp(2)));
        check(&guests, 2, Ok(()));
        check(&guests, 3, Err(Refusal::Full(3)));
        assert_eq!(guests.count(), 3);
        tickets.truncate(1);
        assert_eq!(guests.count(), 1);
        assert!(
            guests.admit(peer(1), &limits).is_ok(),
            "its place is free again"
        );
        guests.dismiss();
        assert_eq!(
            guests.admit(peer(4), &limits).err(),
            Some(Refusal::Stopping)
        );
    }
}
