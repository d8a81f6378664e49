//! A fault rule: which operations, what happens to their requests, and how often.
//!
//! Every form of a rule (a flag, TOML, JSON) is a selector of operations and a list of properties as text, which `FaultRule::new`
//! validates.

use std::fmt;
use std::time::Duration;

use axum::http::StatusCode;

use crate::sandbox::contract;

/// Operations whose work may become a job.
const JOB_OPERATIONS: [&str; 4] = ["create_model", "update_model", "preview_model", "sample_model"];

const FAULTS: [&str; 11] = [
    "status",
    "delay",
    "hang",
    "cut",
    "reset",
    "gateway",
    "html",
    "invalid_json",
    "fail_job",
    "endless_job",
    "rate_limit",
];
const OTHERS: [&str; 6] = ["retry_after", "times", "skip", "probability", "seed", "carry_out"];

const MAX_DELAY: Duration = Duration::from_secs(60 * 60);
const MAX_MESSAGE_CHARACTERS: usize = 500;
/// Jaro-Winkler similarity from which a name is suggested.
const MIN_SIMILARITY: f64 = 0.8;

/// What happens to a request.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sandbox) enum Fault {
    /// An error response of the API.
    Status {
        status: StatusCode,
        retry_after: Option<u64>,
    },
    Delay(Duration),
    /// No response; the connection stays open.
    Hang,
    /// The body ends after this many bytes, or in the middle, before the `Content-Length` is reached.
    Cut(Option<usize>),
    /// The connection is reset.
    Reset,
    /// The request is carried out, and a gateway responds with its own page.
    Gateway(StatusCode),
    /// A page with status 200.
    Html,
    /// A JSON text with status 200 that ends too early.
    InvalidJson,
    Job(JobFault),
    /// 429 for what exceeds this many requests per second.
    RateLimit {
        requests: u32,
        retry_after: u64,
    },
}

/// What happens to the job of a request, which then is not done within the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox) enum JobFault {
    Fail(String),
    /// It runs forever.
    Endless,
}

/// A rule of the sandbox that injects faults, for example `create_model:status=503,retry_after=2,times=3`.
///
/// A rule is `OPERATIONS:FAULT` with further properties after commas. Operations are an id such as `create_model`, a pattern
/// such as `*_model`, or `*`. The faults:
///
/// | fault | what happens |
/// |---|---|
/// | `status=503` | an error response of the API, 400 to 599, with `retry_after=SECONDS` if that is there |
/// | `delay=500ms` | the request waits first; with `carry_out`, its response does |
/// | `hang` | there is no response, and the connection stays open |
/// | `cut`, `cut=100` | the request is carried out; the body of the response ends in the middle, or after so many bytes |
/// | `reset` | the connection is reset |
/// | `gateway`, `gateway=504` | the request is carried out, and a gateway responds with its own page, 502 by default |
/// | `html`, `invalid_json` | a response with status 200 that is a page, or JSON that ends too early |
/// | `fail_job`, `fail_job=MESSAGE` | the work becomes a job, which fails |
/// | `endless_job` | the work becomes a job, which runs forever |
/// | `rate_limit=10` | more requests per second get 429, with `retry_after=1` by default |
///
/// The properties that any fault takes: `times=3` (at most so often), `skip=5` (not for the first ones), `probability=0.1` with
/// `seed=7`. `carry_out` lets the request take effect, for `status`, `delay`, `hang`, `reset`, `html` and `invalid_json`.
///
/// Parse one with [`str::parse`], and the TOML of a file with [`FaultRule::parse_toml`].
#[derive(Debug, Clone, PartialEq)]
pub struct FaultRule {
    /// The rule as a flag has it.
    text: String,
    operations: String,
    pub(super) fault: Fault,
    /// Whether the request takes effect although it fails.
    pub(super) carry_out: bool,
    /// How often it applies at most.
    pub(super) times: Option<u64>,
    /// How many matching requests come before the first to which it applies.
    pub(super) skip: u64,
    pub(super) probability: Option<f64>,
    pub(super) seed: Option<u64>,
}

/// What is wrong with a fault rule, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRule(pub(super) String);

