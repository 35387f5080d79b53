//! Which providers of a local network have which bad habit.

use assay_executor::Habit;

use crate::error::{CliError, CliResult};

/// So many providers with a habit, as a flag says it: `wrong=1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liars {
    habit: Habit,
    count: u8,
}

/// Whether a provider with this habit works for any fee: it is paid for what it does not do.
pub const fn undercuts(habit: Habit) -> bool {
    matches!(habit, Habit::Wrong | Habit::Lazy)
}

/// Reads `habit=count`, or a habit alone, which is one.
pub fn parse(text: &str) -> Result<Liars, String> {
    let (name, count) = text.split_once('=').unwrap_or((text, "1"));
    let count = count.parse().map_err(|_| format!("{count} is no number of providers, such as in {name}=1"))?;
    Ok(Liars { habit: name.parse()?, count })
}

/// The habit of each of so many providers: the honest ones first.
///
/// # Errors
/// When there are more liars than providers.
pub fn habits(liars: &[Liars], providers: u8) -> CliResult<Vec<Option<Habit>>> {
    let each = liars.iter().flat_map(|liars| std::iter::repeat_n(Some(liars.habit), usize::from(liars.count)));
    let liars: Vec<Option<Habit>> = each.collect();
    let Some(honest) = usize::from(providers).checked_sub(liars.len()) else {
        return Err(CliError::usage(format!(
            "--liars names {} providers with a bad habit, and --providers only {providers} in all",
            liars.len()
        ))
        .with_next("run more providers, or fewer liars"));
    };
    Ok(std::iter::repeat_n(None, honest).chain(liars).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn liars_are_named_by_habit_and_number_and_come_last() {
        let liars = ["wrong=2", "silent"].map(|text| parse(text).unwrap());
        let named = [None, Some(Habit::Wrong), Some(Habit::Wrong), Some(Habit::Silent)];
        assert_eq!(habits(&liars, 4).unwrap(), named);
        assert_eq!(habits(&[], 2).unwrap(), [None, None]);
        assert!(habits(&liars, 2).is_err(), "more liars than providers");
    }

    #[test]
    fn what_is_no_habit_is_refused_with_those_that_there_are() {
        let problem = parse("greedy=1").unwrap_err();
        assert!(Habit::ALL.iter().all(|habit| problem.contains(habit.name())), "{problem}");
        assert!(parse("wrong=x").unwrap_err().contains("wrong=1"));
        assert!(parse("wrong=-1").is_err() && parse("").is_err());
    }
}
