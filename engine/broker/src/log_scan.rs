//! Reading a log from its start, as the broker does with logs of its own:
//! metadata, offsets, transactions.

use crate::error::BrokerError;
use plimsoll_log::PartitionLog;
use plimsoll_wire::batch::BatchHeader;
use plimsoll_wire::types::Offset;

/// How much is read at once.
const READ_BYTES: usize = 1 << 20;

/// The most a batch of the broker's own may decompress to.
pub(crate) const OWN_BATCH_BYTES_MAX: usize = 128 << 20;

/// Hands every batch of the log to `visit`, in order.
pub(crate) fn for_each_batch(
    log: &PartitionLog,
    mut visit: impl FnMut(&BatchHeader, &[u8]) -> Result<(), BrokerError>,
) -> Result<(), BrokerError> {
    let name = || log.dir().display().to_string();
    let mut from = log.log_start();
    let mut bytes = Vec::new();
    while from < log.log_end() {
        let read = |reason: String| BrokerError::Read {
            log: name(),
            offset: from,
            reason,
        };
        let slices = log
            .read(from, READ_BYTES, true, log.log_end())
            .map_err(|error| read(error.to_string()))?;
        if slices.is_empty() {
            break;
        }
        bytes.clear();
        for range in slices.iter() {
            range
                .read_into(&mut bytes)
                .map_err(|error| read(error.to_string()))?;
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let broken = |source| BrokerError::Batch {
                log: name(),
                offset: from,
                source,
            };
            let header = BatchHeader::parse(rest).map_err(broken)?;
            let Some((batch, after)) = rest.split_at_checked(header.total_len()) else {
                break;
            };
            visit(&header, batch)?;
            rest = after;
        }
        from = next_after(from, slices.next_offset());
    }
    Ok(())
}

/// Where to go on; always further, so that reading ends.
fn next_after(from: Offset, next: Offset) -> Offset {
    next.max(from.plus(1))
}
