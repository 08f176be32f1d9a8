//! The admin routes, in memory.
