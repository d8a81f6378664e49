//! How large answers are: measured as the MCP face writes them, from a stand-in that answers too much.

mod cases;
mod large;

mod cells;
mod changes;
mod limits;
mod lists;
mod pages;
