//! One module a command.

pub(crate) mod append;
pub(crate) mod cat;
pub(crate) mod clear;
pub(crate) mod clone;
pub(crate) mod compact;
pub(crate) mod create;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod info;
pub(crate) mod ls;
pub(crate) mod repair;
pub(crate) mod rm;
pub(crate) mod serve;
pub(crate) mod tail;
pub(crate) mod truncate;
pub(crate) mod verify;
