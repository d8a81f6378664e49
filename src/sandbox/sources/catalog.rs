//! The tables and views there are.

use rusqlite::Connection;

/// What `public` holds; it does not change while the sandbox runs.
#[derive(Debug)]
pub(in crate::sandbox) struct Catalog {
    relations: Vec<Relation>,
}

/// A table or a view.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) name: String,
    is_view: bool,
    /// The column that is the primary key by itself.
    pub(super) primary: Option<String>,
    /// The columns whose values are unique.
    pub(super) unique: Vec<String>,
}

impl Catalog {
    /// Looks at the main database of `connection`.
    pub(in crate::sandbox) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare(
            "SELECT name, type = 'view' FROM sqlite_schema
             WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
        )?;
        let named = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut relations = Vec::new();
        for named in named {
            let (name, is_view): (String, bool) = named?;
            let primary = single_column(
                connection,
                "SELECT CASE count(*) WHEN 1 THEN max(name) END FROM pragma_table_info(?1) WHERE pk > 0",
                &name,
            )?;
            let indexed = single_column(
                connection,
                "SELECT CASE count(*) WHEN 1 THEN max(i.name) END
                 FROM pragma_index_list(?1) l, pragma_index_info(l.name) i
                 WHERE l.\"unique\" AND NOT l.partial GROUP BY l.name",
                &name,
            )?;
            let primary = primary.into_iter().next();
            let unique = primary.iter().cloned().chain(indexed).collect();
            relations.push(Relation { name, is_view, primary, unique });
        }
        Ok(Self { relations })
    }

    /// All tables, as `public.users`.
    pub(in crate::sandbox) fn tables(&self) -> Vec<String> {
        self.qualified(false).collect()
    }

    /// All views, as `public.active_users`.
    pub(in crate::sandbox) fn views(&self) -> Vec<String> {
        self.qualified(true).collect()
    }

    /// Finds `public.users` or `users`; the error says what there is instead.
    pub(super) fn find(&self, name: &str, view: bool) -> Result<&Relation, String> {
        let bare = name.trim();
        let bare = bare.strip_prefix("public.").unwrap_or(bare);
        let (kind, other) = if view { ("view", "table") } else { ("table", "view") };
        match self.relations.iter().find(|relation| relation.name == bare) {
            Some(relation) if relation.is_view == view => Ok(relation),
            Some(_) => Err(format!("{kind}: {bare} is a {other}; give it as `{other}`.")),
            None => {
                let names: Vec<String> = self.qualified(view).collect();
                let wanted = format!("public.{bare}");
                let advice = nearest(&wanted, names.iter().map(String::as_str));
                let shown: String = name.chars().take(80).collect();
                Err(format!("{kind}: there is no {kind} \"{shown}\"; {advice}"))
            }
        }
    }

    fn qualified(&self, views: bool) -> impl Iterator<Item = String> {
        let wanted = self.relations.iter().filter(move |relation| relation.is_view == views);
        wanted.map(|relation| format!("public.{}", relation.name))
    }
}

/// The first column of every row, nulls left out.
fn single_column(connection: &Connection, sql: &str, name: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare_cached(sql)?;
    let values = statement.query_map([name], |row| row.get::<_, Option<String>>(0))?;
    values.filter_map(Result::transpose).collect()
}

/// What to say in place of an unknown name: the nearest one, or all of them.
pub(in crate::sandbox) fn nearest<'a>(
    name: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> String {
    let closeness = |known: &str| strsim::jaro_winkler(name, known);
    let best = names
        .clone()
        .map(|known| (closeness(known), known))
        .filter(|(closeness, _)| *closeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    let listed: Vec<&str> = names.take(50).collect();
    let all = listed.join(", ");
    match best {
        Some((_, best)) => format!("did you mean \"{best}\"? There are: {all}."),
        None => format!("there are: {all}."),
    }
}
