//! What clients do in the world: they connect, ask, wait and hang up.

use super::network::{ConnId, Way};
use super::node::Node;
use super::{Asked, Broken, ClientId, Event, NodeIx, Place, Question, World};
use bytes::Bytes;
use std::time::Duration;

impl World {
    /// Opens a connection to a node; none when no process listens there.
    pub fn connect(&mut self, from: ClientId, to: NodeIx) -> Option<ConnId> {
        let listens = self.nodes.get(to.0).is_some_and(Node::is_up);
        let (from, to) = (Place::Client(from), Place::Node(to));
        listens.then(|| self.network.connect(from, to, self.now))
    }

    /// A task asks on a connection and waits at most `patience`.
    pub fn ask(&mut self, conn: ConnId, number: i32, frame: Bytes, patience: Duration) -> Asked {
        let asked = (conn, number);
        let task = self.running;
        self.questions
            .insert(asked, Question { task, answer: None });
        self.plan(self.now + patience, Event::Overdue(asked));
        if self.network.is_open(conn, Way::Up) {
            self.send(conn, Way::Up, frame);
        } else {
            self.answer(asked, Err(Broken::Closed));
        }
        asked
    }

    /// A frame leaves without anybody waiting for an answer.
    pub fn tell(&mut self, conn: ConnId, frame: Bytes) {
        self.send(conn, Way::Up, frame);
    }

    /// The answer to a question, once it is there.
    pub fn take_answer(&mut self, asked: Asked) -> Option<Result<Bytes, Broken>> {
        let answer = self.questions.get_mut(&asked)?.answer.take()?;
        self.questions.remove(&asked);
        Some(answer)
    }

    /// Nobody waits for the answer any more.
    pub fn give_up(&mut self, asked: Asked) {
        self.questions.remove(&asked);
    }

    /// Whether a client may still use a connection.
    pub fn is_open(&self, conn: ConnId) -> bool {
        self.network.is_open(conn, Way::Up)
    }

    /// A client closes a connection: whatever it asked there stays unanswered.
    pub fn hang_up(&mut self, conn: ConnId) {
        self.lose(conn, Broken::Closed);
        let travel = self.dice.between(Duration::ZERO, Duration::from_millis(5));
        self.plan(self.now + travel, Event::Hears(conn, Way::Down));
    }

    pub(super) fn lose(&mut self, conn: ConnId, why: Broken) {
        self.network.close(conn, Way::Up);
        let open: Vec<Asked> = self
            .questions
            .range((conn, i32::MIN)..=(conn, i32::MAX))
            .filter(|(_, question)| question.answer.is_none())
            .map(|(asked, _)| *asked)
            .collect();
        for asked in open {
            self.answer(asked, Err(why));
        }
    }

    fn answer(&mut self, asked: Asked, answer: Result<Bytes, Broken>) {
        if let Some(question) = self.questions.get_mut(&asked) {
            question.answer = Some(answer);
            self.ready.push_back(question.task);
        }
    }

    pub(super) fn overdue(&mut self, asked: Asked) {
        let waits = self
            .questions
            .get(&asked)
            .is_some_and(|q| q.answer.is_none());
        if waits {
            self.tally.timeouts += 1;
            self.lose(asked.0, Broken::TimedOut);
            // What the kernel has taken it still delivers, then the end.
            let travel = self
                .dice
                .between(Duration::ZERO, Duration::from_millis(500));
            self.plan(self.now + travel, Event::Hears(asked.0, Way::Down));
        }
    }

    pub(super) fn answer_arrives(&mut self, conn: ConnId, bytes: Bytes) {
        if !self.network.is_open(conn, Way::Up) {
            return;
        }
        self.trace.note(self.now, &(conn, &bytes), || {
            format!("connection {} answers {}", conn.0, answer(&bytes))
        });
        let Some(number) = bytes.first_chunk::<4>().copied().map(i32::from_be_bytes) else {
            return;
        };
        if let Some((Place::Node(ix), _)) = self.network.ends(conn) {
            return self.peer_answers(ix, (conn, number), Ok(bytes));
        }
        self.answer((conn, number), Ok(bytes));
    }

    pub(super) fn client_hears(&mut self, conn: ConnId) {
        if let Some((Place::Node(ix), _)) = self.network.ends(conn) {
            self.peer_hangs_up(ix, conn);
        }
        self.lose(conn, Broken::Closed);
    }
}

/// The longest answer that the trace shows whole, in bytes.
const SHOWN_BYTES_MAX: usize = 110;

/// An answer's bytes in words: its number, and the rest when there is little.
fn answer(bytes: &[u8]) -> String {
    let number = bytes.first_chunk().copied().map_or(-1, i32::from_be_bytes);
    let rest = bytes.get(4..).unwrap_or_default();
    if bytes.len() > SHOWN_BYTES_MAX {
        return format!("#{number}, {} bytes", bytes.len());
    }
    format!("#{number}: {}", rest.escape_ascii())
}
