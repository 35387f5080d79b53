//! Where a dispute stands in words, and who may do what next.

use std::fmt;

use assay_protocol::{Ballot, ChallengeStatus, Hash32, Outcome, Verdict, VoteStatus, pot::appeal_bond};
use assay_sdk::{
    ChainTime,
    crank::Disputed,
    program::{
        DisputeStage,
        accounts::{Dispute, Job},
    },
};
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    ended::outcome_text,
    output::{duration, grouped, lamports},
};

/// How a stage is named, in JSON and in tables.
pub(super) const fn stage_name(stage: Option<DisputeStage>) -> &'static str {
    match stage {
        Some(DisputeStage::Entering) => "entering",
        Some(DisputeStage::EntryOver) => "entry-over",
        Some(DisputeStage::Drawing) => "drawing",
        Some(DisputeStage::Committing) => "committing",
        Some(DisputeStage::Revealing) => "revealing",
        Some(DisputeStage::RevealsOver) => "reveals-over",
        Some(DisputeStage::Appealing) => "appealing",
        Some(DisputeStage::Counted) => "counted",
        Some(DisputeStage::CountOver) => "count-over",
        Some(DisputeStage::Final) => "final",
        None => "unknown",
    }
}

/// A ballot by its hash, as far as what it says is known.
pub(super) struct Ballots {
    known: Vec<(Hash32, String)>,
}

impl Ballots {
    pub(super) fn new(dispute: &Dispute, job: &Job) -> Self {
        let mut known = vec![(Ballot::Unavailable.hash(), ballot_text(&Ballot::Unavailable))];
        if let Some(outcome) = dispute.contested_outcome(job) {
            known.push((outcome.hash(), format!("what was contested: {}", told(&outcome))));
        }
        if let Ok(Some(outcome)) = dispute.leading_outcome() {
            known.push((outcome.hash(), told(&outcome)));
        }
        Self { known }
    }

    /// Takes in an outcome that was shown elsewhere: by a seat, a challenger, a juror.
    pub(super) fn learn(&mut self, encoded: &[u8], gas_limit: u64) {
        if let Ok(outcome) = Outcome::decode(encoded, gas_limit) {
            self.known.push((outcome.hash(), told(&outcome)));
        }
    }

    /// What is said by the ballot with this hash.
    pub(super) fn text(&self, hash: &Hash32) -> String {
        let found = self.known.iter().find(|(known, _)| known == hash);
        found.map_or_else(|| format!("an outcome with the hash {}…", short_hash(hash)), |(_, text)| text.clone())
    }
}

/// An outcome with its gas.
pub(super) fn told(outcome: &Outcome) -> String {
    format!("{}, {} gas", outcome_text(outcome), grouped(outcome.gas_used))
}

/// What a ballot says.
pub(super) fn ballot_text(ballot: &Ballot) -> String {
    match ballot {
        Ballot::Unavailable => "that the content is not to be had".to_owned(),
        Ballot::Outcome(outcome) => told(outcome),
    }
}

fn short_hash(hash: &Hash32) -> String {
    hex::encode(hash.first_chunk::<4>().unwrap_or(&[0; 4]))
}

/// What the last counted round found, or the dispute; `None` before there is anything.
pub(super) fn verdict_text(dispute: &Dispute, ballots: &Ballots) -> Option<String> {
    match dispute.found() {
        Verdict::None => None,
        Verdict::Outcome | Verdict::Unavailable => Some(ballots.text(&dispute.verdict_hash)),
        Verdict::NoQuorum => Some("none: no round found a majority of enough votes".to_owned()),
    }
}

/// Where the dispute stands, in a sentence.
pub(super) fn stage_text(dispute: &Dispute, now: ChainTime) -> String {
    let left = dispute.stage_until_unix(now.unix).map(|until| duration(until.saturating_sub(now.unix)));
    let left = left.unwrap_or_default();
    match dispute.stage(now.unix) {
        Some(DisputeStage::Entering) => format!("challengers may enter for another {left}"),
        Some(DisputeStage::EntryOver) => "nobody may enter any more; the first round may begin".to_owned(),
        Some(DisputeStage::Drawing) => {
            let slots = dispute.draw.seed_slot.saturating_add(1).saturating_sub(now.slot);
            match slots {
                0 => "the block that draws the jury is there; anybody may record it".to_owned(),
                slots => format!("the jury is drawn by a block, {slots} slots from now"),
            }
        }
        Some(DisputeStage::Committing) => {
            let committed = dispute.votes_committed;
            format!("the jury votes, hidden, for another {left}; {} so far", counted(committed, "vote", "votes"))
        }
        Some(DisputeStage::Revealing) => format!("what was hidden is shown for another {left}; {}", missing(dispute)),
        Some(DisputeStage::RevealsOver) => "nothing is shown any more; the round may be counted".to_owned(),
        Some(DisputeStage::Appealing) => format!("the round found something, which may be appealed against for {left}"),
        Some(DisputeStage::Counted) => match dispute.found() {
            Verdict::None => format!("the round found nothing; what follows may begin in {left}"),
            _ => format!("the last round found something, which is final in {left}"),
        },
        Some(DisputeStage::CountOver) if dispute.found() == Verdict::None && !dispute.is_last() => {
            "the round found nothing; a larger one may begin".to_owned()
        }
        Some(DisputeStage::CountOver) => "nobody may appeal any more; everybody may be settled".to_owned(),
        Some(DisputeStage::Final) => "it is decided; everybody may be settled".to_owned(),
        None => format!("status {} is newer than this assay; update it", dispute.status),
    }
}

fn counted(number: u32, one: &str, more: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {more}") }
}

