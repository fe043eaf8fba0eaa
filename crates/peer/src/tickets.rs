//! Invitations of the phone that starts a room: each is good for a while, and it alone can tell which.

use base::Identity;
use platform::unix_secs;
use protocol::{
    peer::RoomSecret,
    signal::{HostMark, Invitation, Pass, SignalError, Ticket, TicketKey, TicketLife, read_secret},
};
use session::Command;

use crate::{
    driver::Driver,
    messages::{Door, FromWorker},
    world::World,
};

/// What a room's invitations are made with and known by, where it is started.
///
/// # Errors
/// The page's keys are none.
pub fn key(door: &Door, invitation: &Invitation) -> Result<Option<TicketKey>, SignalError> {
    let (Some(key), Some(opening)) = (&door.ticket_key, &door.opening) else { return Ok(None) };
    Ok(Some(invitation.ticket_key(*read_secret(key)?, *read_secret(opening)?)))
}

impl<W: World> Driver<W> {
    /// Gives the coordinator's page the first invitation, which names this phone.
    pub(crate) fn know_own(&mut self, identity: Option<Identity>) {
        self.host = identity.map(HostMark::of);
        if self.is_coordinator() {
            self.invite(self.config.door.life_secs);
        }
    }

    /// Gives the page another invitation, good for so many seconds from now; `None` is as long as the room is open.
    pub(crate) fn invite(&mut self, life_secs: Option<f64>) {
        let life = match life_secs {
            Some(secs) => TicketLife::Until(over_at(unix_secs(), secs)),
            None => TicketLife::Opening,
        };
        let host = self.host;
        let pass = self.ticket_key.as_ref().map(|key| Pass { host, ticket: key.issue(life) });
        let fragment = self.invitation.to_fragment(pass.as_ref()).to_string();
        self.renew_code(&fragment);
        self.emit.send(&FromWorker::Invitation { fragment });
    }

    /// Invitations that were given out are over; phones that are remembered and in are told the secret of the rooms to come.
    pub(crate) fn move_home(&mut self, secret: &str, ticket_key: String) {
        // What a short code brings is over, too; the page may show another.
        self.withdraw_code();
        self.config.door.ticket_key = Some(ticket_key);
        let read = key(&self.config.door, &self.invitation);
        match (read, read_secret(secret)) {
            (Ok(key), Ok(secret)) => {
                self.ticket_key = key;
                self.command(Command::NextSecret(RoomSecret(*secret)));
            }
            (Err(failed), _) | (_, Err(failed)) => self.remark(failed.to_string()),
        }
    }

    /// Whether what a phone has brought is an invitation of ours that is still good.
    pub(crate) fn is_invited(&self, ticket: &[u8]) -> bool {
        let Some(key) = &self.ticket_key else { return false };
        let ticket = Ticket::try_from(ticket);
        ticket.is_ok_and(|ticket| key.check(&ticket, unix_secs() as u64).is_ok())
    }
}

/// In steps, so that a code on the screen does not change with every second; what lies beyond the last second that can be
/// said becomes that second.
fn over_at(now_secs: f64, life_secs: f64) -> u32 {
    let step_secs = (life_secs / 10.0).clamp(1.0, 60.0);
    (((now_secs + life_secs) / step_secs).ceil() * step_secs) as u32
}
