//! Why no plan fits, for the people in the room.

use base::{PeerId, PlanInput};
use plan::PlanError;
use protocol::peer::{Failure, FailureCode, Pledge, clip};

use crate::{Room, facts::SAFETY_FRACTION, measuring::MESSAGE_CHARS};

impl Room {
    /// Which limit fails, by how much, and what would help; `able` has the planner's devices.
    pub(crate) fn no_plan(&self, input: &PlanInput, able: &[PeerId], error: &PlanError) -> Failure {
        let failure = |code, message: &str| {
            Failure::new(code, clip(&self.with_names(able, message), MESSAGE_CHARS))
        };
        let PlanError::Infeasible(_) = error else {
            return failure(FailureCode::Internal, &error.to_string());
        };
        let lends_bytes = |peer| {
            self.facts.get(peer).is_some_and(|facts| matches!(facts.pledge, Pledge::Bytes(_)))
        };
        let has_reserve = able.iter().all(lends_bytes);
        // The same instance in bytes as people lend them.
        let lent = if has_reserve { as_lent(input) } else { input.clone() };
        let Err(PlanError::Infeasible(shortfalls)) = plan::solve(&lent, &plan::Options::default())
        else {
            return failure(FailureCode::DoesNotFit, &error.to_string());
        };
        let mut words: Vec<String> = shortfalls.into_iter().map(|one| one.help).collect();
        if has_reserve {
            words.push("What a part takes has a reserve for the browser in it.".into());
        }
        let plain = |words: String, name: &str| words.replace(&format!("`{name}`"), "one part");
        let smaller = ("use a smaller quantisation", "choose a smaller version of the model");
        let shorter = ("use a shorter context", "choose a model that reads less at once");
        let names = input.modules.iter().map(|module| module.name.as_str());
        let words = names.fold(words.join(" "), plain);
        let words = words.replace(smaller.0, smaller.1).replace(shorter.0, shorter.1);
        failure(FailureCode::DoesNotFit, &words)
    }
}

/// With the reserve added to what modules take instead of taken off what phones lend.
fn as_lent(input: &PlanInput) -> PlanInput {
    let mut lent = input.clone();
    for module in &mut lent.modules {
        module.weights_bytes /= SAFETY_FRACTION;
        module.kv_bytes /= SAFETY_FRACTION;
    }
    lent.tied.iter_mut().for_each(|tied| tied.2 /= SAFETY_FRACTION);
    lent.devices.iter_mut().for_each(|device| device.memory_bytes /= SAFETY_FRACTION);
    lent
}
