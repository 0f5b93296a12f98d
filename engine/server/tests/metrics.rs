//! The metrics endpoint, asked over HTTP.

use plimsoll_server::{Given, HostPort, MetricsEndpoint, Server, ServerError, Settings};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn free_port() -> HostPort {
    HostPort {
        host: "127.0.0.1".into(),
        port: 0,
    }
}

#[test]
fn a_scrape_gets_the_nodes_metrics_and_anything_else_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let given = Given {
        listen: Some("127.0.0.1:0".into()),
        data: Some(data.path().to_owned()),
        ..Given::default()
    };
    let server = Server::start(Settings::read(&given).unwrap()).unwrap();
    let endpoint = MetricsEndpoint::start(&free_port(), vec![server.metrics()]).unwrap();
    let answer = ask(endpoint.address(), "GET /metrics");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("content-type: application/openmetrics-text"),
        "{answer}"
    );
    for line in [
        "# TYPE kafka_log_LogFlushStats_LogFlushRateAndTimeMs histogram",
        "kafka_log_LogManager_OfflineLogDirectoryCount 0.0",
        "kafka_controller_KafkaController_ActiveBrokerCount 1.0",
        "kafka_server_socket_server_metrics_connection_count 0.0",
        "# EOF",
    ] {
        assert!(answer.lines().any(|l| l == line), "no {line} in {answer}");
    }
    let check = |request: &str, status: &str| {
        let answer = ask(endpoint.address(), request);
        assert!(answer.starts_with(status), "{request}: {answer}");
    };
    check("GET /", "HTTP/1.1 404 ");
    check("POST /metrics", "HTTP/1.1 405 ");
    endpoint.stop();
    server.shutdown().unwrap();
}

#[test]
fn several_nodes_are_told_apart_and_each_family_is_named_once() {
    use plimsoll_broker::metrics::Family;
    let node = |number: f64| {
        let source = move || vec![Family::level("Level", "How high", number)];
        (
            number.to_string(),
            Box::new(source) as plimsoll_server::Source,
        )
    };
    let endpoint = MetricsEndpoint::start(&free_port(), vec![node(1.0), node(2.0)]).unwrap();
    let answer = ask(endpoint.address(), "GET /metrics");
    let lines: Vec<&str> = answer.lines().filter(|l| l.contains("Level")).collect();
    let expected = [
        "# HELP Level How high",
        "# TYPE Level gauge",
        "Level{node=\"1\"} 1.0",
        "Level{node=\"2\"} 2.0",
    ];
    assert_eq!(lines, expected, "{answer}");
    endpoint.stop();
}

#[test]
fn an_address_that_cannot_be_listened_on_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let listen = HostPort {
        port,
        ..free_port()
    };
    let refused = MetricsEndpoint::start(&listen, Vec::new()).unwrap_err();
    assert!(matches!(&refused, ServerError::Listen { .. }));
    assert!(refused.to_string().contains(&port.to_string()), "{refused}");
    let given = Given {
        metrics: Some("nowhere".into()),
        ..Given::default()
    };
    let refused = Settings::read(&given).unwrap_err().to_string();
    assert_eq!(
        refused,
        "--metrics nowhere: give HOST:PORT, for example 127.0.0.1:9404 or [::1]:0"
    );
}
