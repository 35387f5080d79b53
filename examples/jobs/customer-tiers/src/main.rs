//! Sorts customers into tiers by yearly spend: platinum from 100,000, gold from 50,000, silver from 10,000, bronze
//! below.
//!
//! `customer-tiers INPUT.csv OUTPUT_DIR` reads `customer_id,name,country,orders,annual_spend`, writes one CSV per tier
//! and `summary.json`, and prints a table. Money is whole cents; floats never touch it.

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::Path,
    process::ExitCode,
};

const HEADER: &str = "customer_id,name,country,orders,annual_spend";

/// Name and least yearly spend in cents, highest first.
const TIERS: [(&str, u64); 4] = [("platinum", 10_000_000), ("gold", 5_000_000), ("silver", 1_000_000), ("bronze", 0)];

/// What is known about one tier.
struct Tier {
    file: BufWriter<File>,
    customers: u64,
    orders: u64,
    spend_cents: u64,
    by_country: BTreeMap<String, u64>,
}

/// One row of the input.
struct Customer<'a> {
    country: &'a str,
    orders: u64,
    spend_cents: u64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [input, output] = arguments.as_slice() else {
        eprintln!("usage: customer-tiers INPUT.csv OUTPUT_DIR");
        return ExitCode::from(2);
    };
    match sort(Path::new(input), Path::new(output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("customer-tiers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn sort(input: &Path, output: &Path) -> Result<(), Box<dyn Error>> {
    let reader =
        BufReader::new(File::open(input).map_err(|error| format!("cannot open {}: {error}", input.display()))?);
    fs::create_dir_all(output)?;
    let mut tiers = TIERS.iter().map(|(name, _)| Tier::create(output, name)).collect::<io::Result<Vec<_>>>()?;
    for (index, line) in reader.lines().enumerate() {
        let line = line?;
        if index == 0 {
            if line != HEADER {
                return Err(format!("line 1: expected the header {HEADER:?}, found {line:?}").into());
            }
            continue;
        }
        let customer = Customer::parse(&line).map_err(|error| format!("line {}: {error}", index + 1))?;
        let rank = TIERS.iter().position(|(_, least)| customer.spend_cents >= *least).unwrap_or(TIERS.len() - 1);
        tiers[rank].add(&customer, &line)?;
    }
    for tier in &mut tiers {
        tier.file.flush()?;
    }
    fs::write(output.join("summary.json"), summary(&tiers))?;
    print_table(&tiers);
    Ok(())
}

impl Tier {
    fn create(output: &Path, name: &str) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(32 << 10, File::create(output.join(format!("{name}.csv")))?);
        writeln!(file, "{HEADER}")?;
        Ok(Self { file, customers: 0, orders: 0, spend_cents: 0, by_country: BTreeMap::new() })
    }

    fn add(&mut self, customer: &Customer<'_>, line: &str) -> io::Result<()> {
        self.customers += 1;
        self.orders += customer.orders;
        self.spend_cents += customer.spend_cents;
        match self.by_country.get_mut(customer.country) {
            Some(count) => *count += 1,
            None => drop(self.by_country.insert(customer.country.to_owned(), 1)),
        }
        self.file.write_all(line.as_bytes())?;
        self.file.write_all(b"\n")
    }
}

impl<'a> Customer<'a> {
    fn parse(line: &'a str) -> Result<Self, String> {
        let mut fields = line.split(',');
        let mut field = |name: &str| fields.next().ok_or_else(|| format!("{name} is missing"));
        let (_id, _name, country) = (field("customer_id")?, field("name")?, field("country")?);
        let orders = field("orders")?;
        let spend = field("annual_spend")?;
        if fields.next().is_some() {
            return Err("more than five fields".to_owned());
        }
        let orders = orders.parse().map_err(|_| format!("orders {orders:?} is no whole number"))?;
        Ok(Self { country, orders, spend_cents: cents(spend)? })
    }
}

/// `1234.56` in cents.
fn cents(text: &str) -> Result<u64, String> {
    let bad = || format!("annual_spend {text:?} is no amount with two decimals");
    let (whole, fraction) = text.split_once('.').ok_or_else(bad)?;
    if fraction.len() != 2 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad());
    }
    let whole: u64 = whole.parse().map_err(|_| bad())?;
    let fraction: u64 = fraction.parse().map_err(|_| bad())?;
    whole.checked_mul(100).and_then(|cents| cents.checked_add(fraction)).ok_or_else(bad)
}

fn money(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn summary(tiers: &[Tier]) -> String {
    let customers: u64 = tiers.iter().map(|tier| tier.customers).sum();
    let spend: u64 = tiers.iter().map(|tier| tier.spend_cents).sum();
    let mut json =
        format!("{{\n  \"customers\": {customers},\n  \"annual_spend\": \"{}\",\n  \"tiers\": [\n", money(spend));
    for (index, ((name, least), tier)) in TIERS.iter().zip(tiers).enumerate() {
        let countries: Vec<String> =
            tier.by_country.iter().map(|(country, count)| format!("\"{country}\": {count}")).collect();
        let comma = if index + 1 < tiers.len() { "," } else { "" };
        json.push_str(&format!(
            "    {{\"tier\": \"{name}\", \"from\": \"{}\", \"customers\": {}, \"orders\": {}, \"annual_spend\": \"{}\", \
             \"countries\": {{{}}}}}{comma}\n",
            money(*least),
            tier.customers,
            tier.orders,
            money(tier.spend_cents),
            countries.join(", "),
        ));
    }
    json.push_str("  ]\n}\n");
    json
}

fn print_table(tiers: &[Tier]) {
    println!("{:<10}{:>12}{:>10}{:>20}", "tier", "from", "customers", "annual spend");
    for ((name, least), tier) in TIERS.iter().zip(tiers) {
        println!("{name:<10}{:>12}{:>10}{:>20}", money(*least), tier.customers, money(tier.spend_cents));
    }
}
