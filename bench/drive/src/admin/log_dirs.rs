//! How much room topics take on the brokers' disks.

use super::Admin;
use crate::error::DriveError;
use crate::native::control::text;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::{DescribeLogDirsRequest, TopicName};

impl Admin {
    /// Bytes of the logs of the first `partitions` partitions of `topic`, over
    /// all brokers: every replica counts.
    pub fn topic_bytes(&mut self, topic: &str, partitions: u32) -> Result<u64, DriveError> {
        let asked = DescribableLogDirTopic::default()
            .with_topic(TopicName(text(topic)))
            .with_partitions((0..partitions).map(u32::cast_signed).collect());
        let request = DescribeLogDirsRequest::default().with_topics(Some(vec![asked]));
        let mut bytes = 0;
        for address in self.nodes()?.into_values() {
            let response = self.ask_at(&address, &request, (1, 4))?;
            DriveError::check(response.error_code, "DescribeLogDirs", None)?;
            let healthy = response.results.iter().filter(|dir| dir.error_code == 0);
            let topics = healthy.flat_map(|dir| &dir.topics);
            let its = topics.filter(|found| &*found.name.0 == topic);
            let sizes = its.flat_map(|found| &found.partitions);
            bytes += sizes
                .map(|partition| u64::try_from(partition.partition_size).unwrap_or(0))
                .sum::<u64>();
        }
        Ok(bytes)
    }
}
