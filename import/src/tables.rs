//! The key tables, one per official file.
//!
//! Each is data (`import/tables/*.toml`) parsed on use.
