//! What a recorded worker did to its files, and from when on the device holds it for sure.
//!
//! A write is on the device once a sync of its file has ended that began after it. A name is once its folder was synced, or, in
//! a file system that keeps a journal in order, once anything was.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::trace::Call;
use crate::ledger::{self, Line};

/// A file, whatever it is called.
pub(crate) type Inode = usize;

/// Something that changes what the device holds.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Write { inode: Inode, at: usize, bytes: Vec<u8> },
    Truncate { inode: Inode, len: usize },
    Create { name: PathBuf, inode: Inode },
    Rename { from: PathBuf, to: PathBuf, inode: Inode },
    Remove { name: PathBuf },
    Folder { name: PathBuf },
}

impl Change {
    /// Whether it changes names, not what is in a file.
    pub(crate) const fn is_name(&self) -> bool {
        !matches!(self, Self::Write { .. } | Self::Truncate { .. })
    }
}

/// A change, with times.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) change: Change,
    pub(crate) began: usize,
    ended: usize,
    /// When it was surely on the device, if it ever was.
    pub(crate) durable: Option<usize>,
    /// The same, in a file system that loses names only from the end.
    pub(crate) durable_in_order: Option<usize>,
}

impl Event {
    /// What was so from the beginning.
    const fn before(change: Change) -> Self {
        Self { change, began: 0, ended: 0, durable: Some(0), durable_in_order: Some(0) }
    }
}

/// Brought to the device, from and to.
struct Sync {
    what: Synced,
    began: usize,
    ended: usize,
}

enum Synced {
    File(Inode),
    Folder(PathBuf),
}

/// A worker's run.
pub(crate) struct Recording {
    pub(crate) events: Vec<Event>,
    /// What the worker said, and when it began to say it.
    pub(crate) lines: Vec<(usize, Line)>,
    /// How many times there are.
    pub(crate) end: usize,
}

/// What is open.
#[derive(Clone)]
enum Open {
    File { inode: Inode, at: usize },
    Folder(PathBuf),
    Other,
}

/// Follows calls.
struct Follower<'a> {
    root: &'a Path,
    open: HashMap<i64, Open>,
    names: BTreeMap<PathBuf, Inode>,
    inodes: usize,
    lens: HashMap<Inode, usize>,
    events: Vec<Event>,
    syncs: Vec<Sync>,
    lines: Vec<(usize, Line)>,
}

impl Recording {
    /// What a worker did to a folder in which there was this.
    pub(crate) fn new(
        root: &Path,
        folders: &[PathBuf],
        files: &[(PathBuf, Vec<u8>)],
        calls: &[Call],
    ) -> Result<Self, String> {
        let mut follower = Follower {
            root,
            open: HashMap::new(),
            names: BTreeMap::new(),
            inodes: 0,
            lens: HashMap::new(),
            events: Vec::new(),
            syncs: Vec::new(),
            lines: Vec::new(),
        };
        follower
            .events
            .extend(folders.iter().map(|name| Event::before(Change::Folder { name: name.clone() })));
        for (name, bytes) in files {
            follower.was_there(name, bytes);
        }
        for call in calls {
            follower.call(call).map_err(|why| format!("{} in the recording: {why}", call.name))?;
        }
        let Follower { mut events, syncs, lines, .. } = follower;
        events.sort_by_key(|event| event.began);
        for event in events.iter_mut().filter(|event| event.durable.is_none()) {
            event.durable = durable(event, &syncs, false);
            event.durable_in_order = durable(event, &syncs, true);
        }
        Ok(Self { events, lines, end: calls.last().map_or(0, |call| call.ended + 1) })
    }
}

/// When a change was surely on the device.
fn durable(event: &Event, syncs: &[Sync], in_order: bool) -> Option<usize> {
    let after = syncs.iter().filter(|sync| sync.began > event.ended);
    let covers = |sync: &&Sync| match (&event.change, &sync.what) {
        (Change::Write { inode, .. } | Change::Truncate { inode, .. }, Synced::File(file)) => inode == file,
        (Change::Write { .. } | Change::Truncate { .. }, Synced::Folder(_)) => false,
        (_, _) if in_order => true,
        (
            Change::Create { name, .. } | Change::Remove { name } | Change::Folder { name },
            Synced::Folder(folder),
        ) => name.parent() == Some(folder),
        (Change::Rename { from, to, .. }, Synced::Folder(folder)) => {
            from.parent() == Some(folder) && to.parent() == Some(folder)
        }
        (_, Synced::File(_)) => false,
    };
    after.filter(covers).map(|sync| sync.ended).min()
}

