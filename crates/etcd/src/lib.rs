//! etcd v3 as a catalog, by way of its JSON gateway.

mod options;

pub use http_client::{Address, BuildError, Tls};
pub use options::Options;
