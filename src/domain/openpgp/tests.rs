use proptest::prelude::*;

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

/// `gpg 2.2.40 -c`, whole.
const SYMMETRIC: &str = "8c0d040903028d39b425438ff251ffd2490151ff5ba76c57a1f6fb598ee20f6ee4f8df6502\
    84491ef4c688e2ef902c61baf6377c39b0cc0e302f930a19a43fedfec11688d499e989730e9efc2fd504c9a4ff9873\
    5304e669eff6";
/// `gpg -e` to a curve 25519 key, with a password besides (`-c`), cut.
const PUBLIC_AND_PASSWORD: &str = "845e035e1505f80a09a01a12010740d775a96e7f27062affd4a2b049bf589ebb\
    c85802ccce08402ebf836469f32527306aba0ac52a999e30bcbb4be601743e17a69f2aea29165cb07479989a5478dc\
    8501cfb2612c1c3d87a277f4f7675222928c2e04090302a433c8cc3b6eed88ff9dab952f4caa082bfe4d29bfaf4272\
    9916ac6495654c6fb0df79bd0c0096a85935d24f0178bf2cd34954091f20ef";
/// `gpg --rfc2440 -e`: no integrity protection (packet type 9), cut.
const WITHOUT_INTEGRITY: &str = "845e035e1505f80a09a01a120107404e5419362ab448c7670fe945049a02ea4ba7\
    65ea1de08178380df8e5b9b53d54307bf854fd7861c528293c2818d2b3701fe1f2e19b24fd236d2109ae786c3942af\
    ac4f93e482e68fd7ec76f3c74989baf2c9386dd8bed252b3";
/// The start of `gpg -e` to an RSA key: the body has 268 bytes.
const RSA_START: &str = "85010c03962bcaff4d433e51010800bd";

#[test]
fn what_gpg_encrypts_looks_encrypted() {
    assert!(looks_encrypted(&bytes(SYMMETRIC)));
    assert!(looks_encrypted(&bytes(PUBLIC_AND_PASSWORD)));
    assert!(looks_encrypted(&bytes(WITHOUT_INTEGRITY)));
    let mut rsa = bytes(RSA_START);
    assert!(looks_encrypted(&rsa), "cut inside the first packet");
    rsa.resize(271, 0x55);
    assert!(looks_encrypted(&rsa), "cut behind it");
    assert!(looks_encrypted(&[&rsa[..], &[0xd2]].concat()));
    assert!(looks_encrypted(&[&rsa[..], &[0xd4]].concat()));
    assert!(looks_encrypted(&[&rsa[..], &rsa, &[0xc9]].concat()));
    assert!(!looks_encrypted(&[&rsa[..], &[0xac]].concat()));
    assert!(!looks_encrypted(&[&rsa[..], b"x"].concat()));
}

#[test]
fn what_gpg_only_signs_stores_or_exports_does_not() {
    for (what, hex) in [
        ("--sign", "a3019bc0cbccc0c558f6795deda662f372c6355249ac053989"),
        ("--store", "a3015b2395c45a9093989997cde8322523bfb8242f31375521ad5cd7c0900b00"),
        ("--sign, not compressed", "900d03000a0176f3ae7db273377701ac1a6205706c61696e6b0144"),
        ("--detach-sign", "8901330400010a001d162104339f9f5ac0acd551c06c0e6976f3ae7d"),
        ("--export", "9833046b01449216092b06010401da470f01010740315adf3ed9fd6f"),
    ] {
        assert!(!looks_encrypted(&bytes(hex)), "{what}");
    }
}

#[test]
fn armor_is_known_by_its_first_line() {
    let armored = "-----BEGIN PGP MESSAGE-----\n\nhF4DXhUF+AoJoBoSAQdA67KI68FVJZ7C7rroAhhD\n";
    for before in ["", "\n", " \r\n\t", "\u{feff}", "\u{feff}\n"] {
        assert!(looks_encrypted(format!("{before}{armored}").as_bytes()));
    }
    for other in [
        "-----BEGIN PGP SIGNED MESSAGE-----\n",
        "-----BEGIN PGP SIGNATURE-----\n",
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
        "x-----BEGIN PGP MESSAGE-----\n",
        "-----BEGIN PGP MESSAGE",
    ] {
        assert!(!looks_encrypted(other.as_bytes()), "{other}");
    }
}

