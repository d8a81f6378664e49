//! The made-up organizations and users of the sandbox, and their API keys.

use axum::Json;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use uuid::{Uuid, uuid};

use crate::sandbox::http::error::ApiError;

/// An organization; callers see what belongs to theirs only.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Organization {
    pub(super) id: Uuid,
    name: &'static str,
}

pub(super) static ORGANIZATION: Organization =
    Organization { id: uuid!("7d1c1f6e-5a0b-4c57-9f0e-2b8f6d3a9c41"), name: "Sandbox" };
static OTHER_ORGANIZATION: Organization =
    Organization { id: uuid!("1f8a5c3e-62b7-4d09-8e41-c7d2a9b06f35"), name: "Other Organization" };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Admin,
    /// May change nothing.
    ReadOnly,
}

/// A user of an organization.
#[derive(Debug)]
pub(super) struct User {
    id: Uuid,
    name: &'static str,
    email: &'static str,
    role: Role,
    pub(super) organization: &'static Organization,
}

static ADMIN: User = User {
    id: uuid!("c2a4e0b8-93d7-4f16-8a5d-6e1b7f20d394"),
    name: "Sandbox User",
    email: "sandbox@example.com",
    role: Role::Admin,
    organization: &ORGANIZATION,
};
static READER: User = User {
    id: uuid!("5be07d19-4c3a-4f82-b6d5-90a1e3f7c268"),
    name: "Read-only User",
    email: "reader@example.com",
    role: Role::ReadOnly,
    organization: &ORGANIZATION,
};
static OTHER: User = User {
    id: uuid!("e94b2f06-7a1d-4c58-93f0-2d6c8b5e17a4"),
    name: "Other User",
    email: "other@example.org",
    role: Role::Admin,
    organization: &OTHER_ORGANIZATION,
};

/// Who sent a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller(&'static User);

impl Caller {
    /// An administrator of an organization, for what one has begun.
    pub(super) fn administrator_of(organization_id: Uuid) -> Option<Self> {
        let administrators = [&ADMIN, &OTHER].into_iter();
        administrators.map(Self).find(|caller| caller.organization_id() == organization_id)
    }

    pub(super) fn organization_name(self) -> &'static str {
        self.0.organization.name
    }

    pub(super) fn organization_id(self) -> Uuid {
        self.0.organization.id
    }

    pub(super) fn may_write(self) -> bool {
        self.0.role == Role::Admin
    }

    /// Whether this is the administrator to whom the sandbox itself belongs.
    pub(super) fn is_sandbox_admin(self) -> bool {
        self.may_write() && self.organization_id() == ORGANIZATION.id
    }

    /// The role as the names of the keys have it.
    pub(super) fn role_name(self) -> &'static str {
        match self.0.role {
            Role::ReadOnly => "read_only",
            Role::Admin if self.is_sandbox_admin() => "admin",
            Role::Admin => "other_organization",
        }
    }

    /// Checks the organization that a request is to belong to; without one it is the caller's.
    ///
    /// # Errors
    /// 403 for another one.
    pub(super) fn check_organization(self, requested: Option<Uuid>) -> Result<(), ApiError> {
        let id = self.organization_id();
        if requested.is_none_or(|requested| requested == id) {
            return Ok(());
        }
        Err(ApiError::forbidden(format!("organization_id: this API key belongs to {id} only.")))
    }

    /// The caller as the author of a change.
    pub(super) fn actor(self) -> Actor {
        Actor { id: self.0.id, name: self.0.name.to_owned(), r#type: "user".to_owned() }
    }
}

/// Who created or changed an object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Actor {
    id: Uuid,
    name: String,
    r#type: String,
}

impl Actor {
    /// The author of what the sandbox itself creates.
    pub(super) fn admin() -> Self {
        Caller(&ADMIN).actor()
    }

    pub(super) fn id(&self) -> Uuid {
        self.id
    }
}

/// The API keys of a sandbox, generated at every start.
#[derive(Clone)]
pub struct Keys {
    /// May do everything.
    pub admin: String,
    /// May read everything of the same organization, and change nothing: 403.
    pub read_only: String,
    /// An administrator of another organization, which sees nothing of the first: 404.
    pub other_organization: String,
    /// Accepted no longer: 401.
    pub expired: String,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    pub(super) fn generate() -> Self {
        let key = || format!("sandbox-{}", Uuid::new_v4().simple());
        Self { admin: key(), read_only: key(), other_organization: key(), expired: key() }
    }

    /// A text without the keys, should it have one.
    pub(super) fn redact(&self, text: &str) -> String {
        let keys = [&self.admin, &self.read_only, &self.other_organization, &self.expired];
        keys.into_iter().fold(text.to_owned(), |text, key| text.replace(key.as_str(), "[redacted]"))
    }

    /// The caller with this key.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn caller(&self, key: &str) -> Result<Caller, &'static str> {
        let users =
            [(&self.admin, &ADMIN), (&self.read_only, &READER), (&self.other_organization, &OTHER)];
        // Constant time, for all of them: the duration must not reveal how much of a key is right.
        let mut caller = Err("Invalid API key.");
        for (expected, user) in users {
            if is_equal(key, expected) {
                caller = Ok(Caller(user));
            }
        }
        if is_equal(key, &self.expired) {
            caller = Err("The API key has expired.");
        }
        caller
    }
}

/// Compares two secrets in constant time.
pub(super) fn is_equal(key: &str, expected: &str) -> bool {
    key.as_bytes().ct_eq(expected.as_bytes()).into()
}

/// `GET /api/me`
pub(super) async fn identity(Caller(user): Caller) -> Json<Value> {
    Json(json!({ "data": {
        "email": user.email,
        "id": user.id,
        "is_organization": false,
        "is_partner": false,
        "is_system": false,
        "is_user": true,
        "organization_id": user.organization.id,
        "organization_name": user.organization.name,
        "role": match user.role {
            Role::Admin => "admin",
            Role::ReadOnly => "member",
        },
    } }))
}
