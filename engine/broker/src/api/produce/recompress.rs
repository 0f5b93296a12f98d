//! Storing a batch in the topic's codec instead of the producer's.

use plimsoll_wire::batch::{
    BatchBuilder, BatchError, BatchHeader, BatchSettings, Producer, records,
};
use plimsoll_wire::compression::Compression;
use plimsoll_wire::frame::REQUEST_MAX_BYTES;

/// The batch with the same records, compressed anew.
pub(crate) fn recompress(
    batch: &[u8],
    header: &BatchHeader,
    compression: Compression,
    level: Option<i32>,
) -> Result<Vec<u8>, BatchError> {
    let mut builder = BatchBuilder::new(BatchSettings {
        base_offset: header.base_offset,
        leader_epoch: header.partition_leader_epoch,
        compression,
        level,
        producer: Producer {
            id: header.producer_id,
            epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
        },
        transactional: header.is_transactional(),
        ..BatchSettings::default()
    });
    let mut scratch = Vec::new();
    for record in records(batch, &mut scratch, REQUEST_MAX_BYTES)? {
        builder.append(&record?);
    }
    Ok(builder.build()?)
}
