//! Which core of a store is meant: [`Target`].

use hypercore::{DiscoveryKey, Key, KeyPair, Manifest};

/// Names a core of a store. Made from what names it: text is a name, a [`Key`] a key, and so on.
///
/// A key that came as text is parsed first: `store.get(text.parse::<Key>()?)`.
#[derive(Clone)]
#[non_exhaustive]
pub enum Target {
    /// A core of one's own, whose key pair is derived from the primary key, the namespace and this name.
    Name(String),
    /// Anybody's core.
    Key(Key),
    /// A core that is stored already.
    DiscoveryKey(DiscoveryKey),
    /// The core that this key pair alone signs.
    KeyPair(KeyPair),
    /// The core with this manifest.
    Manifest(Box<Manifest>),
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.debug_tuple("Name").field(name).finish(),
            Self::Key(key) => f.debug_tuple("Key").field(key).finish(),
            Self::DiscoveryKey(key) => f.debug_tuple("DiscoveryKey").field(key).finish(),
            Self::KeyPair(pair) => f.debug_tuple("KeyPair").field(&pair.public()).finish(),
            Self::Manifest(manifest) => f.debug_tuple("Manifest").field(manifest).finish(),
        }
    }
}

impl From<&str> for Target {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for Target {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl From<&String> for Target {
    fn from(name: &String) -> Self {
        Self::Name(name.clone())
    }
}

impl From<Key> for Target {
    fn from(key: Key) -> Self {
        Self::Key(key)
    }
}

impl From<&Key> for Target {
    fn from(key: &Key) -> Self {
        Self::Key(*key)
    }
}

impl From<DiscoveryKey> for Target {
    fn from(key: DiscoveryKey) -> Self {
        Self::DiscoveryKey(key)
    }
}

impl From<KeyPair> for Target {
    fn from(key_pair: KeyPair) -> Self {
        Self::KeyPair(key_pair)
    }
}

impl From<Manifest> for Target {
    fn from(manifest: Manifest) -> Self {
        Self::Manifest(Box::new(manifest))
    }
}
