//! One module a command.

pub(crate) mod append;
pub(crate) mod cat;
pub(crate) mod clone;
pub(crate) mod create;
pub(crate) mod info;
pub(crate) mod ls;
pub(crate) mod serve;
