//! Size limits of results, measured in bytes as the MCP server writes them.

mod cases;
mod fixtures;

mod limits;
mod lists;
mod long_texts;
mod memory;
mod pages;
mod writes;
