//! Checks trust, duty and the pots of disputes against their vectors.

use assay_protocol::{
    duty::{duty_lock, is_juror, DutyView, Enrolled},
    pot::{appeal_bond, kept, Ballots},
    trust::{audit_drawn, solo_lock, trust_floor_bps, AuditBounds},
    Draw, DrawState, Pot, Settled, TrustVector,
};
use serde_json::Value;

use super::{flag, hash, lamports, narrow, number, optional, parse, rows, text, unix};

const TRUST: &str = include_str!("trust.json");
const POTS: &str = include_str!("pots.json");

/// Scores, what settling records, audits, and duty.
pub fn check_trust() {
    let file = parse(TRUST);
    for vector in rows(&file, "scores") {
        assert_eq!(trust(&vector["trust"]).score_bps(), narrow::<u16>(vector, "score_bps"), "{vector}");
    }
    for vector in rows(&file, "latencies") {
        let trust = TrustVector { latency_ms_avg: narrow(vector, "latency_ms_avg"), ..TrustVector::default() };
        let expected = optional(vector, "score_bps").map(|_| narrow(vector, "score_bps"));
        assert_eq!(trust.latency_score_bps(number(vector, "verify_rate_gas_per_s")), expected, "{vector}");
    }
    for vector in rows(&file, "records") {
        check_record(vector);
    }
    for vector in rows(&file, "floors") {
        let floor = trust_floor_bps(narrow(vector, "min_trust_bps"), narrow(vector, "arbitration"));
        assert_eq!(floor, narrow::<u16>(vector, "floor_bps"), "{vector}");
    }
    for vector in rows(&file, "audits") {
        let bounds = AuditBounds { one_in_min: narrow(vector, "one_in_min"), one_in_max: narrow(vector, "one_in_max") };
        let expected = optional(vector, "one_in").map(|_| narrow(vector, "one_in"));
        assert_eq!(bounds.one_in(narrow(vector, "streak")), expected, "{vector}");
    }
    for vector in rows(&file, "audited") {
        let state = if flag(vector, "is_everybody") { DrawState::Everybody } else { DrawState::Recorded };
        let draw = Draw { seed: hash(vector, "seed"), state, ..Draw::default() };
        let drawn = audit_drawn(&draw, &hash(vector, "job_uid"), narrow(vector, "one_in"));
        assert_eq!(drawn, flag(vector, "drawn"), "{vector}");
    }
    for vector in rows(&file, "solo_locks") {
        let (bond, pay_max) = (number(vector, "bond_lamports"), number(vector, "pay_max_lamports"));
        let lock = solo_lock(bond, pay_max, narrow(vector, "one_in"));
        assert_eq!(lock, lamports(vector, "lock_lamports"), "{vector}");
    }
    for vector in rows(&file, "jurors") {
        let duty = DutyView {
            duty_from_unix: unix(vector, "duty_from_unix"),
            duty_until_unix: unix(vector, "duty_until_unix"),
            tickets_from_unix: unix(vector, "tickets_from_unix"),
        };
        assert_eq!(is_juror(&duty, unix(vector, "opened_unix")), flag(vector, "is_juror"), "{vector}");
    }
    for vector in rows(&file, "duty_locks") {
        let enrolled = Enrolled { tickets: narrow(vector, "tickets"), unit_lamports: number(vector, "unit_lamports") };
        let lock = duty_lock(enrolled, narrow(vector, "duty_rate_bps"));
        assert_eq!(lock, lamports(vector, "lock_lamports"), "{vector}");
    }
}

fn check_record(vector: &Value) {
    let mut counted = trust(&vector["start"]);
    for step in rows(vector, "steps") {
        match text(step, "event") {
            "wrong" => counted.record_wrong(),
            "missed" => counted.record_missed(),
            "declined" => counted.record_declined(),
            "won" => counted.record_dispute_won(),
            "lost" => counted.record_dispute_lost(),
            _ => {
                let settled = settled(&step["settled"]);
                assert_eq!(settled.confirms(), flag(step, "confirms"), "{step}");
                counted.record_right(&settled);
            }
        }
        assert_eq!(counted, trust(&step["after"]), "{step}");
    }
}

/// What disputes divide.
pub fn check_pots() {
    let file = parse(POTS);
    for vector in rows(&file, "appeals") {
        let bond = appeal_bond(number(vector, "bond_lamports"), narrow(vector, "round"));
        assert_eq!(bond, lamports(vector, "appeal_lamports"), "{vector}");
    }
    for vector in rows(&file, "kept") {
        let kept = kept(number(vector, "bond_lamports"), narrow(vector, "miss_rate_bps"));
        assert_eq!(kept, lamports(vector, "kept_lamports"), "{vector}");
    }
    for vector in rows(&file, "pots") {
        let pot = Pot {
            lost_lamports: number(vector, "lost_lamports"),
            extra_lamports: number(vector, "extra_lamports"),
            won_lamports: number(vector, "won_lamports"),
            right: narrow(vector, "right"),
            rounds: narrow(vector, "rounds"),
        };
        for winner in vector["winners"].as_array().expect("winners") {
            assert_eq!(pot.winner(number(winner, "bond_lamports")), lamports(winner, "paid_lamports"), "{winner}");
        }
        assert_eq!(pot.executor(), lamports(vector, "executor_lamports"), "{vector}");
        for juror in rows(vector, "jurors") {
            let ballots = Ballots { weight: number(juror, "weight"), revealed: number(juror, "revealed") };
            assert_eq!(pot.juror(&ballots), lamports(juror, "paid_lamports"), "{juror}");
        }
    }
}

fn settled(vector: &Value) -> Settled {
    Settled {
        gas_used: number(vector, "gas_used"),
        elapsed_s: narrow(vector, "elapsed_s"),
        fee_lamports: number(vector, "fee_lamports"),
        is_drawn: flag(vector, "is_drawn"),
        is_audited: flag(vector, "is_audited"),
        drawn_equal: narrow(vector, "drawn_equal"),
    }
}

fn trust(vector: &Value) -> TrustVector {
    TrustVector {
        completed: narrow(vector, "completed"),
        failed: narrow(vector, "failed"),
        missed: narrow(vector, "missed"),
        declined: narrow(vector, "declined"),
        disputes_won: narrow(vector, "disputes_won"),
        disputes_lost: narrow(vector, "disputes_lost"),
        consecutive_valid: narrow(vector, "consecutive_valid"),
        latency_ms_avg: narrow(vector, "latency_ms_avg"),
        confirmed: narrow(vector, "confirmed"),
        confirmed_fee_lamports: number(vector, "confirmed_fee_lamports"),
    }
}
