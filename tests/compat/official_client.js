// Walks the sandbox with Polytomic's official TypeScript package, which is older than the Python one and sends another version
// of some requests.
"use strict";

const assert = require("node:assert");
const { randomUUID } = require("node:crypto");
const { PolytomicClient, PolytomicError } = require("polytomic");

const CONNECTION = "248df4b7-aa70-47b8-a036-33ac447e668d";
const TARGET = "f27b8a61-0d35-4e9c-b148-6a93c5d07e82";
const USERS = { configuration: { table: "public.users" }, connection_id: CONNECTION, name: "Users" };
const environment = process.env.POLYTOMIC_BASE_URL;
const client = new PolytomicClient({ environment, token: process.env.POLYTOMIC_API_KEY });
const once = { maxRetries: 0 };

async function fails(status, request, words) {
  try {
    await request;
  } catch (error) {
    assert(error instanceof PolytomicError, error);
    assert.strictEqual(error.statusCode, status);
    assert.strictEqual(error.body.status, status);
    assert(error.body.message.includes(words), error.body.message);
    return;
  }
  assert.fail(`no ${status}`);
}

async function finished(job) {
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline) {
    const { data } = await client.jobs.get(job.job_id, job.type);
    if (["done", "failed"].includes(data.status)) return data;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail("the job does not end");
}

const steps = {
  async identity() {
    const { data } = await client.identity.get();
    assert.strictEqual(data.organization_name, "Sandbox");
    const other = new PolytomicClient({ environment, token: "wrong" });
    await fails(401, other.identity.get(once), "Invalid API key");
  },
  async connections() {
    const { data } = await client.connections.list();
    assert.strictEqual(data[0].id, CONNECTION);
    assert.strictEqual((await client.connections.get(CONNECTION)).data.status, "healthy");
    const types = (await client.connections.getTypes()).data;
    assert(types.some((type) => type.id === "postgresql" && type.capabilities.source));
    assert.strictEqual((await client.connections.getConnectionTypeSchema("postgresql")).type, "object");
    await fails(404, client.connections.get(randomUUID(), once), "no connection");
    const body = { name: "Mine", type: "postgresql", validate: false };
    const configuration = { hostname: "db.example.com", port: 5432, username: "u", password: "secret", database: "d" };
    const created = (await client.connections.create({ ...body, configuration })).data;
    assert.strictEqual(created.configuration.password, "********");
    const renamed = (await client.connections.update(created.id, { ...body, name: "Renamed", configuration })).data;
    assert.strictEqual(renamed.name, "Renamed");
    await client.connections.remove(created.id);
    await fails(404, client.connections.get(created.id, once), created.id);
    await client.connections.testConnection({ type: "sqlite", configuration: { path: ":shop:" } });
    await fails(400, client.connections.testConnection({ type: "oracle", configuration: {} }, once), "oracle");
  },
  async source() {
    const { data } = await client.modelSync.getSource(CONNECTION);
    assert(data.items.table.items.includes("public.users"));
    const chosen = await client.modelSync.getSource(CONNECTION, { params: { table: ["public.users"] } });
    assert(chosen.data.items.tracking_columns.items.includes("updated_at"));
    const fields = (await client.modelSync.getSourceFields(CONNECTION, { params: { table: ["public.users"] } })).data;
    assert.strictEqual(fields[0].name, "id");
  },
  async models() {
    const { data: model, job } = await client.models.create({ body: USERS });
    assert.deepStrictEqual([model.name, model.type, job.status], ["Users", "sqlite", "done"]);
    assert.strictEqual((await client.models.get(model.id)).data.id, model.id);
    assert((await client.models.list()).data.some((listed) => listed.id === model.id));
    const updated = await client.models.update(model.id, { ...USERS, name: "People" });
    assert.deepStrictEqual([updated.data.name, updated.data.version], ["People", 2]);
    const sample = (await client.models.sample(model.id)).data;
    assert.strictEqual(sample.records.length, 20);
    assert.strictEqual(sample.records[0][model.id].email, "user0001@example.com");
    const refused = { body: { ...USERS, configuration: { table: "public.userz" } } };
    await fails(400, client.models.create(refused, once), "public.users");
    await client.models.remove(model.id);
    await fails(404, client.models.get(model.id, {}, once), model.id);
  },
  async executions() {
    const { data: model } = await client.models.create({ body: USERS });
    const source = (field) => ({ model_id: model.id, field });
    const { data: sync } = await client.modelSync.create({
      name: "Users to the target",
      mode: "append",
      fields: [{ source: source("email"), target: "email" }],
      schedule: { frequency: "manual" },
      target: { connection_id: TARGET, object: "users_of_node" },
    });
    const { data: started } = await client.modelSync.start(sync.id);
    const deadline = Date.now() + 20_000;
    let execution;
    do {
      await new Promise((resolve) => setTimeout(resolve, 20));
      execution = (await client.modelSync.executions.get(sync.id, started.id)).data;
    } while (!["completed", "failed", "canceled"].includes(execution.status) && Date.now() < deadline);
    assert.deepStrictEqual([execution.status, execution.counts.insert], ["completed", 1000]);
    assert.strictEqual((await client.modelSync.list()).data[0].id, sync.id);
    await client.modelSync.remove(sync.id);
    await client.models.remove(model.id);
  },
  async jobs() {
    const { job } = await client.models.preview({ async: true, body: USERS });
    assert.strictEqual(job.status, "created");
    const done = await finished(job);
    assert.strictEqual(done.result.identifier, "id");
    await fails(404, client.jobs.get(randomUUID(), job.type, once), "job");
  },
};

(async () => {
  let failures = 0;
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step();
      console.log(`ok      ${name}`);
    } catch (error) {
      failures += 1;
      console.log(`FAILED  ${name}: ${error.stack}`);
    }
  }
  process.exitCode = failures ? 1 : 0;
})();
