//! How the runs ended, and what the programs did.

use core::fmt;
use std::collections::BTreeMap;

use assay_runtime::{End, Run};

use crate::generated::Agreed;

/// Counts.
#[derive(Default)]
pub struct Tally {
    /// Programs that were run.
    pub programs: u64,
    /// By how it ended: with full limits, with less gas.
    ends: BTreeMap<String, [u64; 2]>,
    /// Programs whose memory grew, that wrote something, that used more than a thousand gas, that called three deep.
    figures: [u64; 4],
    looked_at: u64,
    activities: BTreeMap<&'static str, u64>,
}

/// Stack of three of the smallest calls, bytes.
const THREE_CALLS_BYTES: u64 = 3 * 64;

impl Tally {
    /// One program.
    pub fn add(&mut self, agreed: &Agreed) {
        self.programs += 1;
        for (column, run) in [&agreed.full, &agreed.less_gas].into_iter().enumerate() {
            if let Some(count) = self.ends.entry(end(run)).or_default().get_mut(column) {
                *count += 1;
            }
        }
        let report = &agreed.full.report;
        let written = !report.stdout.is_empty() || !report.stderr.is_empty() || !report.output.is_empty();
        for (count, holds) in self.figures.iter_mut().zip([
            report.memory_peak_bytes > agreed.initial_memory_bytes,
            written,
            report.gas_used > agreed.instantiation_gas + 1_000,
            report.stack_peak_bytes > THREE_CALLS_BYTES,
        ]) {
            *count += u64::from(holds);
        }
    }

    /// What one program did.
    pub fn look(&mut self, activities: &[&'static str]) {
        self.looked_at += u64::from(!activities.is_empty());
        for activity in activities {
            *self.activities.entry(activity).or_default() += 1;
        }
    }
}

fn end(run: &Run) -> String {
    match run.report.end {
        End::Exited(0) => "Exited(0)".to_owned(),
        End::Exited(_) => "Exited, another code".to_owned(),
        End::OutputTooLarge(_) => "OutputTooLarge".to_owned(),
        End::OutOfGas if run.engine.is_none() => "OutOfGas, by instantiation".to_owned(),
        end => format!("{end:?}"),
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>12} {:>12}  ended", "full limits", "less gas")?;
        for (end, [full, less_gas]) in &self.ends {
            writeln!(f, "{full:>12} {less_gas:>12}  {end}")?;
        }
        writeln!(f, "{:>12}  with full limits", "programs")?;
        let figures = ["grew their memory", "wrote", "used over 1,000 gas", "called three deep or more"];
        for (count, figure) in self.figures.iter().zip(figures) {
            writeln!(f, "{count:>12}  {figure}")?;
        }
        writeln!(f, "{:>12}  were looked at, and did:", self.looked_at)?;
        for (activity, count) in &self.activities {
            writeln!(f, "{count:>12}  {activity}")?;
        }
        Ok(())
    }
}
