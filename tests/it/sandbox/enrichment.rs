//! Enrichment: what can be looked up, and models that do.

use serde_json::{Value, json};

use crate::support::{CONNECTION, ENRICHMENT, Sandbox, keys, users};

fn people(extra: Value) -> Value {
    let mut enricher = json!({
        "connection_id": ENRICHMENT, "configuration": { "object": "people" }, "mappings": { "email": "email" },
    });
    for (name, value) in extra.as_object().unwrap() {
        enricher[name] = value.clone();
    }
    enricher
}

#[tokio::test]
async fn the_objects_and_their_inputs_are_listed() {
    let sandbox = Sandbox::start();
    let path = format!("/api/connections/{ENRICHMENT}/modelsync/enrichment-source");
    for query in ["", "?params[object]=people", "?object=companies"] {
        let source = sandbox.get(&format!("{path}{query}")).await;
        assert_eq!(source.data()["items"]["object"]["items"], json!(["companies", "people"]));
        assert_eq!(source.data()["requires_one_of"], json!(["object"]));
    }
    let wrong = sandbox.get(&format!("{path}?params[object]=peple")).await;
    assert!(wrong.error_message(400).contains("did you mean \"people\"?"), "{}", wrong.text);
    let path = format!("/api/enrichment/{ENRICHMENT}/inputfields");
    for (object, expected) in [
        ("companies", json!([["domain"], ["name"]])),
        ("people", json!([["email"], ["name", "domain"]])),
    ] {
        let body = json!({ "configuration": { "object": object } });
        assert_eq!(sandbox.post(&path, &body).await.data(), &expected);
    }
    for body in
        [json!({}), json!({ "configuration": {} }), json!({ "configuration": { "object": 1 } })]
    {
        let response = sandbox.post(&path, &body).await;
        assert!(response.error_message(400).contains("configuration.object"), "{}", response.text);
    }
}

