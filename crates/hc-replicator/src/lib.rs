//! Who has what and who asks whom: the replication state machine of Hypercore
