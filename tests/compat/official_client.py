"""Walks the sandbox with Polytomic's official Python client and checks what comes back.

    pip install -r tests/compat/requirements.txt
    POLYTOMIC_BASE_URL=http://127.0.0.1:PORT POLYTOMIC_API_KEY=KEY python tests/compat/official_client.py

One line a step; the exit status is 1 when one fails.
"""

import os
import sys
import time
import uuid

from polytomic import (
    Identity,
    ModelModelFieldRequest,
    ModelRelation,
    ModelRelationTo,
    ModelSyncIdentities,
    ModelSyncV5Target,
    Polytomic,
    Schedule,
    Source,
    SyncField,
)
from polytomic.errors import BadRequestError, NotFoundError, UnauthorizedError, UnprocessableEntityError

CONNECTION = "248df4b7-aa70-47b8-a036-33ac447e668d"
TARGET = "f27b8a61-0d35-4e9c-b148-6a93c5d07e82"
USERS = {
    "configuration": {"table": "public.users"},
    "connection_id": CONNECTION,
    "name": "Users",
}

base_url = os.environ["POLYTOMIC_BASE_URL"]
client = Polytomic(base_url=base_url, token=os.environ["POLYTOMIC_API_KEY"], max_retries=0)


def equal(got, expected):
    if got != expected:
        raise AssertionError(f"expected {expected!r}, got {got!r}")


def raises(error, call, words):
    try:
        call()
    except error as raised:
        if words not in raised.body.message:
            raise AssertionError(f"{words!r} is not in {raised.body.message!r}")
        equal(raised.body.status, raised.status_code)
    else:
        raise AssertionError(f"no {error.__name__}")


def names(fields):
    return [field.name for field in fields]


