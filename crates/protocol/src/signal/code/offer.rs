//! The phone that shows a code.

use core::fmt;

use zeroize::Zeroizing;

use super::{
    ShortCode,
    exchange::{Exchange, Keys, Role},
};
use crate::signal::{CODE_INVITATION_MAX_BYTES, CODE_TRIES, SignalError, check_size};

/// A code that is shown, and what it brings. Phones call one after another, by numbers that the server gives them.
pub struct Offer {
    code: ShortCode,
    invitation: Zeroizing<String>,
    wrong_tries: u32,
    call: Option<Call>,
}

/// A phone that has still to show that it knows the password.
struct Call {
    number: u32,
    keys: Keys,
}

impl Offer {
    /// What `invitation` says is for whoever types `code`.
    ///
    /// # Errors
    /// [`SignalError::TooLarge`] over [`CODE_INVITATION_MAX_BYTES`].
    pub fn new(code: ShortCode, invitation: Zeroizing<String>) -> Result<Self, SignalError> {
        check_size("an invitation", invitation.len(), CODE_INVITATION_MAX_BYTES)?;
        Ok(Self { code, invitation, wrong_tries: 0, call: None })
    }

    /// From now on the code brings this, as where the invitation was renewed while it is shown.
    ///
    /// # Errors
    /// [`SignalError::TooLarge`] over [`CODE_INVITATION_MAX_BYTES`]; it brings then what it brought.
    pub fn renew(&mut self, invitation: Zeroizing<String>) -> Result<(), SignalError> {
        check_size("an invitation", invitation.len(), CODE_INVITATION_MAX_BYTES)?;
        self.invitation = invitation;
        Ok(())
    }

    /// What to show.
    pub fn code(&self) -> &ShortCode {
        &self.code
    }

    /// How often a wrong code may still be typed.
    pub fn tries_left(&self) -> u32 {
        CODE_TRIES - self.wrong_tries
    }

    /// Somebody calls, and says the first message of an exchange. What to answer. Who called before and has shown nothing
    /// is forgotten: from what was answered, nobody learns whether a password is right.
    ///
    /// # Errors
    /// [`SignalError::WrongCode`] if the code is spent; [`SignalError::Malformed`], [`SignalError::TooLarge`] and
    /// [`SignalError::NoRandomness`], which cost the code nothing.
    pub fn called(&mut self, number: u32, message: &str) -> Result<String, SignalError> {
        self.call = None;
        if self.tries_left() == 0 {
            return Err(SignalError::WrongCode);
        }
        let (exchange, answer) = Exchange::start(Role::Offering, &self.code)?;
        self.call = Some(Call { number, keys: exchange.finish(message)? });
        Ok(answer)
    }

    /// Who called shows that it knows the password. What to answer then, and only then.
    ///
    /// # Errors
    /// [`SignalError::WrongCode`], which costs a try; [`SignalError::NoCall`] for whoever does not call, or did already;
    /// [`SignalError::NoRandomness`].
    pub fn confirmed(&mut self, number: u32, shown: &str) -> Result<String, SignalError> {
        let call = self.call.take_if(|call| call.number == number).ok_or(SignalError::NoCall)?;
        if let Err(wrong) = call.keys.check(shown) {
            self.wrong_tries += 1;
            return Err(wrong);
        }
        call.keys.seal(&self.invitation)
    }

    /// Who called has gone.
    pub fn left(&mut self, number: u32) {
        self.call.take_if(|call| call.number == number);
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer")
            .field("code", &self.code)
            .field("wrong_tries", &self.wrong_tries)
            .finish_non_exhaustive()
    }
}
