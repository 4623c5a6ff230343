//! A whole connection after the handshake: a peer that can seal sends any frames of channels, batches and messages.

use compact_encoding::{Encode, Reader, put};
use hc_crypto::signable::replicate_capability;
use hc_crypto::{DiscoveryKey, Key};
use hc_protocol::wire::{Cancel, Message, Open};
use hc_protocol::{ChannelId, Connection, Event, Role, SecretStream, Violation};

use super::frames::finished;
use super::{machine, wire};
use crate::probe::Probe;
use crate::rng::Rng;
use crate::target::{Allowance, Target, Verdict, class, described};

pub(super) fn targets() -> Vec<Target> {
    // what a peer sends is decoded where events are polled
    let allowance = Allowance {
        why: "a channel of 52 bytes that waits for its answer takes some 700; limits.rs bounds what waits",
        per_byte: 16,
        ..Allowance::RULE
    };
    vec![Target { allowance, ..machine("connection", &[], seeds, run) }]
}

/// Cores that this end has.
const CORES: u8 = 3;

fn key(n: u8) -> Key {
    Key::from([n; 32])
}

/// The peer, and this end, which has both headers.
fn pair() -> (SecretStream, Connection) {
    let (mut peer, mut end) = (finished(Role::Initiator), Connection::new(finished(Role::Responder)));
    end.receive(&peer.poll_transmit().unwrap_or_default());
    let _ = end.poll_event();
    peer.receive(&end.poll_transmit().unwrap_or_default());
    let _ = peer.poll_frame();
    (peer, end)
}

/// The first byte says what this end does: bits 0 to 2 are cores that it opens at once, bit 3 that it accepts cores that it
/// has, bit 4 that it refuses the others, bit 5 that it closes every channel that opens, bit 6 that it answers messages. Then frames, each behind its
/// length.
fn run(probe: &mut Probe, input: &[u8]) -> Verdict {
    let Some((does, rest)) = input.split_first() else { return Verdict::Refused(0) };
    let (mut peer, mut end) = pair();
    let mut reader = Reader::new(rest);
    while let Ok(frame) = reader.buffer() {
        peer.send(frame);
    }
    let sealed = peer.poll_transmit().unwrap_or_default();
    probe.watch(|| {
        for n in (0..CORES).filter(|n| does >> n & 1 == 1) {
            let _ = end.open_channel(&key(n));
        }
        let mut seen = 0;
        for piece in sealed.chunks(16 * 1024) {
            end.receive(piece);
            if let Err(violation) = react(&mut end, *does, &mut seen) {
                return Verdict::Refused(described(&violation) ^ class(seen));
            }
            end.poll_transmit();
        }
        Verdict::Accepted(class(seen))
    })
}

/// Does what the driver of a connection does with events. Adds their kinds to those seen so far.
fn react(end: &mut Connection, does: u8, seen: &mut u64) -> Result<(), Violation> {
    while let Some(event) = end.poll_event()? {
        let kind = match &event {
            Event::Message { message, .. } => message.type_id() + 10,
            Event::Handshake { .. } => 0,
            Event::ChannelRequested { .. } => 1,
            Event::ChannelOpened { .. } => 2,
            _ => 3,
        };
        *seen |= 1 << (kind % 60);
        match event {
            Event::ChannelRequested { discovery_key } => requested(end, does, &discovery_key),
            Event::ChannelOpened { channel, .. } if does & 32 != 0 => end.close_channel(channel),
            Event::Message { channel, .. } if does & 64 != 0 => answer(end, channel),
            _ => {}
        }
    }
    Ok(())
}

fn requested(end: &mut Connection, does: u8, discovery_key: &DiscoveryKey) {
    let known = (0..CORES).map(key).find(|key| key.discovery_key() == *discovery_key);
    match known {
        Some(key) if does & 8 != 0 => drop(end.open_channel(&key)),
        _ if does & 16 != 0 => end.reject(discovery_key),
        _ => {}
    }
}

fn answer(end: &mut Connection, channel: ChannelId) {
    end.send(channel, &Message::Cancel(Cancel { request: 1 }));
}

fn open(id: u64, n: u8) -> Vec<u8> {
    let capability = replicate_capability(true, &key(n), &[7; 64]);
    let mut frame = vec![0, 1];
    put::uint(&mut frame, id);
    put::buffer(&mut frame, b"hypercore/alpha");
    put::buffer(&mut frame, key(n).discovery_key().as_bytes());
    frame.extend(Open { seeks: true, capability }.to_vec());
    frame
}

