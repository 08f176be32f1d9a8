//! What `rsr iati` does with activities as they stream by; the commands open files and print.

pub(crate) mod ordered;
pub(crate) mod selection;
pub(crate) mod subject;
pub(crate) mod sum;
pub(crate) mod survey;
pub(crate) mod tally;