impl fmt::Display for FaultRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FaultRule {
    /// Validates a rule. A property without a value has the text "true".
    pub(super) fn new(
        operations: &str,
        properties: &[(String, String)],
    ) -> Result<Self, InvalidRule> {
        let matching = select(operations)?;
        let mut faults = Vec::new();
        let mut others = Others::default();
        for (name, value) in properties {
            let is_repeated = properties.iter().filter(|(other, _)| other == name).count() > 1;
            if is_repeated {
                return Err(InvalidRule(format!("{name} is there twice; expected it once.")));
            }
            if FAULTS.contains(&name.as_str()) {
                faults.push((name.as_str(), value.as_str()));
            } else if !others.set(name, value)? {
                return Err(unknown_property(name));
            }
        }
        let (name, value) = match faults.as_slice() {
            [(name, value)] => (*name, *value),
            [] => {
                return Err(InvalidRule(format!(
                    "There is no fault; expected one of {}.",
                    FAULTS.join(", ")
                )));
            }
            [(first, _), (second, _), ..] => {
                let message = format!(
                    "{first} and {second} are two faults; expected one per rule: add a second rule."
                );
                return Err(InvalidRule(message));
            }
        };
        let fault = fault(name, value, &others)?;
        if let Fault::Job(_) = fault
            && !matching.iter().any(|id| JOB_OPERATIONS.contains(id))
        {
            let expected = JOB_OPERATIONS.join(", ");
            return Err(InvalidRule(format!(
                "{name}: {operations} starts no job; expected one of {expected}."
            )));
        }
        others.check(name, &fault)?;
        let list = properties.iter().map(|(name, value)| match value.as_str() {
            "true" => name.clone(),
            value => format!("{name}={value}"),
        });
        let text = format!("{operations}:{}", list.collect::<Vec<_>>().join(","));
        let Others { times, skip, probability, seed, carry_out, .. } = others;
        let (carry_out, skip) = (carry_out.unwrap_or(false), skip.unwrap_or(0));
        Ok(Self {
            text,
            operations: operations.to_owned(),
            fault,
            carry_out,
            times,
            skip,
            probability,
            seed,
        })
    }

    pub(super) fn matches(&self, operation: &str) -> bool {
        matches(&self.operations, operation)
    }
}

/// The properties that say when a fault is injected.
#[derive(Default)]
struct Others {
    retry_after: Option<u64>,
    times: Option<u64>,
    skip: Option<u64>,
    probability: Option<f64>,
    seed: Option<u64>,
    carry_out: Option<bool>,
}

