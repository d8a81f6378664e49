//! The forms of fault rules: text of a flag, TOML of a file, JSON of a request.

use std::str::FromStr;

use serde_json::Value;
use toml_edit::{Document, Item, Table};

use crate::sandbox::testing::rule::{FaultRule, InvalidRule};

const TEXT_FORM: &str = "OPERATIONS:FAULT, such as create_model:status=503,times=3";

impl FromStr for FaultRule {
    type Err = InvalidRule;

    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        let form = || InvalidRule(format!("There is no colon; expected {TEXT_FORM}."));
        let (operations, properties) = text.split_once(':').ok_or_else(form)?;
        let properties =
            properties.split(',').map(str::trim).filter(|property| !property.is_empty());
        let properties = properties.map(|property| match property.split_once('=') {
            Some((name, value)) => (name.trim().to_owned(), value.trim().to_owned()),
            None => (property.to_owned(), "true".to_owned()),
        });
        Self::new(operations.trim(), &properties.collect::<Vec<_>>())
    }
}

impl FaultRule {
    /// Parses the TOML of a file: a table `[[fault]]` for each rule, with `operations` and the properties of a rule.
    ///
    /// # Errors
    /// What is wrong, with the number of the rule.
    pub fn parse_toml(text: &str) -> Result<Vec<Self>, InvalidRule> {
        let document = Document::parse(text).map_err(|error| InvalidRule(error.to_string()))?;
        let form = || {
            InvalidRule("Expected tables [[fault]], each with operations and a fault.".to_owned())
        };
        if document.iter().any(|(name, _)| name != "fault") {
            return Err(form());
        }
        let Some(tables) = document.get("fault") else {
            return Ok(Vec::new());
        };
        let tables = tables.as_array_of_tables().ok_or_else(form)?;
        let rules = tables.iter().enumerate().map(|(index, table)| {
            let rule = toml_properties(table).and_then(from_properties);
            rule.map_err(|InvalidRule(problem)| {
                InvalidRule(format!("fault {}: {problem}", index + 1))
            })
        });
        rules.collect()
    }

    /// Reads the rules of a request: a rule as an object or as text, or a list of them as `faults`.
    pub(in crate::sandbox) fn parse_json(body: &Value) -> Result<Vec<Self>, InvalidRule> {
        if let Some(list) = body.get("faults") {
            let form = || InvalidRule("faults: expected a list of rules.".to_owned());
            let rules = list.as_array().ok_or_else(form)?.iter().enumerate();
            return rules
                .map(|(index, rule)| {
                    let rule = json_rule(rule);
                    rule.map_err(|InvalidRule(problem)| {
                        InvalidRule(format!("faults[{index}]: {problem}"))
                    })
                })
                .collect();
        }
        match body.get("fault") {
            Some(rule) => Ok(vec![json_rule(rule)?]),
            None => Ok(vec![json_rule(body)?]),
        }
    }
}

fn json_rule(rule: &Value) -> Result<FaultRule, InvalidRule> {
    match rule {
        Value::String(text) => text.parse(),
        Value::Object(properties) => {
            let properties = properties.iter().map(|(name, value)| match value {
                Value::String(text) => Ok((name.clone(), text.clone())),
                Value::Bool(_) | Value::Number(_) => Ok((name.clone(), value.to_string())),
                _ => Err(InvalidRule(format!("{name}: expected a text, a number or true."))),
            });
            from_properties(properties.collect::<Result<_, _>>()?)
        }
        _ => Err(InvalidRule(format!(
            "Expected an object with operations and a fault, or a text {TEXT_FORM}."
        ))),
    }
}

fn toml_properties(table: &Table) -> Result<Vec<(String, String)>, InvalidRule> {
    let properties = table.iter().map(|(name, item)| {
        let value = match item {
            Item::Value(toml_edit::Value::String(text)) => Some(text.value().clone()),
            Item::Value(toml_edit::Value::Integer(number)) => Some(number.value().to_string()),
            Item::Value(toml_edit::Value::Float(number)) => Some(number.value().to_string()),
            Item::Value(toml_edit::Value::Boolean(value)) => Some(value.value().to_string()),
            _ => None,
        };
        let form = || InvalidRule(format!("{name}: expected a text, a number or true."));
        Ok((name.to_owned(), value.ok_or_else(form)?))
    });
    properties.collect()
}

fn from_properties(mut properties: Vec<(String, String)>) -> Result<FaultRule, InvalidRule> {
    let position = properties.iter().position(|(name, _)| name == "operations");
    let form = || {
        InvalidRule("operations: missing; expected an id such as create_model, a pattern such as *_model, or *.".to_owned())
    };
    let (_, operations) = properties.remove(position.ok_or_else(form)?);
    FaultRule::new(&operations, &properties)
}
