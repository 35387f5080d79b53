//! The tables of docs/ECONOMICS.md.

use std::fmt::Write;

use super::{
    ground,
    juries::{self, Last},
    seats::{Race, Setting, shares, times},
};

/// Jobs drawn for each cell about seats.
const DRAWS: u32 = 10_000;
/// Colluding shares, percent.
const SHARES: [u32; 3] = [10, 20, 33];
/// Honest turnouts, percent.
const TURNOUTS: [u32; 3] = [100, 70, 50];

/// A chance in as few digits as say something.
fn percent(chance: f64) -> String {
    match chance * 100.0 {
        none if none < 0.000_05 => "0 %".into(),
        small if small < 0.01 => format!("{small:.4} %"),
        some if some < 1.0 => format!("{some:.2} %"),
        most if most > 99.95 => "100 %".into(),
        much => format!("{much:.1} %"),
    }
}

/// Every table, by its name, as Markdown.
#[must_use]
pub fn tables() -> Vec<(&'static str, String)> {
    vec![
        ("seat-shares", seat_shares()),
        ("seat-majorities", seat_majorities()),
        ("fill-times", fill_times()),
        ("juries", jury_rounds()),
        ("last-round", last_round()),
    ]
}

fn seat_shares() -> String {
    let mut text = String::from("| stake | one name | 50 names | 50 names, always first |\n|---|---|---|---|\n");
    for share in SHARES {
        let share = u64::from(share);
        let seats = |names, race| percent(shares(&Setting::against(share, names, 3, race), DRAWS, share).seats);
        let (one, many, first) = (seats(1, Race::Even), seats(50, Race::Even), seats(50, Race::Lost));
        writeln!(text, "| {share} % | {one} | {many} | {first} |").expect("a string takes it");
    }
    text
}

fn seat_majorities() -> String {
    let mut text = String::from(
        "| stake | seats | as quick as others | always first | chosen by the seed's leader |\n|---|---|---|---|---|\n",
    );
    for share in SHARES {
        for wanted in [3, 5, 9] {
            let chance = |race| {
                shares(&Setting::against(u64::from(share), 50, wanted, race), DRAWS, u64::from(share) + wanted)
                    .majorities
            };
            let (even, first) = (chance(Race::Even), chance(Race::Lost));
            let (shown, fast, best) = (percent(even), percent(first), percent(ground(even)));
            writeln!(text, "| {share} % | {wanted} | {shown} | {fast} | {best} |").expect("a string takes it");
        }
    }
    text
}

fn fill_times() -> String {
    let mut text =
        String::from("| names | online | seats | at once | half | 95 % | 99 % |\n|---|---|---|---|---|---|---|\n");
    let seconds = |at: Option<i64>| at.map_or("never".into(), |at| format!("{at} s"));
    for names in [10, 100] {
        for online in TURNOUTS {
            for wanted in [3, 5, 9] {
                let setting = Setting::equal(names, names * u64::from(online) / 100, wanted);
                let found = times(&setting, DRAWS as usize, names + wanted);
                let (once, [half, most, nearly]) = (percent(found.at_once), found.percentiles_s.map(seconds));
                writeln!(text, "| {names} | {online} % | {wanted} | {once} | {half} | {most} | {nearly} |")
                    .expect("a string takes it");
            }
        }
    }
    text
}

fn jury_rounds() -> String {
    let mut text = String::from(
        "| round | honest turnout | wrong: 10 % | 20 % | 33 % | wrong, chosen by the seed's leader: 10 % | 20 % | 33 % | none: 10 % | 20 % | 33 % |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for round in 0..3 {
        for turnout in TURNOUTS {
            let odds = SHARES.map(|share| juries::round(round, share, turnout));
            let wrong = odds.map(|odds| percent(odds.wrong)).join(" | ");
            let best = odds.map(|odds| percent(ground(odds.wrong))).join(" | ");
            let none = odds.map(|odds| percent(odds.none)).join(" | ");
            writeln!(text, "| {round} | {turnout} % | {wrong} | {best} | {none} |").expect("a string takes it");
        }
    }
    text
}

fn last_round() -> String {
    let mut text = String::from(
        "| colluding | at 100 % honest turnout | 70 % | 50 % | turnout from which staying away denies nothing |\n\
         |---|---|---|---|---|\n",
    );
    let word = |last| match last {
        Last::Right => "right",
        Last::Wrong => "**wrong**",
        Last::None => "none",
    };
    for share in SHARES {
        let cells = TURNOUTS.map(|turnout| {
            let (vote, stay) = (juries::last(share, turnout, true), juries::last(share, turnout, false));
            if vote == stay {
                word(vote).to_owned()
            } else {
                format!("{} if they vote, {} if not", word(vote), word(stay))
            }
        });
        let least = juries::turnout_least(share);
        writeln!(text, "| {share} % | {} | {least} % |", cells.join(" | ")).expect("a string takes it");
    }
    text
}
