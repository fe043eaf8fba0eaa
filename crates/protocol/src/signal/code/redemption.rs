//! The phone whose person types a code.

use core::fmt;

use zeroize::Zeroizing;

use super::{
    ShortCode,
    exchange::{Exchange, Keys, Role},
};
use crate::signal::SignalError;

/// A typed code, before the phone that shows it has answered.
pub struct Redemption(Exchange);

/// Who typed it has shown that, and waits for the invitation.
pub struct Awaiting(pub(super) Keys);

impl Redemption {
    /// With the first message.
    ///
    /// # Errors
    /// [`SignalError::NoRandomness`].
    pub fn start(code: &ShortCode) -> Result<(Self, String), SignalError> {
        let (exchange, message) = Exchange::start(Role::Newcomer, code)?;
        Ok((Self(exchange), message))
    }

    /// The other phone answers. What to show it.
    ///
    /// # Errors
    /// [`SignalError::Malformed`] or [`SignalError::TooLarge`].
    pub fn answered(self, message: &str) -> Result<(Awaiting, String), SignalError> {
        let keys = self.0.finish(message)?;
        let shown = keys.confirmation();
        Ok((Awaiting(keys), shown))
    }
}

impl Awaiting {
    /// The invitation: what goes after the `#` of a link.
    ///
    /// # Errors
    /// [`SignalError::WrongCode`] if it is of somebody who does not know the password, or was altered on its way;
    /// [`SignalError::Malformed`] or [`SignalError::TooLarge`].
    pub fn open(self, message: &str) -> Result<Zeroizing<String>, SignalError> {
        self.0.open(message)
    }
}

impl fmt::Debug for Redemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redemption").finish_non_exhaustive()
    }
}

impl fmt::Debug for Awaiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Awaiting").finish_non_exhaustive()
    }
}
