// Works with the server over HTTP through the official TypeScript clients of MCP, of both generations, in the eras that
// each speaks.
//
// The server wants a token, and its API is a sandbox, whose faults make calls hang or repeat them. One line a step; the
// exit status is 1 when one fails.
"use strict";

const assert = require("node:assert");
const first = require("@modelcontextprotocol/sdk/client/index.js");
const firstHttp = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
const second = require("@modelcontextprotocol/client");

const URL_OF_SERVER = new URL(process.env.MCP_URL);
const INFO = { name: "tests", version: "1" };
const MODEL = {
  connection_id: "248df4b7-aa70-47b8-a036-33ac447e668d",
  name: "Üsers 😀",
  configuration: { table: "public.users" },
};
const UNKNOWN_ID = "00000000-0000-4000-8000-000000000000";

function withToken(token) {
  return { requestInit: { headers: token ? { Authorization: `Bearer ${token}` } : {} } };
}

async function connectFirst(token) {
  const client = new first.Client(INFO);
  const transport = new firstHttp.StreamableHTTPClientTransport(URL_OF_SERVER, withToken(token));
  await client.connect(transport);
  const call = (name, args, options) => client.callTool({ name, arguments: args }, undefined, options);
  // Ends the session, which this server does not keep.
  const end = () => transport.terminateSession();
  return { client, call, end };
}

async function connectSecond(mode, token, answer) {
  const capabilities = answer ? { elicitation: { form: {} } } : {};
  const client = new second.Client(INFO, { capabilities, versionNegotiation: { mode } });
  if (answer) client.setRequestHandler("elicitation/create", ({ params }) => answer(params));
  const transport = new second.StreamableHTTPClientTransport(URL_OF_SERVER, withToken(token));
  await client.connect(transport);
  const call = (name, args, options) => client.callTool({ name, arguments: args }, options);
  return { client, call, end: () => transport.terminateSession() };
}

/** A request to the sandbox itself; its data. */
async function control(method, path, body) {
  const headers = {
    Authorization: `Bearer ${process.env.SANDBOX_KEY}`,
    "Content-Type": "application/json",
  };
  const url = `${process.env.SANDBOX_URL}/sandbox/${path}`;
  const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  assert(response.ok, response.status);
  return (await response.json()).data;
}

/** Makes the sandbox fail. */
const addFault = (rule) => control("POST", "faults", { ...rule, times: 1 });

/** Waits until the sandbox says so. */
async function until(path, holds) {
  for (let tries = 0; !holds(await control("GET", path)); tries += 1) {
    assert(tries < 1000, path);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function run(label, connect) {
  const { client, call, end } = await connect(process.env.MCP_TOKEN);
  const faults = [];
  // A cancelled call is responded to, where the client no longer waits for it: a POST has to get something.
  // Closing the client aborts what it still sends: the notification about that call.
  const isExpected = (error) =>
    error.name === "AbortError" || /response for an unknown message ID.*"cancelled/.test(error.message);
  client.onerror = (error) => isExpected(error) || faults.push(error);
  const parsed = async (...args) => {
    const result = await call(...args);
    return { isError: result.isError === true, ...JSON.parse(result.content[0].text) };
  };
  const { tools } = await client.listTools();
  assert(tools.some((tool) => tool.name === "create_model"));
  console.log(`${label}: tools`);

  // Each result is checked against the output schema by the client.
  const created = await parsed("create_model", MODEL);
  const read = { model_id: created.model.id };
  const model = await parsed("get_model", read);
  assert.deepStrictEqual([model.isError, model.model.name], [false, MODEL.name]);
  console.log(`${label}: a model, created and read`);

  const error = await parsed("get_model", { model_id: UNKNOWN_ID });
  assert.deepStrictEqual([error.isError, error.code], [true, "not_found"]);
  assert(error.hint.startsWith("Call list_models"), error.hint);
  console.log(`${label}: an error with code and hint`);

  const reports = [];
  await addFault({ operations: "get_model", status: 503 });
  const again = await parsed("get_model", read, { onprogress: (report) => reports.push(report) });
  assert.strictEqual(again.isError, false);
  assert(reports.length > 0 && reports.every((report) => report.message), reports);
  console.log(`${label}: progress`);

  const dropped = (requests) => requests.filter((request) => request.status === null).length;
  const before = dropped(await control("GET", "log"));
  await addFault({ operations: "get_model", hang: true });
  const controller = new AbortController();
  const slow = assert.rejects(call("get_model", read, { signal: controller.signal }));
  await until("faults", (rules) => rules.at(-1).injected === 1);
  assert.strictEqual((await parsed("list_connections", {})).isError, false);
  console.log(`${label}: two calls at the same time`);

  controller.abort();
  await slow;
  // The request to the API has been dropped, and has no status.
  await until("log", (requests) => dropped(requests) > before);
  console.log(`${label}: a call that is cancelled`);

  await end();
  await client.close();
  assert.deepStrictEqual(faults, []);
  console.log(`${label}: closed`);

  for (const token of [undefined, "wrong"]) {
    await assert.rejects(connect(token), /401|Unauthorized|token/i);
  }
  console.log(`${label}: refused without the token`);
}

/** The user is asked while a model is deleted, which takes a second request in the stateless era. */
async function confirmedDelete(mode) {
  const answers = [{ action: "decline" }, { action: "accept", content: { confirm: true } }];
  const answer = () => answers.shift();
  const { client, call } = await connectSecond(mode, process.env.MCP_TOKEN, answer);
  const parsed = async (name, args) => JSON.parse((await call(name, args)).content[0].text);
  const { model } = await parsed("create_model", MODEL);
  const declined = await parsed("delete_model", { model_id: model.id });
  assert.deepStrictEqual([declined.code, declined.outcome], ["cancelled", "not_sent"]);
  const deleted = await parsed("delete_model", { model_id: model.id });
  assert.deepStrictEqual([deleted.deleted, answers.length], [true, 0]);
  await client.close();
  console.log("client 2, stateless: a delete that the user confirms");
}

async function main() {
  const pinned = { pin: "2026-07-28" };
  await run("sdk 1", connectFirst);
  await run("client 2, initialize", (token) => connectSecond("legacy", token));
  await run("client 2, stateless", (token) => connectSecond(pinned, token));
  await run("client 2, auto", (token) => connectSecond("auto", token));
  await confirmedDelete(pinned);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
