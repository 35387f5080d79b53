//! What the Rust programs share: their one number, and the checksum that they print.

/// FNV-1a.
pub struct Checksum(u64);

impl Checksum {
    /// Of nothing yet.
    pub const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds bytes.
    pub fn mix(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    /// Adds a number.
    pub fn mix_number(&mut self, number: u64) {
        self.mix(&number.to_le_bytes());
    }

    /// Prints it.
    pub fn print(&self, name: &str) {
        println!("{name} {:016x}", self.0);
    }
}

impl Default for Checksum {
    fn default() -> Self {
        Self::new()
    }
}

/// The first argument.
pub fn size_argument() -> usize {
    let size = std::env::args().nth(1).and_then(|text| text.parse().ok());
    size.unwrap_or_else(|| {
        eprintln!("the first argument is the size, a whole number");
        std::process::exit(2);
    })
}

/// The file that the second argument names.
pub fn file_argument() -> Vec<u8> {
    let path = std::env::args().nth(2).unwrap_or_default();
    std::fs::read(&path).unwrap_or_else(|error| {
        eprintln!("the second argument is a file: {path:?}: {error}");
        std::process::exit(2);
    })
}
