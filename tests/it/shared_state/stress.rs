//! Many processes that claim, keep and give up the keys of one request at random.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;

use super::state;
use crate::support::{Redis, wait_until};

const WINDOW: Duration = Duration::from_secs(600);

#[derive(Default)]
struct Seen {
    in_use: HashSet<String>,
    kept: HashSet<String>,
    removed: HashSet<String>,
}

#[tokio::test]
async fn no_key_is_used_twice_at_once_and_each_kept_one_is_taken_again() {
    let Some(redis) = Redis::start() else { return };
    let seen = Arc::<Mutex<Seen>>::default();
    let owners = (0..6).map(|seed| {
        let (state, seen) = (state(&redis), Arc::clone(&seen));
        tokio::spawn(async move {
            let mut random = fastrand::Rng::with_seed(seed);
            for _ in 0..250 {
                let held = state.claim_key("request".to_owned(), None, WINDOW).await;
                let held = held.unwrap().unwrap();
                let key = held.key.to_string();
                {
                    let mut seen = seen.lock().unwrap();
                    assert!(seen.in_use.insert(key.clone()), "{key} is used twice at once");
                    assert!(!seen.removed.contains(&key), "{key} is used after its end");
                    let was_kept = seen.kept.remove(&key);
                    assert!(held.is_carried_over || !was_kept, "{key} is new");
                }
                tokio::task::yield_now().await;
                seen.lock().unwrap().in_use.remove(&key);
                match random.u8(..4) {
                    0 | 1 => {
                        seen.lock().unwrap().kept.insert(key);
                        held.keep(|| panic!("not kept"));
                        state.wait_for_keys().await;
                    }
                    2 => {
                        seen.lock().unwrap().removed.insert(key);
                        held.release(Duration::from_millis(random.u64(..20)));
                    }
                    _ => {
                        seen.lock().unwrap().removed.insert(key);
                        held.discard().await;
                    }
                }
            }
            state.finish().await;
        })
    });
    for owner in join_all(owners).await {
        owner.unwrap();
    }
    let count = || {
        let content = redis.content();
        let entry = content.lines().find(|line| line.contains(":open:request")).unwrap_or_default();
        entry.matches(" - -").count()
    };
    let left = seen.lock().unwrap().kept.len();
    assert!(left > 0, "nothing was kept");
    wait_until("exactly the kept keys", async || count() == left).await;
}

#[tokio::test]
async fn a_claim_that_is_dropped_in_the_middle_leaves_the_keys_as_they_were() {
    let Some(redis) = Redis::start() else { return };
    let state = state(&redis);
    let claim = || state.claim_key("request".to_owned(), None, WINDOW);
    let kept = claim().await.unwrap().unwrap();
    let key = kept.key;
    kept.keep(|| panic!("not kept"));
    state.wait_for_keys().await;
    for microseconds in 0..200 {
        let _ = tokio::time::timeout(Duration::from_micros(microseconds * 5), claim()).await;
        state.wait_for_keys().await;
        let held = claim().await.unwrap().unwrap();
        assert_eq!((held.key, held.is_carried_over), (key, true), "after {microseconds}");
        held.keep(|| panic!("not kept"));
        state.wait_for_keys().await;
    }
    let content = redis.content();
    assert_eq!(content.matches(" - -").count(), 1, "{content}");
}
