//! The linked protocol agrees with the golden vectors.

#[allow(dead_code, reason = "this crate checks all vectors at once")]
#[rustfmt::skip]
#[path = "../../crates/protocol/golden/vectors.rs"]
mod golden;

#[test]
fn the_linked_protocol_agrees_with_the_golden_vectors() {
    golden::check_all();
}

#[test]
fn a_receipts_signature_is_that_of_the_golden_vectors() {
    use solana_signer::Signer;
    let signed = golden::signed_receipts();
    for (receipt, seed, signature) in &signed {
        let key = solana_keypair::Keypair::new_from_array(*seed);
        assert_eq!(receipt.provider_key, Some(key.pubkey().to_bytes()));
        assert_eq!(key.sign_message(&receipt.message()).as_ref(), signature.as_slice());
    }
    assert!(signed.len() >= 3, "{} vectors with a signature", signed.len());
}
