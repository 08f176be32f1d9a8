//! The service on real sockets: readers that are slow or gone, clients that never finish, stopping.
