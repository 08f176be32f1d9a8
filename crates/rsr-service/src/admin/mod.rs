//! The administration of a running service.

mod socket;

pub(crate) use socket::AdminSocket;
pub use socket::SocketError;
