//! From bytes to text: UTF-8, or UTF-16 with a byte order mark as PowerShell writes it.

/// Decodes a file. A byte order mark of UTF-8 stays, so that offsets are those of the file.
///
/// # Errors
/// The line of the first byte that is not text, and why it is not.
pub(super) fn decode(bytes: Vec<u8>) -> Result<String, (Option<u32>, String)> {
    let text = match bytes.as_slice() {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        _ => String::from_utf8(bytes).map_err(|error| {
            let (bytes, error) = (error.as_bytes(), error.utf8_error());
            refuse(bytes, error.valid_up_to())
        })?,
    };
    match text.find('\0') {
        Some(position) => Err(refuse(text.as_bytes(), position)),
        None => Ok(text),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, (Option<u32>, String)> {
    let (units, rest) = bytes.as_chunks::<2>();
    let decoded = char::decode_utf16(units.iter().map(|&pair| unit(pair))).collect();
    match decoded {
        Ok(text) if rest.is_empty() => Ok(text),
        _ => Err((None, "not valid UTF-16".to_owned())),
    }
}

/// Says binary where a NUL byte stands early, as Git does, else points at the byte.
fn refuse(bytes: &[u8], position: usize) -> (Option<u32>, String) {
    if bytes.iter().take(8000).any(|&byte| byte == 0) {
        return (None, "a binary file, not a manifest".to_owned());
    }
    let breaks = bytes[..position].iter().filter(|&&byte| byte == b'\n');
    let line = u32::try_from(breaks.count() + 1).ok();
    (line, "not valid UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf8_stays_as_it_is() {
        let text = "\u{feff}a: ü\r\n";
        assert_eq!(decode(text.into()).unwrap(), text);
    }

    #[test]
    fn utf16_of_both_orders() {
        let units: Vec<u16> = "\u{feff}a: ü😀".encode_utf16().collect();
        let little = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        assert_eq!(decode(little).unwrap(), "a: ü😀");
        assert_eq!(decode(big).unwrap(), "a: ü😀");
        assert!(decode(vec![0xFF, 0xFE, 0x41]).is_err());
    }

    #[test]
    fn latin1_names_its_line() {
        let refused = decode(b"a: 1\nb: \xFC\n".to_vec()).unwrap_err();
        assert_eq!(refused, (Some(2), "not valid UTF-8".to_owned()));
    }

    #[test]
    fn binary_is_called_binary() {
        let message = "a binary file, not a manifest".to_owned();
        let refused = decode(b"\x7fELF\x00\x01\xFF\n".to_vec()).unwrap_err();
        assert_eq!(refused, (None, message.clone()));
        assert_eq!(decode(b"a\0b".to_vec()).unwrap_err(), (None, message));
    }
}
