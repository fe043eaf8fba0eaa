//! How many requests at once a plan is for, and has room for.

use base::PeerId;
use plan::Solution;
use protocol::peer::{Failure, PlanStatus};

use crate::{Assignment, MAX_PARTS, ModelSpec, Room, planning::solve};

/// A plan's stages, and the model with a KV cache for each request that there is room for.
struct Sized {
    spec: ModelSpec,
    solution: Solution,
}

impl Room {
    /// The plan of these phones, ourselves first, for as many requests at once as they have room for; and the model
    /// with so many slots.
    pub(crate) fn best_plan(
        &self,
        spec: &ModelSpec,
        able: &[PeerId],
        assignment: Assignment,
    ) -> Result<(ModelSpec, PlanStatus), Failure> {
        let mut sized = self.expected_size(spec, able, assignment)?;
        if assignment == Assignment::Best {
            self.add_slots(able, &mut sized);
        }
        Ok(self.with_copies(able, sized))
    }

    /// The same with as many slots as the model has by now, if there is room for them: what phones hold is of use only
    /// with as many.
    pub(crate) fn next_plan(
        &self,
        spec: &ModelSpec,
        able: &[PeerId],
    ) -> Result<(ModelSpec, PlanStatus), Failure> {
        match solve(&self.plan_input(spec, able)) {
            Ok(solution) => Ok(self.with_copies(able, Sized { spec: spec.clone(), solution })),
            Err(_) => self.best_plan(spec, able, Assignment::Best),
        }
    }

    /// The copies get the memory that the slots have left.
    fn with_copies(&self, able: &[PeerId], sized: Sized) -> (ModelSpec, PlanStatus) {
        let Sized { spec, mut solution } = sized;
        let input = self.plan_input(&spec, able);
        solution.plan.overlap = plan::overlap(&input, &solution.plan.stages);
        let status = self.plan_status(&spec, &input, able, &solution);
        (spec, status)
    }

    /// With a slot for each request that is expected, or for one at least.
    fn expected_size(
        &self,
        spec: &ModelSpec,
        able: &[PeerId],
        assignment: Assignment,
    ) -> Result<Sized, Failure> {
        let expected = self.config.limits.expected_requests.clamp(1, MAX_SLOTS);
        let sized = |slots| {
            let spec = spec.with_slots(slots);
            let solution = self.solve_as(&spec, able, assignment)?;
            Ok(Sized { spec: self.most_slots(&spec, able, &solution), solution })
        };
        match sized(expected) {
            Err(_) if expected > 1 => sized(1),
            sized => sized,
        }
    }

    /// Of plans that are about as good, one with room for more requests.
    fn add_slots(&self, able: &[PeerId], sized: &mut Sized) {
        let most_secs = sized.solution.objective_secs * (1.0 + AS_GOOD);
        for slots in [self.config.limits.slots.min(MAX_SLOTS), 2] {
            if slots <= sized.spec.slots {
                return;
            }
            let spec = sized.spec.with_slots(slots);
            if let Ok(solution) = solve(&self.plan_input(&spec, able))
                && solution.objective_secs <= most_secs
            {
                *sized = Sized { spec: self.most_slots(&spec, able, &solution), solution };
            }
        }
    }

    /// With as many slots as there is room for if no module moves; no fewer than there are.
    fn most_slots(&self, spec: &ModelSpec, able: &[PeerId], solution: &Solution) -> ModelSpec {
        let most = self.config.limits.slots.min(MAX_SLOTS);
        let larger = (spec.slots + 1..=most).rev().map(|slots| spec.with_slots(slots));
        let fits =
            |spec: &ModelSpec| plan::verify(&self.plan_input(spec, able), &solution.plan).is_ok();
        larger.into_iter().find(fits).unwrap_or_else(|| spec.clone())
    }
}

/// As many as go through a device in one pass.
const MAX_SLOTS: u16 = MAX_PARTS as u16;
/// By so much a plan may be slower that has room for more requests: less than figures of phones differ from one
/// measurement to the next.
const AS_GOOD: f64 = 0.01;
