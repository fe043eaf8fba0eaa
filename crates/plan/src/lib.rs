//! The primary optimizer: which phone runs which modules.
//!
//! **The one law: a plan is a pure function of its input.** No clock, no random
//! choice, no hash map; ties are broken by fewer stages and then by the order of
//! the input.
//!
//! # How an answer comes about
//! 1. [`validate()`] refuses inputs that mean nothing, by JSON path.
//! 2. A dynamic program over (set of phones still to come, phone before them, cut)
//!    computes the cheapest completion of every beginning. Without residual tensors, a
//!    closed ring, or a token that goes elsewhere than module 0 its values are
//!    exact; with them they are lower bounds, since those only add cost.
//! 3. A branch and bound over phones, orders and cuts, guided by those values and
//!    costing every beginning exactly, finds the plan and proves it. In the exact
//!    case it walks straight to the answer. It explores at most
//!    [`Options::search_steps`]; beyond that the answer is the best one found.
//! 4. The relaxation of an integer linear program of the same problem gives a
//!    bound that shares no code with the search ([`linear`]).
//! 5. [`verify`] and [`evaluate`] check and cost the answer from the definitions alone.
//!
//! # What is exact
//! Costs are exact always ([`evaluate`]). The answer is optimal whenever
//! [`Solution::lower_bound_secs`] meets its objective, which tests compare with
//! trying everything, for both objectives, with residual tensors, shared tensors
//! and closed rings. The linear program leaves residual tensors out.

mod bound;
mod costs;
mod error;
mod evaluate;
mod explain;
mod infeasible;
pub mod linear;
mod partial;
mod result;
mod search;
mod solve;
mod validate;
mod verify;

pub use error::{PlanError, Shortfall, Violation};
pub use evaluate::{Evaluation, PairCost, evaluate};
pub use result::{ResultStage, SolveResult, to_result};
pub use solve::{Options, Solution, solve};
pub use validate::validate;
pub use verify::verify;
