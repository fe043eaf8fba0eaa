//! Another way for an open connection (an ICE restart): new credentials and candidates, and everything else stays, the
//! certificates among it. What `web/src/engine/restart.ts` is to a page.

use protocol::signal::DescriptionKind;
use webrtc::{
    error::{Error, Result},
    peer_connection::{PeerConnection, RTCSessionDescription},
};

/// A step of a restart.
pub enum Restart {
    Offer,
    Answer(String),
    Accept(String),
}

impl Restart {
    /// Gives what the other end is to hear of it, if anything.
    pub async fn step(
        self,
        connection: &dyn PeerConnection,
    ) -> Result<Option<(DescriptionKind, String)>> {
        let (kind, own) = match self {
            Self::Offer => {
                connection.restart_ice().await?;
                (DescriptionKind::Offer, connection.create_offer(None).await?)
            }
            Self::Answer(sdp) => {
                must_name_the_same_certificates(connection, &sdp).await?;
                connection.set_remote_description(RTCSessionDescription::offer(sdp)?).await?;
                (DescriptionKind::Answer, connection.create_answer(None).await?)
            }
            Self::Accept(sdp) => {
                must_name_the_same_certificates(connection, &sdp).await?;
                connection.set_remote_description(RTCSessionDescription::answer(sdp)?).await?;
                return Ok(None);
            }
        };
        connection.set_local_description(own).await?;
        let own = connection.local_description().await.ok_or(Error::ErrConnectionClosed)?;
        Ok(Some((kind, own.sdp)))
    }
}

/// What the two ends proved to each other is about these.
async fn must_name_the_same_certificates(connection: &dyn PeerConnection, sdp: &str) -> Result<()> {
    let known = connection.remote_description().await.ok_or(Error::ErrConnectionClosed)?;
    let known = named_certificates(&known.sdp);
    if known.is_empty() || named_certificates(sdp) != known {
        return Err(Error::ErrNonCertificate);
    }
    Ok(())
}

/// In one order, without what may be written in several ways.
fn named_certificates(sdp: &str) -> Vec<String> {
    let named = sdp.lines().filter_map(|line| line.trim().strip_prefix("a=fingerprint:"));
    let mut named: Vec<String> = named.map(str::to_ascii_lowercase).collect();
    named.sort_unstable();
    named.dedup();
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_those_that_are_named() {
        let sdp = "v=0\r\na=fingerprint:sha-256 AB:CD\r\nm=application\r\na=fingerprint:SHA-256 ab:cd\r\n";
        assert_eq!(named_certificates(sdp), ["sha-256 ab:cd"]);
        assert_ne!(named_certificates(&sdp.replace("CD", "CE")), named_certificates(sdp));
        assert_eq!(named_certificates("v=0"), Vec::<String>::new());
    }
}
