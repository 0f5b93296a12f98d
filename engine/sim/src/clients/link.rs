//! A client's connections and its questions.

use crate::clients::directory::Directory;
use crate::facts::Fact;
use crate::moment::Moment;
use crate::tasks::{Answer, Door, Sleep};
use crate::world::network::ConnId;
use crate::world::node::START_MS;
use crate::world::{Broken, NodeIx};
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable};
use plimsoll_wire::api::ApiKey;
use plimsoll_wire::header::{RequestHeader, decode_response};
use plimsoll_wire::types::TimestampMs;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a client waits for an ordinary answer.
pub const PATIENCE: Duration = Duration::from_secs(4);
/// How long a client rests before it tries again.
pub const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));

/// One machine: what every actor is made of.
pub struct Client {
    /// The way to the world.
    pub door: Door,
    /// Who leads what, as far as this client knows.
    pub directory: Directory,
    name: String,
    conns: BTreeMap<NodeIx, ConnId>,
    asked: i32,
}

/// A question's bytes, after its header.
pub struct Question {
    /// The API.
    pub api: ApiKey,
    /// The version.
    pub version: i16,
    /// The body.
    pub body: Bytes,
}

impl Question {
    /// A message of the library's.
    ///
    /// # Panics
    /// When the message has a field that the version lacks, which is a fault of
    /// the actor.
    pub fn of<Q: Encodable>(api: ApiKey, version: i16, query: &Q) -> Self {
        let mut body = BytesMut::new();
        query
            .encode(&mut body, version)
            .expect("an actor fills only what the version carries");
        Self {
            api,
            version,
            body: body.freeze(),
        }
    }
}

impl Client {
    /// A client without connections.
    pub fn new(door: Door, name: &str) -> Self {
        let nodes = door.world().borrow().nodes().len();
        Self {
            directory: Directory::new(nodes),
            name: format!("{name}-{}", door.id().0),
            conns: BTreeMap::new(),
            asked: 0,
            door,
        }
    }

    /// What the client calls itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells the checkers something.
    pub fn report(&self, fact: &Fact) {
        self.door.report(fact);
    }

    /// Whether clients should finish what they have begun.
    pub fn is_over(&self) -> bool {
        self.door.is_over()
    }

    /// Whether every writer has finished, so that no more will come.
    pub fn is_all_written(&self) -> bool {
        let world = self.door.world().borrow();
        world.shows_all() && world.writers == 0
    }

    /// The instant.
    pub fn now(&self) -> Moment {
        self.door.now()
    }

    /// The time by the client's own clock, which does not jump.
    pub fn wall(&self) -> TimestampMs {
        let ms = i64::try_from(self.now().elapsed().as_millis()).unwrap_or(i64::MAX);
        TimestampMs(START_MS + ms)
    }

    /// Waits.
    pub fn sleep(&self, time: Duration) -> Sleep {
        self.door.sleep(time)
    }

    /// Rests before trying again.
    pub fn back_off(&mut self) -> Sleep {
        self.door.doze(BACKOFF.0, BACKOFF.1)
    }

    /// The client's connection to a node, opened when there is none.
    fn conn(&mut self, node: NodeIx) -> Option<ConnId> {
        if let Some(conn) = self.conns.get(&node)
            && self.door.world().borrow().is_open(*conn)
        {
            return Some(*conn);
        }
        let conn = self.door.connect(node)?;
        self.conns.insert(node, conn);
        Some(conn)
    }

    fn frame(&mut self, question: &Question) -> (i32, Bytes) {
        self.asked += 1;
        let header = RequestHeader {
            spec: question.api.spec(),
            version: question.version,
            correlation_id: self.asked,
            client_id: Some(&self.name),
        };
        let mut frame = BytesMut::with_capacity(64 + question.body.len());
        header.encode(&mut frame);
        frame.extend_from_slice(&question.body);
        (self.asked, frame.freeze())
    }

    /// Asks and does not wait yet; none when nobody listens there.
    pub fn post(
        &mut self,
        node: NodeIx,
        question: &Question,
        patience: Duration,
    ) -> Option<Answer> {
        let conn = self.conn(node)?;
        let (number, frame) = self.frame(question);
        Some(self.door.ask(conn, number, frame, patience))
    }

    /// Asks what has no answer.
    pub fn tell(&mut self, node: NodeIx, question: &Question) -> bool {
        let Some(conn) = self.conn(node) else {
            return false;
        };
        let (_, frame) = self.frame(question);
        self.door.world().borrow_mut().tell(conn, frame);
        true
    }

    /// Asks and waits for the bytes of the answer's body.
    pub async fn ask_raw(
        &mut self,
        node: NodeIx,
        question: &Question,
        patience: Duration,
    ) -> Result<Bytes, Broken> {
        let Some(answer) = self.post(node, question, patience) else {
            self.back_off().await;
            return Err(Broken::Closed);
        };
        Ok(body(question, &answer.await?))
    }

    /// Asks and waits for a message of the library's.
    pub async fn ask<Q: Encodable, R: Decodable>(
        &mut self,
        node: NodeIx,
        (api, version): (ApiKey, i16),
        query: &Q,
    ) -> Result<R, Broken> {
        self.ask_patiently(node, (api, version), query, PATIENCE)
            .await
    }

    /// Asks and waits for longer than usual.
    pub async fn ask_patiently<Q: Encodable, R: Decodable>(
        &mut self,
        node: NodeIx,
        (api, version): (ApiKey, i16),
        query: &Q,
        patience: Duration,
    ) -> Result<R, Broken> {
        let question = Question::of(api, version, query);
        let mut bytes = self.ask_raw(node, &question, patience).await?;
        Ok(R::decode(&mut bytes, version)
            .unwrap_or_else(|error| panic!("{api} {version} cannot be decoded: {error:#}")))
    }
}

/// The body of an answer.
///
/// # Panics
/// When the answer has no header.
pub fn body(question: &Question, answer: &Bytes) -> Bytes {
    let (_, at) = decode_response(question.api.spec(), question.version, answer)
        .expect("an answer begins with its header");
    answer.slice(at..)
}