#[test]
fn other_files_do_not() {
    for other in [
        &b""[..],
        b"hostname fw-01\n",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
        b"\xfd7zXZ\x00",
        b"BZh91AY&SY",
        b"\x28\xb5\x2f\xfd",
        b"PK\x03\x04",
        b"<?xml version=\"1.0\"?>",
        "\u{c9}tat de la configuration\n".as_bytes(),
        b"\xc3",
        b"\x8c",
        b"\x8f\x04\x09\x03\x02",
        &[0; 64],
        &[0xff; 64],
    ] {
        let long = [other, &[b'\n'; 5000]].concat();
        assert!(!looks_encrypted(other), "{other:x?}");
        assert!(!looks_encrypted(&long), "{other:x?}");
    }
}

/// A new-format packet, its length written in `form`.
fn new_format(tag: u8, form: u8, body: &[u8]) -> Vec<u8> {
    let len = u8::try_from(body.len()).unwrap();
    let mut packet = vec![0xc0 | tag];
    match form {
        1 => packet.push(len),
        2 => packet.extend([192, len - 192]),
        5 => packet.extend([255, 0, 0, 0, len]),
        _ => {
            // Partial: 2^5, then 2^0, then the rest.
            packet.push(0xe5);
            packet.extend(&body[..32]);
            packet.push(0xe0);
            packet.push(body[32]);
            packet.push(len - 33);
            packet.extend(&body[33..]);
            return packet;
        }
    }
    packet.extend(body);
    packet
}

#[test]
fn every_form_of_length_is_walked_over() {
    for (form, len) in [(1, 13), (1, 191), (2, 192), (2, 250), (5, 7), (0, 33), (0, 150)] {
        let mut body = vec![0x55; len];
        body[0] = 4;
        let key = new_format(PASSWORD_SESSION_KEY, form, &body);
        assert!(looks_encrypted(&[&key[..], &[0xd2, 0xff]].concat()), "{form} {len}");
        assert!(!looks_encrypted(&[&key[..], &[0xcb, 0xff]].concat()), "{form} {len}");
    }
    // Old format with two and with four bytes of length.
    for head in [&[0x8d, 0, 5][..], &[0x8e, 0, 0, 0, 5]] {
        let key = [head, &[4, 9, 3, 2, 1]].concat();
        assert!(looks_encrypted(&[&key[..], &[0xd2]].concat()));
        assert!(!looks_encrypted(&[&key[..], &[0xcb]].concat()));
    }
}

#[test]
fn markers_and_padding_are_looked_past() {
    let marker = bytes("ca03504750");
    let padding = new_format(PADDING, 1, &[0; 40]);
    let message = bytes(SYMMETRIC);
    assert!(looks_encrypted(&[&marker[..], &message].concat()));
    assert!(looks_encrypted(&[&padding[..], &marker, &message].concat()));
    assert!(looks_encrypted(&[&bytes("a803504750")[..], &message].concat()));
    assert!(!looks_encrypted(&marker));
    assert!(!looks_encrypted(&[&marker[..], &bytes("a3015b23")].concat()));
    assert!(!looks_encrypted(&[&marker[..], &[0xd2, 9, 1]].concat()), "no session key");
}

#[test]
fn only_the_first_bytes_are_inspected() {
    let mut body = vec![0; INSPECTED_BYTES - 4];
    body[0] = 3;
    let mut long = vec![0x85];
    long.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    long.extend(body);
    long.push(0x84);
    assert_eq!(long.len(), INSPECTED_BYTES);
    long.extend(b"\x01not a session key");
    assert!(looks_encrypted(&long));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        start in proptest::sample::select(vec![0x84_u8, 0x85, 0x86, 0x87, 0x8c, 0xc1, 0xc3, 0xca]),
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let _ = looks_encrypted(&bytes);
        let _ = looks_encrypted(&[&[start], &bytes[..]].concat());
    }
}
