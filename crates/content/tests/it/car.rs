//! CAR in and out: the other implementation reads ours, ours reads the other's, and nothing hostile gets through.

use assay_content::{
    Cid, CidError, Codec, Entry, Package, block_cid,
    car::{self, CarDecoder, CarError, CarLimits},
    pack_entries,
};
use bytes::Bytes;
use proptest::prelude::*;

use crate::{doubles::car_of, packing::noise};

fn sample() -> Package {
    pack_entries([Entry::file("a", noise(3_000)), Entry::file("b/c", "c")]).unwrap()
}

fn read(bytes: &[u8]) -> Result<car::CarFile, CarError> {
    car::read(&mut &*bytes, CarLimits::default())
}

#[test]
fn our_car_is_read_by_iroh_and_iroh_s_by_us() {
    let package = sample();
    let ours = car_of(&package);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let theirs = runtime.block_on(async {
        let mut reader = iroh_car::CarReader::new(ours.as_slice()).await.unwrap();
        assert_eq!(reader.header().roots(), [package.root]);
        let mut writer = iroh_car::CarWriter::new(iroh_car::CarHeader::new_v1(vec![package.root]), Vec::new());
        let mut count = 0;
        while let Some((cid, block)) = reader.next_block().await.unwrap() {
            assert_eq!((cid, Bytes::from(block.clone())), package.blocks[count]);
            writer.write(cid, block).await.unwrap();
            count += 1;
        }
        assert_eq!(count, package.blocks.len());
        writer.finish().await.unwrap()
    });
    assert_eq!(theirs, ours, "byte for byte");
    let file = read(&theirs).unwrap();
    assert_eq!((file.roots, file.blocks), (vec![package.root], package.blocks));
}

#[test]
fn a_car_is_read_the_same_however_it_is_cut_into_pieces() {
    let package = sample();
    let bytes = car_of(&package);
    for piece in [1, 2, 7, 100, bytes.len()] {
        let mut decoder = CarDecoder::new(CarLimits::default());
        let mut blocks = Vec::new();
        for piece in bytes.chunks(piece) {
            decoder.push(piece).unwrap();
            while let Some(block) = decoder.next_block().unwrap() {
                blocks.push(block);
            }
        }
        assert_eq!(decoder.roots(), Some([package.root].as_slice()));
        assert_eq!(decoder.finish().unwrap(), [package.root]);
        assert_eq!(blocks, package.blocks);
    }
}

