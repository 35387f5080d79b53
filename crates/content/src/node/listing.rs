//! Directories for people and for `ls`.

use serde_json::{Value, json};

use super::{answer::Refusal, resolve::ContentPath};
use crate::{
    BlockGet, BlockStore,
    id::{Codec, accept},
    limits::PAGE_NAMES_MAX,
    node_codec::{self, Link, Node},
};

/// Kubo's codes of what a link points at.
const KIND_DIRECTORY: u32 = 1;
const KIND_FILE: u32 = 2;

/// `Links` of `ls`. Children whose block is not here are listed as files of their tree's size.
pub(super) fn links(store: &BlockStore, links: &[Link]) -> Result<Vec<Value>, Refusal> {
    let link = |link: &Link| {
        let (kind, size) = kind_and_size(store, link)?;
        let hash = link.cid.to_string();
        Ok(json!({ "Name": link.name, "Hash": hash, "Size": size, "Type": kind, "Target": "" }))
    };
    links.iter().map(link).collect()
}

fn kind_and_size(store: &BlockStore, link: &Link) -> Result<(u32, u64), Refusal> {
    if accept(&link.cid)?.0 == Codec::Raw {
        return Ok((KIND_FILE, link.tree_bytes));
    }
    let Some(block) = store.get(&link.cid)? else { return Ok((KIND_FILE, link.tree_bytes)) };
    Ok(match node_codec::decode(&block) {
        Ok(Node::File { file_bytes, .. }) => (KIND_FILE, file_bytes),
        Ok(Node::Directory(_) | Node::Hamt(_)) => (KIND_DIRECTORY, 0),
        Err(_) => (KIND_FILE, link.tree_bytes),
    })
}

/// A page with one line per entry, up to a bound: a page is for people. Names are escaped twice over: as URL and as HTML.
pub(super) fn page(path: &ContentPath, links: &[Link]) -> String {
    let title = html(&format!("/ipfs/{}", path.text()));
    let mut page = format!("<!doctype html><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1><ul>\n");
    for link in links.iter().take(PAGE_NAMES_MAX) {
        let address: Vec<String> = path.names.iter().chain([&link.name]).map(|name| url_segment(name)).collect();
        let address = format!("/ipfs/{}/{}", path.root, address.join("/"));
        page.push_str(&format!("<li><a href=\"{address}\">{}</a> {} bytes\n", html(&link.name), link.tree_bytes));
    }
    page.push_str("</ul>\n");
    if let Some(more @ 1..) = links.len().checked_sub(PAGE_NAMES_MAX) {
        page.push_str(&format!("<p>and {more} more; fetch the directory as a CAR to have them all\n"));
    }
    page
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            character => out.push(character),
        }
    }
    out
}

fn url_segment(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c10_names_cannot_break_out_of_the_page() {
        let cid = crate::block_cid(Codec::Raw, b"");
        let path = ContentPath { root: cid, names: vec!["a b".to_owned()] };
        let link = Link { name: "<script>\"'&".to_owned(), cid, tree_bytes: 1 };
        let page = super::page(&path, std::slice::from_ref(&link));
        assert!(!page.contains("<script>"), "{page}");
        let links = vec![link; PAGE_NAMES_MAX + 7];
        assert!(super::page(&path, &links).ends_with("<p>and 7 more; fetch the directory as a CAR to have them all\n"));
        assert!(page.contains("a%20b/%3Cscript%3E%22%27%26\">&lt;script&gt;&quot;&#39;&amp;</a>"), "{page}");
    }
}
