//! A read-process-write loop in transactions: each takes a few inputs, writes
//! an output for each, commits the input's offset with them, and is committed
//! or aborted. Now and then the process is lost in the middle, and another
//! with the same transactional id takes over.

use super::Client;
use super::batches::Draft;
use super::directory::Kind;
use super::once::{Identity, Lane, Within};
use super::progress::{Membership, committed};
use super::reader::{Polled, Tail};
use super::txn_wire::{Flow, Wire};
use crate::facts::{Fact, Outcome, Partition, Reader, RecordId, Seen, Txn};
use plimsoll_wire::error_code::ErrorCode;
use std::collections::BTreeMap;

/// Where inputs are.
pub const INPUT: &str = "input";
/// Where outputs go.
pub const OUTPUT: &str = "output";
/// The group whose offsets the loop keeps.
pub const GROUP: &str = "processors";

/// How many of 1000 transactions are given up by their producer.
const ABORTS_IN_THOUSAND: u32 = 200;
/// How many of 1000 transactions lose their process.
const LOST_IN_THOUSAND: u32 = 60;
/// The most inputs of one transaction.
const INPUTS_MAX: usize = 6;

/// Why a transaction did not end as it should.
enum Failed {
    /// It is aborted, and the next may begin.
    Aborted,
    /// The producer has lost its identity and takes a new one.
    Anew,
}

/// The loop's state between transactions.
struct Loop {
    client: Client,
    wire: Wire,
    input: Partition,
    outputs: i32,
    identity: Option<Identity>,
    lanes: BTreeMap<i32, Lane>,
    txns: u32,
    written: u32,
    position: Option<Tail>,
}

/// Processes one partition of the input until all of it is processed.
pub async fn process(mut client: Client, input: i32, outputs: i32) {
    let flow = *client.door.dice.pick(&[Flow::Explicit, Flow::Implicit]);
    let id = format!("processor-{input}");
    let mut it = Loop {
        client,
        wire: Wire { id, flow },
        input: Partition {
            topic: INPUT,
            index: input,
        },
        outputs,
        identity: None,
        lanes: BTreeMap::new(),
        txns: 0,
        written: 0,
        position: None,
    };
    loop {
        if it.identity.is_none() && !it.begin_anew().await {
            continue;
        }
        // What is written after this look is read in a later turn.
        let is_written = it.client.is_input_written();
        match it.read().await {
            Some(inputs) if !inputs.is_empty() => {
                if let Err(Failed::Anew) = it.transact(&inputs).await {
                    it.identity = None;
                }
                // Aborted or not, the committed offset says where to go on.
                it.position = None;
            }
            Some(_) if is_written => break,
            _ => it.client.back_off().await,
        }
    }
    it.client.finish();
}

impl Loop {
    /// Takes the transactional id over: whatever it left undecided ends.
    async fn begin_anew(&mut self) -> bool {
        self.identity = self.wire.init(&mut self.client).await;
        self.lanes.clear();
        self.position = None;
        self.identity.is_some()
    }

    /// The next inputs; none when they cannot be had at the moment.
    async fn read(&mut self) -> Option<Vec<Seen>> {
        if self.position.is_none() {
            let standalone = Membership {
                group: GROUP,
                id: Default::default(),
                epoch: -1,
            };
            let offset = committed(&mut self.client, &standalone, &self.input)
                .await
                .ok()?;
            let reader = Reader {
                id: self.client.door.id().0,
                committed_only: false,
            };
            let offset = offset.max(0);
            let (from, to) = (self.input.clone(), offset);
            self.client.report(&Fact::Repositioned {
                reader,
                from,
                offset: -1,
                to,
            });
            self.position = Some(Tail::new(reader, self.input.clone(), offset));
        }
        let tail = self.position.as_mut()?;
        let (polled, mut inputs) = tail.poll_seen(&mut self.client, 200).await;
        let Polled::Up(end) = polled else { return None };
        if inputs.is_empty() && tail.offset < end {
            return None;
        }
        inputs.truncate(1 + self.client.door.dice.below(INPUTS_MAX));
        Some(inputs)
    }

