//! Prompts that lead an agent through several tools. A paragraph that names an argument without a value is left out, and so is a
//! sentence that names a tool that is not served.

use super::value_sources::{COLUMNS, CONNECTIONS, MODELS, TABLES, TARGET_OBJECTS};
use crate::registry::{Prompt, PromptArgument, ValueSource};

const fn argument(
    name: &'static str,
    description: &'static str,
    is_required: bool,
    source: Option<&'static ValueSource>,
) -> PromptArgument {
    PromptArgument { name, description, is_required, source }
}

pub(super) static PROMPTS: &[Prompt] = &[
    Prompt {
        name: "create-model",
        title: "Create a model",
        description: "From a question to a model that was checked.",
        arguments: &[
            argument(
                "question",
                "What the model has to contain, or the question behind it.",
                true,
                None,
            ),
            argument("connection_id", "The connection to read from.", false, Some(&CONNECTIONS)),
            argument("table", "The table or view to read from.", false, Some(&TABLES)),
            argument(
                "columns",
                "The columns to expose, separated by commas.",
                false,
                Some(&COLUMNS),
            ),
        ],
        requires: "create_model",
        text: "Create a Polytomic model for this: {question}\n\n\
            Read from the connection {connection_id}.\n\n\
            Read from the table or view {table}.\n\n\
            Expose only these columns, as `fields`: {columns}.\n\n\
            If no connection is named above, call list_connections, and ask me if several may hold the data. Call get_model_source for what \
            the `configuration` can contain. Call get_model_source_fields with a configuration for its columns.\n\n\
            Call list_models for the connection: if a model with the same `source` is there, ask me before you create another \
            one.\n\n\
            Call preview_model before anything is created, and correct the configuration until the fields fit the question.\n\n\
            Then call create_model with a clear name and, as `identifier`, a column that is unique and never empty.\n\n\
            Call sample_records for 5 records. Report what the model contains, whether it contains what I need, and what is \
            empty or surprising.",
    },
    Prompt {
        name: "review-models",
        title: "Review the models",
        description: "Which models are unused, failing or duplicates. Changes nothing.",
        arguments: &[argument(
            "name_contains",
            "Only models with this text in their names.",
            false,
            None,
        )],
        requires: "list_models",
        text: "Review the Polytomic models and change nothing.\n\n\
            Review only models whose names contain \"{name_contains}\": pass it as `name_contains`.\n\n\
            Call list_models, with `next_cursor` as `cursor` until there is none.\n\n\
            Unused: call list_model_syncs without a filter; a model whose id is in no `model_ids` is read by no sync.\n\n\
            Failing: call sample_records with `limit` 1 for each model, at most four at a time; an error means that its source does not \
            work any more. Call list_model_sync_executions for the syncs; the last one may have failed.\n\n\
            Duplicates: models with the same connection and `source`. Call get_model with `detail` definition to compare two.\n\n\
            Report a list for each of these, with name, id and evidence, and what you suggest to delete or repair. Do not do it.",
    },
    Prompt {
        name: "explain-model",
        title: "Explain a model",
        description: "What a model contains, where it is from and who uses it, in plain words. Changes nothing.",
        arguments: &[argument("model_id", "The model.", true, Some(&MODELS))],
        requires: "get_model",
        text: "Explain the Polytomic model {model_id} to somebody who knows the business and not the database. Change nothing.\n\n\
            If that is a name, call list_models with `name_contains` for the id.\n\n\
            Call describe_model, which has most of what follows in one result.\n\n\
            Call get_model for its source and fields. Call get_connection for what it reads from. Call sample_records for 20 records. \
            Call list_model_syncs with its model_id for the syncs that read from it.\n\n\
            Say in this order: what one record stands for, and what identifies it; what each field means, with an example, and \
            which are often empty; where the data is from; and as far as you could find out, which syncs read it and where they \
            write. Keep what you conclude apart from what the tools returned.",
    },
    Prompt {
        name: "plan-sync",
        title: "Plan a sync",
        description: "From a model to the arguments of a sync. Starts nothing.",
        arguments: &[
            argument("model_id", "The model to read from.", true, Some(&MODELS)),
            argument("connection_id", "The connection to write to.", false, Some(&CONNECTIONS)),
            argument(
                "object",
                "The object of that connection to write to.",
                false,
                Some(&TARGET_OBJECTS),
            ),
        ],
        requires: "get_model",
        text: "Plan a Polytomic sync that writes the model {model_id} to a target. Create and start nothing.\n\n\
            Write to the connection {connection_id}.\n\n\
            Write to its object {object}.\n\n\
            Call get_model for the fields and the identifier. If no target is named above, call list_connections, and ask me.\n\n\
            Call get_target_objects for the objects of the target and their modes. Call get_target_fields for what an object \
            accepts.\n\n\
            If the object is not there yet, its name goes into `target.new_name`, and its fields are new. If no tool shows what the \
            target accepts, ask me.\n\n\
            Call list_model_syncs: if a sync writes the same model to the same target, plan a change of it instead.\n\n\
            Map each field of the model. Name the fields without a counterpart, and those that the target requires and the model \
            lacks. Choose the mode: what happens to records that are there already, and to those that disappear. Choose as identity a \
            field that is unique on both sides.\n\n\
            Show the plan: target, mode, identity, mapping, schedule, and what the first execution will change. Write it as the \
            arguments of create_model_sync. Ask me before anything is created, and once more before anything is started.",
    },
];
