//! Models: queries and views over the data of a connection.

pub(super) mod model; // as the API returns it

pub(super) mod configuration; // which table, view or query it reads

mod names;

mod enricher; // data from an enrichment connection

mod request; // reading and validating a request

pub(super) mod definition; // from a request to a model

pub(super) mod handlers;

pub(super) use configuration::parse_selection;
