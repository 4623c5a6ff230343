//! Many named Hypercores in one store, replicated over one stream
