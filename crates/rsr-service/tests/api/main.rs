//! What the service promises over HTTP, asked in memory.

mod admin;
mod hierarchy;
mod iati;
mod live;
mod outside;
mod projects;
mod results;
mod support;
