//! Creates and fills the in-memory database, in one transaction with prepared statements: the first request
//! waits for it.

use chrono::{DateTime, SecondsFormat};
use rusqlite::{Connection, OpenFlags, Transaction, params};
use uuid::Uuid;

use crate::sandbox::seed::random::Random;
use crate::sandbox::seed::words::{
    COMPANY_FIRST, COMPANY_LAST, COMPANY_SECOND, CURRENCIES, INDUSTRIES, NameOrder, ORDER_STATUSES,
    PEOPLE, PLANS, PRODUCTS, TAGS, TITLES,
};
use crate::sandbox::sources::{DEFAULT_SCHEMA, Schema};

const SEED: u64 = 20_250_918;
const COMPANIES: u32 = 150;
const USERS: u32 = 1_000;
const CONTACTS: u32 = 400;
const ORDERS: u32 = 2_000;
const SUBSCRIPTIONS: u32 = 600;

/// All times lie within the three and a half years from 2023-01-01, in Unix seconds. They are fixed, so that
/// no result depends on when the sandbox is started.
const START_SECONDS: i64 = 1_672_531_200;
const PERIOD_SECONDS: u32 = 110_000_000;
const END_SECONDS: i64 = START_SECONDS + 110_000_000;

/// How much business data there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SeedData {
    /// 2,000 orders of 1,000 users.
    #[default]
    Small,
    /// A hundred times as much, which takes seconds to create.
    Large,
    /// Neither data nor connections.
    None,
}

impl SeedData {
    fn times(self) -> u32 {
        match self {
            Self::Small => 1,
            Self::Large => 100,
            Self::None => 0,
        }
    }
}

/// A database in memory. It exists as long as this value.
pub(in crate::sandbox) struct Shop {
    _connection: Connection,
    schemas: Vec<Schema>,
}

impl Shop {
    pub(in crate::sandbox) fn schemas(&self) -> Vec<Schema> {
        self.schemas.clone()
    }
}

/// A URI for a new database in memory. Its name is unique, since they are shared within a process.
pub(super) fn memory_uri() -> String {
    format!("file:/{}?vfs=memdb", Uuid::new_v4().simple())
}

pub(super) fn open_memory(uri: &str) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(uri, flags)
}

/// Creates the shop.
pub(in crate::sandbox) fn create_shop(data: SeedData) -> rusqlite::Result<Shop> {
    let uri = memory_uri();
    let mut connection = open_memory(&uri)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(include_str!("schema.sql"))?;
    let mut random = Random::new(SEED);
    let times = data.times();
    if times > 0 {
        add_companies(&transaction, &mut random, COMPANIES * times)?;
        add_users(&transaction, &mut random, USERS * times)?;
        add_contacts(&transaction, &mut random, CONTACTS * times)?;
        add_orders(&transaction, &mut random, ORDERS * times)?;
        add_subscriptions(&transaction, &mut random, SUBSCRIPTIONS * times)?;
    }
    transaction.commit()?;
    let schemas = vec![Schema { name: DEFAULT_SCHEMA.to_owned(), uri }];
    Ok(Shop { _connection: connection, schemas })
}