    /// One transaction.
    async fn transact(&mut self, inputs: &[Seen]) -> Result<(), Failed> {
        self.txns += 1;
        let writer = u32::try_from(self.client.door.id().0).unwrap_or(u32::MAX);
        let txn: Txn = (writer, self.txns);
        self.client.report(&Fact::TxnBegins { txn });
        let outcome = self.fill(txn, inputs).await;
        if self.client.door.dice.chance(LOST_IN_THOUSAND) {
            // The process is gone without a word.
            self.ends(txn, Outcome::Unknown);
            return Err(Failed::Anew);
        }
        let commit = outcome.is_ok() && !self.client.door.dice.chance(ABORTS_IN_THOUSAND);
        let Some(identity) = self.identity else {
            return Err(Failed::Anew);
        };
        match self.wire.end(&mut self.client, identity, commit).await {
            Ok(next) => {
                self.ends(
                    txn,
                    if commit {
                        Outcome::Committed
                    } else {
                        Outcome::Aborted
                    },
                );
                if next != identity {
                    self.identity = Some(next);
                    self.lanes.clear();
                    return outcome;
                }
                // What was given up may yet arrive: as clients do in the older
                // flow, the producer has its epoch raised, so that it comes too
                // late for the next transaction.
                outcome.map_err(|_| Failed::Anew)
            }
            Err(_) => {
                self.ends(txn, Outcome::Unknown);
                Err(Failed::Anew)
            }
        }
    }

    fn ends(&self, txn: Txn, outcome: Outcome) {
        {
            let mut world = self.client.door.world().borrow_mut();
            match outcome {
                Outcome::Committed => world.tally.committed += 1,
                Outcome::Aborted => world.tally.aborted += 1,
                Outcome::Unknown => {}
            }
        }
        self.client.report(&Fact::TxnEnds { txn, outcome });
    }

    /// Writes the outputs and the offset.
    async fn fill(&mut self, txn: Txn, inputs: &[Seen]) -> Result<(), Failed> {
        let identity = self.identity.ok_or(Failed::Anew)?;
        let mut shares: BTreeMap<i32, Vec<Draft>> = BTreeMap::new();
        for input in inputs {
            let Some(id) = input.id else { continue };
            self.written += 1;
            let output = RecordId {
                writer: txn.0,
                number: self.written,
            };
            self.client.report(&Fact::TxnConsumes { txn, id, output });
            let share = i32::try_from(self.client.door.dice.below(self.outputs as usize));
            shares.entry(share.unwrap_or(0)).or_default().push(Draft {
                id: Some(output),
                key: input.key,
                padding: 20,
            });
        }
        let partitions: Vec<i32> = shares.keys().copied().collect();
        if self.wire.flow == Flow::Explicit {
            self.wire
                .add_partitions(&mut self.client, identity, OUTPUT, &partitions)
                .await
                .map_err(|_| Failed::Aborted)?;
        }
        for (index, drafts) in shares {
            self.write(txn, identity, index, drafts).await?;
        }
        let next = inputs.last().map_or(0, |input| input.offset + 1);
        self.wire
            .commit_offset(&mut self.client, identity, GROUP, (&self.input, next))
            .await
            .map_err(|_| Failed::Aborted)
    }

    async fn write(
        &mut self,
        txn: Txn,
        identity: Identity,
        index: i32,
        drafts: Vec<Draft>,
    ) -> Result<(), Failed> {
        let to = Partition {
            topic: OUTPUT,
            index,
        };
        let lane = self
            .lanes
            .entry(index)
            .or_insert_with(|| Lane::new(to, identity));
        let id = self.wire.id.clone();
        let within = Within {
            txn: Some((txn, &id)),
            version: self.wire.flow.produce_version(),
        };
        lane.add(&mut self.client, drafts, within);
        while !lane.is_settled() {
            lane.send(&mut self.client).await;
            if lane.settle(&mut self.client).await.is_err() {
                // The epoch is bumped or the transaction has timed out.
                self.client.forget_coordinator(Kind::Transaction, &id);
                return Err(Failed::Aborted);
            }
        }
        Ok(())
    }
}

impl Client {
    /// Whether every writer but the processors themselves has finished.
    fn is_input_written(&self) -> bool {
        let world = self.door.world().borrow();
        world.shows_all() && world.input_writers == 0
    }
}

/// Whether an error ends the producer's identity.
pub(super) const fn is_fatal(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::ProducerFenced
            | ErrorCode::InvalidProducerEpoch
            | ErrorCode::InvalidTxnState
            | ErrorCode::InvalidProducerIdMapping
            | ErrorCode::TransactionAbortable
            | ErrorCode::UnknownProducerId
    )
}
