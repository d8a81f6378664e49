//! The tables and views of the business data.

use rusqlite::Connection;

/// Jaro-Winkler similarity from which a name is suggested.
const MIN_SIMILARITY: f64 = 0.8;
const MAX_LISTED_NAMES: usize = 50;

/// The relations of the schema `public`; they do not change while the sandbox runs.
#[derive(Debug)]
pub(in crate::sandbox) struct Catalog {
    relations: Vec<Relation>,
}

/// A table or a view.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) name: String,
    is_view: bool,
    /// The primary key, if it is a single column.
    pub(super) primary_key: Option<String>,
    /// The columns that are unique on their own.
    pub(super) unique_columns: Vec<String>,
}

impl Catalog {
    /// Reads the schema of the main database of `connection`.
    pub(in crate::sandbox) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare(
            "SELECT name, type = 'view' FROM sqlite_schema
             WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
        )?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut relations = Vec::new();
        for row in rows {
            let (name, is_view): (String, bool) = row?;
            let primary_key = query_strings(
                connection,
                "SELECT CASE count(*) WHEN 1 THEN max(name) END FROM pragma_table_info(?1) WHERE pk > 0",
                &name,
            )?;
            let indexed = query_strings(
                connection,
                "SELECT CASE count(*) WHEN 1 THEN max(i.name) END
                 FROM pragma_index_list(?1) l, pragma_index_info(l.name) i
                 WHERE l.\"unique\" AND NOT l.partial GROUP BY l.name",
                &name,
            )?;
            let primary_key = primary_key.into_iter().next();
            let unique_columns = primary_key.iter().cloned().chain(indexed).collect();
            relations.push(Relation { name, is_view, primary_key, unique_columns });
        }
        Ok(Self { relations })
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
        let bare = match name.split_once('.') {
            Some((schema, bare)) if schema.eq_ignore_ascii_case("public") => bare,
            _ => name,
        };
        let (kind, other) = if is_view { ("view", "table") } else { ("table", "view") };
        match self.relations.iter().find(|relation| relation.name.eq_ignore_ascii_case(bare)) {
            Some(relation) if relation.is_view == is_view => Ok(relation),
            Some(_) => Err(format!("{kind}: {bare} is a {other}; pass it as `{other}`.")),
            None => {
                let names: Vec<String> = self.qualified_names(is_view).collect();
                let qualified = format!("public.{bare}");
                let suggestion = suggest_name(&qualified, names.iter().map(String::as_str));
                let shortened: String = name.chars().take(80).collect();
                Err(format!("{kind}: there is no {kind} \"{shortened}\"; {suggestion}"))
            }
        }
    }

    fn qualified_names(&self, views: bool) -> impl Iterator<Item = String> {
        let relations = self.relations.iter().filter(move |relation| relation.is_view == views);
        relations.map(|relation| format!("public.{}", relation.name))
    }
}

/// Returns the first column of every row, without nulls.
fn query_strings(connection: &Connection, sql: &str, name: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare_cached(sql)?;
    let values = statement.query_map([name], |row| row.get::<_, Option<String>>(0))?;
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
