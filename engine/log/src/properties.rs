//! The two property files of a data directory.
//!
//! `meta.properties` says whose directory it is, `partition.metadata` which
//! topic a partition belongs to. Both are replaced whole.

use crate::disk::{Disk, read_whole, replace_whole};
use crate::error::LogError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use plimsoll_wire::types::NodeId;
use std::fmt::Write as _;
use std::path::Path;
use uuid::Uuid;

/// Whose a data directory is: `meta.properties`, version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The cluster, a base64 uuid by convention.
    pub cluster_id: String,
    /// The node.
    pub node_id: NodeId,
    /// The directory itself, as KIP-858 tells several of a node apart.
    pub directory_id: Uuid,
}

/// A uuid as Kafka writes it: 22 characters of base64.
pub fn encode_uuid(id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(id.as_bytes())
}

/// Reads a uuid as Kafka writes it.
pub fn decode_uuid(text: &str) -> Option<Uuid> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
    Uuid::from_slice(&bytes).ok()
}

impl Meta {
    pub(crate) const FILE: &str = "meta.properties";

    pub(crate) fn load(disk: &dyn Disk, path: &Path) -> Result<Option<Self>, LogError> {
        let Some(properties) = Properties::load(disk, path)? else {
            return Ok(None);
        };
        properties.expect("version", "=", "1")?;
        let node = properties.get("node.id", "=")?;
        let directory = properties.get("directory.id", "=")?;
        Ok(Some(Self {
            cluster_id: properties.get("cluster.id", "=")?.to_owned(),
            node_id: NodeId(
                node.parse()
                    .map_err(|_| properties.bad("node.id", node, "an integer"))?,
            ),
            directory_id: decode_uuid(directory)
                .ok_or_else(|| properties.bad("directory.id", directory, "a base64 uuid"))?,
        }))
    }

    pub(crate) fn store(&self, disk: &dyn Disk, path: &Path) -> Result<(), LogError> {
        let mut text = String::from("version=1\n");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "cluster.id={}", self.cluster_id);
        let _ = writeln!(text, "node.id={}", self.node_id);
        let _ = writeln!(text, "directory.id={}", encode_uuid(self.directory_id));
        replace_whole(disk, path, text.as_bytes())
    }
}

const PARTITION_FILE: &str = "partition.metadata";

/// The topic id of the partition in `dir`; `None` when it was never written.
pub fn load_topic_id(disk: &dyn Disk, dir: &Path) -> Result<Option<Uuid>, LogError> {
    let path = dir.join(PARTITION_FILE);
    let Some(properties) = Properties::load(disk, &path)? else {
        return Ok(None);
    };
    properties.expect("version", ":", "0")?;
    let id = properties.get("topic_id", ":")?;
    decode_uuid(id)
        .map(Some)
        .ok_or_else(|| properties.bad("topic_id", id, "a base64 uuid"))
}

/// Writes which topic the partition in `dir` belongs to.
pub fn store_topic_id(disk: &dyn Disk, dir: &Path, id: Uuid) -> Result<(), LogError> {
    let text = format!("version: 0\ntopic_id: {}", encode_uuid(id));
    replace_whole(disk, &dir.join(PARTITION_FILE), text.as_bytes())
}

/// Lines of a key, a separator and a value.
struct Properties<'a> {
    path: &'a Path,
    text: String,
}

impl<'a> Properties<'a> {
    fn load(disk: &dyn Disk, path: &'a Path) -> Result<Option<Self>, LogError> {
        let Some(bytes) = read_whole(disk, path)? else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes)
            .map_err(|_| LogError::corrupt(path, "not text, where properties are"))?;
        Ok(Some(Self { path, text }))
    }

    fn get(&self, key: &str, separator: &str) -> Result<&str, LogError> {
        self.text
            .lines()
            .filter_map(|line| line.split_once(separator))
            .find_map(|(name, value)| (name.trim() == key).then(|| value.trim()))
            .ok_or_else(|| LogError::corrupt(self.path, format!("no line {key}{separator}")))
    }

    fn expect(&self, key: &str, separator: &str, value: &str) -> Result<(), LogError> {
        match self.get(key, separator)? {
            found if found == value => Ok(()),
            found => Err(self.bad(key, found, value)),
        }
    }

    fn bad(&self, key: &str, value: &str, expected: &str) -> LogError {
        LogError::corrupt(self.path, format!("{key} {value:?}, expected {expected}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemDisk;

    fn disk() -> MemDisk {
        let disk = MemDisk::new();
        disk.create_dir_all(Path::new("/d")).unwrap();
        disk
    }

    #[test]
    fn meta_comes_back_as_it_was_stored() {
        let (disk, path) = (disk(), Path::new("/d/meta.properties"));
        assert_eq!(Meta::load(&disk, path).unwrap(), None);
        let meta = Meta {
            cluster_id: "abc=def".to_owned(),
            node_id: NodeId(7),
            directory_id: Uuid::from_u128(3),
        };
        meta.store(&disk, path).unwrap();
        assert_eq!(Meta::load(&disk, path).unwrap(), Some(meta));
    }

    #[test]
    fn a_topic_id_comes_back_as_it_was_stored() {
        let disk = disk();
        let id = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(load_topic_id(&disk, Path::new("/d")).unwrap(), None);
        store_topic_id(&disk, Path::new("/d"), id).unwrap();
        assert_eq!(load_topic_id(&disk, Path::new("/d")).unwrap(), Some(id));
        let text = read_whole(&disk, Path::new("/d/partition.metadata"))
            .unwrap()
            .unwrap();
        assert_eq!(text, b"version: 0\ntopic_id: ASNFZ4mrze8BI0VniavN7w");
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let check = |text: &str, expected: &str| {
            let disk = disk();
            let path = Path::new("/d/meta.properties");
            disk.open(path, crate::Open::Create)
                .unwrap()
                .write_at(text.as_bytes(), 0)
                .unwrap();
            let error = Meta::load(&disk, path).unwrap_err();
            assert_eq!(error.to_string(), format!("/d/meta.properties: {expected}"));
        };
        check("", "no line version=");
        check("version=0\n", "version \"0\", expected 1");
        check(
            "version=1\ncluster.id=c\nnode.id=x\ndirectory.id=\n",
            "node.id \"x\", expected an integer",
        );
    }
}
