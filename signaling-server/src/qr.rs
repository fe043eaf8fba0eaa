//! The page's address for phones, as text and as a QR code in the terminal.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use qrcode::{
    QrCode,
    render::{svg, unicode::Dense1x2},
    types::QrError,
};

/// The address under which phones of the same network reach a server that
/// listens on `listen`: that address itself, or, where it means all of this
/// machine's, the one on the way to everywhere else.
pub fn lan_address(listen: SocketAddr) -> SocketAddr {
    if !listen.ip().is_unspecified() {
        return listen;
    }
    let ip = routed_address().or_else(private_address);
    SocketAddr::new(ip.unwrap_or(Ipv4Addr::LOCALHOST.into()), listen.port())
}

/// `text` as a QR code of block characters, dark on light, with its quiet zone.
///
/// # Errors
/// If the text is longer than a QR code can be, about 2900 bytes.
pub fn qr_code(text: &str) -> Result<String, QrError> {
    // A terminal's ground is usually dark, so its blocks are the light modules.
    let code = QrCode::new(text)?;
    let light = (Dense1x2::Dark, Dense1x2::Light);
    Ok(code.render::<Dense1x2>().dark_color(light.1).light_color(light.0).build())
}

/// `text` as a QR code in an SVG element, black on white, with its quiet zone.
///
/// # Errors
/// As [`qr_code`].
pub(crate) fn qr_svg(text: &str) -> Result<String, QrError> {
    let drawn = QrCode::new(text)?.render::<svg::Color<'_>>().build();
    // The element stands in a page, which is no XML document.
    Ok(drawn.split_once("?>").map_or(drawn.as_str(), |(_, element)| element).to_owned())
}

/// Connecting a UDP socket sends nothing, but picks the interface. The address is
/// reserved for documentation (RFC 5737), so it is on nobody's network.
fn routed_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

/// On a network without a way out, such as a phone's hotspot.
fn private_address() -> Option<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().ok()?;
    let is_private = |ip: &IpAddr| matches!(ip, IpAddr::V4(v4) if v4.is_private());
    interfaces.iter().map(if_addrs::Interface::ip).find(is_private)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_address_is_kept_and_all_addresses_become_one() {
        let given: SocketAddr = "192.168.7.7:80".parse().unwrap();
        assert_eq!(lan_address(given), given);
        let chosen = lan_address("0.0.0.0:8443".parse().unwrap());
        assert!(!chosen.ip().is_unspecified() && chosen.port() == 8443);
    }

    /// The three corner patterns, in half blocks, after the quiet zone of four modules.
    #[test]
    fn the_code_is_drawn_light_on_a_dark_ground() {
        let code = qr_code("https://192.168.1.2:8443/").unwrap();
        let lines: Vec<&str> = code.lines().collect();
        let width = lines[0].chars().count();
        assert!(lines.iter().all(|line| line.chars().count() == width));
        assert!(lines[0].chars().all(|c| c == '█'), "quiet zone");
        let corner: Vec<String> =
            lines[2..6].iter().map(|line| line.chars().skip(4).take(7).collect()).collect();
        assert_eq!(corner, [" ▄▄▄▄▄ ", " █   █ ", " █▄▄▄█ ", "▄▄▄▄▄▄▄"], "{code}");
    }

    #[test]
    fn too_long_a_text_is_refused() {
        assert!(qr_code(&"x".repeat(5000)).is_err() && qr_svg(&"x".repeat(5000)).is_err());
    }

    #[test]
    fn a_page_gets_an_element() {
        let code = qr_svg("http://192.168.1.2:8443/").unwrap();
        assert!(code.starts_with("<svg") && code.ends_with("</svg>"), "{code}");
    }
}
