//! Every kind reads what it writes, and refuses what it should.
