//! Create a model over a table and print a sample of it.
//!
//! POLYTOMIC_BASE_URL=… POLYTOMIC_API_KEY=… cargo run --example create_model -- CONNECTION_ID TABLE
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program of its own")]

use std::error::Error;
use std::time::Duration;

use polytomic_mcp::polytomic::{
    BaseUrl, CallOptions, Client, ClientConfig, Credential, ModelId, NewModel,
};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: create_model CONNECTION_ID TABLE";
    let (connection, table) = arguments.next().zip(arguments.next()).ok_or(usage)?;
    let url = BaseUrl::parse(&std::env::var("POLYTOMIC_BASE_URL")?, false)?;
    let key = Credential::bearer(&std::env::var("POLYTOMIC_API_KEY")?)?;
    let client = Client::new(ClientConfig::new(url, key))?;

    let model: NewModel = serde_json::from_value(json!({
        "connection_id": connection,
        "name": table,
        "configuration": {"table": table},
    }))?;
    let options = CallOptions::default();
    let response = client.create_model(&model, &options).await?;
    // A slow request returns a job, whose result is the model.
    let saved = match (response.data, response.job) {
        (Some(model), _) => model,
        (None, Some(job)) => {
            let minute = tokio::time::sleep(Duration::from_secs(60));
            let job = client.wait_for_job(job, minute, |_| {}, &options).await?;
            job.result.ok_or("the job is not done after a minute")?.read()?
        }
        (None, None) => return Err("neither a model nor a job".into()),
    };
    let id = saved.id.as_deref().ok_or("the model has no id")?;
    println!("model {id}");
    let sample = client.sample_model(ModelId(id.parse()?), &options).await?;
    for record in sample.data.unwrap_or_default().records.unwrap_or_default().iter().take(5) {
        println!("{}", json!(record.values().get(id)));
    }
    Ok(())
}
