//! `--mask`: values of records that are masked or shown, in every place that may hold one.

use std::collections::BTreeSet;

use polytomic_mcp::tools::TOOLS;
use serde_json::{Value, json};

use crate::support::{
    CONNECTION, JOB_ID, Launch, Session, Stub, UNKNOWN_ID, job, job_path, over_call, over_mcp,
    over_rpc,
};

const MODEL: &str = "/api/models/00000000-0000-4000-8000-000000000000";
const SAMPLE: &str = "/api/models/00000000-0000-4000-8000-000000000000/sample";
const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P";

/// Column, value, what `secrets` and `personal` show; none if that is the value.
type Case = (&'static str, Value, Option<&'static str>, Option<&'static str>);

/// Values that are masked.
fn masked() -> Vec<Case> {
    let secret = |column, value: &str, masked| (column, json!(value), Some(masked), Some(masked));
    let personal = |column, value: &str, masked| (column, json!(value), None, Some(masked));
    vec![
        secret("password", "hunter2", "********"),
        secret("password_hash", "$2b$12$C6UzMDM.H6dfI/f/IKcEe", "********"),
        secret("userPassword", "x", "********"),
        secret("reset_token", "550e8400-e29b-41d4-a716-446655440000", "********"),
        secret("api_key", "abc", "********"),
        secret("client_secret", "abc", "********"),
        secret("otp", "123456", "********"),
        secret("webhook signing key", "abc", "********"),
        secret("note", "use ghp_0123456789abcdefghijABCDEFGHIJ012345 today", "use ******** today"),
        secret("note", "key: sk_live_4eC39HqLyjWDarjtT1zdp7dc.", "key: ********."),
        secret("note", "AKIAIOSFODNN7EXAMPLE", "********"),
        secret("note", "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY", "********"),
        secret("note", "xoxb-123456789012-abcdefghijkl", "********"),
        secret("note", JWT, "********"),
        secret("note", "Authorization: Bearer 0123456789abcdef", "Authorization: ********"),
        secret("note", "-----BEGIN RSA PRIVATE KEY-----\nMIIE", "********"),
        secret("dsn", "postgres://me:hunter2@db/x", "postgres://********@db/x"),
        secret("note", "the password is: password=hunter2", "the password is: password=********"),
        secret("url", "https://h/?api_key=0123456789ab", "https://h/?api_key=********"),
        secret(
            "settings",
            r#"{"a": 1.50, "password": "hunter2"}"#,
            r#"{"a":1.50,"password":"********"}"#,
        ),
        ("pin_token", json!(123_456), Some("********"), Some("********")),
        personal("email", "jane@example.com", "j***@e******.com"),
        personal("contact", "jane@example.com", "j***@e******.com"),
        personal(
            "note",
            "Ask jane.doe+x@mail.example.co.uk.",
            "Ask j*********@m***.e******.c*.uk.",
        ),
        personal("work_email", "Jane at work", "J*** a* w***"),
        personal("links", "mailto:a@example.org", "mailto:*@e******.org"),
        personal("phone", "+49 30 901820", "+** ** ******"),
        personal("mobile2", "0151 23456789", "**** ********"),
        personal("note", "Call +1 (555) 010-9999 now", "Call +* (***) ***-**** now"),
        personal("note", "Call 212-555-0187", "Call ***-***-****"),
        personal("note", "Call (212) 555-0187", "Call (***) ***-****"),
        personal("note", "Tel. 0151/23456789", "Tel. ****/********"),
        personal("note", "06 12 34 56 78", "** ** ** ** **"),
        personal("note", "4111 1111 1111 1111", "**** **** **** ****"),
        personal(
            "note",
            "paid with 4111111111111111, thanks",
            "paid with ****************, thanks",
        ),
        personal("note", "3782-822463-10005", "****-******-*****"),
        personal("card_number", "1234 5678", "**** ****"),
        personal("cvv", "123", "***"),
        personal("note", "DE89 3704 0044 0532 0130 00", "DE** **** **** **** **** **"),
        personal("account", "GB82WEST12345698765432", "GB********************"),
        personal("iban", "DE89", "DE**"),
        personal("ssn", "078-05-1120", "***-**-****"),
        personal("note", "SSN 078-05-1120", "SSN ***-**-****"),
        personal("passport_number", "C01X00T47", "C********"),
        personal("first_name", "Jane", "J***"),
        personal("lastName", "O'Brien", "*'B****"),
        personal("billing_address", "742 Evergreen Terrace", "*** E******** T******"),
        personal("address_line_1", "Flat 3", "F*** *"),
        personal("zip", "97403-1234", "*****-****"),
        personal(
            "note",
            "Lives at 742 Evergreen Terrace, Springfield, OR 97403",
            "Lives at *** E******** T******, S**********, O* *****",
        ),
        personal("note", "Hauptstraße 5, 10115 Berlin", "H********** *, ***** Berlin"),
        personal("note", "Send it to P.O. Box 1234", "Send it to *.*. B** ****"),
        personal("note", "12 rue de la Paix", "** r** d* l* P***"),
        personal("date_of_birth", "1990-05-17", "****-**-**"),
        personal(
            "contacts",
            r#"[{"email": "jane@example.com"}]"#,
            r#"[{"email":"j***@e******.com"}]"#,
        ),
        ("phone", json!(4_930_901_820_u64), None, Some("**********")),
        ("note", json!(4_111_111_111_111_111_u64), None, Some("****************")),
        ("zip", json!(97403), None, Some("*****")),
    ]
}

/// Values that stay.
fn shown() -> Vec<(&'static str, Value)> {
    vec![
        ("id", json!("550e8400-e29b-41d4-a716-446655440000")),
        ("client_id", json!("acme-web")),
        ("id", json!("01ARZ3NDEKTSV4RRFFQ69G5FAV")),
        ("order_id", json!(4_111_111_111_111_111_u64)),
        ("account_number", json!("A-100234")),
        ("created_at", json!("2026-11-29T20:46:08Z")),
        ("created_at", json!("2026-11-29 20:46:08.123456+02:00")),
        ("epoch", json!(1_764_449_168_000_u64)),
        ("epoch_us", json!(1_764_449_168_000_000_u64)),
        ("password_changed_at", json!("2026-11-29T20:46:08Z")),
        ("token_type", json!("bearer")),
        ("tokens", json!(1_200)),
        ("input_tokens", json!(998)),
        ("key", json!("enterprise-plan")),
        ("price", json!(1_299.99)),
        ("price", json!("$1,299.99")),
        ("total", json!("4111111111111111.25")),
        ("quantity", json!(42)),
        ("name", json!("Acme Rocket Skates")),
        ("product", json!("2 TB External Drive, black")),
        ("product", json!("iPhone 15 Pro Max 256 GB")),
        ("product", json!("5 Star Hotel, 3 nights")),
        ("sku", json!("0123-4567-890123")),
        ("ean", json!("4006381333931")),
        ("isbn", json!("978-3-16-148410-0")),
        ("version", json!("10.4.1234")),
        ("ip_address", json!("192.168.100.100")),
        ("email_status", json!("subscribed")),
        ("email_opt_in", json!(true)),
        ("phone_type", json!("mobile")),
        ("mobile", json!("iPhone 15")),
        ("address_id", json!(17)),
        ("url", json!("https://example.com/p/4111111111111111?code=SAVE20&page=2")),
        ("url", json!("https://shop.example.com/user@2x.png")),
        ("handle", json!("@jane on npm: pkg@1.2.3")),
        ("note", json!("Invalid token: expired; secret: none")),
        ("note", json!("Room 12, from 05-06-2026 12:30 to 2026-06-05")),
        ("note", json!("Order 12345678 has 16 digits: 1234567812345678")),
        ("hash", json!("d41d8cd98f00b204e9800998ecf8427e")),
        ("country", json!("DE")),
        ("note", Value::Null),
        ("email", json!("")),
        ("password", Value::Null),
        ("settings", json!(r#"{ "a": 1.50, "b": [1, 2] }"#)),
        ("geo", json!({"lat": 52.520_008, "lng": 13.404_954})),
    ]
}

fn launch(stub: &Stub, mask: &str) -> Launch {
    Launch::against(&stub.url()).variable("POLYTOMIC_MASK", mask)
}

/// A stub whose sample is these values, each a record of its own.
async fn stub(values: Vec<(&str, Value)>) -> Stub {
    let records: Vec<Value> =
        values.into_iter().map(|(column, value)| json!({UNKNOWN_ID: {column: value}})).collect();
    let stub = Stub::start().await;
    stub.json("GET", SAMPLE, 200, json!({"data": {"records": records}})).await;
    stub
}

async fn sample(stub: &Stub, mask: &str) -> Value {
    let mut session = Session::open(&launch(stub, mask)).await;
    session
        .call(
            "sample_records",
            json!({"model_id": UNKNOWN_ID, "limit": 1000, "max_bytes": 1_000_000}),
        )
        .await
}

#[tokio::test]
async fn values_are_masked_by_their_column_and_look_and_all_others_stay() {
    let (masked, shown) = (masked(), shown());
    assert!(masked.len() + shown.len() >= 80, "{} and {}", masked.len(), shown.len());
    let values = masked.iter().map(|(column, value, ..)| (*column, value.clone()));
    let stub = stub(values.chain(shown.clone()).collect()).await;
    for mask in ["secrets", "personal", "Off"] {
        let result = sample(&stub, mask).await;
        let records = result["records"].as_array().unwrap();
        assert_eq!(records.len(), masked.len() + shown.len());
        for ((column, value, secrets, personal), record) in masked.iter().zip(records) {
            let expected = match mask {
                "secrets" => *secrets,
                "personal" => *personal,
                _ => None,
            };
            let expected = expected.map_or(value.clone(), |text| json!(text));
            assert_eq!(record[UNKNOWN_ID], json!({*column: expected}), "{mask}: {column}: {value}");
        }
        for ((column, value), record) in shown.iter().zip(&records[masked.len()..]) {
            assert_eq!(record[UNKNOWN_ID], json!({*column: value}), "{mask}: {column}");
        }
    }
}
