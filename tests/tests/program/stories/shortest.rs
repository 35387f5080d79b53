//! A story that model and program tell differently, made short: steps are left out as long as they still disagree.

use std::panic::{AssertUnwindSafe, catch_unwind};

use assay_model::schedule::Schedule;

use super::{KEYS, Pair, Told};

/// Tells one story; when model and program disagree, what is needed to see it.
///
/// # Panics
/// When they do.
pub fn tell(seed: u64) {
    let mut pair = None;
    let failed = catch_unwind(AssertUnwindSafe(|| super::tell(seed, &mut pair))).is_err();
    let pair = pair.expect("every story begins");
    if !failed {
        println!("{}", pair.coverage);
        return;
    }
    let whole = pair.told.len();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let short = shortened(seed, pair.told);
    std::panic::set_hook(hook);
    let listed: Vec<String> = short.iter().map(|told| format!("{told:?}")).collect();
    let why = why(seed, &short).unwrap_or_else(|| "an end that is never reached: see above".to_owned());
    panic!("story {seed}, {} of {whole} steps:\n{}\n{why}", short.len(), listed.join("\n"));
}

/// Leaves out half, then a quarter and so on, down to single steps.
fn shortened(seed: u64, mut told: Vec<Told>) -> Vec<Told> {
    let Some(shown) = why(seed, &told) else { return told };
    let mut length = told.len().next_power_of_two();
    while length > 0 {
        let mut from = 0;
        while from < told.len() {
            let without: Vec<Told> = [&told[..from], &told[(from + length).min(told.len())..]].concat();
            if why(seed, &without).is_some_and(|why| kind(&why) == kind(&shown)) {
                told = without;
            } else {
                from += length;
            }
        }
        length /= 2;
    }
    told
}

/// What is wrong, without whose it is and by how much: a story that breaks elsewhere is another one.
fn kind(why: &str) -> String {
    let line = why.lines().next().unwrap_or_default();
    let said = ["}): ", "}: "].iter().find_map(|end| line.rsplit_once(end)).map_or(line, |(_, said)| said);
    said.split(' ').filter(|word| !word.contains(|letter: char| letter.is_ascii_digit())).collect()
}

/// What these steps show, if anything.
fn why(seed: u64, told: &[Told]) -> Option<String> {
    let (_, model) = Schedule::new(seed, &KEYS);
    let shown = catch_unwind(AssertUnwindSafe(|| {
        let mut pair = Pair::new(model);
        told.iter().for_each(|told| pair.tell(told));
    }));
    let why = shown.err()?;
    let text = why.downcast_ref::<String>().cloned();
    Some(text.or_else(|| why.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
}
