//! One phone's side of `/signal`, from its entering a room to its leaving.

use std::time::{Duration, Instant};

use base::PeerId;
use futures_util::{SinkExt as _, StreamExt as _};
use protocol::signal::{ClientMessage, Invitation, Opener, Sealer, ServerMessage, SignalBody};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    Error,
    network::{Network, Socket},
};

/// A phone in a room.
pub(crate) struct Phone {
    socket: Socket,
    sealer: Sealer,
    opener: Opener,
}

impl Phone {
    /// Opens the room where there are no `others`, and joins it where there are.
    pub(crate) async fn enter(
        network: &Network,
        invitation: &Invitation,
        peer: PeerId,
        others: &[PeerId],
    ) -> Result<Self, Error> {
        let socket = network.connect().await?;
        let (sealer, opener) = (invitation.sealer(peer), invitation.opener(peer));
        let mut phone = Self { socket, sealer, opener };
        let room = invitation.room();
        phone
            .tell(&match others {
                [] => ClientMessage::Open { room, peer },
                _ => ClientMessage::Join { room, peer },
            })
            .await?;
        match phone.hear().await? {
            ServerMessage::Entered { peers, .. } if peers == others => Ok(phone),
            other => Err(unexpected("the room", &other)),
        }
    }

    /// Seals a body and sends it. When it left.
    pub(crate) async fn say(&mut self, to: PeerId, body: &SignalBody) -> Result<Instant, Error> {
        let sealed = self.sealer.seal(to, body)?;
        let message = ClientMessage::Send { to, sealed };
        let leaves = Instant::now();
        self.tell(&message).await?;
        Ok(leaves)
    }

    /// Hears the body that `from` should have sent next. When it came.
    pub(crate) async fn hear_body(
        &mut self,
        from: PeerId,
        body: &SignalBody,
    ) -> Result<Instant, Error> {
        let message = self.hear().await?;
        let came = Instant::now();
        self.check_body(message, from, body)?;
        Ok(came)
    }

    /// Fails unless the message is that body.
    pub(crate) fn check_body(
        &mut self,
        message: ServerMessage,
        from: PeerId,
        body: &SignalBody,
    ) -> Result<(), Error> {
        match message {
            ServerMessage::From { from: sender, sealed } if sender == from => {
                let opened = self.opener.open(from, &sealed)?;
                if opened == *body { Ok(()) } else { Err(unexpected("another body", &opened)) }
            }
            other => Err(unexpected("a body", &other)),
        }
    }

    /// Hears that `message`, and nothing else, comes next.
    pub(crate) async fn expect(&mut self, message: &ServerMessage) -> Result<(), Error> {
        let heard = self.hear().await?;
        if heard == *message {
            Ok(())
        } else {
            Err(unexpected("somebody's coming or going", &heard))
        }
    }

    /// The next message. Pings are answered on the way.
    pub(crate) async fn hear(&mut self) -> Result<ServerMessage, Error> {
        loop {
            match self.socket.next().await.transpose()? {
                Some(Message::Text(text)) => return Ok(ServerMessage::from_json(&text)?),
                Some(Message::Ping(_)) => {}
                other => return Err(unexpected("a message", &other)),
            }
        }
    }

    /// Says goodbye and hears it.
    pub(crate) async fn leave(mut self) -> Result<(), Error> {
        self.socket.close(None).await?;
        while self.socket.next().await.transpose()?.is_some() {}
        Ok(())
    }

    async fn tell(&mut self, message: &ClientMessage) -> Result<(), Error> {
        Ok(self.socket.send(Message::text(message.to_json())).await?)
    }
}

/// That something else came.
pub(crate) fn unexpected(expected: &'static str, heard: &impl std::fmt::Debug) -> Error {
    let heard = format!("{heard:?}").chars().take(HEARD_MAX_CHARS).collect();
    Error::Unexpected { expected, heard }
}

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
const HEARD_MAX_CHARS: usize = 200;
