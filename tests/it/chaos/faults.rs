//! What a faulty network, and the gateways in it, do to a request.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// One of these decides what becomes of a request: how often it reaches the API, and what its client gets.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    /// How long the request is on its way to the API, even if its client has disconnected.
    pub(super) delay: Duration,
    pub(super) forwarding: Forwarding,
    pub(super) response: Response,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forwarding {
    Never,
    Once,
    /// Two requests at the same time, with the same idempotency key; the first response counts.
    Twice,
    /// Once, this long after its client has got its response.
    Late(Duration),
}

#[derive(Debug, Clone)]
pub(super) enum Response {
    /// The response of the API.
    Relay,
    /// Its beginning: this many thousandths.
    Cut(usize),
    Close,
    Reset,
    /// None; the connection stays open.
    Hang,
    /// None: the client is killed.
    Kill,
    /// A gateway responds in place of the API.
    Gateway(&'static Gateway),
    /// The API refuses the request before it looks at the idempotency key, e.g. while it sheds load.
    Early(&'static Gateway),
}

/// The response of a gateway, or one that the API sends early. Only the latter has the form of the API's errors.
pub(super) struct Gateway {
    status: u16,
    headers: &'static str,
    body: &'static str,
}

const HTML: &str = "content-type: text/html\r\n";
const JSON: &str = "content-type: application/json\r\n";
const NO_WAIT: &str = "content-type: text/html\r\nretry-after: 0\r\n";
const PAGE: &str = "<html><body><h1>The service is not available.</h1></body></html>";

const GATEWAYS: &[Gateway] = &[
    Gateway { status: 502, headers: HTML, body: PAGE },
    Gateway { status: 502, headers: JSON, body: "" },
    Gateway { status: 503, headers: HTML, body: PAGE },
    Gateway { status: 503, headers: HTML, body: "no healthy upstream" },
    Gateway { status: 503, headers: JSON, body: r#"{"error": "upstream connect error"}"# },
    Gateway { status: 503, headers: JSON, body: r#"{"message": "Service Unavailable"}"# },
    Gateway { status: 504, headers: HTML, body: PAGE },
    Gateway { status: 408, headers: JSON, body: r#"{"message": "Request timeout"}"# },
    Gateway { status: 429, headers: NO_WAIT, body: PAGE },
    Gateway { status: 429, headers: JSON, body: r#"{"message": "Too Many Requests"}"# },
    Gateway { status: 401, headers: HTML, body: PAGE },
    Gateway { status: 403, headers: JSON, body: r#"{"message": "Forbidden"}"# },
    Gateway { status: 500, headers: HTML, body: PAGE },
    Gateway { status: 500, headers: JSON, body: r#"{"message": "Internal server error"}"# },
];

const EARLY: &[Gateway] = &[
    Gateway { status: 503, headers: JSON, body: r#"{"key": "overloaded", "status": 503}"# },
    Gateway { status: 429, headers: JSON, body: r#"{"key": "rate_limited", "status": 429}"# },
    Gateway { status: 401, headers: JSON, body: r#"{"message": "no", "status": 401}"# },
];

impl Gateway {
    pub(super) fn bytes(&self) -> String {
        let Self { status, headers, body } = self;
        format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.status, self.body)
    }
}

impl Fault {
    pub(super) const NONE: Self =
        Self { delay: Duration::ZERO, forwarding: Forwarding::Once, response: Response::Relay };

    /// The fault of one request. It follows from the seed, the name of the model and how many requests for it came
    /// before, so that a run can be repeated whatever the order of the requests.
    pub(super) fn choose(seed: u64, name: &str, index: usize) -> Self {
        let mut hasher = DefaultHasher::new();
        (seed, name, index).hash(&mut hasher);
        let mut random = fastrand::Rng::with_seed(hasher.finish());
        if random.u32(..100) < 40 {
            return Self::NONE;
        }
        let milliseconds =
            |random: &mut fastrand::Rng, max| Duration::from_millis(random.u64(..max));
        let response = match random.u32(..100) {
            0..12 => Response::Relay,
            12..24 => Response::Cut(random.usize(..1000)),
            24..32 => Response::Close,
            32..40 => Response::Reset,
            40..45 => Response::Hang,
            45..57 => Response::Kill,
            57..67 => random.choice(EARLY).map_or(Response::Close, Response::Early),
            _ => random.choice(GATEWAYS).map_or(Response::Close, Response::Gateway),
        };
        let forwarding = match response {
            Response::Relay | Response::Cut(_) => {
                *random.choice(&[Forwarding::Once, Forwarding::Twice]).unwrap()
            }
            Response::Early(_) => Forwarding::Never,
            _ => match random.u32(..4) {
                0 => Forwarding::Never,
                1 => Forwarding::Twice,
                2 => Forwarding::Late(milliseconds(&mut random, 1_500)),
                _ => Forwarding::Once,
            },
        };
        let delay =
            if random.u32(..4) == 0 { milliseconds(&mut random, 300) } else { Duration::ZERO };
        Self { delay, forwarding, response }
    }
}