fn missing(dispute: &Dispute) -> String {
    let votes = dispute.votes_committed.saturating_sub(dispute.votes_revealed);
    let challenges = match dispute.round {
        0 => dispute.challenges.saturating_sub(dispute.challenges_revealed),
        _ => 0,
    };
    let (votes, challenges) = (counted(votes, "vote", "votes"), counted(challenges, "challenge", "challenges"));
    format!("{votes} and {challenges} are missing")
}

/// Something that may be done next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Move {
    /// Who may do it: `anybody`, or an address; `nobody` where only time helps.
    pub(super) who: String,
    /// Whether that is you.
    pub(super) is_yours: bool,
    /// What.
    pub(super) what: String,
    /// Until when, by the chain's clock; `None` as long as the dispute stands there.
    pub(super) until_unix: Option<i64>,
    /// Seconds until then.
    pub(super) left_s: Option<i64>,
    /// What to type.
    pub(super) command: Option<String>,
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = if self.is_yours { format!("you ({})", self.who) } else { self.who.clone() };
        write!(f, "{who}: {}", self.what)?;
        if let Some(left_s) = self.left_s {
            write!(f, ", for another {}", duration(left_s))?;
        }
        match &self.command {
            Some(command) => write!(f, ": {command}"),
            None => Ok(()),
        }
    }
}

/// Collects moves of one dispute at one moment.
struct Moves<'a> {
    job: Pubkey,
    now: ChainTime,
    own: &'a [Pubkey],
    found: Vec<Move>,
}

impl Moves<'_> {
    fn add(&mut self, who: Option<&Pubkey>, what: impl Into<String>, until_unix: Option<i64>, verb: &str) {
        self.found.push(Move {
            who: who.map_or_else(|| "anybody".to_owned(), Pubkey::to_string),
            is_yours: who.is_some_and(|who| self.own.contains(who)),
            what: what.into(),
            until_unix,
            left_s: until_unix.map(|until| until.saturating_sub(self.now.unix).max(0)),
            command: Some(format!("assay dispute {verb} {}", self.job)),
        });
    }

    fn wait(&mut self, what: impl Into<String>, until_unix: Option<i64>) {
        self.add(None, what, until_unix, "show");
        if let Some(last) = self.found.last_mut() {
            (last.who, last.command) = ("nobody".to_owned(), None);
        }
    }
}

/// Who may do what next, by what is on chain. `own` are your addresses: wallet and Provider account; `absences` is how many
/// jurors of a counted round may lose their duty lock.
pub(super) fn moves(disputed: &Disputed, now: ChainTime, (own, absences): (&[Pubkey], usize)) -> Vec<Move> {
    let dispute = &disputed.dispute.account;
    let mut moves = Moves { job: disputed.job.address, now, own, found: Vec::new() };
    let until = dispute.stage_until_unix(now.unix);
    match dispute.stage(now.unix) {
        Some(DisputeStage::Entering) => {
            let what = format!("enter with another outcome, for a bond of {}", lamports(dispute.bond_lamports));
            moves.add(None, what, until, "open");
        }
        Some(DisputeStage::EntryOver) => moves.add(None, "begin the first round", None, "settle"),
        Some(DisputeStage::Drawing) if now.slot > dispute.draw.seed_slot => {
            moves.add(None, "record the block that draws the jury", None, "settle");
        }
        Some(DisputeStage::Drawing) => moves.wait("a block is waited for", None),
        Some(DisputeStage::Committing) => {
            let what = "jurors with a ticket in this round vote, hidden; whoever does not loses its duty lock";
            moves.add(None, what, until, "vote");
            moves.found.iter_mut().for_each(|found| found.who = "jurors".to_owned());
        }
        Some(DisputeStage::Revealing) => reveals(disputed, until, &mut moves),
        Some(DisputeStage::RevealsOver) => moves.add(None, "count the round", None, "settle"),
        Some(DisputeStage::Appealing) => {
            let bond = appeal_bond(dispute.bond_lamports, dispute.round).map_or_else(|_| "a bond".to_owned(), lamports);
            moves.add(None, format!("hold something else against the verdict, for {bond}"), until, "appeal");
        }
        Some(DisputeStage::Counted) => moves.wait("time for absences to be shown", until),
        Some(DisputeStage::CountOver) => moves.add(None, "go on from what the round found", None, "settle"),
        Some(DisputeStage::Final) => moves.add(None, "settle what is left and close it", None, "settle"),
        None => {}
    }
    if absences > 0 {
        let what = format!("take the duty locks of {}", counted_absences(absences));
        let until = dispute.stage_until_unix(now.unix);
        moves.add(None, what, until, "settle");
    }
    moves.found
}

fn counted_absences(absences: usize) -> String {
    if absences == 1 { "1 juror who did not vote".to_owned() } else { format!("{absences} jurors who did not vote") }
}

fn reveals(disputed: &Disputed, until: Option<i64>, moves: &mut Moves<'_>) {
    let dispute = &disputed.dispute.account;
    let hidden = |challenge: &&assay_sdk::program::accounts::Challenge| {
        challenge.challenge_status() == Some(ChallengeStatus::Entered) && dispute.round == 0
    };
    for challenge in disputed.challenges.iter().map(|found| &found.account).filter(hidden) {
        moves.add(Some(&challenge.challenger), "show the challenge, or lose its bond", until, "open");
    }
    let votes = disputed.votes.iter().map(|found| &found.account);
    for vote in votes.filter(|vote| vote.round == dispute.round && vote.vote_status() == Some(VoteStatus::Committed)) {
        moves.add(Some(&vote.provider), "show the vote, or lose its bond", until, "vote");
    }
}
