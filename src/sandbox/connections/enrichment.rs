//! What enrichment connections look up: people and companies of the shop, whatever the type of the connection.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::sandbox::connections::connection::Connection;
use crate::sandbox::http::error::{ApiError, shorten};
use crate::sandbox::sources::{ReadLimit, Selection, Sources, suggest_name};

/// Matches of one lookup; names are not unique.
const MAX_MATCHES: usize = 1000;

/// A kind of thing that can be looked up.
#[derive(Debug)]
pub(in crate::sandbox) struct Object {
    pub(in crate::sandbox) name: &'static str,
    /// Sets of inputs, of which one is sufficient; the first is preferred.
    pub(in crate::sandbox) inputs: &'static [&'static [&'static str]],
    /// Names and types of what is known about each.
    pub(in crate::sandbox) fields: &'static [(&'static str, &'static str)],
    /// Reads them, with the inputs as columns.
    query: &'static str,
}

pub(in crate::sandbox) static OBJECTS: [Object; 2] = [
    Object {
        name: "companies",
        inputs: &[&["domain"], &["name"]],
        fields: &[
            ("company_name", "string"),
            ("industry", "string"),
            ("country", "string"),
            ("employee_count", "number"),
            ("annual_revenue", "number"),
            ("founded_year", "number"),
            ("linkedin_url", "string"),
        ],
        query: "SELECT lower(domain) AS domain, lower(name) AS name, name AS company_name, industry, country,
                    employees AS employee_count, annual_revenue, 1950 + id * 7 % 70 AS founded_year,
                    'https://linkedin.example.com/company/' || id AS linkedin_url
                FROM companies ORDER BY id",
    },
    Object {
        name: "people",
        inputs: &[&["email"], &["name", "domain"]],
        fields: &[
            ("full_name", "string"),
            ("title", "string"),
            ("phone", "string"),
            ("company_name", "string"),
            ("company_domain", "string"),
            ("industry", "string"),
            ("linkedin_url", "string"),
        ],
        query: "SELECT lower(p.email) AS email, lower(p.name) AS name, lower(c.domain) AS domain, p.name AS full_name,
                    p.title, p.phone, c.name AS company_name, c.domain AS company_domain, c.industry,
                    'https://linkedin.example.com/in/' || replace(lower(p.email), '@', '-at-') AS linkedin_url
                FROM (SELECT email, name, title, phone, company_id FROM contacts
                      UNION ALL SELECT email, name, NULL, NULL, company_id FROM users) p
                    LEFT JOIN companies c ON c.id = p.company_id ORDER BY p.email",
    },
];

impl Object {
    /// The object that a configuration chooses.
    ///
    /// # Errors
    /// 400 that lists the objects.
    pub(in crate::sandbox) fn find(
        property: &str,
        configuration: &Map<String, Value>,
    ) -> Result<&'static Self, ApiError> {
        let names = OBJECTS.iter().map(|object| object.name);
        let name = match configuration.get("object") {
            Some(Value::String(name)) => name,
            Some(Value::Null) | None => {
                let expected = names.collect::<Vec<_>>().join(" or ");
                let message = format!("{property}.object: missing; expected {expected}.");
                return Err(ApiError::invalid(message));
            }
            Some(_) => {
                return Err(ApiError::invalid(format!("{property}.object: expected a string.")));
            }
        };
        OBJECTS.iter().find(|object| object.name == name).ok_or_else(|| {
            let suggestion = suggest_name(name, names);
            let name = shorten(name);
            ApiError::invalid(format!("{property}.object: there is no \"{name}\"; {suggestion}"))
        })
    }

