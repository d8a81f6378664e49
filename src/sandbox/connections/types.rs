//! The connection types of the contract: their settings, and what their connections are good for.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::sandbox::http::error::{ApiError, shorten};
use crate::sandbox::sources::suggest_name;

/// Shown in place of a secret.
pub(in crate::sandbox) const MASK: &str = "********";

/// A connection type.
#[derive(Debug, Deserialize)]
pub(in crate::sandbox) struct ConnectionType {
    #[serde(skip)]
    pub(in crate::sandbox) id: String,
    pub(in crate::sandbox) name: String,
    /// Whether a user has to let the service in.
    pub(in crate::sandbox) use_oauth: bool,
    configuration: BTreeMap<String, Setting>,
}

/// A setting of the connections of a type.
#[derive(Debug, Deserialize)]
struct Setting {
    r#type: String,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    sensitive: bool,
    #[serde(default)]
    hidden: bool,
    #[serde(default)]
    read_only: bool,
    default: Option<Value>,
    format: Option<String>,
    #[serde(default)]
    r#enum: Vec<Value>,
    items: Option<Value>,
    properties: Option<Value>,
}

static TYPES: LazyLock<BTreeMap<String, ConnectionType>> = LazyLock::new(|| {
    let types: Result<BTreeMap<String, ConnectionType>, _> =
        serde_json::from_str(include_str!("../contract/connection_types.json"));
    let types = types.unwrap_or_else(|error| {
        tracing::error!(error = %error, "the connection types cannot be read");
        BTreeMap::new()
    });
    types.into_iter().map(|(id, r#type)| (id.clone(), ConnectionType { id, ..r#type })).collect()
});

/// Every type, by id.
pub(in crate::sandbox) fn all() -> impl Iterator<Item = &'static ConnectionType> {
    TYPES.values()
}

/// The type with this id.
///
/// # Errors
/// 400 that names the property `type` and the most similar type.
pub(in crate::sandbox) fn find(id: &str) -> Result<&'static ConnectionType, ApiError> {
    TYPES.get(id).ok_or_else(|| {
        let id = shorten(id);
        let similar = suggest_name(&id, TYPES.keys().map(String::as_str));
        // All 227 would be too many to name.
        let suggestion = similar.split("Available:").next().filter(|text| text.starts_with("did"));
        let suggestion = suggestion.unwrap_or("see list_connection_types.").trim();
        ApiError::invalid(format!("type: there is no connection type \"{id}\"; {suggestion}"))
    })
}

/// Types that write nothing that a model could read.
const NO_SOURCES: &[&str] = &[
    "dbtcloud",
    "googleslides",
    "httpenrichment",
    "knock",
    "lob",
    "n8n",
    "openai_ads",
    "scamalytics",
    "slack",
    "webhook",
];
/// Types that are read only.
const NO_DESTINATIONS: &[&str] = &[
    "apollo",
    "appstoreconnect",
    "cloudflare_logs",
    "csv",
    "dbtcloud",
    "dbtprojectrepository",
    "g2",
    "googleanalytics",
    "googlesearchconsole",
    "harmonic",
    "httpenrichment",
    "pitchbook",
    "polytomic_metadata",
    "predictleads",
    "scamalytics",
    "youtubeanalytics",
    "zoominfo",
];
const ENRICHMENTS: &[&str] =
    &["apollo", "harmonic", "httpenrichment", "predictleads", "scamalytics", "zoominfo"];
const ORCHESTRATIONS: &[&str] = &["dbtcloud"];
const LOGGINGS: &[&str] = &["azureblob", "cloudflare_r2", "datadog", "gcs", "s3"];

impl ConnectionType {
    pub(in crate::sandbox) fn is_source(&self) -> bool {
        !NO_SOURCES.contains(&self.id.as_str())
    }

    pub(in crate::sandbox) fn is_destination(&self) -> bool {
        !NO_DESTINATIONS.contains(&self.id.as_str())
    }

    pub(in crate::sandbox) fn is_enrichment(&self) -> bool {
        ENRICHMENTS.contains(&self.id.as_str())
    }

    /// As part of a connection.
    pub(in crate::sandbox) fn summary(&self) -> Value {
        let operations = [
            ("source", self.is_source()),
            ("destination", self.is_destination()),
            ("enrichment", self.is_enrichment()),
        ];
        let operations: Vec<&str> =
            operations.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect();
        json!({ "id": self.id, "logo_url": null, "name": self.name, "operations": operations })
    }

    /// As an item of the list of types. Which type has which capability is the judgement of the sandbox: the contract
    /// does not say.
    pub(in crate::sandbox) fn description(&self) -> Value {
        json!({
            "capabilities": {
                "destination": self.is_destination(),
                "enrichment": self.is_enrichment(),
                "logging": LOGGINGS.contains(&self.id.as_str()),
                "orchestration": ORCHESTRATIONS.contains(&self.id.as_str()),
                "source": self.is_source(),
            },
            "configurationForm": { "jsonschema": self.schema(), "uischema": {} },
            "envConfig": {},
            "id": self.id,
            "initialConfiguration": self.defaults(),
            "logo_dark_url": null,
            "logo_url": null,
            "name": self.name,
            "oauth_prompt": null,
            "use_oauth": self.use_oauth,
        })
    }

