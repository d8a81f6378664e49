// VS Code's JSON-RPC library over stdio, which frames messages with Content-Length headers, against both servers.
"use strict";

const assert = require("node:assert");
const { spawn } = require("node:child_process");
const { once } = require("node:events");
const rpc = require("vscode-jsonrpc/node");

const CONNECTION = "248df4b7-aa70-47b8-a036-33ac447e668d";
const UNKNOWN_ID = "00000000-0000-4000-8000-000000000000";

function step(name) {
  console.log("ok", name);
}

async function withServer(flags, session) {
  const child = spawn(process.env.PROGRAM, ["--sandbox", ...flags], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const connection = rpc.createMessageConnection(
    new rpc.StreamMessageReader(child.stdout),
    new rpc.StreamMessageWriter(child.stdin),
  );
  connection.onError(([error]) => {
    throw error;
  });
  connection.listen();
  await session(connection);
  const exit = once(child, "exit");
  connection.end();
  assert.deepStrictEqual(await exit, [0, null]);
  connection.dispose();
}

async function failure(request) {
  try {
    await request;
  } catch (error) {
    assert(error instanceof rpc.ResponseError, error);
    return error;
  }
  throw new Error("the request succeeded");
}

async function overRpc(connection) {
  const found = await connection.sendRequest("list_connections", { detail: "summary" });
  assert.strictEqual(found.connections[0].id, CONNECTION);
  step("rpc request");

  const ids = Array.from({ length: 50 }, (_, n) => n + 1);
  const lists = ids.map((limit) => connection.sendRequest("list_models", { limit }));
  assert.deepStrictEqual(await Promise.all(lists), ids.map(() => ({ models: [] })));
  step("rpc concurrent requests");

  const name = "Üsers 😀";
  const configuration = { table: "public.users" };
  await connection.sendNotification("create_model", { connection_id: CONNECTION, name, configuration });
  let models = [];
  while (models.length === 0) {
    ({ models } = await connection.sendRequest("list_models"));
  }
  assert.strictEqual(models[0].name, name);
  step("rpc notification");

  const error = await failure(connection.sendRequest("get_model", { model_id: "nonsense" }));
  assert.strictEqual(error.code, rpc.ErrorCodes.InvalidParams);
  assert.strictEqual(error.data.details.argument, "model_id");
  assert.strictEqual((await failure(connection.sendRequest("get_modle"))).code, rpc.ErrorCodes.MethodNotFound);
  step("rpc errors");
}

async function overMcp(connection) {
  const initialized = await connection.sendRequest("initialize", {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "vscode-jsonrpc", version: "1" },
  });
  assert.strictEqual(initialized.serverInfo.name, "polytomic-mcp");
  await connection.sendNotification("notifications/initialized");
  step("mcp handshake");

  const { tools } = await connection.sendRequest("tools/list", {});
  assert(tools.some((tool) => tool.name === "get_model"));
  step("mcp request");

  const calls = Array.from({ length: 50 }, () =>
    connection.sendRequest("tools/call", { name: "list_connections", arguments: {} }),
  );
  for (const { structuredContent } of await Promise.all(calls)) {
    assert.strictEqual(structuredContent.connections[0].id, CONNECTION);
  }
  step("mcp concurrent requests");

  const failed = await connection.sendRequest("tools/call", {
    name: "get_model",
    arguments: { model_id: UNKNOWN_ID },
  });
  assert.strictEqual(failed.isError, true);
  assert.strictEqual((await failure(connection.sendRequest("tools/cal", {}))).code, rpc.ErrorCodes.MethodNotFound);
  step("mcp errors");
}

setTimeout(() => {
  console.error("no response");
  process.exit(1);
}, 60_000).unref();

(async () => {
  await withServer(["rpc"], overRpc);
  await withServer([], overMcp);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
