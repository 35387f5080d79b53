//! Prints the 50,000 customers of the `customer-tiers` job as CSV.
//!
//! The same bytes on every machine: a fixed seed, integers only. Spend follows a steep curve, so that every tier has
//! members: most customers spend little, a few spend very much.

use std::io::{self, BufWriter, Write};

const CUSTOMERS: u32 = 50_000;
const FIRST: [&str; 24] = [
    "Ada", "Amara", "Bao", "Carmen", "Chidi", "Dilnoza", "Elif", "Emeka", "Farah", "Goran", "Hana", "Ines", "Jonas",
    "Kaito", "Lucia", "Mateo", "Nadia", "Oksana", "Priya", "Quinn", "Rosa", "Samir", "Tove", "Yusuf",
];
const LAST: [&str; 24] = [
    "Abebe", "Almeida", "Brown", "Castillo", "Dahl", "Eriksen", "Fischer", "Garcia", "Haddad", "Ivanova", "Jansen",
    "Kim", "Lindgren", "Moreau", "Nakamura", "Okafor", "Park", "Quispe", "Rossi", "Silva", "Tanaka", "Usman", "Weber",
    "Zhang",
];
const COUNTRY: [&str; 12] = ["BR", "DE", "ES", "FR", "IN", "JP", "KR", "MX", "NG", "SE", "TR", "US"];

/// SplitMix64: small, well spread, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// Yearly spend in cents: 1/u with u uniform, about 1.2 % over 100,000 and half under 2,500.
fn spend_cents(random: &mut Random) -> u64 {
    let denominator = random.below(100_000) + 130;
    (125_000_000_000 / denominator / 10).min(9_876_543_210) + random.below(100)
}

fn main() -> io::Result<()> {
    let mut random = Random(0x0a55_a1ed);
    let mut out = BufWriter::new(io::stdout().lock());
    writeln!(out, "customer_id,name,country,orders,annual_spend")?;
    for id in 0..CUSTOMERS {
        let first = FIRST[random.below(FIRST.len() as u64) as usize];
        let last = LAST[random.below(LAST.len() as u64) as usize];
        let country = COUNTRY[random.below(COUNTRY.len() as u64) as usize];
        let orders = random.below(240) + 1;
        let cents = spend_cents(&mut random);
        writeln!(out, "C{:06},{first} {last},{country},{orders},{}.{:02}", id + 1, cents / 100, cents % 100)?;
    }
    out.flush()
}
