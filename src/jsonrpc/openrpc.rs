//! The OpenRPC document: every method with the schemas of its params and result, and its errors.
//!
//! Source: OpenRPC specification 1.3.

use serde_json::{Map, Value, json};

use crate::registry::{ErrorCode, Registry, Tool, schema};

/// Generates the document from the registry.
pub(crate) fn document(registry: &Registry) -> Value {
    let methods: Vec<Value> = registry.tools().iter().map(method).collect();
    let errors: Map<String, Value> =
        ErrorCode::ALL.iter().map(|code| (code.as_str().to_owned(), error(*code))).collect();
    let introduction = "Typed tools over the Polytomic API as JSON-RPC 2.0 methods with named parameters. The result is \
                       the tool's structured content.";
    let description = match registry.access().notice() {
        Some(notice) => format!("{introduction} {notice}"),
        None => introduction.to_owned(),
    };
    json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "polytomic-mcp",
            "version": env!("CARGO_PKG_VERSION"),
            "description": description,
            "license": {"name": "MIT"},
        },
        "methods": methods,
        "components": {"errors": errors},
    })
}

fn method(tool: &Tool) -> Value {
    let mut params: Vec<Value> = schema::properties(&tool.input_schema())
        .map(|(name, schema, is_required)| {
            json!({
                "name": name,
                "description": schema.get("description"),
                "required": is_required,
                "schema": schema,
            })
        })
        .collect();
    // The specification requires that required params come first.
    params.sort_by_key(|param| param["required"] != true);
    let errors: Vec<Value> = ErrorCode::ALL
        .iter()
        .map(|code| json!({"$ref": format!("#/components/errors/{}", code.as_str())}))
        .collect();
    json!({
        "name": tool.entry.name,
        "summary": tool.entry.title,
        "description": tool.description(),
        "paramStructure": "by-name",
        "params": params,
        "result": {"name": "result", "schema": tool.output_schema()},
        "errors": errors,
    })
}

fn error(code: ErrorCode) -> Value {
    json!({"code": code.number(), "message": code.meaning(), "data": {"code": code.as_str()}})
}