impl Others {
    /// Reads a property. Returns whether there is one of this name.
    fn set(&mut self, name: &str, value: &str) -> Result<bool, InvalidRule> {
        match name {
            "retry_after" => self.retry_after = Some(number(name, value, 0, 86_400, "seconds")?),
            "times" => self.times = Some(number(name, value, 1, u64::MAX, "requests")?),
            "skip" => self.skip = Some(number(name, value, 0, u64::MAX, "requests")?),
            "seed" => self.seed = Some(number(name, value, 0, u64::MAX, "")?),
            "probability" => {
                let probability = value.parse().ok().filter(|p| *p > 0.0 && *p <= 1.0);
                self.probability = Some(probability.ok_or_else(|| {
                    expected(name, value, "a number above 0, at most 1, such as 0.1")
                })?);
            }
            "carry_out" => match value {
                "true" => self.carry_out = Some(true),
                "false" => self.carry_out = Some(false),
                _ => return Err(expected(name, value, "true or false")),
            },
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Rejects properties that would do nothing.
    fn check(&self, name: &str, fault: &Fault) -> Result<(), InvalidRule> {
        let takes_pause = matches!(fault, Fault::Status { .. } | Fault::RateLimit { .. });
        let may_carry_out = matches!(
            fault,
            Fault::Status { .. }
                | Fault::Delay(_)
                | Fault::Hang
                | Fault::Reset
                | Fault::Html
                | Fault::InvalidJson
        );
        if self.retry_after.is_some() && !takes_pause {
            let message =
                format!("retry_after: {name} has none; expected with status and rate_limit only.");
            return Err(InvalidRule(message));
        }
        if self.carry_out.is_some() && !may_carry_out {
            let message = format!(
                "carry_out: not with {name}; expected with status, delay, hang, reset, html and invalid_json only."
            );
            return Err(InvalidRule(message));
        }
        if self.seed.is_some() && self.probability.is_none() {
            return Err(InvalidRule("seed: expected with probability only.".to_owned()));
        }
        Ok(())
    }
}

fn fault(name: &str, value: &str, others: &Others) -> Result<Fault, InvalidRule> {
    let flag = |fault: Fault| match value {
        "true" => Ok(fault),
        _ => Err(expected(name, value, "no value")),
    };
    match name {
        "status" => {
            let status = number(name, value, 400, 599, "")?;
            Ok(Fault::Status { status: status_code(status), retry_after: others.retry_after })
        }
        "delay" => Ok(Fault::Delay(duration(name, value)?)),
        "hang" => flag(Fault::Hang),
        "cut" if value == "true" => Ok(Fault::Cut(None)),
        "cut" => {
            let bytes = number(name, value, 0, u64::from(u32::MAX), "bytes")?;
            Ok(Fault::Cut(usize::try_from(bytes).ok()))
        }
        "reset" => flag(Fault::Reset),
        "gateway" if value == "true" => Ok(Fault::Gateway(StatusCode::BAD_GATEWAY)),
        "gateway" => Ok(Fault::Gateway(status_code(number(name, value, 500, 599, "")?))),
        "html" => flag(Fault::Html),
        "invalid_json" => flag(Fault::InvalidJson),
        "fail_job" if value == "true" => Ok(Fault::Job(JobFault::Fail(
            "The job failed, as a fault rule of the sandbox says.".to_owned(),
        ))),
        "fail_job" => {
            Ok(Fault::Job(JobFault::Fail(value.chars().take(MAX_MESSAGE_CHARACTERS).collect())))
        }
        "endless_job" => flag(Fault::Job(JobFault::Endless)),
        _ => {
            let requests = number(name, value, 1, 10_000, "requests per second")?;
            let retry_after = others.retry_after.unwrap_or(1);
            Ok(Fault::RateLimit {
                requests: u32::try_from(requests).unwrap_or(u32::MAX),
                retry_after,
            })
        }
    }
}

fn status_code(number: u64) -> StatusCode {
    let status = u16::try_from(number).ok().and_then(|number| StatusCode::from_u16(number).ok());
    status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn number(name: &str, value: &str, least: u64, most: u64, unit: &str) -> Result<u64, InvalidRule> {
    let number = value.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| {
        let unit = if unit.is_empty() { String::new() } else { format!(" of {unit}") };
        let range = match most {
            u64::MAX => format!("a whole number{unit} from {least}"),
            _ => format!("a whole number{unit} from {least} to {most}"),
        };
        expected(name, value, &range)
    })
}

/// Parses a duration such as 500ms or 1.5s.
fn duration(name: &str, value: &str) -> Result<Duration, InvalidRule> {
    let seconds = match (value.strip_suffix("ms"), value.strip_suffix('s')) {
        (Some(number), _) => number.parse::<f64>().ok().map(|milliseconds| milliseconds / 1_000.0),
        (None, Some(number)) => number.parse().ok(),
        _ => None,
    };
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| *duration <= MAX_DELAY)
        .ok_or_else(|| expected(name, value, "a duration such as 500ms or 2s, at most 3600s"))
}

fn expected(name: &str, value: &str, expected: &str) -> InvalidRule {
    let value: String = value.chars().take(80).collect();
    InvalidRule(format!("{name}: {value:?} is invalid; expected {expected}."))
}

fn unknown_property(name: &str) -> InvalidRule {
    let names = FAULTS.into_iter().chain(OTHERS);
    let suggestion = match suggest(name, names) {
        Some(similar) => format!("did you mean {similar}? Expected"),
        None => "expected".to_owned(),
    };
    let name: String = name.chars().take(80).collect();
    InvalidRule(format!(
        "{name}: unknown; {suggestion} one fault ({}), and any of {}.",
        FAULTS.join(", "),
        OTHERS.join(", ")
    ))
}

/// The operations that a selector matches, at least one.
fn select(operations: &str) -> Result<Vec<&'static str>, InvalidRule> {
    let matching: Vec<&str> = contract::ids().filter(|id| matches(operations, id)).collect();
    if !matching.is_empty() {
        return Ok(matching);
    }
    let shown: String = operations.chars().take(80).collect();
    let suggestion = suggest(operations, contract::ids())
        .map(|id| format!("did you mean {id}? Expected"))
        .unwrap_or("expected".to_owned());
    Err(InvalidRule(format!(
        "{shown:?} is no operation; {suggestion} an id such as create_model, a pattern such as *_model, or *."
    )))
}

fn suggest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let similarity = |known: &str| strsim::jaro_winkler(name, known);
    let known = names.map(|known| (similarity(known), known));
    let best = known.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    (best.0 >= MIN_SIMILARITY).then_some(best.1)
}

/// Whether a pattern, in which `*` stands for any text, matches.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter().any(|at| text.get(at..).is_some_and(|text| matches(rest, text)))
        }),
    }
}