def finished(job):
    """The job at its end, polled as the API's guide says."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        job = client.jobs.get(type=job.type, id=job.job_id).data
        if job.status in ("done", "failed"):
            return job
        time.sleep(0.02)
    raise AssertionError(f"job {job.job_id} is still {job.status}")


def identity():
    me = client.identity.get().data
    equal(me.is_user, True)
    equal(me.organization_name, "Sandbox")
    other = Polytomic(base_url=base_url, token="wrong", max_retries=0)
    raises(UnauthorizedError, other.identity.get, "key")


def connections():
    equal(client.connections.list().data[0].id, CONNECTION)
    connection = client.connections.get(id=CONNECTION).data
    equal((connection.type.id, connection.status, connection.saved), ("sqlite", "healthy", True))
    kinds = {kind.id: kind.capabilities for kind in client.connections.get_types().data}
    equal((kinds["sqlite"].source, kinds["sqlite"].enrichment, kinds["slack"].source), (True, False, False))
    for kind in kinds:
        equal(client.connections.get_connection_type_schema(id=kind).type, "object")
    raises(NotFoundError, lambda: client.connections.get(id=str(uuid.uuid4())), "no connection")


def change_connection():
    configuration = dict(hostname="db.example.com", port=5432, username="u", password="secret", database="d")
    created = client.connections.create(
        name="Mine", type="postgresql", configuration=configuration, validate=False
    ).data
    equal((created.name, created.configuration["password"], created.type.id), ("Mine", "********", "postgresql"))
    updated = client.connections.update(
        id=created.id, name="Renamed", configuration=created.configuration, validate=False
    ).data
    equal((updated.name, updated.id), ("Renamed", created.id))
    refused = dict(configuration, port="5432")
    raises(
        BadRequestError,
        lambda: client.connections.create(name="x", type="postgresql", configuration=refused),
        "configuration.port",
    )
    missing = dict(path="/nowhere/at/all.db")
    raises(
        UnprocessableEntityError,
        lambda: client.connections.create(name="x", type="sqlite", configuration=missing),
        "/nowhere/at/all.db",
    )
    client.connections.delete(id=created.id)
    raises(NotFoundError, lambda: client.connections.get(id=created.id), created.id)


def test_connection():
    test = client.connections.test_connection
    equal(test(type="sqlite", configuration={"path": ":shop:"}), None)
    key = str(uuid.uuid4())
    for _ in range(2):
        equal(test(type="sqlite", configuration={}, connection_id=CONNECTION, idempotency_key=key), None)
    raises(BadRequestError, lambda: test(type="oracle", configuration={}), "oracle")
    other = str(uuid.uuid4())
    raises(NotFoundError, lambda: test(type="sqlite", configuration={}, connection_id=other), other)


def source():
    found = client.model_sync.get_source(id=CONNECTION).data
    equal(found.requires_one_of, ["query", "table", "view"])
    equal("public.users" in found.items["table"].items, True)
    chosen = client.model_sync.get_source(id=CONNECTION, params={"table": ["public.users"]}).data
    equal("updated_at" in chosen.items["tracking_columns"].items, True)


def source_fields():
    for params in ({"table": ["public.users"]}, {"table": "public.users"}):
        fields = client.model_sync.get_source_fields(id=CONNECTION, params=params).data
        equal(names(fields)[:3], ["id", "email", "name"])
        equal((fields[0].type, fields[0].unique), ("number", True))


def enrichment():
    raises(NotFoundError, lambda: client.models.get_enrichment_source(id=CONNECTION), "enrich")
    raises(NotFoundError, lambda: client.models.post(connection_id=CONNECTION), "enrich")


def preview():
    model = client.models.preview(**USERS).data
    equal((model.id, model.identifier), (None, "id"))
    equal(client.models.list().data, [])
    job = client.models.preview(**USERS, async_=True).job
    equal((job.type, job.status), ("previewmodel", "created"))
    equal(finished(job).result["identifier"], "id")


def create():
    key = str(uuid.uuid4())
    created = client.models.create(**USERS, idempotency_key=key)
    equal((created.job.type, created.job.status), ("createmodel", "done"))
    model = created.data
    equal((model.name, model.type, model.version), ("Users", "sqlite", 1))
    equal((model.created_by.type, model.organization_id), ("user", client.identity.get().data.organization_id))
    equal(client.models.get(id=model.id).data, model)
    equal(client.models.create(**USERS, idempotency_key=key).data.id, model.id)
    equal(finished(created.job).result["id"], model.id)
    refused = dict(USERS, configuration={"table": "public.userz"})
    raises(BadRequestError, lambda: client.models.create(**refused), "public.users")
    client.models.delete(id=model.id)


def create_with_everything():
    other = client.models.create(**dict(USERS, configuration={"table": "companies"})).data
    model = client.models.create(
        **USERS,
        fields=["id", "email", "company_id"],
        identifier="email",
        additional_fields=[ModelModelFieldRequest(name="score", label="Score", type="number")],
        tracking_columns=["updated_at"],
        relations=[ModelRelation(from_="company_id", to=ModelRelationTo(model_id=other.id, field="id"))],
        labels=["sales"],
        policies=[],
    ).data
    equal(names(model.fields), ["id", "email", "company_id", "score"])
    equal((model.identifier, model.tracking_columns), ("email", ["updated_at"]))
    equal((model.relations[0].to.model_id, model.labels), (other.id, [{"name": "sales"}]))
    for model_id in (model.id, other.id):
        client.models.delete(id=model_id)


def asynchronous():
    job = client.models.create(**USERS, async_=True).job
    equal((job.type, job.status), ("createmodel", "created"))
    model_id = finished(job).result["id"]
    job = client.models.sample(id=model_id, async_=True).job
    equal(len(finished(job).result["records"]), 20)
    job = client.models.update(id=model_id, **dict(USERS, name="People"), async_=True).job
    equal((job.type, finished(job).result["name"]), ("updatemodel", "People"))
    refused = dict(USERS, configuration={"query": "SELECT nope FROM users"})
    failed = finished(client.models.create(**refused, async_=True).job)
    equal((failed.status, "no such column" in failed.error), ("failed", True))
    client.models.delete(id=model_id)


def list_and_sample():
    ids = [client.models.create(**USERS).data.id for _ in range(3)]
    equal([model.id for model in client.models.list().data], ids[::-1])
    sample = client.models.sample(id=ids[0])
    equal((len(sample.data.records), sample.data.warnings), (20, []))
    equal(sample.data.records[0][ids[0]]["email"], "user0001@example.com")
    for model_id in ids:
        client.models.delete(id=model_id)


def update_and_delete():
    model = client.models.create(**USERS, labels=["x"]).data
    query = {"query": "SELECT id, email FROM users WHERE is_active"}
    updated = client.models.update(
        id=model.id, configuration=query, connection_id=CONNECTION, name="Active"
    ).data
    equal((updated.name, updated.version, updated.labels), ("Active", 2, None))
    equal((updated.created_at, names(updated.fields)), (model.created_at, ["id", "email"]))
    client.models.delete(id=model.id)
    raises(NotFoundError, lambda: client.models.get(id=model.id), model.id)


def syncs():
    model = client.models.create(**USERS).data
    email = Source(model_id=model.id, field="email")
    asked = dict(
        name="Users Sync",
        mode="updateOrCreate",
        active=True,
        fields=[SyncField(source=email, target="mail")],
        identities=ModelSyncIdentities(mappings=[Identity(source=email, target="mail", function="Equality")]),
        schedule=Schedule(frequency="daily", hour="12", minute="30"),
        target=ModelSyncV5Target(connection_id=CONNECTION, object="Users"),
        encryption_passphrase="correct horse",
    )
    key = str(uuid.uuid4())
    sync = client.model_sync.create(**asked, idempotency_key=key).data
    for name in ("name", "mode", "active", "fields", "identities", "schedule", "target"):
        equal(getattr(sync, name), asked[name])
    equal((sync.model_ids, sync.encryption_passphrase), ([model.id], "********"))
    equal(client.model_sync.create(**asked, idempotency_key=key).data, sync)
    equal(client.model_sync.get(id=sync.id).data, sync)
    other = client.model_sync.create(**dict(asked, name="Other", active=False)).data
    first = client.model_sync.list(limit=1)
    second = client.model_sync.list(limit=1, page_token=first.pagination.next_page_token)
    equal([item.id for item in first.data + second.data], [other.id, sync.id])
    equal(second.pagination.next_page_token, None)
    (item,) = client.model_sync.list(active=True, mode="updateOrCreate", target_connection_id=CONNECTION).data
    equal((item.id, item.model_ids, item.target_object), (sync.id, [model.id], "Users"))
    client.models.delete(id=model.id)
    equal(client.model_sync.get(id=sync.id).data, sync)
    raises(BadRequestError, lambda: client.model_sync.create(**asked), model.id)
    raises(NotFoundError, lambda: client.model_sync.get(id=model.id), model.id)


def executions():
    model = client.models.create(**USERS).data
    sources = {name: Source(model_id=model.id, field=name) for name in ("id", "email")}
    asked = dict(
        name="Users to the target",
        mode="updateOrCreate",
        fields=[SyncField(source=source, target=name) for name, source in sources.items()],
        identity=Identity(source=sources["id"], target="id", function="Equality"),
        schedule=Schedule(frequency="manual"),
        target=ModelSyncV5Target(connection_id=TARGET, object="users"),
    )
    sync = client.model_sync.create(**asked).data
    started = client.model_sync.start(id=sync.id).data
    deadline = time.monotonic() + 20
    while True:
        execution = client.model_sync.executions.get(sync_id=sync.id, id=started.id).data
        if execution.status in ("completed", "failed", "canceled") or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    equal((execution.status, execution.counts.insert), ("completed", 1000))
    equal([one.id for one in client.model_sync.executions.list(sync_id=sync.id).data], [started.id])
    equal(client.model_sync.get_status(id=sync.id).data.last_execution.id, started.id)
    objects = client.model_sync.targets.list(id=TARGET).data
    equal("users" in [found.id.split(".")[-1] for found in objects], True)
    updated = client.model_sync.update(id=sync.id, **dict(asked, name="Renamed")).data
    equal((updated.name, updated.id), ("Renamed", sync.id))
    client.models.delete(id=model.id)
    broken = client.model_sync.start(id=sync.id).data
    while client.model_sync.executions.get(sync_id=sync.id, id=broken.id).data.status != "failed":
        if time.monotonic() > deadline:
            raise AssertionError("a sync without its model does not fail")
        time.sleep(0.02)
    client.model_sync.delete(id=sync.id)
    raises(NotFoundError, lambda: client.model_sync.get(id=sync.id), sync.id)


def bulk_syncs():
    (sync,) = client.bulk_sync.list().data
    equal(client.bulk_sync.get(id=sync.id).data.name, sync.name)


STEPS = [
    identity,
    connections,
    change_connection,
    test_connection,
    source,
    source_fields,
    enrichment,
    preview,
    create,
    create_with_everything,
    asynchronous,
    list_and_sample,
    update_and_delete,
    syncs,
    executions,
    bulk_syncs,
]

failures = 0
for step in STEPS:
    try:
        step()
        print(f"ok      {step.__name__}")
    except Exception as error:  # every step is tried, whatever became of the one before
        failures += 1
        print(f"FAILED  {step.__name__}: {type(error).__name__}: {error}")
sys.exit(1 if failures else 0)
