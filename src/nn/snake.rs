//! snake
