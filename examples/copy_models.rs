//! Copy all models of one connection into a file, or create those of a file.
//!
//! POLYTOMIC_BASE_URL=… POLYTOMIC_API_KEY=… cargo run --example copy_models -- save|load CONNECTION_ID FILE
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program of its own")]

use std::error::Error;
use std::fs;
use std::time::Duration;

use polytomic_mcp::polytomic::{
    BaseUrl, CallOptions, Client, ClientConfig, ConnectionId, Credential, JobStatus, NewModel,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, connection, file] = arguments.as_slice() else {
        return Err("usage: copy_models save|load CONNECTION_ID FILE".into());
    };
    let connection = ConnectionId(connection.parse()?);
    let url = BaseUrl::parse(&std::env::var("POLYTOMIC_BASE_URL")?, false)?;
    let key = Credential::bearer(&std::env::var("POLYTOMIC_API_KEY")?)?;
    let client = Client::new(ClientConfig::new(url, key))?;
    match what.as_str() {
        "save" => {
            let models = definitions(&client, connection).await?;
            fs::write(file, serde_json::to_string_pretty(&models)?)?;
            println!("{} in {file}", counted(models.len()));
        }
        "load" => {
            let models: Vec<NewModel> = serde_json::from_str(&fs::read_to_string(file)?)?;
            let count = models.len();
            for model in models {
                let model = NewModel { connection_id: connection, ..model };
                let options = CallOptions::default();
                let response = client.create_model(&model, &options).await?;
                // Fields may take longer to resolve than the request; a failed job is an error here.
                if let Some(job) = response.job.filter(|_| response.data.is_none()) {
                    let minute = tokio::time::sleep(Duration::from_secs(60));
                    let job = client.wait_for_job(job, minute, |_| {}, &options).await?;
                    if !matches!(job.status, Some(JobStatus::Done)) {
                        return Err(format!("{}: not there after a minute", model.name).into());
                    }
                }
            }
            println!("{} created", counted(count));
        }
        other => return Err(format!("{other}: expected save or load").into()),
    }
    Ok(())
}

/// What would have to be sent to make each model of the connection again, page by page.
async fn definitions(
    client: &Client,
    connection: ConnectionId,
) -> Result<Vec<NewModel>, Box<dyn Error>> {
    let mut models = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let page = client.list_models(None, token.as_deref(), &CallOptions::default()).await?;
        let definitions = page.items.iter().filter_map(|model| model.definition().new_model());
        models.extend(definitions.filter(|model| model.connection_id == connection));
        // A repeated token would go round for ever.
        if page.next_page_token.is_none() || page.next_page_token == token {
            return Ok(models);
        }
        token = page.next_page_token;
    }
}

fn counted(count: usize) -> String {
    if count == 1 { "1 model".to_owned() } else { format!("{count} models") }
}