impl Follower<'_> {
    fn call(&mut self, call: &Call) -> Result<(), String> {
        match call.name.as_str() {
            "openat" | "open" | "creat" => self.opened(call),
            "write" | "pwrite64" => self.wrote(call),
            "fsync" | "fdatasync" => self.synced(call),
            "ftruncate" => self.truncated(call),
            "rename" | "renameat" | "renameat2" => self.renamed(call),
            "unlink" | "unlinkat" => self.removed(call),
            "mkdir" | "mkdirat" => self.made_folder(call),
            "lseek" => self.seeked(call),
            // what RocksDB and we do not use; if that changes, whoever runs this is told
            _ => match call.number(0).and_then(|fd| self.open.get(&fd)) {
                Some(Open::File { .. }) => Err("it changes a file in a way that is not followed".into()),
                _ => Ok(()),
            },
        }
    }

    /// The path of a call if it is the store's: its folder and what is in it.
    fn path(&self, call: &Call, nth: usize) -> Option<PathBuf> {
        let paths = (0..call.args.len()).filter_map(|place| call.bytes(place));
        let path = Path::new(std::str::from_utf8(paths.clone().nth(nth)?).ok()?);
        path.strip_prefix(self.root).ok().map(Path::to_owned)
    }

    fn event(&mut self, call: &Call, change: Change) {
        let (began, ended) = (call.began, call.ended);
        self.events.push(Event { change, began, ended, durable: None, durable_in_order: None });
    }

    fn was_there(&mut self, name: &Path, bytes: &[u8]) {
        let inode = self.inodes;
        self.inodes += 1;
        self.names.insert(name.to_owned(), inode);
        self.lens.insert(inode, bytes.len());
        self.events.push(Event::before(Change::Create { name: name.to_owned(), inode }));
        self.events.push(Event::before(Change::Write { inode, at: 0, bytes: bytes.to_vec() }));
    }

    fn opened(&mut self, call: &Call) -> Result<(), String> {
        let Some(name) = self.path(call, 0) else {
            self.open.insert(call.result, Open::Other);
            return Ok(());
        };
        let known = self.names.get(&name).copied();
        let opened = match known {
            Some(inode) => {
                if call.has_flag("O_TRUNC") {
                    self.event(call, Change::Truncate { inode, len: 0 });
                    self.lens.insert(inode, 0);
                }
                let append = call.has_flag("O_APPEND");
                Open::File { inode, at: if append { self.lens.get(&inode).copied().unwrap_or(0) } else { 0 } }
            }
            None if call.has_flag("O_CREAT") => {
                let inode = self.inodes;
                self.inodes += 1;
                self.names.insert(name.clone(), inode);
                self.event(call, Change::Create { name, inode });
                Open::File { inode, at: 0 }
            }
            None => Open::Folder(name),
        };
        self.open.insert(call.result, opened);
        Ok(())
    }

    fn wrote(&mut self, call: &Call) -> Result<(), String> {
        let fd = call.number(0).ok_or("no descriptor")?;
        let bytes = call.bytes(1).ok_or("no bytes")?;
        let wrote = usize::try_from(call.result).map_err(|_| "a strange result")?;
        let bytes = bytes.get(..wrote).ok_or("strace left bytes out")?.to_vec();
        if fd == 1 {
            let said = String::from_utf8_lossy(&bytes).into_owned();
            self.lines.extend(ledger::parse(&said).into_iter().map(|line| (call.began, line)));
            return Ok(());
        }
        let Some(Open::File { inode, at }) = self.open.get_mut(&fd) else { return Ok(()) };
        let (inode, place) = (*inode, *at);
        let at = if call.name == "write" {
            *at += wrote;
            place
        } else {
            call.number(3).and_then(|at| usize::try_from(at).ok()).ok_or("no offset")?
        };
        let len = self.lens.entry(inode).or_default();
        *len = (*len).max(at + wrote);
        self.event(call, Change::Write { inode, at, bytes });
        Ok(())
    }

    fn synced(&mut self, call: &Call) -> Result<(), String> {
        let fd = call.number(0).ok_or("no descriptor")?;
        let what = match self.open.get(&fd) {
            Some(Open::File { inode, .. }) => Synced::File(*inode),
            Some(Open::Folder(name)) => Synced::Folder(name.clone()),
            _ => return Ok(()),
        };
        self.syncs.push(Sync { what, began: call.began, ended: call.ended });
        Ok(())
    }

    fn truncated(&mut self, call: &Call) -> Result<(), String> {
        let fd = call.number(0).ok_or("no descriptor")?;
        let len = call.number(1).and_then(|len| usize::try_from(len).ok()).ok_or("no length")?;
        if let Some(Open::File { inode, .. }) = self.open.get(&fd) {
            let change = Change::Truncate { inode: *inode, len };
            self.lens.insert(*inode, len);
            self.event(call, change);
        }
        Ok(())
    }

    fn renamed(&mut self, call: &Call) -> Result<(), String> {
        let (Some(from), Some(to)) = (self.path(call, 0), self.path(call, 1)) else { return Ok(()) };
        let inode = self.names.remove(&from).ok_or("it is not known what is renamed")?;
        self.names.insert(to.clone(), inode);
        self.event(call, Change::Rename { from, to, inode });
        Ok(())
    }

    fn removed(&mut self, call: &Call) -> Result<(), String> {
        if let Some(name) = self.path(call, 0) {
            self.names.remove(&name).ok_or("it is not known what is removed")?;
            self.event(call, Change::Remove { name });
        }
        Ok(())
    }

    fn made_folder(&mut self, call: &Call) -> Result<(), String> {
        if let Some(name) = self.path(call, 0) {
            self.event(call, Change::Folder { name });
        }
        Ok(())
    }

    fn seeked(&mut self, call: &Call) -> Result<(), String> {
        let fd = call.number(0).ok_or("no descriptor")?;
        let to = usize::try_from(call.result).map_err(|_| "a strange result")?;
        if let Some(Open::File { at, .. }) = self.open.get_mut(&fd) {
            *at = to;
        }
        Ok(())
    }
}
