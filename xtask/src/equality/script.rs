//! A script: random operations on one store, both parts in step. The first part is always Node's, and what it says decides what
//! comes next.

use hc_interop::dump::Dump;
use hc_interop::{Peer, Value, json};

use super::known::{clears_alike, comparable};
use super::part::{Part, Reply, Step};
use super::random::Random;
use super::world::{Head, World};
use super::{changes, copies, reads, sessions};

/// The state of a run.
pub(super) struct Script<'a> {
    pub(super) random: Random,
    pub(super) world: World,
    parts: [Part<'a>; 2],
    /// Reads what both have left on disk.
    reader: &'a Peer,
    /// What was done, for whoever has to understand a difference.
    pub(super) trace: Vec<String>,
}

/// The parts differ, or one of them is lost.
pub(super) type Done = Result<(), String>;

/// An action, and how often it comes up.
type Action = (u64, fn(&mut Script<'_>) -> Done);

const ACTIONS: &[Action] = &[
    (20, changes::append),
    (7, changes::truncate),
    (8, changes::clear),
    (6, changes::user_data),
    (1, changes::set_group),
    (2, changes::mark),
    (1, changes::compact),
    (6, sessions::open),
    (9, sessions::append),
    (3, sessions::truncate),
    (8, sessions::commit),
    (2, sessions::close),
    (5, sessions::atom),
    (3, sessions::snapshot),
    (8, reads::some),
    (3, |script| script.reopen()),
];

impl<'a> Script<'a> {
    pub(super) fn new(seed: u64, parts: [Part<'a>; 2], reader: &'a Peer) -> Self {
        let mut random = Random::new(seed);
        let world = World::new(&mut random);
        Self { random, world, parts, reader, trace: Vec::new() }
    }

    /// Runs so many actions, or as many as the seed says, and compares what is on disk then.
    pub(super) fn run(&mut self, at_most: Option<u64>) -> Done {
        let count = self.random.between(8, 40);
        let count = count.min(at_most.unwrap_or(count));
        if self.random.once_in(4) {
            copies::run(self, count)?;
        } else {
            self.own_logs(count)?;
        }
        self.close_store()?;
        // Node does not write down the contiguous length after a commit, but does when it opens the log the next time
        self.compare_disks(&hc_interop::dump::without_hints)?;
        self.hand_over()?;
        self.close_store()?;
        self.compare_disks(&|dump| dump)?;
        let [_, two] = &self.parts;
        two.audit(self.reader)
    }

    /// Actions on logs that can be written to.
    fn own_logs(&mut self, count: u64) -> Done {
        let total: u64 = ACTIONS.iter().map(|(weight, _)| weight).sum();
        self.open_store()?;
        if self.random.once_in(40) {
            changes::append_many(self)?;
        }
        for _ in 0..count {
            let mut choice = self.random.below(total);
            for (weight, action) in ACTIONS {
                if choice < *weight {
                    action(self)?;
                    break;
                }
                choice -= weight;
            }
        }
        Ok(())
    }

    /// The peer of the first part.
    pub(super) fn node(&self) -> Result<&'a Peer, String> {
        let [node, _] = &self.parts;
        node.peer()
    }

    /// Compares so much of what is on disk.
    fn compare_disks(&self, part: &dyn Fn(Dump) -> Dump) -> Done {
        let [one, two] = &self.parts;
        let (left, right) = (part(one.dump(self.reader)?), part(two.dump(self.reader)?));
        match hc_interop::dump::difference((one.name, &left), (two.name, &right)) {
            None => Ok(()),
            Some(differs) => Err(format!("the stores differ:\n{differs}")),
        }
    }

    /// Runs a step at both parts at once. The reply, if both say the same.
    pub(super) fn step(&mut self, step: &Step) -> Result<Reply, String> {
        let mut shown = step.fields.to_string();
        if shown.len() > 400 {
            shown.truncate(shown.floor_char_boundary(400));
            shown.push('…');
        }
        self.trace.push(format!("{} {shown}", step.op));
        let [one, two] = &mut self.parts;
        let (first, second) = (one.begin(step)?, two.begin(step)?);
        let (first, second) = (one.end(step, first)?, two.end(step, second)?);
        let (first, second) = (comparable(step, first), comparable(step, second));
        let line = format!(" -> {}", show(&first));
        if let Some(last) = self.trace.last_mut() {
            last.push_str(&line);
        }
        if first == second {
            return Ok(first);
        }
        let (first, second) = differing(first, second);
        Err(format!(
            "{} is answered differently:\n  {:<6} {}\n  {:<6} {}",
            step.op,
            one.name,
            show(&first),
            two.name,
            show(&second)
        ))
    }

    /// Runs a step on a core and then compares its state.
    pub(super) fn change(&mut self, step: &Step, core: &str) -> Result<(Reply, Head), String> {
        let reply = self.step(step)?;
        Ok((reply, self.state(core)?))
    }

    pub(super) fn state(&mut self, core: &str) -> Result<Head, String> {
        let state = self.step(&Step::new("core.state", json!({ "core": core })))?;
        state.map(|state| Head::of(&state)).map_err(|code| format!("core.state says {code}"))
    }

    /// A log, by chance.
    pub(super) fn any_log(&mut self) -> usize {
        let logs = self.world.logs.len() as u64;
        self.random.below(logs) as usize
    }

    /// Which blocks of a log are stored, as Node says.
    pub(super) fn stored(&self, log: usize) -> Result<Vec<bool>, String> {
        let Some(log) = self.world.logs.get(log) else { return Ok(Vec::new()) };
        let [node, _] = &self.parts;
        let has = |at: u64| node.begin(&Step::new("has", json!({ "core": log.symbol, "start": at })));
        let pending = (0..log.base.length).map(has).collect::<Result<Vec<_>, _>>()?;
        let has = |pending: hc_interop::Pending| {
            let reply = pending.wait().map_err(|error| error.to_string())?;
            Ok(reply.get("has").and_then(Value::as_bool).unwrap_or(false))
        };
        pending.into_iter().map(has).collect()
    }

    /// Whether Node clears this range as it should.
    pub(super) fn may_clear(&self, log: usize, start: u64, end: u64) -> Result<bool, String> {
        Ok(clears_alike(&self.stored(log)?, start, end))
    }

    /// Opens the store and all logs.
    pub(super) fn open_store(&mut self) -> Done {
        let fields = json!({ "dir": "$dir", "primaryKey": "07".repeat(32), "unsafe": true });
        self.done(&Step::new("store.open", fields).giving("$store"))?;
        if self.world.namespace {
            let fields = json!({ "store": "$store", "name": "inner" });
            self.done(&Step::new("store.namespace", fields).giving("$namespace"))?;
        }
        for at in 0..self.world.logs.len() {
            let Some(log) = self.world.logs.get(at) else { continue };
            let step = Step::new("store.get", log.open.clone()).giving(&log.symbol);
            let opened = self.done(&step)?;
            if let Some(log) = self.world.logs.get_mut(at) {
                log.base = Head::of(&opened);
            }
        }
        Ok(())
    }

    /// Closes the store and opens it again: for a directory that is handed over, at the other side.
    pub(super) fn reopen(&mut self) -> Done {
        self.close_store()?;
        self.hand_over()
    }

    fn close_store(&mut self) -> Done {
        self.done(&Step::new("store.list", json!({ "store": "$store" })))?;
        self.done(&Step::new("store.close", json!({ "store": "$store" }))).map(drop)
    }

    /// Opens a store that was closed: at the other side, if its directory is handed over.
    fn hand_over(&mut self) -> Done {
        for log in &mut self.world.logs {
            log.sessions.clear();
            log.snapshots.clear();
            log.marking = false;
        }
        self.parts.iter_mut().for_each(Part::hand_over);
        self.trace.push("— handed over".into());
        self.open_store()
    }

    /// Runs a step that has to succeed.
    fn done(&mut self, step: &Step) -> Result<Value, String> {
        self.step(step)?.map_err(|code| format!("{} says {code}", step.op))
    }
}

/// Of two replies, the fields that are not the same in both.
fn differing(first: Reply, second: Reply) -> (Reply, Reply) {
    let (Ok(Value::Object(mut first)), Ok(Value::Object(mut second))) = (first.clone(), second.clone())
    else {
        return (first, second);
    };
    first.retain(|field, value| match second.get(field) {
        Some(other) if other == value => second.remove(field).is_none(),
        _ => true,
    });
    (Ok(Value::Object(first)), Ok(Value::Object(second)))
}

fn show(reply: &Reply) -> String {
    let mut shown = match reply {
        Ok(reply) => reply.to_string(),
        Err(code) => format!("error {code}"),
    };
    shown.truncate(shown.floor_char_boundary(700));
    shown
}
