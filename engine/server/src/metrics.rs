//! `--metrics HOST:PORT`: what brokers count, over HTTP, in the text format of
//! Prometheus (OpenMetrics 1.0).
//!
//! It has a thread and a runtime of its own, so that a scrape of thousands of
//! logs delays no connection of a client, and a bound on its own connections,
//! so that scrapers that hang cannot pile up.

mod text;

use crate::error::ServerError;
use crate::settings::HostPort;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use plimsoll_broker::metrics::Family;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};

/// Scrapes at once; more wait for their turn.
const SCRAPES_MAX: usize = 8;
/// How long a connection may take for a request's header.
const HEADER_WAIT: Duration = Duration::from_secs(10);
/// How long a connection lasts at the most.
const CONNECTION_MAX: Duration = Duration::from_secs(60);
/// What scrapers are told that they get.
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One node's metrics, whenever it is called.
pub type Source = Box<dyn Fn() -> Vec<Family> + Send + Sync>;

/// The endpoint; it ends when this is stopped.
#[derive(Debug)]
pub struct MetricsEndpoint {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl MetricsEndpoint {
    /// Serves the metrics of these nodes, each with its number. With several,
    /// every sample is labelled with its node's.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn start(listen: &HostPort, nodes: Vec<(String, Source)>) -> Result<Self, ServerError> {
        let listener = crate::server::bind(listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let nodes = Arc::new(nodes);
        let thread = std::thread::Builder::new()
            .name("metrics".into())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = serve(listener, nodes) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        tracing::info!("metrics at http://{address}/metrics");
        Ok(Self {
            address,
            stop,
            thread,
        })
    }

    /// The address that is listened on.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the endpoint and every scrape.
    pub fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the metrics thread panicked");
        }
    }
}

async fn serve(listener: TcpListener, nodes: Arc<Vec<(String, Source)>>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "cannot serve metrics");
            return;
        }
    };
    let turns = Arc::new(Semaphore::new(SCRAPES_MAX));
    loop {
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a scrape");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let nodes = Arc::clone(&nodes);
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let answer = answer(&request, &nodes);
                async { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_WAIT)
                .serve_connection(TokioIo::new(stream), answer);
            match tokio::time::timeout(CONNECTION_MAX, connection).await {
                Ok(Ok(())) | Err(_) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a scrape failed"),
            }
            drop(turn);
        });
    }
}

fn answer(request: &Request<Incoming>, nodes: &[(String, Source)]) -> Response<Full<Bytes>> {
    let refuse = |status: StatusCode, words: &'static str| {
        let mut response = Response::new(Full::new(Bytes::from_static(words.as_bytes())));
        *response.status_mut() = status;
        response
    };
    if request.uri().path() != "/metrics" {
        return refuse(StatusCode::NOT_FOUND, "metrics are at /metrics\n");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "ask with GET\n");
    }
    match text::render(gather(nodes)) {
        Ok(text) => {
            let mut response = Response::new(Full::new(Bytes::from(text)));
            if let Ok(format) = FORMAT.parse() {
                response.headers_mut().insert(CONTENT_TYPE, format);
            }
            response
        }
        Err(_) => refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the metrics cannot be written as text\n",
        ),
    }
}

/// The metrics of all nodes, each family once.
fn gather(nodes: &[(String, Source)]) -> Vec<Family> {
    let label = nodes.len() > 1;
    let mut all: Vec<Family> = Vec::new();
    for (node, report) in nodes {
        for mut family in report() {
            if label {
                for sample in &mut family.samples {
                    sample.labels.push(("node", node.clone()));
                }
            }
            match all.iter_mut().find(|known| known.name == family.name) {
                Some(known) => known.samples.append(&mut family.samples),
                None => all.push(family),
            }
        }
    }
    all
}