fn add_companies(tx: &Transaction<'_>, random: &mut Random, count: u32) -> rusqlite::Result<()> {
    let mut insert =
        tx.prepare("INSERT INTO companies VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
    for id in 1..=count {
        let name = format!(
            "{} {} {}",
            random.word(COMPANY_FIRST),
            random.word(COMPANY_SECOND),
            random.word(COMPANY_LAST)
        );
        let (_, country) = random_person(random);
        let employees = (!random.percent(8)).then(|| 1 + random.below(5_000));
        let revenue = (!random.percent(15)).then(|| f64::from(random.below(900_000_000)) / 100.0);
        let (created, updated) = random_times(random);
        insert.execute(params![
            id,
            name,
            format!("company{id:03}.example.com"),
            random.word(INDUSTRIES),
            country,
            employees,
            revenue,
            format_time(created),
            format_time(updated)
        ])?;
    }
    Ok(())
}

fn add_users(tx: &Transaction<'_>, random: &mut Random, count: u32) -> rusqlite::Result<()> {
    let mut insert = tx.prepare(
        "INSERT INTO users VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    for id in 1..=count {
        let (name, country) = random_person(random);
        let domain = random.word(&["example.com", "example.org"]);
        let age = (!random.percent(12)).then(|| 18 + random.below(70));
        let (created, updated) = random_times(random);
        let last_login =
            (!random.percent(15)).then(|| format_time(between(created, END_SECONDS, random)));
        let company = random.percent(60).then(|| 1 + random.below(COMPANIES));
        let (plan, _) = random.pick(PLANS).unwrap_or_default();
        insert.execute(params![
            id,
            format!("user{id:04}@{domain}"),
            name,
            age,
            random.percent(80),
            plan,
            country,
            format_date(created),
            last_login,
            f64::from(random.below(1_000_000)) / 100.0 - 500.0,
            company,
            format_time(created),
            format_time(updated)
        ])?;
    }
    Ok(())
}

fn add_contacts(tx: &Transaction<'_>, random: &mut Random, count: u32) -> rusqlite::Result<()> {
    let mut insert =
        tx.prepare("INSERT INTO contacts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?;
    for id in 1..=count {
        let (name, _) = random_person(random);
        // 555-0100 to 555-0199 are reserved for fiction.
        let phone = random.percent(70).then(|| format!("+1 202 555 01{:02}", random.below(100)));
        let title = random.percent(85).then(|| random.word(TITLES));
        let tags: Vec<&str> = TAGS.iter().copied().filter(|_| random.percent(30)).collect();
        let (created, updated) = random_times(random);
        insert.execute(params![
            id,
            1 + random.below(COMPANIES),
            name,
            format!("contact{id:03}@example.org"),
            phone,
            title,
            random.percent(55),
            serde_json::json!(tags).to_string(),
            format_time(created),
            format_time(updated)
        ])?;
    }
    Ok(())
}

fn add_orders(tx: &Transaction<'_>, random: &mut Random, count: u32) -> rusqlite::Result<()> {
    let mut insert = tx.prepare("INSERT INTO orders VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    for id in 1..=count {
        let mut total = 0.0;
        let mut items = Vec::new();
        for _ in 0..=random.below(3) {
            let (product, price) = random.pick(PRODUCTS).unwrap_or_default();
            let quantity = 1 + random.below(5);
            total += price * f64::from(quantity);
            items.push(
                serde_json::json!({ "product": product, "quantity": quantity, "price": price }),
            );
        }
        let (ordered, updated) = random_times(random);
        insert.execute(params![
            id,
            1 + random.below(USERS),
            random.word(ORDER_STATUSES),
            (total * 100.0).round() / 100.0,
            random.word(CURRENCIES),
            serde_json::Value::Array(items).to_string(),
            format_time(ordered),
            format_time(updated)
        ])?;
    }
    Ok(())
}

fn add_subscriptions(
    tx: &Transaction<'_>,
    random: &mut Random,
    count: u32,
) -> rusqlite::Result<()> {
    let mut insert =
        tx.prepare("INSERT INTO subscriptions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?;
    for id in 1..=count {
        let (plan, price) = random.pick(PLANS).unwrap_or_default();
        let (started, updated) = random_times(random);
        let cancelled = random.percent(25);
        let settings = serde_json::json!({
            "auto_renew": random.percent(90),
            "invoice_day": 1 + random.below(28),
        });
        insert.execute(params![
            id,
            1 + random.below(USERS),
            plan,
            if cancelled { "cancelled" } else { "active" },
            price,
            1 + random.below(40),
            settings.to_string(),
            format_date(started),
            cancelled.then(|| format_date(updated)),
            format_time(updated)
        ])?;
    }
    Ok(())
}

/// A full name, and a country where it is common.
fn random_person(random: &mut Random) -> (String, &'static str) {
    let Some(people) = random.pick(PEOPLE) else {
        return Default::default();
    };
    let (given, family) = (random.word(people.given), random.word(people.family));
    let name = match people.order {
        NameOrder::GivenFirst => format!("{given} {family}"),
        NameOrder::FamilyFirst => format!("{family} {given}"),
        NameOrder::Joined => format!("{family}{given}"),
    };
    (name, people.country)
}

/// The times of creation and of the last update.
fn random_times(random: &mut Random) -> (i64, i64) {
    let first = START_SECONDS + i64::from(random.below(PERIOD_SECONDS));
    (first, between(first, END_SECONDS, random))
}

fn between(from: i64, to: i64, random: &mut Random) -> i64 {
    from + i64::from(random.below(u32::try_from(to - from).unwrap_or(0)))
}

fn format_time(seconds: i64) -> String {
    let time = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn format_date(seconds: i64) -> String {
    format_time(seconds).chars().take(10).collect()
}
