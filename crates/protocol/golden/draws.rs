//! Checks draws, tickets, tallies and rounds against their vectors.

use std::cell::Cell;

use assay_protocol::{
    agreed,
    draw::{find_seed, seed},
    round_expected, round_verdict, seats_max, seats_paid_max,
    tickets::{seat_threshold, threshold, tickets_of, Fill, TicketDraw},
    Ballot, Draw, DrawNow, DrawStep, Expected, Hash32, Lookup, Measure, Mode, Purpose, Round, Rule, SlotHash, Subject,
    Tally, Voice,
};
use serde_json::Value;

use super::{flag, hash, narrow, number, parse, rows, text, unix};

const DRAWS: &str = include_str!("draws.json");
const TICKETS: &str = include_str!("tickets.json");
const TALLIES: &str = include_str!("tallies.json");

/// Seed slots in lists of recent slots, seeds, and what recording does.
pub fn check_draws() {
    let file = parse(DRAWS);
    for vector in rows(&file, "lookups") {
        let slots = slots(vector);
        let reads = Cell::new(0);
        let len = u64::try_from(slots.len()).expect("a length");
        let found = find_seed(len, number(vector, "seed_slot"), |at| {
            reads.set(reads.get() + 1);
            let slot = *slots.get(usize::try_from(at).expect("an index"))?;
            Some(SlotHash { slot, hash: slot_hash(slot) })
        });
        let expected = match text(vector, "result") {
            "NotReady" => Lookup::NotReady,
            "Expired" => Lookup::Expired,
            _ => Lookup::Found(SlotHash { slot: number(vector, "slot"), hash: slot_hash(number(vector, "slot")) }),
        };
        assert_eq!(found, expected, "{vector}");
        assert!(reads.get() <= 12, "{} reads for {vector}", reads.get());
    }
    for vector in rows(&file, "seeds") {
        let job_uid = hash(vector, "job_uid");
        let subject = Subject { job_uid: &job_uid, purpose: purpose(vector), round: narrow(vector, "round") };
        assert_eq!(seed(&slot_hash(number(vector, "slot")), &subject), hash(vector, "seed"), "{vector}");
    }
    for vector in rows(&file, "records") {
        check_record(vector);
    }
}

fn check_record(vector: &Value) {
    let job_uid = hash(vector, "job_uid");
    let subject = Subject { job_uid: &job_uid, purpose: purpose(vector), round: narrow(vector, "round") };
    let mut draw = Draw::arm(DrawNow { slot: number(vector, "armed_slot"), unix: unix(vector, "armed_unix") });
    for step in rows(vector, "steps") {
        let lookup = match step["says"].as_str() {
            Some("NotReady") => Lookup::NotReady,
            Some(_) => Lookup::Expired,
            None => {
                let slot = number(step, "found");
                Lookup::Found(SlotHash { slot, hash: slot_hash(slot) })
            }
        };
        let now = DrawNow { slot: number(step, "slot"), unix: unix(step, "unix") };
        let done = draw.record(&lookup, now, &subject);
        let done = done.map_or_else(|error| format!("{error:?}"), |done: DrawStep| format!("{done:?}"));
        assert_eq!(done, text(step, "step"), "{step}");
        let after = &step["after"];
        assert_eq!(draw.seed_slot, number(after, "seed_slot"), "{step}");
        assert_eq!(draw.fixed_unix, unix(after, "fixed_unix"), "{step}");
        assert_eq!(draw.seed, hash(after, "seed"), "{step}");
        assert_eq!(draw.rearmed, narrow::<u8>(after, "rearmed"), "{step}");
        assert_eq!(format!("{:?}", draw.state), text(after, "state"), "{step}");
    }
}

/// Tickets of a stake, thresholds, and which tickets win.
pub fn check_tickets() {
    let file = parse(TICKETS);
    for vector in rows(&file, "counts") {
        let tickets = tickets_of(number(vector, "stake_lamports"), number(vector, "unit_lamports"));
        assert_eq!(tickets, narrow::<u32>(vector, "tickets"), "{vector}");
    }
    for vector in rows(&file, "thresholds") {
        let value = threshold(number(vector, "expected"), number(vector, "total"));
        assert_eq!(value, number(vector, "threshold"), "{vector}");
    }
    for vector in rows(&file, "fills") {
        let fill = Fill {
            wanted: narrow(vector, "wanted"),
            tickets_total: number(vector, "tickets_total"),
            fill_unix: unix(vector, "fill_unix"),
            queue_deadline_unix: unix(vector, "queue_deadline_unix"),
            widen_s: narrow(vector, "widen_s"),
            is_everybody: flag(vector, "is_everybody"),
        };
        assert_eq!(seat_threshold(&fill, unix(vector, "now_unix")), number(vector, "threshold"), "{vector}");
    }
    for vector in rows(&file, "winners") {
        let draw = TicketDraw::new(&hash(vector, "seed"), &hash(vector, "holder"));
        let winners: Vec<_> =
            draw.winning(narrow(vector, "tickets"), number(vector, "threshold")).map(u64::from).collect();
        let expected: Vec<_> = vector["winners"].as_array().expect("a list").iter().filter_map(Value::as_u64).collect();
        assert_eq!(winners, expected, "{vector}");
    }
    for vector in rows(&file, "singles") {
        let draw = TicketDraw::new(&hash(vector, "seed"), &hash(vector, "holder"));
        let (index, least) = (narrow(vector, "index"), number(vector, "least"));
        assert!(draw.wins(index, least) && !draw.wins(index, least - 1), "{vector}");
    }
}

