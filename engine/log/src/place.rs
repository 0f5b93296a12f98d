//! Where a file of a segment lies, and handles to it that are opened late.
//!
//! Thousands of partitions rest most of the time: a file is opened when it is
//! first read or written, and its handle can be let go again.

use crate::disk::{Disk, DiskFile, Open};
use crate::error::{LogError, io_error};
use crate::names::{Kind, Stage, segment_path};
use plimsoll_wire::types::Offset;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A partition's directory on its disk.
#[derive(Clone, Copy)]
pub(crate) struct Home<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) dir: &'a Path,
    /// Where the files meant here are on their way.
    pub(crate) stage: Stage,
}

impl<'a> Home<'a> {
    /// The files in use.
    pub(crate) const fn live(disk: &'a dyn Disk, dir: &'a Path) -> Self {
        Self {
            disk,
            dir,
            stage: Stage::Live,
        }
    }
    /// One file of the segment at `base`.
    pub(crate) const fn file(self, base: Offset, kind: Kind) -> Place<'a> {
        Place {
            home: self,
            base,
            kind,
            stage: self.stage,
        }
    }
}

/// A file of a segment.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) home: Home<'a>,
    pub(crate) base: Offset,
    pub(crate) kind: Kind,
    pub(crate) stage: Stage,
}

impl<'a> Place<'a> {
    pub(crate) fn path(&self) -> PathBuf {
        segment_path(self.home.dir, self.base, self.kind, self.stage)
    }

    /// For `map_err`: the failed action on this file.
    pub(crate) fn failed(
        self,
        action: &'static str,
    ) -> impl FnOnce(std::io::Error) -> LogError + use<'a> {
        move |source| io_error(action, &self.path())(source)
    }
}

/// A file that is opened when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct Slot(OnceLock<Arc<dyn DiskFile>>);

impl Slot {
    /// The file, opened to read and write and created when it is missing.
    #[inline]
    pub(crate) fn get(&self, place: Place<'_>) -> Result<&Arc<dyn DiskFile>, LogError> {
        match self.0.get() {
            Some(file) => Ok(file),
            None => self.open(place),
        }
    }

    #[cold]
    fn open(&self, place: Place<'_>) -> Result<&Arc<dyn DiskFile>, LogError> {
        let path = place.path();
        let file = place
            .home
            .disk
            .open(&path, Open::Create)
            .map_err(io_error("open", &path))?;
        Ok(self.0.get_or_init(|| file))
    }

    /// The file, when there is one.
    pub(crate) fn existing(
        &self,
        place: Place<'_>,
    ) -> Result<Option<&Arc<dyn DiskFile>>, LogError> {
        if let Some(file) = self.0.get() {
            return Ok(Some(file));
        }
        let path = place.path();
        match place.home.disk.open(&path, Open::Write) {
            Ok(file) => Ok(Some(self.0.get_or_init(|| file))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(io_error("open", &path)(e)),
        }
    }

    /// Lets the handle go; it is opened again when needed.
    pub(crate) fn close(&mut self) {
        self.0.take();
    }
}
