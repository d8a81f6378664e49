//! The floor of a call: the same GET with the same HTTP library and headers, and nothing else.
//!
//! Commanded by lines: `1 2000` is 2,000 calls one after the other, `64 4000` 4,000 with 64 in flight.
//! It responds with a line: the total time and the median call, in nanoseconds.

use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Client;
use reqwest::header::{HeaderMap, HeaderValue};
use tokio::task::JoinSet;

use super::Failure;
use super::stub::MODEL;

/// Runs until its input ends. `arguments`: its role and the address of the API.
pub(super) fn run(arguments: &[String]) -> Result<(), Failure> {
    let origin = arguments.get(1).ok_or("the floor needs an address")?;
    let url = format!("{origin}/api/models/{MODEL}");
    let client = client()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (window, count) = line.split_once(' ').ok_or("two numbers are wanted")?;
        let (window, count) = (window.parse()?, count.parse()?);
        let started = Instant::now();
        let times = runtime.block_on(calls(&client, &url, window, count))?;
        let (all, each) = (started.elapsed(), middle(times));
        println!("{} {}", all.as_nanos(), each.as_nanos());
    }
    Ok(())
}

/// The client of both floors.
pub(super) fn client() -> Result<Client, Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut headers = HeaderMap::new();
    headers.insert("X-Polytomic-Version", HeaderValue::from_static("2025-09-18"));
    let builder = Client::builder().user_agent("floor/1").default_headers(headers);
    Ok(builder.tls_certs_only([]).no_proxy().build()?)
}

/// `count` calls by `window` tasks, and what each took.
async fn calls(
    client: &Client,
    url: &str,
    window: usize,
    count: usize,
) -> Result<Vec<Duration>, Failure> {
    if window == 1 {
        // Without a task: its wake-up would be the floor's loss.
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            times.push(call(client, url).await?);
        }
        return Ok(times);
    }
    let taken = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..window {
        let (client, url, taken) = (client.clone(), url.to_owned(), Arc::clone(&taken));
        tasks.spawn(async move {
            let mut times = Vec::new();
            while taken.fetch_add(1, Ordering::Relaxed) < count {
                times.push(call(&client, &url).await?);
            }
            Ok::<_, reqwest::Error>(times)
        });
    }
    let mut times = Vec::with_capacity(count);
    while let Some(done) = tasks.join_next().await {
        times.extend(done??);
    }
    Ok(times)
}

async fn call(client: &Client, url: &str) -> Result<Duration, reqwest::Error> {
    let started = Instant::now();
    let response = client.get(url).bearer_auth(super::server::KEY).send();
    std::hint::black_box(response.await?.error_for_status()?.bytes().await?);
    Ok(started.elapsed())
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
