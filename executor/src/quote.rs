//! How logs, records and health quote a guest or a stranger.

/// Longest quotation, in characters.
const QUOTED_CHARS_MAX: usize = 256;

/// The beginning of a text, and nothing in it that acts on a terminal (W-08).
pub(crate) fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).flat_map(char::escape_debug).collect()
}
