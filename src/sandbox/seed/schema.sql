CREATE TABLE companies (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    domain TEXT NOT NULL UNIQUE,
    industry TEXT NOT NULL,
    country TEXT NOT NULL,
    employees INTEGER,
    annual_revenue REAL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL
);
CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    age INTEGER,
    is_active BOOLEAN NOT NULL,
    plan TEXT NOT NULL,
    country TEXT NOT NULL,
    signup_date DATE NOT NULL,
    last_login_at DATETIME,
    balance REAL NOT NULL,
    company_id INTEGER REFERENCES companies (id),
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL
);
CREATE TABLE contacts (
    id INTEGER PRIMARY KEY,
    company_id INTEGER NOT NULL REFERENCES companies (id),
    name TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE,
    phone TEXT,
    title TEXT,
    is_subscribed BOOLEAN NOT NULL,
    tags JSON NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL
);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    status TEXT NOT NULL,
    total REAL NOT NULL,
    currency TEXT NOT NULL,
    items JSON NOT NULL,
    ordered_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL
);
CREATE TABLE subscriptions (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    plan TEXT NOT NULL,
    status TEXT NOT NULL,
    monthly_price REAL NOT NULL,
    seats INTEGER NOT NULL,
    settings JSON NOT NULL,
    started_on DATE NOT NULL,
    cancelled_on DATE,
    updated_at DATETIME NOT NULL
);
CREATE VIEW active_users AS
    SELECT id, email, name, plan, country, last_login_at FROM users WHERE is_active;
CREATE VIEW monthly_revenue AS
    SELECT substr(ordered_at, 1, 7) AS month, currency, count(*) AS orders,
           round(sum(total), 2) AS revenue
    FROM orders WHERE status = 'paid' GROUP BY month, currency ORDER BY month, currency;
