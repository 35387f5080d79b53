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

#[test]
fn the_files_of_the_golden_receipts_are_read_and_written_as_they_stand() {
    let files = golden::receipt_files();
    for (receipt, file) in &files {
        let read = assay_sdk::Receipt::from_json(file.to_string().as_bytes()).expect("a receipt");
        assert_eq!(read.canonical(), *receipt, "{file}");
        let written: serde_json::Value = serde_json::from_str(&read.to_json()).expect("JSON");
        assert_eq!(written, *file);
        let is_valid = read.check_signature() == assay_sdk::receipt::ReceiptSignature::Valid;
        assert_eq!(is_valid, receipt.provider_key.is_some(), "{file}");
    }
    assert!(files.len() >= 15, "{} files", files.len());
}