    /// Every input of a set.
    pub(in crate::sandbox) fn all_inputs(&self) -> BTreeSet<&'static str> {
        self.inputs.iter().flat_map(|set| set.iter().copied()).collect()
    }

    /// The first sufficient set of inputs that `is_given`.
    fn sufficient_inputs(
        &self,
        is_given: impl Fn(&str) -> bool,
    ) -> Option<&'static [&'static str]> {
        self.inputs.iter().copied().find(|set| set.iter().all(|input| is_given(input)))
    }

    /// # Errors
    /// 400 that lists the sets, unless one of them `is_given`.
    pub(in crate::sandbox) fn check_inputs(
        &self,
        property: &str,
        is_given: impl Fn(&str) -> bool,
    ) -> Result<(), ApiError> {
        if self.sufficient_inputs(is_given).is_some() {
            return Ok(());
        }
        let sets: Vec<String> = self.inputs.iter().map(|set| set.join(" and ")).collect();
        let sets = sets.join(", or ");
        Err(ApiError::invalid(format!("{property}: {} need the inputs {sets}.", self.name)))
    }

    /// Looks up records by their inputs. Returns the values of the fields of each, or `None` for an unknown one.
    ///
    /// # Errors
    /// 400 past the deadline.
    pub(in crate::sandbox) async fn look_up(
        &self,
        sources: &Sources,
        shop: &str,
        records: &[Map<String, Value>],
        limit: &ReadLimit,
    ) -> Result<Vec<Option<Map<String, Value>>>, ApiError> {
        let wanted: Vec<Option<Vec<(&str, String)>>> =
            records.iter().map(|record| self.normalized(record)).collect();
        if wanted.iter().all(Option::is_none) {
            return Ok(records.iter().map(|_| None).collect());
        }
        let conditions: BTreeSet<String> =
            wanted.iter().flatten().map(|inputs| condition(inputs)).collect();
        let conditions = conditions.into_iter().collect::<Vec<_>>().join(" OR ");
        let query = format!("SELECT * FROM ({}) WHERE {conditions}", self.query);
        let source = sources.built_in(shop)?;
        let table = source.read(Selection::Query(query), MAX_MATCHES, limit).await?;
        let known: Vec<Map<String, Value>> = table
            .rows
            .into_iter()
            .map(|row| table.columns.iter().map(|column| column.name.clone()).zip(row).collect())
            .collect();
        let find = |inputs: Vec<(&str, String)>| {
            let is_match = |row: &&Map<String, Value>| {
                inputs
                    .iter()
                    .all(|(name, value)| row.get(*name).is_some_and(|known| known == value))
            };
            let row = known.iter().find(is_match)?;
            let field = |(name, _): &(&str, &str)| {
                ((*name).to_owned(), row.get(*name).cloned().unwrap_or_default())
            };
            Some(self.fields.iter().map(field).collect())
        };
        Ok(wanted.into_iter().map(|inputs| find(inputs?)).collect())
    }

    /// The values of the preferred inputs, as they are compared; `None` if they are not sufficient.
    fn normalized(&self, record: &Map<String, Value>) -> Option<Vec<(&'static str, String)>> {
        let value = |input: &str| {
            let text = record.get(input)?.as_str()?.trim().to_ascii_lowercase();
            (!text.is_empty() && !text.contains('\0')).then_some(text)
        };
        let set = self.sufficient_inputs(|input| value(input).is_some())?;
        set.iter().map(|input| Some((*input, value(input)?))).collect()
    }
}

fn condition(inputs: &[(&str, String)]) -> String {
    let equal =
        |(name, value): &(&str, String)| format!("{name} = '{}'", value.replace('\'', "''"));
    format!("({})", inputs.iter().map(equal).collect::<Vec<_>>().join(" AND "))
}

/// # Errors
/// 404, as documented, if the type of the connection cannot enrich; 400 if the connection fails.
pub(in crate::sandbox) fn check(connection: &Connection) -> Result<(), ApiError> {
    if !connection.connection_type()?.is_enrichment() {
        let message = format!("Connection {} does not support enrichment.", connection.id);
        return Err(ApiError::not_found(message));
    }
    connection.check_usable()
}