#[test]
fn c04_malformed_headers_are_named() {
    for bytes in
        [b"\x00".as_slice(), b"\x81\x08", b"\x80\x00", &[0xff; 11], b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02"]
    {
        assert!(matches!(read(bytes).unwrap_err(), CarError::HeaderLength { .. }), "{bytes:?}");
    }
    for header in [
        b"{}".as_slice(),
        b"\xa0",
        b"\xa2\x65roots\x80\x67version\x02",
        b"\xa2\x65roots\x80\x67version\x01\x00",
        b"\xa2\x65roots\x81\xd8\x2a\x58\x25\x00",
        b"\xa2\x65roots\x9f\x67version\x01",
        b"\xa2\x65roots\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xa1\x67version\x01",
    ] {
        let mut bytes = vec![u8::try_from(header.len()).unwrap()];
        bytes.extend_from_slice(header);
        assert!(matches!(read(&bytes).unwrap_err(), CarError::Header { .. }), "{header:?}");
    }
    assert!(matches!(read(b"").unwrap_err(), CarError::Truncated { index: 0 }));
}

#[test]
fn c04_malformed_sections_are_named() {
    let package = sample();
    let header = car::header(&package.root);
    let with = |section: &[u8]| read(&[&header, section].concat()).unwrap_err();
    assert!(matches!(with(b"\x00"), CarError::SectionLength { index: 0, .. }), "an empty section");
    assert!(matches!(with(&[0xff; 10]), CarError::SectionLength { .. }));
    assert!(matches!(with(b"\x01\x01"), CarError::SectionCid { index: 0 }));
    assert!(matches!(with(b"\x04\xff\xff\xff\xff"), CarError::SectionCid { .. }));
    assert!(matches!(with(b"\x25\x01"), CarError::Truncated { index: 0 }));
    // A multihash that promises more than the section holds.
    assert!(matches!(with(b"\x05\x01\x55\x12\x20\x00"), CarError::SectionCid { .. }));
}

#[test]
fn c05_a_version_2_file_and_its_index_are_refused() {
    let mut bytes = b"\x0a\xa1\x67version\x02".to_vec();
    bytes.extend_from_slice(&[0; 40]);
    bytes.extend_from_slice(&car_of(&sample()));
    assert!(matches!(read(&bytes).unwrap_err(), CarError::Version2));
}

#[test]
fn c08_a_length_that_promises_gigabytes_allocates_nothing() {
    let header = car::header(&sample().root);
    // 9 GB in a file of a hundred bytes.
    let mut bytes = [&header[..], b"\x80\x80\x80\x80\x22"].concat();
    bytes.resize(100, 0);
    assert!(matches!(read(&bytes).unwrap_err(), CarError::SectionLength { .. }));
    let mut bytes = b"\x80\x80\x80\x80\x22".to_vec();
    bytes.resize(100, 0);
    assert!(matches!(read(&bytes).unwrap_err(), CarError::HeaderLength { .. }));
}

#[test]
fn c03_blocks_with_other_hashes_or_versions_are_refused() {
    let header = car::header(&sample().root);
    let section = |cid: &[u8], block: &[u8]| {
        let length = u8::try_from(cid.len() + block.len()).unwrap();
        [&header[..], &[length], cid, block].concat()
    };
    let identity = section(b"\x01\x55\x00\x02hi", b"hi");
    assert!(matches!(read(&identity).unwrap_err(), CarError::Cid(CidError::Hash { .. })));
    let sha: [u8; 32] = block_cid(Codec::Raw, b"hi").hash().digest().try_into().unwrap();
    let v0 = section(&[b"\x12\x20".as_slice(), &sha].concat(), b"hi");
    assert!(matches!(read(&v0).unwrap_err(), CarError::Cid(CidError::Version0 { .. })));
    let json = section(&[b"\x01\x80\x04\x12\x20".as_slice(), &sha].concat(), b"hi");
    assert!(matches!(read(&json).unwrap_err(), CarError::Cid(CidError::Codec { .. })));
    let mismatch = section(&[b"\x01\x55\x12\x20".as_slice(), &sha].concat(), b"ho");
    assert!(matches!(read(&mismatch).unwrap_err(), CarError::Cid(CidError::Mismatch { .. })));
}

#[test]
fn limits_are_kept_to_the_unit() {
    let package = sample();
    let bytes = car_of(&package);
    let exact = CarLimits { bytes: bytes.len() as u64, blocks: package.blocks.len() };
    car::read(&mut bytes.as_slice(), exact).unwrap();
    let one_less = CarLimits { bytes: exact.bytes - 1, ..exact };
    assert!(matches!(car::read(&mut bytes.as_slice(), one_less).unwrap_err(), CarError::TooLarge { .. }));
    let one_less = CarLimits { blocks: exact.blocks - 1, ..exact };
    assert!(matches!(car::read(&mut bytes.as_slice(), one_less).unwrap_err(), CarError::TooManyBlocks { .. }));
    let large: Bytes = vec![0; (2 << 20) + 1].into();
    let cid: Cid = block_cid(Codec::Raw, &large);
    let mut bytes = Vec::new();
    car::write(&mut bytes, &cid, &[(cid, large)]).unwrap();
    assert!(matches!(read(&bytes).unwrap_err(), CarError::SectionLength { .. }));
}

proptest! {
    #[test]
    fn c04_arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes).is_err());
        let header = car::header(&sample().root);
        // After a good header a short tail holds no whole block.
        prop_assert!(bytes.is_empty() || read(&[&header, bytes.as_slice()].concat()).is_err());
    }

    /// However the network cuts it, and whatever was done to it: the same blocks, then the same end.
    #[test]
    fn c04_a_damaged_file_reads_the_same_however_it_is_cut(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        length in any::<prop::sample::Index>(),
        pieces in proptest::collection::vec(1_usize..200, 1..50),
    ) {
        let mut bytes = car_of(&sample());
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(1 + length.index(bytes.len()));
        let feed = |mut sizes: Box<dyn Iterator<Item = usize>>| {
            let (mut decoder, mut blocks, mut rest) = (CarDecoder::new(CarLimits::default()), Vec::new(), &bytes[..]);
            while !rest.is_empty() {
                let (piece, tail) = rest.split_at(sizes.next().unwrap_or(usize::MAX).min(rest.len()));
                rest = tail;
                decoder.push(piece).unwrap();
                loop {
                    match decoder.next_block() {
                        Ok(Some(block)) => blocks.push(block),
                        Ok(None) => break,
                        Err(error) => return (blocks, error.to_string()),
                    }
                }
            }
            let end = decoder.finish();
            (blocks, end.map_or_else(|error| error.to_string(), |roots| format!("{roots:?}")))
        };
        prop_assert_eq!(feed(Box::new(pieces.into_iter())), feed(Box::new(std::iter::empty())));
    }

    #[test]
    fn c04_a_flipped_bit_is_an_error_or_another_root(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let package = sample();
        let mut bytes = car_of(&package);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(file) = read(&bytes) {
            prop_assert!(file.roots != [package.root], "only the header's claim is unverified");
            prop_assert_eq!(file.blocks, package.blocks);
        }
    }
}
