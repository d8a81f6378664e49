//! `setup`: the files of clients, what is written into them, and what stays.

mod documents;
mod entries;
mod files;
mod fixtures;
mod keys;
mod properties;
mod updates;
