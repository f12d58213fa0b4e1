//! The address that a request came from: the peer, or the address that a trusted proxy has reported.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::http::header::HeaderValue;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};

use crate::http::app_state::AppState;
use crate::http::headers::forwarded;

/// The client's address, for events and for counting guesses of credentials.
#[derive(Debug, Clone, Copy)]
pub struct RemoteAddr(pub Option<IpAddr>);

impl RemoteAddr {
    pub fn from_http_request(request: &HttpRequest) -> Self {
        let state = request.app_data::<Data<AppState>>();
        let trusted = state.map_or(&[][..], |state| &state.trusted_proxies);
        // No other header (`Forwarded`, `X-Real-IP`) is read: a proxy that writes only this one passes on the client's own
        // values of the others.
        let lines = request.headers().get_all("x-forwarded-for").map(HeaderValue::as_bytes);
        let peer = request.peer_addr();
        Self(peer.map(|peer| forwarded::client(peer.ip(), &lines.collect::<Vec<_>>(), trusted)))
    }
}

impl FromRequest for RemoteAddr {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::from_http_request(request)))
    }
}
