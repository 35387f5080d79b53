//! A PNG writer: indexed colour, fixed Huffman codes, one hash table of recent positions. Small rather than tight.

const MATCH_MIN: usize = 3;
const MATCH_MAX: usize = 258;
const WINDOW: usize = 32_768;
const HASH_BITS: u32 = 14;

/// Encodes palette indices, row by row.
pub fn encode(pixels: &[u8], width: usize, palette: &[[u8; 3]; 256]) -> Vec<u8> {
    let height = pixels.len() / width;
    let mut header = Vec::with_capacity(13);
    header.extend_from_slice(&(width as u32).to_be_bytes());
    header.extend_from_slice(&(height as u32).to_be_bytes());
    header.extend_from_slice(&[8, 3, 0, 0, 0]);
    let mut rows = Vec::with_capacity(pixels.len() + height);
    for row in pixels.chunks_exact(width) {
        rows.push(0);
        rows.extend_from_slice(row);
    }
    let mut data = vec![0x78, 0x01];
    data.extend_from_slice(&deflate(&rows));
    data.extend_from_slice(&adler32(&rows).to_be_bytes());

    let crc_table = crc_table();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, body) in
        [(b"IHDR", header.as_slice()), (b"PLTE", palette.as_flattened()), (b"IDAT", &data), (b"IEND", &[])]
    {
        png.extend_from_slice(&(body.len() as u32).to_be_bytes());
        let start = png.len();
        png.extend_from_slice(kind);
        png.extend_from_slice(body);
        let crc = crc32(&png[start..], &crc_table);
        png.extend_from_slice(&crc.to_be_bytes());
    }
    png
}

/// Bits, least significant first, as DEFLATE packs them.
struct Bits {
    bytes: Vec<u8>,
    pending: u64,
    count: u32,
}

impl Bits {
    fn push(&mut self, value: u32, width: u32) {
        self.pending |= u64::from(value) << self.count;
        self.count += width;
        while self.count >= 8 {
            self.bytes.push(self.pending as u8);
            self.pending >>= 8;
            self.count -= 8;
        }
    }

    /// Huffman codes are packed most significant bit first.
    fn push_code(&mut self, code: u32, width: u32) {
        self.push(code.reverse_bits() >> (32 - width), width);
    }

    /// A literal or length symbol in the fixed code of RFC 1951, section 3.2.6.
    fn push_symbol(&mut self, symbol: u32) {
        match symbol {
            0..=143 => self.push_code(0x30 + symbol, 8),
            144..=255 => self.push_code(0x190 + symbol - 144, 9),
            256..=279 => self.push_code(symbol - 256, 7),
            _ => self.push_code(0xc0 + symbol - 280, 8),
        }
    }

    fn push_match(&mut self, length: usize, distance: usize) {
        let (code, extra, width) = bucket(length as u32 - 3, 2);
        if length == MATCH_MAX {
            self.push_symbol(285);
        } else {
            self.push_symbol(257 + code);
            self.push(extra, width);
        }
        let (code, extra, width) = bucket(distance as u32 - 1, 1);
        self.push_code(code, 5);
        self.push(extra, width);
    }
}

/// Code, extra bits and their number for a value in buckets that double every `2^precision` codes.
fn bucket(value: u32, precision: u32) -> (u32, u32, u32) {
    let steps = 1 << precision;
    if value < 2 * steps {
        return (value, 0, 0);
    }
    let width = value.ilog2() - precision;
    let code = steps * width + (value >> width);
    (code, value & ((1 << width) - 1), width)
}

/// One final block with fixed codes.
fn deflate(input: &[u8]) -> Vec<u8> {
    let mut bits = Bits { bytes: Vec::with_capacity(input.len() / 2), pending: 0, count: 0 };
    bits.push(0b011, 3);
    let mut recent = vec![usize::MAX; 1 << HASH_BITS];
    let mut at = 0;
    while at < input.len() {
        let candidate = input.get(at..at + 4).map(|next| {
            let word = u32::from_le_bytes([next[0], next[1], next[2], next[3]]);
            let slot = (word.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)) as usize;
            std::mem::replace(&mut recent[slot], at)
        });
        let length = match candidate {
            Some(start) if start != usize::MAX && at - start <= WINDOW => common(&input[start..], &input[at..]),
            _ => 0,
        };
        match candidate {
            Some(start) if length >= MATCH_MIN => {
                bits.push_match(length, at - start);
                at += length;
            }
            _ => {
                bits.push_symbol(u32::from(input[at]));
                at += 1;
            }
        }
    }
    bits.push_symbol(256);
    bits.push(0, 7);
    bits.bytes
}

/// How many leading bytes are equal, at most [`MATCH_MAX`].
fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take(MATCH_MAX).take_while(|(left, right)| left == right).count()
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1_u32, 0_u32);
    // 5,552 is the most steps before the sums must be reduced.
    for chunk in bytes.chunks(5_552) {
        for byte in chunk {
            low += u32::from(*byte);
            high += low;
        }
        low %= 65_521;
        high %= 65_521;
    }
    high << 16 | low
}

fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    for (index, entry) in table.iter_mut().enumerate() {
        *entry = (0..8).fold(index as u32, |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 });
    }
    table
}

fn crc32(bytes: &[u8], table: &[u32; 256]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| table[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ crc >> 8)
}
