//! The registry: what a tool is, and how a call to it runs, the same for every server.
//!
//! A tool implements [`Operation`]; an [`Entry`] erases its types for the static list of a toolset. The
//! [`Registry`] lists the tools and runs calls: it coerces and validates the arguments against the advertised
//! schema, enforces the deadline and cancellation, limits the size of the result, and turns every failure into a
//! [`ToolError`]. Nothing here knows a tool by its implementation, or a server.

mod client_error; // maps errors of the client to `error`
mod error;
mod request_course; // how a failed request went, in words
mod status_error; // maps HTTP statuses to `error`

mod configuration_secrets; // secrets in the configuration of a model
mod declared_secrets; // which properties the schema of a configuration says are secrets
mod enclosed_texts; // where values in a text end
mod parents; // what properties are because of what they are part of
mod record_texts; // what may be prose in records
pub(crate) mod redaction;
pub(crate) mod schema;
mod secret_names; // which names denote secrets
mod secret_texts; // masks secrets inside texts
mod secret_words; // the words of such names

mod masking; // values of records

mod excerpt;
pub(crate) mod truncation;

mod conversion; // single values by the types of their schemas
mod id_text; // UUIDs in text, and how to find one
mod input;
mod problems; // invalid arguments in words
mod question; // the text of a question to the user
mod sent_arguments; // arguments as JSON text, and limits on their size
mod shared_arguments; // arguments that the registry adds to tools

mod asking; // has the user confirm a call
mod confirmation; // what is confirmed, and by whom
mod line_file; // files to which several processes append

pub(crate) mod audit;
mod created; // the models that this server has created

mod capacity; // how many calls run at once

mod accounts; // whose key a call uses

mod context; // what a call may use
mod job; // waiting for jobs and reading their results

mod notice;
mod operation;
mod prompt; // texts that people choose
mod resource_template; // objects of the API as resources
mod result;

mod entry;

mod words; // values of settings that are words

mod access; // which tools are served
mod fitted_result; // results for the tools that are served
mod fitted_text; // descriptions for the tools that are served

mod metrics; // what calls did, in numbers
mod readiness; // whether the API responds

mod catalog; // the list of tools
mod completion; // completes arguments while a person types
mod dispatch;
mod known_values; // lists of ids and names, kept for a short time
mod tool_registry; // the tools that are served, and what holds for all calls

mod test_tools; // for the tests of several files
mod write_rules; // what holds for calls that may change something

pub use access::{Access, Selection};
pub(crate) use accounts::RequestAccount;
pub use accounts::{API_KEY_HEADER, Account, ORGANIZATION_ID_HEADER, credential_from_headers};
pub(crate) use asking::{MODEL, ObjectKind, SYNC, Subject, check_expected_name};
pub(crate) use capacity::{WhenBusy, share};
pub use catalog::{Catalog, Tool, Toolset};
pub(crate) use configuration_secrets::{
    MaskPlace, keep_secrets, mask_configuration, places_of_emptied_secrets, places_of_masks,
    places_of_redactions,
};
pub(crate) use confirmation::Stake;
pub use confirmation::{Asker, Asking, ConfirmPolicy, Decision, QUESTION_TIMEOUT, QuestionHistory};
pub use context::{Context, ProgressSink};
pub use dispatch::CallSignals;
pub use entry::Entry;
pub use error::{ErrorCode, Outcome, ToolError};
pub(crate) use fitted_result::NO_NEXT;
#[cfg(any(fuzzing, test))]
pub(crate) use input::coerce_and_validate;
pub(crate) use input::{coerce_and_validate_as_sent, deserialize, is_empty};
pub(crate) use job::unknown_status;
pub use job::{ExecutionArguments, JobArguments, NextCall, Resolved};
pub use known_values::{KnownValue, ValueSource};
pub use masking::Masking;
#[cfg(any(fuzzing, test))]
pub(crate) use masking::masked;
pub use operation::{Effect, Operation};
pub(crate) use problems::{Problem, Problems, nearest, shorten};
pub use prompt::{Prompt, PromptArgument};
pub use question::Question;
pub(crate) use question::{listed_names, quoted_name};
pub use resource_template::ResourceTemplate;
pub(crate) use result::Truncation;
pub use schema::SameArguments;
pub(crate) use sent_arguments::{CallError, SentArguments, object_text};
pub use tool_registry::{Registry, UnservedTool};
pub use truncation::TruncatedList;
pub(crate) use words::Words;

/// Arguments are parsed from text marked by it, so that every digit in `configuration` reaches the API.
pub(crate) use crate::polytomic::mark as mark_numbers;
pub(crate) use crate::polytomic::{Sha256, sha256};
