//! A client that can show questions, over a sandbox process that the tests look into.

use serde_json::{Value, json};

use crate::support::{CONNECTION, Launch, Sandbox, Session, stateless};

/// An era of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    Initialize,
    Stateless,
}

pub const ERAS: [Era; 2] = [Era::Initialize, Era::Stateless];

/// A client of one era, and the sandbox that its server uses.
pub struct Client {
    pub era: Era,
    pub session: Session,
    pub sandbox: Sandbox,
    capabilities: Value,
}

/// What a call returns first.
pub enum Step {
    Question(Question),
    /// The response to the call.
    Done(Value),
}

/// A question to the user, and the call that it belongs to.
#[derive(Debug, Clone)]
pub struct Question {
    pub message: String,
    /// Id of the call.
    pub call: i64,
    /// The params of the call.
    params: Value,
    /// Id of the server's request, or the state that the call comes again with.
    pub handle: Value,
}

impl Client {
    /// A client that declares that it can show forms.
    pub async fn new(era: Era) -> Self {
        Self::start(era, json!({"elicitation": {}}), "").await
    }

    /// The same with other capabilities, and a value of the setting.
    pub async fn start(era: Era, capabilities: Value, confirm: &str) -> Self {
        let flags = if confirm.is_empty() { vec![] } else { vec!["--confirm", confirm] };
        Self::with_flags(era, capabilities, &flags).await
    }

    /// The same with other flags.
    pub async fn with_flags(era: Era, capabilities: Value, flags: &[&str]) -> Self {
        let sandbox = Sandbox::start();
        let mut launch = Launch::unconfigured()
            .variable("POLYTOMIC_BASE_URL", &sandbox.url)
            .variable("POLYTOMIC_API_KEY", &sandbox.key);
        for flag in flags {
            launch = launch.flag(flag);
        }
        Self::of(era, capabilities, &launch, sandbox).await
    }

    /// A client that can show forms, over any API. Its sandbox is not used.
    pub async fn over(era: Era, launch: &Launch) -> Self {
        Self::of(era, json!({"elicitation": {}}), launch, Sandbox::start()).await
    }

    async fn of(era: Era, capabilities: Value, launch: &Launch, sandbox: Sandbox) -> Self {
        let mut session = Session::start(launch);
        if era == Era::Initialize {
            let params = json!({
                "protocolVersion": "2025-11-25", "capabilities": capabilities,
                "clientInfo": {"name": "tests", "version": "1"},
            });
            session.request("initialize", params).await;
        }
        Self { era, session, sandbox, capabilities }
    }

    /// A new model with properties that can be cleared; its id.
    pub async fn model(&self, name: &str) -> String {
        let body = json!({
            "connection_id": CONNECTION, "name": name, "configuration": {"table": "public.users"},
            "identifier": "email", "labels": ["crm", "eu"],
        });
        let created = self.sandbox.post("/api/models", &body).await;
        created.data()["id"].as_str().unwrap().to_owned()
    }

    /// The version of a model in the sandbox, which each write raises; none if it is deleted.
    pub async fn version(&self, id: &str) -> Option<i64> {
        let response = self.sandbox.get(&format!("/api/models/{id}")).await;
        (response.status == 200).then(|| response.data()["version"].as_i64().unwrap())
    }

    fn params(&self, tool: &str, arguments: &Value) -> Value {
        let params = json!({"name": tool, "arguments": arguments});
        if self.era == Era::Initialize {
            return params;
        }
        let mut params = stateless(params);
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
        params
    }

    /// Starts a call, and waits for its question or its response.
    pub async fn begin(&mut self, tool: &str, arguments: Value) -> Step {
        let params = self.params(tool, &arguments);
        self.send(params).await
    }