    /// The JSON Schema of the settings that a caller may set.
    pub(in crate::sandbox) fn schema(&self) -> Value {
        let settings = || self.configuration.iter().filter(|(_, setting)| setting.is_writable());
        let properties: Map<String, Value> =
            settings().map(|(name, setting)| (name.clone(), setting.schema())).collect();
        let required: Vec<&String> =
            settings().filter(|(_, setting)| setting.required).map(|(name, _)| name).collect();
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.name,
            "type": "object",
            "properties": properties,
            "required": required,
        })
    }

    /// The names of the settings that a caller may set.
    pub(in crate::sandbox) fn settings(&self) -> impl Iterator<Item = &str> {
        let writable = self.configuration.iter().filter(|(_, setting)| setting.is_writable());
        writable.map(|(name, _)| name.as_str())
    }

    /// The values of which a setting has one; none if it may have others.
    pub(in crate::sandbox) fn choices(&self, name: &str) -> &[Value] {
        self.configuration.get(name).map_or(&[], |setting| &setting.r#enum)
    }

    fn defaults(&self) -> Map<String, Value> {
        let defaults = self.configuration.iter().filter(|(_, setting)| setting.is_writable());
        defaults
            .filter_map(|(name, setting)| Some((name.clone(), setting.default.clone()?)))
            .collect()
    }

    /// Checks the settings of a connection, and adds the defaults of those left out. Unknown ones are kept.
    ///
    /// # Errors
    /// 400 that names the setting.
    pub(in crate::sandbox) fn complete(
        &self,
        mut configuration: Map<String, Value>,
    ) -> Result<Map<String, Value>, ApiError> {
        configuration.retain(|_, value| !value.is_null());
        for (name, setting) in &self.configuration {
            match configuration.get(name) {
                Some(value) => setting.check(name, value)?,
                None => {
                    if let Some(default) = &setting.default {
                        configuration.insert(name.clone(), default.clone());
                    } else if setting.required && setting.is_writable() {
                        return Err(ApiError::invalid(format!(
                            "configuration.{name}: missing; {} needs it, of type {}.",
                            self.id, setting.r#type
                        )));
                    }
                }
            }
        }
        Ok(configuration)
    }

    /// The settings as responses have them, without secrets.
    pub(in crate::sandbox) fn masked(&self, configuration: &Map<String, Value>) -> Value {
        let is_secret = |name: &String| match self.configuration.get(name) {
            Some(setting) => setting.sensitive || setting.holds_objects(),
            // Nothing says that an unknown setting is none.
            None => true,
        };
        let mask = |(name, value): (&String, &Value)| match is_secret(name) && has_content(value) {
            true => (name.clone(), MASK.into()),
            false => (name.clone(), value.clone()),
        };
        configuration.iter().map(mask).collect::<Map<_, _>>().into()
    }

    /// The settings of an update, in which the mask stands for the secret that is stored.
    pub(in crate::sandbox) fn unmasked(
        &self,
        mut configuration: Map<String, Value>,
        stored: &Map<String, Value>,
    ) -> Map<String, Value> {
        for (name, value) in &mut configuration {
            if *value == MASK
                && let Some(stored) = stored.get(name)
            {
                value.clone_from(stored);
            }
        }
        configuration
    }
}

fn has_content(value: &Value) -> bool {
    !value.is_null() && value != ""
}

impl Setting {
    /// Such as the headers of requests, of which any may be a secret.
    fn holds_objects(&self) -> bool {
        let items = self.items.as_ref();
        self.properties.is_some() || items.is_some_and(|items| items.get("properties").is_some())
    }

    fn is_writable(&self) -> bool {
        !self.read_only && !self.hidden
    }

    fn schema(&self) -> Value {
        let mut schema = Map::new();
        schema.insert("type".to_owned(), self.r#type.as_str().into());
        let optional = [
            ("default", self.default.clone()),
            ("enum", (!self.r#enum.is_empty()).then(|| self.r#enum.clone().into())),
            ("format", self.format.as_deref().map(Value::from)),
            ("items", self.items.clone()),
            ("properties", self.properties.clone()),
            ("writeOnly", self.sensitive.then(|| true.into())),
        ];
        let optional = optional.into_iter();
        schema.extend(optional.filter_map(|(name, value)| Some((name.to_owned(), value?))));
        schema.into()
    }

    fn check(&self, name: &str, value: &Value) -> Result<(), ApiError> {
        let is_valid = match self.r#type.as_str() {
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "array" => value.is_array(),
            // A masked object is a string.
            "object" => value.is_object() || value.is_string(),
            _ => true,
        };
        if !is_valid {
            let r#type = &self.r#type;
            return Err(ApiError::invalid(format!("configuration.{name}: expected {type}.")));
        }
        if !self.r#enum.is_empty() && !self.r#enum.contains(value) {
            let choices: Vec<String> = self.r#enum.iter().map(Value::to_string).collect();
            let choices = choices.join(", ");
            return Err(ApiError::invalid(format!(
                "configuration.{name}: expected one of {choices}."
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_can_be_read() {
        let lines = include_str!("../contract/connection_types.json").lines().count();
        assert_eq!(TYPES.len(), lines - 2);
        for id in NO_SOURCES
            .iter()
            .chain(NO_DESTINATIONS)
            .chain(ENRICHMENTS)
            .chain(ORCHESTRATIONS)
            .chain(LOGGINGS)
        {
            assert!(TYPES.contains_key(*id), "{id}");
        }
    }
}