#[tokio::test]
async fn a_sample_has_the_enriched_fields_under_the_id_of_the_enricher() {
    let sandbox = Sandbox::start();
    let query = "SELECT email, id, company_id FROM users WHERE id < 8
                 UNION ALL SELECT 'nobody@example.net', 0, NULL UNION ALL SELECT NULL, -1, NULL
                 UNION ALL SELECT 'It''s \"x\"; --', -2, NULL ORDER BY id DESC";
    let body = users(json!({ "configuration": { "query": query }, "enricher": people(json!({})) }));
    let created = sandbox.post("/api/models", &body).await;
    let enricher = &created.data()["enricher"];
    let names: Vec<&str> = enricher["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["name"].as_str().unwrap())
        .collect();
    assert_eq!(names[0], "full_name");
    let (id, enricher_id) =
        (created.data()["id"].as_str().unwrap(), enricher["enricher_id"].as_str().unwrap());
    let sample = sandbox.get(&format!("/api/models/{id}/sample")).await;
    let records = sample.data()["records"].as_array().unwrap();
    assert_eq!(records.len(), 10);
    let mut sorted = names.clone();
    sorted.sort_unstable();
    for record in records {
        assert_eq!(keys(&record[enricher_id]), sorted, "{record}");
        let is_known = record[id]["id"].as_i64().unwrap() > 0;
        assert_eq!(record[enricher_id]["full_name"].is_string(), is_known, "{record}");
        let has_company = record[id]["company_id"].is_number();
        assert_eq!(record[enricher_id]["company_domain"].is_string(), has_company, "{record}");
    }
    let warning = sample.data()["warnings"][0].as_str().unwrap();
    assert!(warning.contains("knows nothing about 3 of 10 records"), "{warning}");
    let again = Sandbox::start();
    let created = again.post("/api/models", &body).await;
    let other = created.data()["enricher"]["enricher_id"].as_str().unwrap();
    let path = format!("/api/models/{}/sample", created.data()["id"].as_str().unwrap());
    assert_eq!(again.get(&path).await.data()["records"][0][other], records[0][enricher_id]);
}

#[tokio::test]
async fn companies_are_found_by_domain_or_name_and_people_by_name_and_domain() {
    let sandbox = Sandbox::start();
    let company =
        &sandbox.records(json!({ "query": "SELECT * FROM companies WHERE id = 3" })).await[0];
    let companies = |mappings: Value, query: &str| {
        let enricher = json!({
            "connection_id": ENRICHMENT, "configuration": { "object": "companies" }, "mappings": mappings,
            "fields": [{ "name": "industry", "label": "ignored" }, { "name": "linkedin_url" }],
        });
        users(json!({ "configuration": { "query": query }, "enricher": enricher }))
    };
    let person = "SELECT c.name AS who, upper(o.domain) AS site FROM contacts c JOIN companies o
                  ON o.id = c.company_id WHERE c.id = 5";
    let of_person = json!({
        "configuration": { "query": person },
        "enricher": people(json!({ "mappings": { "who": "name", "site": "domain" } })),
    });
    for (body, field, expected) in [
        (
            companies(json!({ "d": "domain" }), "SELECT ' COMPANY003.example.com' AS d"),
            "industry",
            company["industry"].clone(),
        ),
        (
            companies(json!({ "name": "name" }), "SELECT name FROM companies WHERE id = 3"),
            "industry",
            company["industry"].clone(),
        ),
        // The first input has no value.
        (
            companies(
                json!({ "name": "name", "d": "domain" }),
                "SELECT name, '' AS d FROM companies WHERE id = 3",
            ),
            "industry",
            company["industry"].clone(),
        ),
        (
            users(of_person),
            "linkedin_url",
            json!("https://linkedin.example.com/in/contact005-at-example.org"),
        ),
    ] {
        let created = sandbox.post("/api/models", &body).await;
        let enricher = created.data()["enricher"]["enricher_id"].as_str().unwrap();
        let path = format!("/api/models/{}/sample", created.data()["id"].as_str().unwrap());
        let sample = sandbox.get(&path).await;
        assert_eq!(sample.data()["records"][0][enricher][field], expected, "{}", sample.text);
        assert_eq!(sample.data()["warnings"], json!([]));
    }
}

#[tokio::test]
async fn an_enricher_that_does_not_fit_is_refused_with_the_property() {
    let sandbox = Sandbox::start();
    let cases = [
        (json!({ "connection_id": CONNECTION }), "enricher.connection_id: Connection"),
        (json!({ "connection_id": "x" }), "enricher.connection_id"),
        (json!({ "configuration": {} }), "enricher.configuration.object: missing"),
        (json!({ "configuration": { "object": "peoples" } }), "did you mean \"people\"?"),
        (json!({ "mappings": {} }), "need the inputs email, or name and domain"),
        (json!({ "mappings": null }), "need the inputs email, or name and domain"),
        (json!({ "mappings": { "name": "name" } }), "need the inputs email, or name and domain"),
        (json!({ "mappings": { "emial": "email" } }), "did you mean \"email\"?"),
        (
            json!({ "mappings": { "email": "mail" } }),
            "enricher.mappings.email: there is no \"mail\"",
        ),
        (json!({ "fields": [{ "name": "fone" }] }), "enricher.fields: there is no \"fone\""),
        (json!({ "fields": [{}] }), "enricher.fields[0]"),
        (json!({ "enricher_id": "x" }), "enricher.enricher_id"),
    ];
    for (extra, expected) in cases {
        let body = users(json!({ "enricher": people(extra) }));
        for path in ["/api/models", "/api/model-preview"] {
            let response = sandbox.post(path, &body).await;
            assert!(
                response.error_message(400).contains(expected),
                "{expected}: {}",
                response.text
            );
        }
    }
    let unknown = uuid::Uuid::new_v4().to_string();
    let body = users(json!({ "enricher": people(json!({ "connection_id": unknown })) }));
    assert!(sandbox.post("/api/models", &body).await.error_message(404).contains(&unknown));
}

#[tokio::test]
async fn an_update_keeps_the_enricher_and_our_tools_show_what_it_found() {
    let sandbox = Sandbox::start();
    let body = users(json!({ "enricher": people(json!({})) }));
    let created = sandbox.post("/api/models", &body).await.data().clone();
    let path = format!("/api/models/{}", created["id"].as_str().unwrap());
    let update = users(json!({ "enricher": created["enricher"] }));
    let updated = sandbox.put(&path, &update).await;
    assert_eq!(updated.data()["enricher"], created["enricher"], "{}", updated.text);
    let used = sandbox.delete(&format!("/api/connections/{ENRICHMENT}")).await;
    assert!(used.error_message(422).contains("1 models"), "{}", used.text);
    let mut session = sandbox.session().await;
    let sample = session.call("sample_records", json!({ "model_id": created["id"] })).await;
    let enricher = created["enricher"]["enricher_id"].as_str().unwrap();
    assert!(sample["records"][0][enricher]["full_name"].is_string(), "{sample}");
    session.close().await;
}