fn batch(channel: u64, messages: &[Vec<u8>]) -> Vec<u8> {
    let mut frame = vec![0, 0];
    put::uint(&mut frame, channel);
    messages.iter().for_each(|message| put::buffer(&mut frame, message));
    frame
}

fn seeds(rng: &mut Rng) -> Vec<Vec<u8>> {
    let messages: Vec<Vec<u8>> =
        wire::messages(rng).into_iter().filter(|message| message.len() < 400).collect();
    let mut seeds = Vec::new();
    for n in 0..60_u8 {
        let mut frames = vec![open(1, n % 4), open(2, rng.byte() % 4)];
        for _ in 0..rng.below(6) {
            let some: Vec<_> =
                (0..rng.below(5)).map(|_| messages[rng.below(messages.len())].clone()).collect();
            frames.push(match rng.below(8) {
                0 => vec![0, 3, 1 + rng.byte() % 2],
                1 => vec![0, 2, 1 + rng.byte() % 2],
                2 => open(1 + rng.next() % 3, rng.byte() % 4),
                3 | 4 => [vec![1], messages[rng.below(messages.len())].clone()].concat(),
                5 => [batch(1, &some), vec![0, 2], vec![2, 10, 1]].concat(),
                _ => batch(1 + rng.next() % 2, &some),
            });
        }
        let mut seed = vec![rng.byte()];
        frames.iter().for_each(|frame| put::buffer(&mut seed, frame));
        seeds.push(seed);
    }
    for (does, frames) in costly() {
        let mut seed = vec![does];
        frames.iter().for_each(|frame| put::buffer(&mut seed, frame));
        seeds.push(seed);
    }
    seeds
}

/// What costs most for its size, and what this end does then.
fn costly() -> Vec<(u8, Vec<Vec<u8>>)> {
    let tiny = |message: &[u8], count: usize| batch(1, &vec![message.to_vec(); count]);
    let unknown = |id: u64| {
        let mut open = vec![1];
        put::uint(&mut open, id);
        [open, vec![0, 0]].concat()
    };
    let request = |id: u64| {
        let mut core = vec![1];
        put::uint(&mut core, id);
        put::buffer(&mut core, b"hypercore/alpha");
        put::buffer(&mut core, &[[1; 24].as_slice(), &id.to_be_bytes()].concat());
        core
    };
    let all = |make: &dyn Fn(u64) -> Vec<u8>, count| (1..=count).map(make).collect::<Vec<_>>();
    let waiting = |id: u64| vec![[vec![0], request(id)].concat(), batch(id, &vec![vec![50]; 1_024])];
    vec![
        // messages that are as small as can be: on an open channel, on one that waits, and of channels that are not there
        (1, vec![open(1, 0), tiny(&[50], 20_000)]),
        (1, vec![open(1, 0), tiny(&[2, 1], 20_000)]),
        (0, vec![open(1, 0), tiny(&[2, 1], 1_024)]),
        (8, vec![open(1, 0), tiny(&[9, 0], 1_200)]),
        (0, vec![tiny(&[2, 1], 20_000)]),
        (0, vec![vec![2, 1]; 5_000]),
        // messages that wait on each of many channels
        (0, (1..=20).flat_map(waiting).collect()),
        // channels of a protocol that is not known, and cores that are not here: refused, and closed again
        (0, vec![batch(0, &all(&unknown, 8_000))]),
        (16, vec![batch(0, &all(&request, 1_000))]),
        (0, vec![batch(0, &(1..=1_000).flat_map(|_| [request(1), vec![3, 1]]).collect::<Vec<_>>())]),
        // one large frame: a handshake, and a message that waits
        (0, vec![[open(1, 0), vec![0; 500_000]].concat()]),
        (0, vec![open(1, 0), [vec![1, 9], vec![0; 60_000]].concat()]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q9_what_costs_most_costs_no_more_than_anything_may() {
        for (n, (does, frames)) in costly().into_iter().enumerate() {
            let mut input = vec![does];
            frames.iter().for_each(|frame| put::buffer(&mut input, frame));
            let mut probe = Probe::default();
            let verdict = run(&mut probe, &input);
            let allowed = Allowance::RULE.bytes(input.len());
            assert!(probe.peak <= allowed, "{n}: {} bytes held, {allowed} are allowed", probe.peak);
            assert!(matches!(verdict, Verdict::Accepted(_)), "{n}: {verdict:?}");
        }
    }
}
