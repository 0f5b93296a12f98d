//! Writing a cleaned segment, in large pieces.

use super::CleanPlan;
use crate::disk::remove_if_there;
use crate::error::LogError;
use crate::index::AbortedTxn;
use crate::names::{Kind, Stage, segment_path};
use crate::segment::Segment;
use crate::walk::Found;
use plimsoll_wire::batch::BatchHeader;
use plimsoll_wire::types::Offset;

/// Bytes gathered for one write.
const PIECE_BYTES: usize = 1 << 20;

pub(super) struct Writer<'a> {
    plan: &'a CleanPlan,
    segment: Segment,
    piece: Vec<u8>,
    piece_pos: u64,
}

impl<'a> Writer<'a> {
    /// Begins the cleaned segment at `base`, afresh.
    pub(super) fn create(plan: &'a CleanPlan, base: Offset) -> Result<Self, LogError> {
        for kind in [Kind::Log, Kind::Index, Kind::TimeIndex, Kind::TxnIndex] {
            remove_if_there(
                &*plan.disk,
                &segment_path(&plan.dir, base, kind, Stage::Cleaned),
            )?;
        }
        let segment = Segment::create(plan.home(), base, plan.now)?;
        Ok(Self {
            plan,
            segment,
            piece: Vec::new(),
            piece_pos: 0,
        })
    }

    /// Bytes of batches so far.
    pub(super) fn len(&self) -> u64 {
        self.segment.size
    }

    pub(super) fn push(&mut self, batch: &[u8]) -> Result<(), LogError> {
        let pos = self.piece_pos + self.piece.len() as u64;
        let header = BatchHeader::parse(batch).map_err(|why| {
            let path = segment_path(&self.plan.dir, self.segment.base, Kind::Log, Stage::Cleaned);
            LogError::corrupt(&path, format!("at position {pos}: {why}"))
        })?;
        let interval = self.plan.config.index_interval_bytes;
        self.segment
            .note(self.plan.home(), &Found { pos, header }, interval)?;
        self.piece.extend_from_slice(batch);
        if self.piece.len() >= PIECE_BYTES {
            self.write()
        } else {
            Ok(())
        }
    }

    pub(super) fn aborted(&mut self, txn: &AbortedTxn) -> Result<(), LogError> {
        let place = self.plan.home().file(self.segment.base, Kind::TxnIndex);
        self.segment.txns.push(place, txn)
    }

    fn write(&mut self) -> Result<(), LogError> {
        self.segment
            .write_at(self.plan.home(), &self.piece, self.piece_pos)?;
        self.piece_pos += self.piece.len() as u64;
        self.piece.clear();
        Ok(())
    }

    /// Ends the segment, durably but for its names.
    pub(super) fn finish(mut self) -> Result<Segment, LogError> {
        self.write()?;
        let home = self.plan.home();
        self.segment.seal(home)?;
        let mut files = Vec::new();
        // Names are synced when the segment takes its place.
        let _ = self.segment.take_unsynced(home, &mut files)?;
        let place = home.file(self.segment.base, Kind::Log);
        files
            .iter()
            .try_for_each(|file| file.sync())
            .map_err(place.failed("sync"))?;
        self.segment.rest(home)?;
        Ok(self.segment)
    }
}
