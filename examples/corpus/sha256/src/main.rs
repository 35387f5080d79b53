//! SHA-256 of the first SIZE kilobytes of a file, of each line of them, and of a chain of digests.

use corpus_checksum::{Checksum, file_argument, size_argument};
use sha2::{Digest, Sha256};

fn main() {
    let size = size_argument();
    let file = file_argument();
    let text = &file[..file.len().min(size << 10)];
    let mut checksum = Checksum::new();
    let mut digest = Sha256::digest(text);
    println!("{digest:x}");
    for line in text.split(|byte| *byte == b'\n') {
        checksum.mix(&Sha256::digest(line));
    }
    for _ in 0..4 * size {
        digest = Sha256::new().chain_update(digest).chain_update(b"chain").finalize();
    }
    checksum.mix(&digest);
    checksum.print("sha256");
}
