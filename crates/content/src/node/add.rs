//! `add`: files in, packed by the frozen profile whatever the client's defaults are.

use axum::{extract::multipart::Field, response::Response};
use bytes::{Bytes, BytesMut};
use cid::Cid;
use serde_json::{Value, json};

use super::{
    Shared,
    answer::{Refusal, blocking},
    rpc::{Body, FlagDefault, Parameters, broken, flag, lines, parts},
};
use crate::{
    BlockStore, Entry, EntryKind, PackError,
    hamt::Target,
    limits::ENTRIES_MAX,
    pack::{Collected, Tree, file_of_bytes},
};

/// Options that would give other CIDs than the profile, with the only value accepted.
const FROZEN: &[(&str, &[&str])] = &[
    ("cid-version", &["1"]),
    ("raw-leaves", &["true", "1"]),
    ("chunker", &["size-1048576"]),
    ("hash", &["sha2-256"]),
    ("trickle", &["false", "0"]),
    ("inline", &["false", "0"]),
    ("nocopy", &["false", "0"]),
    ("preserve-mode", &["false", "0"]),
    ("preserve-mtime", &["false", "0"]),
];

pub(super) async fn add(state: Shared, query: Parameters, body: Body) -> Result<Response, Refusal> {
    for (name, accepted) in FROZEN {
        if let Some(value) = query.get(*name).filter(|value| !value.is_empty() && !accepted.contains(&value.as_str())) {
            let message = format!("{name}={value} is not possible: this node packs by the profile unixfs-v1-2025");
            return Err(Refusal::bad_request(message));
        }
    }
    let options = Options {
        wrap: flag(&query, "wrap-with-directory", FlagDefault::Off)?,
        pin: flag(&query, "pin", FlagDefault::On)?,
        only_hash: flag(&query, "only-hash", FlagDefault::Off)?,
    };
    let mut multipart = parts(body)?;
    // The files are held until they are packed.
    let (mut entries, mut held) = (Vec::new(), state.hold(0)?);
    while let Some(part) = multipart.next_field().await.map_err(|error| broken(&error))? {
        let charge = |bytes| state.hold(bytes).map(|more| held.merge(more));
        entries.push(entry(part, charge).await?);
        if entries.len() > ENTRIES_MAX {
            return Err(PackError::TooManyEntries { path: String::new(), entries_max: ENTRIES_MAX }.into());
        }
    }
    if entries.is_empty() {
        return Err(Refusal::bad_request("the request holds no file"));
    }
    let added = blocking(move || store(&state.store, entries, options)).await?;
    drop(held);
    Ok(lines(&added))
}

#[derive(Clone, Copy)]
struct Options {
    wrap: bool,
    pin: bool,
    only_hash: bool,
}

/// A part is a file, or a directory by its content type; its path is its escaped file name. `charge` is told of every byte
/// that is kept.
async fn entry(mut part: Field<'_>, mut charge: impl FnMut(usize) -> Result<(), Refusal>) -> Result<Entry, Refusal> {
    let path = unescape(part.file_name().unwrap_or_default())?;
    let path = path.trim_matches('/').to_owned();
    match part.content_type().unwrap_or_default() {
        "application/x-directory" => return Ok(Entry::directory(path)),
        "application/symlink" => {
            return Err(Refusal::bad_request(format!("{path:?} is a symbolic link; those are not packed")));
        }
        _ => {}
    }
    let mut content = BytesMut::new();
    while let Some(piece) = part.chunk().await.map_err(|error| broken(&error))? {
        charge(piece.len())?;
        content.extend_from_slice(&piece);
    }
    Ok(Entry::file(path, content.freeze()))
}

/// Undoes what clients do to names: `%41` and, as Go does, `+` for a space.
fn unescape(name: &str) -> Result<String, Refusal> {
    let malformed = || Refusal::bad_request(format!("file name {name:?} is malformed"));
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        out.push(match first {
            b'+' => b' ',
            b'%' => {
                let (digits, tail) = rest.split_at_checked(2).ok_or_else(malformed)?;
                rest = tail;
                let [high, low] = digits else { return Err(malformed()) };
                let digit = |byte: &u8| char::from(*byte).to_digit(16).ok_or_else(malformed);
                u8::try_from(16 * digit(high)? + digit(low)?).map_err(|_| malformed())?
            }
            byte => *byte,
        });
    }
    String::from_utf8(out).map_err(|_| malformed())
}

/// Packs, stores and pins; one line per file and directory, as Kubo prints them, the outermost last.
fn store(store: &BlockStore, entries: Vec<Entry>, options: Options) -> Result<Vec<Value>, Refusal> {
    let (mut sink, mut tree, mut added) = (Collected::default(), Tree::default(), Vec::new());
    for Entry { path, kind } in entries {
        match kind {
            EntryKind::Directory => tree.add_directory(&path)?,
            EntryKind::File(content) => {
                let file = file_of_bytes(&content, &mut sink);
                // A file without a name, from a pipe, is named by its CID.
                let path = if path.is_empty() { file.cid.to_string() } else { path };
                added.push((path.clone(), (file.cid, file.tree_bytes)));
                tree.add_file(&path, file)?;
            }
        }
    }
    let root = tree.finish_each(&mut sink, |path, target| added.push((path.to_owned(), target)))?;
    let mut blocks: &[(Cid, Bytes)] = sink.blocks();
    if !options.wrap {
        // The outermost directory came last and nobody asked for it.
        added.pop();
        blocks = blocks.strip_suffix(&blocks[blocks.len() - 1..]).unwrap_or(blocks);
    }
    if !options.only_hash {
        let mut import = store.import();
        import.put_verified(blocks)?;
        if options.pin {
            for (cid, _) in outermost(&added, root, options) {
                import.pin(&cid)?;
            }
        }
    }
    let line = |(path, (cid, tree_bytes)): &(String, Target)| json!({ "Name": path, "Hash": cid.to_string(), "Size": tree_bytes.to_string() });
    Ok(added.iter().map(line).collect())
}

/// What nothing else that was added contains.
fn outermost(added: &[(String, Target)], root: Target, options: Options) -> Vec<Target> {
    if options.wrap {
        return vec![root];
    }
    added.iter().filter(|(path, _)| !path.contains('/')).map(|(_, target)| *target).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_names_are_undone_and_malformed_ones_refused() {
        assert_eq!(unescape("a%2Fb+c%C3%A4").ok().as_deref(), Some("a/b cä"));
        for name in ["%", "%4", "%zz", "%ff", "%+1"] {
            assert!(unescape(name).is_err(), "{name}");
        }
    }
}
