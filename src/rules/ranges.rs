//! Address ranges in answers: `10.10.0.0/16:5432,203.0.113.7/32`.

use std::net::IpAddr;

/// Address, length of the prefix and port of a range: the port follows the length.
pub(super) fn parts(item: &str) -> Option<(&str, &str, Option<&str>)> {
    let (address, rest) = item.rsplit_once('/')?;
    let (length, port) = rest.split_once(':').map_or((rest, None), |(length, port)| (length, Some(port)));
    Some((address, length, port))
}

/// Why the API would refuse one of these ranges or ports. The pattern of the answer has given their
/// form; words such as `none` are no ranges.
pub(super) fn reject(text: &str) -> Option<String> {
    text.split(',').find_map(|item| {
        let (address, length, port) = parts(item)?;
        let Ok(parsed) = address.parse::<IpAddr>() else {
            return Some(format!("`{item}` is no range: {address} is no address"));
        };
        let most = if parsed.is_ipv4() { 32 } else { 128 };
        if length.parse::<u32>().is_ok_and(|length| length > most) {
            return Some(format!("`{item}` is no range: a prefix of {address} has at most {most} bits"));
        }
        let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
        port.filter(|port| !is_port(port)).map(|port| format!("`{item}`: {port} is no port, which go from 1 to 65535"))
    })
}

#[cfg(test)]
mod tests {
    use super::reject;

    #[test]
    fn what_the_api_refuses_is_refused() {
        let fine =
            ["none", "any", "10.10.0.0/16", "10.10.0.0/16:5432,203.0.113.7/32", "fd00::/8:443", "::/0", "0.0.0.0/0"];
        for text in fine {
            assert_eq!(reject(text), None, "{text}");
        }
        for (text, reason) in [
            ("10.10.0.1/99", "`10.10.0.1/99` is no range: a prefix of 10.10.0.1 has at most 32 bits"),
            ("999.1.1.1/8", "`999.1.1.1/8` is no range: 999.1.1.1 is no address"),
            (":::/0", "`:::/0` is no range: ::: is no address"),
            ("10.0.0.0/8,10.0.0.0/8:99999", "`10.0.0.0/8:99999`: 99999 is no port, which go from 1 to 65535"),
            ("fd00::/129", "`fd00::/129` is no range: a prefix of fd00:: has at most 128 bits"),
        ] {
            assert_eq!(reject(text).as_deref(), Some(reason));
        }
    }
}
