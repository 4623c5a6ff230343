//! A core seen through an encoding: [`Encoded`].

use futures_util::{Stream, StreamExt};

use crate::encoding::ValueEncoding;
use crate::streams::ReadStream;
use crate::{Appended, GetOptions, Hypercore, Result};

/// A session that takes and gives values instead of bytes. Made by [`Hypercore::encoded`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> hypercore::Result<()> {
/// use hypercore::{Hypercore, Utf8};
///
/// let log = Hypercore::memory().await?.encoded(Utf8);
/// log.append("hello").await?;
/// assert_eq!(log.get(0).await?, "hello");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Encoded<E> {
    core: Hypercore,
    encoding: E,
}

impl<E: ValueEncoding> Encoded<E> {
    pub(crate) const fn new(core: Hypercore, encoding: E) -> Self {
        Self { core, encoding }
    }

    /// The session underneath.
    #[must_use]
    pub const fn core(&self) -> &Hypercore {
        &self.core
    }

    /// As [`Hypercore::append`].
    ///
    /// # Errors
    /// As there, and if the value has no form in this encoding.
    pub async fn append(&self, value: &E::Input) -> Result<Appended> {
        let block = self.encoding.encode(value)?;
        self.core.append(block).await
    }

    /// As [`Hypercore::append_batch`].
    ///
    /// # Errors
    /// As [`append`](Self::append); then none of the values is appended.
    pub async fn append_batch<'a>(&self, values: impl IntoIterator<Item = &'a E::Input>) -> Result<Appended>
    where
        E::Input: 'a,
    {
        let blocks: Result<Vec<_>> = values.into_iter().map(|value| self.encoding.encode(value)).collect();
        self.core.append_batch(blocks?).await
    }

    /// As [`Hypercore::get`].
    ///
    /// # Errors
    /// As there, and [`Error::Decoding`](crate::Error::Decoding) if the block is none of this encoding.
    pub async fn get(&self, index: u64) -> Result<E::Value> {
        let block = self.core.get(index).await?;
        self.encoding.decode(block)
    }

    /// As [`Hypercore::get_with`].
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_with(&self, index: u64, options: GetOptions) -> Result<Option<E::Value>> {
        let block = self.core.get_with(index, options).await?;
        block.map(|block| self.encoding.decode(block)).transpose()
    }

    /// The values of a read stream of [`core`](Self::core).
    pub fn values(&self, blocks: ReadStream) -> impl Stream<Item = Result<E::Value>> + Send + use<E> {
        let encoding = self.encoding.clone();
        blocks.map(move |block| encoding.decode(block?))
    }
}
