//! `get_target_objects`: list what a sync can write to in a connection.
//!
//! Source: API reference "List Target Objects", 2025-09-18; the operation `list_target_objects`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;

use crate::polytomic::{ConnectionId, TargetObject};
use crate::registry::{Context, Effect, Operation, ToolError};
use crate::tools::listing::{NameFilter, to_object};

pub(super) struct GetTargetObjects;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    connection_id: ConnectionId,
    /// Text in the id or name, ignoring case, e.g. `contact`.
    #[serde(default)]
    name_contains: Option<NameFilter>,
}

#[skip_serializing_none]
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The objects, each with the `modes` of syncs that it can be written to with.
    objects: Vec<Map<String, Value>>,
    /// Present if there are none.
    notice: Option<&'static str>,
}

/// An object with the names of its modes.
#[derive(Serialize)]
struct Summary {
    id: Option<String>,
    name: Option<String>,
    modes: Vec<String>,
}

impl From<TargetObject> for Summary {
    fn from(object: TargetObject) -> Self {
        let modes = object.modes.into_iter().flatten();
        let modes = modes.filter_map(|mode| mode.id.or(mode.mode)).collect();
        // A name that says nothing else is left out.
        let name = object.name.filter(|name| object.id.as_ref() != Some(name));
        Self { id: object.id, name, modes }
    }
}

/// The connection may be able to create one.
const NO_OBJECT: &str = "The connection has no object to write to so far. create_model_sync can have one created: pass its name as \
                         `target.new_name`.";

impl Operation for GetTargetObjects {
    const NAME: &'static str = "get_target_objects";
    const TITLE: &'static str = "Get target objects";
    const DESCRIPTION: &'static str = "List the objects of a connection that a sync can write to, such as tables, with \
        the modes of each. Before: `list_connections`. After: `get_target_fields`.";
    const EFFECT: Effect = Effect::Read;
    type Args = Args;
    type Output = Output;

    async fn call(cx: &Context, args: Args) -> Result<Output, ToolError> {
        let options = cx.call_options();
        let objects = cx.client().list_target_objects(args.connection_id, &options).await?;
        let filter = args.name_contains.as_ref();
        let is_wanted = |object: &TargetObject| {
            [&object.id, &object.name]
                .iter()
                .any(|text| NameFilter::matches(filter, text.as_deref()))
        };
        let has_any = !objects.is_empty();
        let objects = objects.into_iter().filter(is_wanted).map(Summary::from);
        let objects: Vec<_> = objects.map(|object| to_object(&object)).collect();
        let notice = match (has_any, objects.is_empty()) {
            (_, false) => None,
            (true, true) => Some("`name_contains` matches none of the objects."),
            (false, true) => Some(NO_OBJECT),
        };
        Ok(Output { objects, notice })
    }
}
