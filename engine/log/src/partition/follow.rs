//! Appending as a follower: batches exactly as the leader has them.

use super::{PartitionLog, home};
use crate::error::AppendError;
use crate::walk::Found;
use plimsoll_wire::batch::{self, BatchHeader};
use plimsoll_wire::mutation::{self, Mutation};
use plimsoll_wire::types::{Offset, TimestampMs};

impl PartitionLog {
    /// Appends whole batches as fetched from the leader, offsets, epochs and
    /// timestamps as they are; a batch that is cut off at the end is left out.
    /// Checksums are verified here. The offset after the last batch.
    ///
    /// On an error the batches before the one at fault are in the log.
    pub fn append_follower(
        &mut self,
        batches: &[u8],
        now: TimestampMs,
    ) -> Result<Offset, AppendError> {
        let mut rest = batches;
        while rest.len() >= batch::HEADER_LEN {
            let malformed = |e: batch::BatchError| AppendError::Malformed(e.to_string());
            let header = BatchHeader::parse(rest).map_err(malformed)?;
            let Some((bytes, after)) = rest.split_at_checked(header.total_len()) else {
                break;
            };
            batch::verify_crc(bytes).map_err(malformed)?;
            self.append_as_is(bytes, &header, now)?;
            rest = after;
        }
        self.sync_as_asked(now)?;
        Ok(self.log_end)
    }

    fn append_as_is(
        &mut self,
        bytes: &[u8],
        header: &BatchHeader,
        now: TimestampMs,
    ) -> Result<(), AppendError> {
        if header.base_offset < self.log_end {
            let (offset, log_end) = (header.base_offset, self.log_end);
            return Err(AppendError::OffsetsWentBack { offset, log_end });
        }
        let marker = self.admit(bytes, header)?;
        self.writing(|log| {
            log.roll_for(header, now)?;
            let home = home!(log);
            log.active.write(home, bytes)?;
            let found = Found {
                pos: log.active.size,
                header: *header,
            };
            log.active
                .note(home, &found, log.config.index_interval_bytes)?;
            if mutation::is(Mutation::ForgetSequencesOnFailover) {
                return Ok(());
            }
            log.note_producer(header, marker)
        })?;
        self.epochs
            .note(header.partition_leader_epoch, header.base_offset);
        self.log_end = header.next_offset();
        Ok(())
    }
}
