//! Compresses the first SIZE kilobytes of a file at three levels with DEFLATE, and unpacks them.

use corpus_checksum::{Checksum, file_argument, size_argument};
use miniz_oxide::{deflate::compress_to_vec_zlib, inflate::decompress_to_vec_zlib};

fn main() {
    let size = size_argument();
    let file = file_argument();
    let text = &file[..file.len().min(size << 10)];
    let mut checksum = Checksum::new();
    for level in [1, 6, 9] {
        let packed = compress_to_vec_zlib(text, level);
        println!("level {level}: {} bytes", packed.len());
        checksum.mix(&packed);
        let unpacked = decompress_to_vec_zlib(&packed).expect("what was packed can be unpacked");
        assert_eq!(unpacked, text);
    }
    checksum.print("compress");
}
