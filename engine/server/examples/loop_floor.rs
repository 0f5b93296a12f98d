//! The floor's work behind the connection loop: what the loop itself costs.
//!
//! `loop_floor DIR` does what the `floor` program does, and speaks as it does,
//! but its sockets are those of `plimsoll_server::Net`. Frames of 12 bytes are
//! requests for a range of the file; all others are checksummed, written and
//! answered. It ends when its standard input does.

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use plimsoll_log::{Disk as _, DiskFile, FileRange, Open, OsDisk};
use plimsoll_server::{Clock, Limits, Net, Outcome, Part, Response, Service, Wake};
use plimsoll_wire::batch::crc32c;
use plimsoll_wire::time::{Instant, Now};
use std::hint::black_box;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

struct Floor {
    dir: PathBuf,
    newest: Mutex<Option<(u64, Arc<dyn DiskFile>)>>,
}

/// A connection: where its next frame is written.
#[derive(Default)]
struct Session {
    file: Option<Arc<dyn DiskFile>>,
    position: u64,
}

impl Floor {
    fn next_file(&self) -> io::Result<Arc<dyn DiskFile>> {
        let mut newest = self.newest.lock();
        let number = newest.as_ref().map_or(0, |(number, _)| *number) + 1;
        let path = self.dir.join(format!("floor-{number}.data"));
        let file = OsDisk.open(&path, Open::Truncate)?;
        *newest = Some((number, Arc::clone(&file)));
        Ok(file)
    }

    fn store(&self, session: &mut Session, frame: &[u8]) -> io::Result<Response> {
        let file = match &session.file {
            Some(file) => file,
            None => session.file.insert(self.next_file()?),
        };
        black_box(crc32c(frame));
        file.write_at(frame, session.position)?;
        session.position += frame.len() as u64;
        let mut answer = vec![0, 0, 0, 4];
        answer.extend(&frame[4..8]);
        Ok(Response::of(vec![Part::Bytes(answer.into())]))
    }

    fn range(&self, request: [u8; 12]) -> Option<Response> {
        let [p0, p1, p2, p3, p4, p5, p6, p7, length @ ..] = request;
        let pos = u64::from_be_bytes([p0, p1, p2, p3, p4, p5, p6, p7]);
        let file = Arc::clone(&self.newest.lock().as_ref()?.1);
        let range = FileRange {
            file,
            pos,
            len: u32::from_be_bytes(length).into(),
        };
        let parts = vec![
            Part::Bytes(Bytes::copy_from_slice(&length)),
            Part::File(range),
        ];
        Some(Response::of(parts))
    }
}

impl Service for Floor {
    type Session = Session;
    type Parked = ();

    fn connect(&self, _peer: SocketAddr, _entrance: usize) -> Session {
        Session::default()
    }

    fn handle(
        &self,
        _now: Now,
        session: &mut Session,
        frame: BytesMut,
        _wake: &Arc<dyn Wake>,
    ) -> Outcome<()> {
        if let Ok(request) = <[u8; 12]>::try_from(&frame[..]) {
            return match self.range(request) {
                Some(response) => Outcome::Ready(response),
                None => Outcome::Close(Box::new("nothing was produced yet")),
            };
        }
        if frame.len() < 8 {
            return Outcome::Close(Box::new("a frame of less than 8 bytes"));
        }
        match self.store(session, &frame) {
            Ok(response) => Outcome::Ready(response),
            Err(error) => Outcome::Close(Box::new(error)),
        }
    }

    fn poll(&self, _now: Now, _parked: &mut ()) -> Option<Response> {
        None
    }

    fn deadline(_parked: &()) -> Instant {
        Instant::default()
    }
}

fn main() -> io::Result<()> {
    let dir = std::env::args_os().nth(1).map(PathBuf::from);
    let dir = dir.ok_or_else(|| io::Error::other("usage: loop_floor DIR"))?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let service = Arc::new(Floor {
        dir,
        newest: Mutex::new(None),
    });
    let net = Net::start(
        vec![listener.into()],
        &service,
        Limits::default(),
        Clock::start(),
    )?;
    println!("ready {0} {0}", net.addrs()[0]);
    io::copy(&mut io::stdin(), &mut io::sink())?;
    net.stop();
    Ok(())
}
