//! An MCP client over HTTP, of either era.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::{Server, stateless};

/// The protocol era of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    Initialize,
    Stateless,
}

impl Era {
    pub const BOTH: [Self; 2] = [Self::Initialize, Self::Stateless];

    pub fn version(self) -> &'static str {
        match self {
            Self::Initialize => "2025-11-25",
            Self::Stateless => "2026-07-28",
        }
    }
}

/// A response over HTTP.
#[derive(Debug)]
pub struct HttpResponse {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl HttpResponse {
    pub async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The body as JSON; the last message of an event stream, as which a response comes that takes long.
    #[track_caller]
    pub fn json(&self) -> Value {
        if self.header("content-type") == Some("text/event-stream") {
            return self.events().pop().unwrap_or_else(|| panic!("no message: {self:?}"));
        }
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The messages of an event stream.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        assert_eq!(self.header("content-type"), Some("text/event-stream"), "{self:?}");
        let data = self.text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap()).collect()
    }
}

/// A message of a client, with the headers that belong to it.
pub fn message(era: Era, id: u64, method: &str, params: Value) -> (Value, HeaderMap) {
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: &str| {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    };
    set("content-type", "application/json");
    set("accept", "application/json, text/event-stream");
    set("mcp-protocol-version", era.version());
    let params = match era {
        Era::Initialize => params,
        Era::Stateless => {
            set("mcp-method", method);
            let name = params.get("name").or(params.get("uri")).and_then(Value::as_str);
            let named = ["tools/call", "prompts/get", "resources/read"];
            if let Some(name) = name.filter(|_| named.contains(&method)) {
                set("mcp-name", name);
            }
            let meta = params.get("_meta").cloned();
            let mut params = stateless(params);
            if let Some(Value::Object(meta)) = meta {
                params["_meta"].as_object_mut().unwrap().extend(meta);
            }
            params
        }
    };
    (json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}), headers)
}

/// A call of `delete_model` of a stateless client that can ask its user, with what continues an earlier one.
pub fn deletion(model: &Value, continuation: &Value) -> (Value, HeaderMap) {
    let mut params = json!({"name": "delete_model", "arguments": {"model_id": model["id"]}});
    params.as_object_mut().unwrap().extend(continuation.as_object().unwrap().clone());
    let (mut body, headers) = message(Era::Stateless, 1, "tools/call", params);
    let meta = &mut body["params"]["_meta"];
    meta["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {}});
    (body, headers)
}

/// What continues a call whose question the user has accepted; `question` is its result.
#[track_caller]
pub fn acceptance(question: &Value) -> Value {
    assert_eq!(question["resultType"], "input_required", "{question}");
    json!({
        "requestState": question["requestState"],
        "inputResponses": {"confirm": {"action": "accept", "content": {"confirm": true}}},
    })
}

impl Server {
    /// Sends a request of an era.
    pub async fn mcp_request(&self, era: Era, method: &str, params: Value) -> HttpResponse {
        let (body, headers) = message(era, 1, method, params);
        self.mcp_send(&body, headers).await
    }

    /// Sends a message with these headers.
    pub async fn mcp_send(&self, body: &Value, headers: HeaderMap) -> HttpResponse {
        let request = self.client.post(&self.url).headers(headers).body(body.to_string());
        HttpResponse::of(request.send().await.unwrap()).await
    }

    /// Calls a tool, and returns its structured content.
    pub async fn mcp_call(&self, era: Era, tool: &str, arguments: Value) -> Value {
        let params = json!({"name": tool, "arguments": arguments});
        let response = self.mcp_request(era, "tools/call", params).await.json();
        assert_eq!(response["result"]["isError"], false, "{response}");
        response["result"]["structuredContent"].clone()
    }

    /// Calls a tool, and returns the error.
    pub async fn mcp_call_err(&self, era: Era, tool: &str, arguments: Value) -> Value {
        let params = json!({"name": tool, "arguments": arguments});
        let response = self.mcp_request(era, "tools/call", params).await.json();
        assert_eq!(response["result"]["isError"], true, "{response}");
        let text = response["result"]["content"][0]["text"].as_str().unwrap();
        serde_json::from_str(text).unwrap()
    }
}