/// Voices counted, agreement of seats, rounds of juries.
pub fn check_tallies() {
    let file = parse(TALLIES);
    for vector in rows(&file, "tallies") {
        check_tally(vector);
    }
    for vector in rows(&file, "seats") {
        let (mode, redundancy) = (mode(vector), narrow(vector, "redundancy"));
        let most = seats_max(mode, redundancy, narrow(vector, "executions_max"));
        let paid = seats_paid_max(mode, redundancy, most);
        assert_eq!((most, paid), (narrow(vector, "seats_max"), narrow(vector, "seats_paid_max")), "{vector}");
    }
    for vector in rows(&file, "agreed") {
        let rule = Rule {
            mode: mode(vector),
            seats: narrow(vector, "seats"),
            weight_total: number(vector, "weight_total"),
            quorum_bps: narrow(vector, "quorum_bps"),
        };
        let expected = vector["agreed"].is_string().then(|| hash(vector, "agreed"));
        assert_eq!(agreed(&rule, &counted(vector, rule.mode.measure())), expected, "{vector}");
    }
    for vector in rows(&file, "expected") {
        let size = round_expected(narrow(vector, "lambda"), narrow(vector, "round"), number(vector, "total"));
        let expected = vector["tickets"].as_u64().map_or(Expected::Everybody, Expected::Tickets);
        assert_eq!(size, expected, "{vector}");
    }
    for vector in rows(&file, "verdicts") {
        let round = Round {
            expected: number(vector, "expected"),
            revealed: number(vector, "revealed"),
            quorum_bps: narrow(vector, "quorum_bps"),
        };
        let verdict = round_verdict(&round, &counted(vector, Measure::Weight));
        assert_eq!(format!("{verdict:?}"), text(vector, "verdict"), "{vector}");
    }
}

fn check_tally(vector: &Value) {
    let measure = if text(vector, "measure") == "count" { Measure::Count } else { Measure::Weight };
    let mut tally = Tally::default();
    let leads: String = voices(vector).iter().map(|voice| if tally.add(voice, measure) { '1' } else { '0' }).collect();
    assert_eq!(leads, text(vector, "leads"), "{vector}");
    assert_eq!(hex::encode(tally.bytes()), text(vector, "bytes"), "{vector}");
    assert_eq!(Tally::from_bytes(*tally.bytes()), tally, "{vector}");
    for (by, name) in [(Measure::Count, "leader_by_count"), (Measure::Weight, "leader_by_weight")] {
        let leader = tally.leader(by).map(|leader| leader.hash);
        assert_eq!(leader, vector[name].is_string().then(|| hash(vector, name)), "{name} of {vector}");
    }
    for entry in tally.entries() {
        assert_eq!(tally.entry(&entry.hash), Some(entry), "{vector}");
    }
    assert_eq!(tally.entry(&[0xee; 32]), None);
    assert_eq!(tally.distinct(), narrow::<u8>(vector, "distinct"), "{vector}");
    assert_eq!(tally.entropy_millibits(), narrow::<u16>(vector, "entropy_millibits"), "{vector}");
}

fn counted(vector: &Value, by: Measure) -> Tally {
    let mut tally = Tally::default();
    for voice in voices(vector) {
        tally.add(&voice, by);
    }
    tally
}

/// `hash:weight:drawn`, separated by spaces; the hash is one number in all its bytes, or Unavailable's for 0.
fn voices(vector: &Value) -> Vec<Voice> {
    let voice = |text: &str| {
        let [said, weight, drawn] = text.split(':').collect::<Vec<_>>().try_into().expect("three parts");
        let hash = match said.parse().expect("a byte") {
            0 => Ballot::Unavailable.hash(),
            byte => [byte; 32],
        };
        Voice { hash, weight: weight.parse().expect("a weight"), is_drawn: drawn == "1" }
    };
    text(vector, "voices").split_whitespace().map(voice).collect()
}

/// A list of recent slots, given as ranges.
fn slots(vector: &Value) -> Vec<u64> {
    let ranges = vector["slots"].as_array().expect("ranges").iter();
    let range = |range: &Value| (range[1].as_u64().expect("oldest")..=range[0].as_u64().expect("newest")).rev();
    ranges.flat_map(range).collect()
}

fn slot_hash(slot: u64) -> Hash32 {
    let mut bytes = [0; 32];
    for part in bytes.chunks_exact_mut(8) {
        part.copy_from_slice(&slot.to_le_bytes());
    }
    bytes
}

fn purpose(vector: &Value) -> Purpose {
    match text(vector, "purpose") {
        "Seats" => Purpose::Seats,
        "Audit" => Purpose::Audit,
        _ => Purpose::Jury,
    }
}

fn mode(vector: &Value) -> Mode {
    let name = text(vector, "mode");
    Mode::ALL.into_iter().find(|mode| format!("{mode:?}") == name).unwrap_or_else(|| panic!("no mode {name}"))
}
