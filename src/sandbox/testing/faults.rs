//! The fault rules in force, and which of them apply to a request.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::{Value, json};

use crate::sandbox::testing::rule::{Fault, FaultRule};

/// The fault rules of a sandbox.
pub(in crate::sandbox) struct Faults {
    active: Mutex<Vec<ActiveRule>>,
    /// The rules of the start.
    initial: Vec<FaultRule>,
}

struct ActiveRule {
    rule: FaultRule,
    seed: u64,
    random: Rng,
    /// How many requests it was for, and to how many of them it applied.
    matched: u64,
    injected: u64,
    /// When the requests of the last second came that a rate limit let pass.
    passed: VecDeque<Instant>,
}

/// What happens to one request.
#[derive(Default)]
pub(super) struct Injection {
    pub(super) delay_before: Duration,
    pub(super) delay_after: Duration,
    pub(super) fault: Option<Fault>,
    /// Whether the request takes effect although it fails.
    pub(super) carry_out: bool,
    /// The rules that apply.
    pub(super) rules: Vec<String>,
}

impl Faults {
    pub(super) fn new(initial: Vec<FaultRule>) -> Self {
        let faults = Self { active: Mutex::default(), initial };
        faults.restore();
        faults
    }

    /// Replaces all rules by those of the start, which count from the beginning.
    pub(super) fn restore(&self) {
        *self.lock() = self.initial.iter().cloned().map(ActiveRule::new).collect();
    }

    pub(super) fn add(&self, rules: Vec<FaultRule>) {
        self.lock().extend(rules.into_iter().map(ActiveRule::new));
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// The rules, with what they have done.
    pub(super) fn list(&self) -> Vec<Value> {
        self.lock()
            .iter()
            .map(|active| {
                let mut entry = json!({
                    "rule": active.rule.to_string(), "matched": active.matched, "injected": active.injected,
                });
                if active.rule.probability.is_some()
                    && let Some(entry) = entry.as_object_mut()
                {
                    entry.insert("seed".to_owned(), active.seed.into());
                }
                entry
            })
            .collect()
    }

    /// Decides about a request. Delays add up; of the other faults, the first that applies is injected.
    pub(super) fn decide(&self, operation: &str) -> Injection {
        let mut injection = Injection::default();
        for active in self.lock().iter_mut() {
            let is_delay = matches!(active.rule.fault, Fault::Delay(_));
            if !active.rule.matches(operation) || (!is_delay && injection.fault.is_some()) {
                continue;
            }
            if !active.applies() {
                continue;
            }
            injection.rules.push(active.rule.to_string());
            match &active.rule.fault {
                Fault::Delay(delay) if active.rule.carry_out => injection.delay_after += *delay,
                Fault::Delay(delay) => injection.delay_before += *delay,
                fault => {
                    injection.carry_out = active.rule.carry_out;
                    injection.fault = Some(fault.clone());
                }
            }
        }
        injection
    }

    fn lock(&self) -> MutexGuard<'_, Vec<ActiveRule>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ActiveRule {
    fn new(rule: FaultRule) -> Self {
        // Without a seed, the list shows the one with which a run can be repeated.
        let seed = rule.seed.unwrap_or_else(|| fastrand::u64(0..1_000_000_000));
        Self {
            seed,
            random: Rng::with_seed(seed),
            rule,
            matched: 0,
            injected: 0,
            passed: VecDeque::new(),
        }
    }

    /// Counts a request, and decides whether the fault is injected.
    fn applies(&mut self) -> bool {
        self.matched += 1;
        if self.matched <= self.rule.skip
            || self.rule.times.is_some_and(|times| self.injected >= times)
        {
            return false;
        }
        if self.rule.probability.is_some_and(|probability| self.random.f64() >= probability) {
            return false;
        }
        if let Fault::RateLimit { requests, .. } = self.rule.fault {
            let now = Instant::now();
            self.passed.retain(|passed| now.duration_since(*passed) < Duration::from_secs(1));
            if self.passed.len() < usize::try_from(requests).unwrap_or(usize::MAX) {
                self.passed.push_back(now);
                return false;
            }
        }
        self.injected += 1;
        true
    }
}
