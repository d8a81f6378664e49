//! What the tools of toolset "api" share: which tool calls an operation, and how one is called.

mod arguments;
mod call;
mod confirmation; // has the user confirm a call
mod response;
mod secrets; // which operations return or take secrets
mod tools; // which tool calls an operation

pub(super) use arguments::{Body, PathParameters, QueryParameters};
pub(super) use call::OperationCall;
pub(super) use response::OperationResponse;
pub(super) use secrets::uses_secrets;
pub(super) use tools::tool_for;
