//! InitProducerId 0–5: an id for an idempotent producer. With a transactional
//! id the transaction coordinator answers instead.

use crate::broker::Broker;
use crate::outcome::Outcome;
use crate::request::Request;
use kafka_protocol::messages::ProducerId as WireProducerId;
use kafka_protocol::messages::init_producer_id_request::InitProducerIdRequest;
use kafka_protocol::messages::init_producer_id_response::InitProducerIdResponse;
use plimsoll_wire::error_code::ErrorCode;
use plimsoll_wire::types::ProducerId;

pub(crate) fn handle(broker: &Broker, request: Request<'_>) -> Outcome {
    request.answer(|request, query: InitProducerIdRequest| {
        let half_known = (query.producer_id.0 == -1) != (query.producer_epoch == -1);
        let made = match &query.transactional_id {
            _ if half_known => Err(ErrorCode::InvalidRequest),
            Some(id) if id.0.is_empty() => Err(ErrorCode::InvalidRequest),
            Some(_) => Err(ErrorCode::CoordinatorNotAvailable),
            None => broker.next_producer_id(request.now),
        };
        let answer = InitProducerIdResponse::default();
        match made {
            Ok(ProducerId(id)) => answer
                .with_producer_id(WireProducerId(id))
                .with_producer_epoch(0),
            Err(code) => answer
                .with_error_code(code.code())
                .with_producer_id(WireProducerId(-1))
                .with_producer_epoch(-1),
        }
    })
}
