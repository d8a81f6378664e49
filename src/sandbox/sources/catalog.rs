//! The tables and views of the business data.

use rusqlite::Connection;

use crate::sandbox::sources::database::{Database, Schema};
use crate::sandbox::sources::interrupt::Interrupt;

/// Jaro-Winkler similarity from which a name is suggested.
const MIN_SIMILARITY: f64 = 0.8;
const MAX_LISTED_NAMES: usize = 50;

/// The relations of a source.
#[derive(Debug)]
pub(in crate::sandbox) struct Catalog {
    /// The names of the schemas.
    schemas: Vec<String>,
    relations: Vec<Relation>,
}

/// A table or a view.
#[derive(Debug)]
pub(in crate::sandbox) struct Relation {
    pub(in crate::sandbox) schema: String,
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) is_view: bool,
    /// The columns of the primary key.
    pub(in crate::sandbox) primary_key: Vec<String>,
    /// The columns that are unique on their own.
    pub(in crate::sandbox) unique_columns: Vec<String>,
}

impl Relation {
    /// Such as `public.users`.
    pub(in crate::sandbox) fn qualified_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

impl Catalog {
    /// Reads the schemas of a database.
    pub(super) fn read(database: &Database, interrupt: &Interrupt) -> rusqlite::Result<Self> {
        let connection = database.open()?;
        interrupt.set_handle(connection.get_interrupt_handle());
        let mut relations = Vec::new();
        for Schema { name: schema, .. } in database.schemas() {
            let mut statement = connection.prepare(&format!(
                "SELECT name, type = 'view' FROM \"{schema}\".sqlite_schema
                 WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
            ))?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            for row in rows {
                let (name, is_view): (String, bool) = row?;
                // Views have neither; asking for those of one that is broken fails.
                let keys_of = |sql: &str| match is_view {
                    true => Ok(Vec::new()),
                    false => query_strings(&connection, sql, [&name, schema]),
                };
                let primary_key =
                    keys_of("SELECT name FROM pragma_table_info(?1, ?2) WHERE pk > 0 ORDER BY pk")?;
                let indexed = keys_of(
                    "SELECT CASE count(*) WHEN 1 THEN max(i.name) END
                     FROM pragma_index_list(?1, ?2) l, pragma_index_info(l.name, ?2) i
                     WHERE l.\"unique\" AND NOT l.partial GROUP BY l.name",
                )?;
                let single = match primary_key.as_slice() {
                    [single] => Some(single.clone()),
                    _ => None,
                };
                let unique_columns = single.into_iter().chain(indexed).collect();
                let schema = schema.clone();
                relations.push(Relation { schema, name, is_view, primary_key, unique_columns });
            }
        }
        let schemas = database.schemas().iter().map(|schema| schema.name.clone()).collect();
        Ok(Self { schemas, relations })
    }

    /// The catalog of these tables and views.
    #[cfg(feature = "postgres")]
    pub(super) fn of(relations: Vec<Relation>) -> Self {
        let mut schemas: Vec<String> =
            relations.iter().map(|relation| relation.schema.clone()).collect();
        schemas.dedup();
        Self { schemas, relations }
    }

    /// Every table and view.
    pub(in crate::sandbox) fn relations(&self) -> &[Relation] {
        &self.relations
    }

    /// The qualified names of all tables, such as `public.users`.
    pub(in crate::sandbox) fn tables(&self) -> Vec<String> {
        self.qualified_names(false).collect()
    }

    /// The qualified names of all views, such as `public.active_users`.
    pub(in crate::sandbox) fn views(&self) -> Vec<String> {
        self.qualified_names(true).collect()
    }

    /// Finds a table or view by its qualified or unqualified name, without case as in SQLite. The error suggests
    /// existing ones.
    pub(super) fn find(&self, name: &str, is_view: bool) -> Result<&Relation, String> {
        let name = name.trim();
        let (kind, other) = if is_view { ("view", "table") } else { ("table", "view") };
        let has_name = |relation: &&Relation| {
            relation.name.eq_ignore_ascii_case(name)
                || relation.qualified_name().eq_ignore_ascii_case(name)
        };
        let found: Vec<&Relation> = self.relations.iter().filter(has_name).collect();
        match *found.as_slice() {
            [relation] if relation.is_view == is_view => Ok(relation),
            [relation] => {
                Err(format!("{kind}: {} is a {other}; pass it as `{other}`.", relation.name))
            }
            [] => {
                let names: Vec<String> = self.qualified_names(is_view).collect();
                let qualified = match (name.contains('.'), self.schemas.first()) {
                    (false, Some(schema)) => format!("{schema}.{name}"),
                    _ => name.to_lowercase(),
                };
                let suggestion = suggest_name(&qualified, names.iter().map(String::as_str));
                let shortened: String = name.chars().take(80).collect();
                Err(format!("{kind}: there is no {kind} \"{shortened}\"; {suggestion}"))
            }
            _ => {
                let names: Vec<String> =
                    found.iter().map(|relation| relation.qualified_name()).collect();
                Err(format!("{kind}: {name} is in several schemas; pass {}.", names.join(" or ")))
            }
        }
    }

    fn qualified_names(&self, views: bool) -> impl Iterator<Item = String> {
        let relations = self.relations.iter().filter(move |relation| relation.is_view == views);
        relations.map(Relation::qualified_name)
    }
}

/// Returns the first column of every row, without nulls.
fn query_strings(
    connection: &Connection,
    sql: &str,
    parameters: [&String; 2],
) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare_cached(sql)?;
    let values = statement.query_map(parameters, |row| row.get::<_, Option<String>>(0))?;
    values.filter_map(Result::transpose).collect()
}

/// The end of an error message about an unknown name: the most similar name, if any, and all names.
pub(in crate::sandbox) fn suggest_name<'a>(
    name: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> String {
    let similarity = |existing: &str| strsim::jaro_winkler(name, existing);
    let best = names
        .clone()
        .map(|existing| (similarity(existing), existing))
        .filter(|(similarity, _)| *similarity > MIN_SIMILARITY)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    let listed: Vec<&str> = names.take(MAX_LISTED_NAMES).collect();
    let all = listed.join(", ");
    match best {
        Some((_, best)) => format!("did you mean \"{best}\"? Available: {all}."),
        None => format!("available: {all}."),
    }
}
