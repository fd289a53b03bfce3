//! s2mel
