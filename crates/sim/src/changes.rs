//! What changes around the rooms while they run.

use protocol::peer::AwayReason;
use session::Command;
use transport::memory::Conditions;

use crate::{Sim, chance::Chance};

impl Sim {
    /// From now on steps, measurements and frames take up to `spread` (of 1) more or less than
    /// their time, as drawn from the seed.
    pub fn vary(&mut self, seed: u64, spread: f64) {
        self.chance = Chance::new(seed, spread);
    }

    /// How one direction of a link is from now on. Without effect where there is no link.
    pub fn set_link(&mut self, from: usize, to: usize, conditions: Conditions) {
        let to = self.phones[to].id;
        if let Some(link) = self.phones[from].links.get_mut(&to) {
            link.set_conditions(conditions);
        }
    }

    /// How fast a phone is from its next step on.
    pub fn set_speed(&mut self, phone: usize, flops_per_sec: f64) {
        self.phones[phone].spec.flops_per_sec = flops_per_sec;
    }

    /// A phone's page is not in front any more.
    pub fn hide(&mut self, phone: usize) {
        self.command(phone, Command::Away(Some(AwayReason::Hidden)));
    }

    /// It is in front again.
    pub fn show(&mut self, phone: usize) {
        self.command(phone, Command::Away(None));
    }

    /// A phone says goodbye to the others and does nothing more.
    pub fn leave(&mut self, phone: usize) {
        self.command(phone, Command::Leave);
        self.freeze(phone);
        self.phones[phone].is_gone = true;
    }
}