    async fn send(&mut self, params: Value) -> Step {
        let call = self.session.next_id();
        let request =
            json!({"jsonrpc": "2.0", "id": call, "method": "tools/call", "params": params});
        self.session.send(request).await;
        let message = self.session.next().await;
        if message["method"] == "elicitation/create" {
            assert_eq!(self.era, Era::Initialize);
            let handle = message["id"].clone();
            let message = expect_form(&message["params"]);
            return Step::Question(Question { message, call, params, handle });
        }
        assert_eq!(message["id"], call, "{}", self.session.transcript());
        let result = &message["result"];
        if result["resultType"] != "input_required" {
            return Step::Done(message);
        }
        assert_eq!(self.era, Era::Stateless);
        let server = &result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"];
        assert_eq!(server, "polytomic-mcp", "{message}");
        let requests = result["inputRequests"].as_object().unwrap();
        assert_eq!(requests.keys().collect::<Vec<_>>(), ["confirm"], "{message}");
        assert_eq!(requests["confirm"]["method"], "elicitation/create");
        let text = expect_form(&requests["confirm"]["params"]);
        let handle = result["requestState"].clone();
        assert!(handle.is_string(), "{message}");
        Step::Question(Question { message: text, call, params, handle })
    }

    /// Starts a call that has to ask.
    pub async fn ask(&mut self, tool: &str, arguments: Value) -> Question {
        match self.begin(tool, arguments).await {
            Step::Question(question) => question,
            Step::Done(response) => panic!("nobody was asked: {response}"),
        }
    }

    /// Makes a call that has to ask nobody; returns its response.
    pub async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        match self.begin(tool, arguments).await {
            Step::Done(response) => response,
            Step::Question(question) => panic!("the user was asked: {question:?}"),
        }
    }

    /// The error of a call that asks nobody.
    pub async fn call_err(&mut self, tool: &str, arguments: Value) -> Value {
        let response = self.call(tool, arguments).await;
        self.session.expect_error(&response)
    }

    /// Decisions a question; returns what comes next.
    pub async fn decision(&mut self, question: &Question, result: Value) -> Step {
        if self.era == Era::Stateless {
            return self.send(again(question, json!({"confirm": result}))).await;
        }
        let id = &question.handle;
        self.session.send(json!({"jsonrpc": "2.0", "id": id, "result": result})).await;
        let response = self.session.next().await;
        assert_eq!(response["id"], question.call, "{}", self.session.transcript());
        Step::Done(response)
    }

    /// Decisions a question that ends the call; returns its response.
    pub async fn resolve(&mut self, question: &Question, result: Value) -> Value {
        match self.decision(question, result).await {
            Step::Done(response) => response,
            Step::Question(question) => panic!("the user was asked again: {question:?}"),
        }
    }

    /// Sends params of a call of the stateless era that asks nothing; returns the error.
    pub async fn error_of(&mut self, params: Value) -> Value {
        match self.send(params).await {
            Step::Done(response) => self.session.expect_error(&response),
            Step::Question(question) => panic!("the user was asked: {question:?}"),
        }
    }
}

/// The params of a call that comes again with responses to a question.
pub fn again(question: &Question, responses: Value) -> Value {
    let mut params = question.params.clone();
    params["requestState"] = question.handle.clone();
    params["inputResponses"] = responses;
    params
}

pub fn accept(confirm: Value) -> Value {
    json!({"action": "accept", "content": {"confirm": confirm}})
}

/// The message of a form that has one boolean.
fn expect_form(params: &Value) -> String {
    let schema = &params["requestedSchema"];
    assert_eq!(params["mode"], "form", "{params}");
    assert_eq!(schema["type"], "object", "{params}");
    assert_eq!(schema["required"], json!(["confirm"]), "{params}");
    let properties = schema["properties"].as_object().unwrap();
    assert_eq!(properties.len(), 1, "{params}");
    assert_eq!(properties["confirm"]["type"], "boolean", "{params}");
    assert_eq!(properties["confirm"]["default"], false, "{params}");
    params["message"].as_str().unwrap().to_owned()
}
