//! Who may watch: the code of the printed link, which works once, and the sessions of browsers.

use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::sandbox::accounts::is_equal;

/// Only the newest are kept.
const MAX_SESSIONS: usize = 50;

pub(in crate::sandbox) struct Sessions {
    code: String,
    is_code_used: Mutex<bool>,
    open: Mutex<Vec<String>>,
}

impl Sessions {
    pub(super) fn new() -> Self {
        Self { code: random_text(), is_code_used: Mutex::default(), open: Mutex::default() }
    }

    /// The code of the link.
    pub(in crate::sandbox) fn code(&self) -> &str {
        &self.code
    }

    /// Opens a session for the code of the link, the first time.
    pub(super) fn open_with_code(&self, code: &str) -> Option<String> {
        let mut is_used = self.is_code_used.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_used || !is_equal(code, &self.code) {
            return None;
        }
        *is_used = true;
        Some(self.open())
    }

    /// Opens a session. Returns its secret.
    pub(super) fn open(&self) -> String {
        let session = random_text();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= MAX_SESSIONS {
            open.remove(0);
        }
        open.push(session.clone());
        session
    }

    pub(super) fn is_open(&self, session: &str) -> bool {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.iter().any(|known| is_equal(session, known))
    }
}

/// 244 random bits.
fn random_text() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}
