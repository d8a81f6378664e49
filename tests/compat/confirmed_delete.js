// Deletes a model with the official TypeScript clients of MCP, of both generations: the user declines, then accepts, in
// the eras that each speaks.
//
//   npm install @modelcontextprotocol/sdk @modelcontextprotocol/client
//   PROGRAM=target/debug/polytomic-mcp node tests/compat/confirmed_delete.js
//
// One line a step; the exit status is 1 when one fails.

const assert = require("node:assert");
const first = require("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = require("@modelcontextprotocol/sdk/client/stdio.js");
const { ElicitRequestSchema } = require("@modelcontextprotocol/sdk/types.js");
const second = require("@modelcontextprotocol/client");
const stdio = require("@modelcontextprotocol/client/stdio");

const SERVER = { command: process.env.PROGRAM, args: ["--sandbox"] };
const INFO = { name: "tests", version: "1" };
const MODEL = {
  connection_id: "248df4b7-aa70-47b8-a036-33ac447e668d",
  name: "Users",
  configuration: { table: "public.users" },
};

async function connectFirst(answer) {
  const client = new first.Client(INFO, { capabilities: answer ? { elicitation: {} } : {} });
  if (answer) client.setRequestHandler(ElicitRequestSchema, ({ params }) => answer(params));
  await client.connect(new StdioClientTransport(SERVER));
  return client;
}

async function connectSecond(mode, answer) {
  const capabilities = answer ? { elicitation: { form: {} } } : {};
  const client = new second.Client(INFO, { capabilities, versionNegotiation: { mode } });
  if (answer) client.setRequestHandler("elicitation/create", ({ params }) => answer(params));
  await client.connect(new stdio.StdioClientTransport(SERVER));
  return client;
}

async function run(label, connect) {
  const answers = [];
  const messages = [];
  const client = await connect((params) => {
    messages.push(params.message);
    return answers.shift();
  });
  const call = async (client, name, args) => {
    const result = await client.callTool({ name, arguments: args });
    return { isError: result.isError === true, ...JSON.parse(result.content[0].text) };
  };
  const { model } = await call(client, "create_model", MODEL);

  answers.push({ action: "decline" });
  const declined = await call(client, "delete_model", { model_id: model.id });
  assert.deepStrictEqual([declined.code, declined.outcome], ["cancelled", "not_sent"]);
  assert.strictEqual((await call(client, "get_model", { model_id: model.id })).isError, false);
  console.log(`${label}: declined, and the model is there`);

  answers.push({ action: "accept", content: { confirm: true } });
  const deleted = await call(client, "delete_model", { model_id: model.id });
  assert.strictEqual(deleted.deleted, true);
  assert.strictEqual((await call(client, "get_model", { model_id: model.id })).code, "not_found");
  assert.strictEqual(messages.length, 2);
  assert(messages.every((message) => message.includes('"Users"')), messages.join());
  console.log(`${label}: accepted, and the model is deleted`);
  await client.close();

  const other = await connect(undefined);
  const created = await call(other, "create_model", MODEL);
  const args = { model_id: created.model.id };
  const error = await call(other, "delete_model", args);
  assert.strictEqual(error.code, "confirmation_required");
  args.expected_name = error.details.name;
  assert.strictEqual((await call(other, "delete_model", args)).deleted, true);
  console.log(`${label}: without a handler, the name stands for the answer`);
  await other.close();
}

async function main() {
  await run("sdk 1", connectFirst);
  await run("client 2, initialize", (answer) => connectSecond("legacy", answer));
  const pinned = { pin: "2026-07-28" };
  await run("client 2, stateless", (answer) => connectSecond(pinned, answer));
  await run("client 2, auto", (answer) => connectSecond("auto", answer));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
