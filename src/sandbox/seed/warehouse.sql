CREATE TABLE sales.customers (
    customer_id INTEGER PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    full_name TEXT NOT NULL,
    country TEXT NOT NULL,
    first_order_at DATETIME,
    lifetime_value REAL NOT NULL
);
INSERT INTO sales.customers
    SELECT u.id, u.email, u.name, u.country, min(o.ordered_at), coalesce(round(sum(o.total), 2), 0)
    FROM shop.users u LEFT JOIN shop.orders o ON o.user_id = u.id AND o.status = 'paid' GROUP BY u.id;
CREATE TABLE sales.orders (
    order_id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (customer_id),
    status TEXT NOT NULL,
    amount REAL NOT NULL,
    currency TEXT NOT NULL,
    ordered_at DATETIME NOT NULL
);
INSERT INTO sales.orders SELECT id, user_id, status, total, currency, ordered_at FROM shop.orders;
CREATE VIEW sales.revenue_by_country AS
    SELECT c.country, count(*) AS orders, round(sum(o.amount), 2) AS revenue
    FROM orders o JOIN customers c USING (customer_id) WHERE o.status = 'paid' GROUP BY c.country;
CREATE TABLE marketing.contacts (
    contact_id INTEGER PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    company_domain TEXT NOT NULL,
    is_subscribed BOOLEAN NOT NULL,
    tags JSON NOT NULL
);
INSERT INTO marketing.contacts
    SELECT c.id, c.email, o.domain, c.is_subscribed, c.tags
    FROM shop.contacts c JOIN shop.companies o ON o.id = c.company_id;
CREATE TABLE marketing.campaigns (
    campaign_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    channel TEXT NOT NULL,
    budget REAL NOT NULL,
    started_on DATE NOT NULL
);
INSERT INTO marketing.campaigns VALUES
    (1, 'Spring Sale', 'email', 1200.0, '2024-03-01'),
    (2, 'Product Launch', 'search', 8500.0, '2024-09-16'),
    (3, 'Winter Newsletter', 'email', 300.0, '2024-12-02'),
    (4, 'Partner Webinar', 'event', 2400.0, '2025-02-20'),
    (5, 'Retargeting', 'display', 4100.0, '2025-05-05');
CREATE VIEW marketing.subscribed_contacts AS
    SELECT contact_id, email, company_domain FROM contacts WHERE is_subscribed;
