//! etcd v3 as a catalog, by way of its JSON gateway.
