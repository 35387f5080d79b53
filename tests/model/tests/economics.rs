//! The page against the command that makes its tables. `ASSAY_BLESS=1` writes them into it.

use std::{env, fs};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ECONOMICS.md");

#[test]
fn p_15_the_tables_of_the_page_are_what_the_command_prints() {
    let page = fs::read_to_string(PAGE).expect("the page is there");
    let mut made = page.clone();
    for (name, table) in assay_model::odds::tables() {
        let marker = format!("<!-- draw-table: {name} -->\n\n");
        let begin = made.find(&marker).unwrap_or_else(|| panic!("the page has no place for {name}")) + marker.len();
        let rest = &made[begin..];
        let lines = rest.lines().take_while(|line| line.starts_with('|'));
        let old: usize = lines.map(|line| line.len() + 1).sum();
        let blank = if old == 0 { "\n" } else { "" };
        made.replace_range(begin..begin + old, &format!("{table}{blank}"));
    }
    if env::var_os("ASSAY_BLESS").is_some() {
        fs::write(PAGE, made).expect("the page can be written");
    } else {
        assert!(
            made == page,
            "docs/ECONOMICS.md differs from `tools/draw-table`; ASSAY_BLESS=1 writes the tables anew"
        );
    }
}
