//! What phones tell each other, as long as what browsers say.

use protocol::signal::{Candidate, Description, DescriptionKind, SignalBody};

use crate::pairing::SAID;

/// What the phones of a pairing say. Sealing tells pairings apart.
pub(crate) struct Bodies {
    /// By the newcomer.
    pub(crate) offered: [SignalBody; SAID],
    /// By the phone that was there.
    pub(crate) answered: [SignalBody; SAID],
}

impl Bodies {
    pub(crate) fn new() -> Self {
        let said = |kind, from| [description(kind), candidate(from), candidate(from + 1)];
        Self {
            offered: said(DescriptionKind::Offer, 1),
            answered: said(DescriptionKind::Answer, 3),
        }
    }
}

/// A candidate, about 150 bytes long, as one phone may have several.
pub(crate) fn candidate(number: u32) -> SignalBody {
    SignalBody::Candidate(Candidate {
        candidate: candidate_line(number),
        mid: Some("0".into()),
        line: Some(0),
    })
}

fn candidate_line(number: u32) -> String {
    let port = 40_000 + number % 10_000;
    format!(
        "candidate:{number:010} 1 udp 2113937151 9b1c6a2e-5a0f-4c7e-8a53-6f3d2e1b0a99.local {port} typ host \
         generation 0 ufrag EsAw network-id 1 network-cost 999"
    )
}

/// The session description of a data channel as Chromium writes it, with the candidates that were there at once.
fn description(kind: DescriptionKind) -> SignalBody {
    let setup = match kind {
        DescriptionKind::Offer => "actpass",
        DescriptionKind::Answer => "active",
    };
    let candidates: String =
        (10..13).map(|number| format!("a={}\r\n", candidate_line(number))).collect();
    let sdp = format!(
        "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         a=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n{candidates}\
         a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=ice-options:trickle\r\n\
         a=fingerprint:sha-256 D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0:3E:FD:34:8E:5E:EA:6F:AF:52:CE:E6:0F\r\n\
         a=setup:{setup}\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n"
    );
    SignalBody::Description(Description { kind, sdp })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_as_long_as_those_of_browsers() {
        let lengths = |bodies: &[SignalBody]| -> Vec<usize> {
            let length = |body: &SignalBody| match body {
                SignalBody::Description(description) => description.sdp.len(),
                SignalBody::Candidate(candidate) => candidate.candidate.len(),
                SignalBody::Restart(_) => panic!("phones that pair have no link to restart"),
            };
            bodies.iter().map(length).collect()
        };
        let Bodies { offered, answered } = Bodies::new();
        for said in [lengths(&offered), lengths(&answered)] {
            assert!((900..1100).contains(&said[0]), "{said:?}");
            assert!(said[1..].iter().all(|length| (130..170).contains(length)), "{said:?}");
        }
    }
}
