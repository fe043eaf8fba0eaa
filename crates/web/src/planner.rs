//! The planner by itself, for a page that wants no room.

use base::PlanInput;
use plan::{Answer, Options, PlanError, Refusal, overlap};
use platform::now_secs;
use wasm_bindgen::prelude::*;

/// Assigns modules to devices: an instance of the planner's file format to its answer, both as JSON (see
/// `docs/planner.md`).
///
/// # Errors
/// A sentence that names the place: the input means nothing, or no plan was found before the search's limit.
#[wasm_bindgen]
pub fn plan(input: &str) -> Result<String, JsValue> {
    let input: PlanInput = serde_json::from_str(input).map_err(|error| error.to_string())?;
    let started_secs = now_secs();
    let solved = plan::solve(&input, &Options::default());
    let answer = match solved {
        Ok(mut solution) => {
            solution.plan.overlap = overlap(&input, &solution.plan.stages);
            serde_json::to_string(&Answer::new(&input, &solution, now_secs() - started_secs))
        }
        Err(PlanError::Infeasible(shortfalls)) => {
            serde_json::to_string(&Refusal { infeasible: &shortfalls })
        }
        Err(error) => return Err(error.to_string().into()),
    };
    answer.map_err(|error| error.to_string().into())
}
