//! The primary optimizer: which phone runs which modules; and the secondary one: which get a second
//! copy ([`overlap()`]).
//!
//! **The one law: a plan is a pure function of its input.** No random choice, no hash map; ties
//! are broken by fewer stages and then by the order of the input. The only clock ends a linear
//! program that takes too long, and a search that ends by itself gives the same plan without it.
//!
//! # How an answer comes about
//! 1. [`validate()`] refuses inputs that mean nothing, by JSON path.
//! 2. In a small room an integer linear program draws a plan ([`linear`]), and its relaxation gives a
//!    bound. In a large one it is asked only where the search below does not end by itself; there the
//!    relaxation draws the plan, repaired over the cuts.
//! 3. A dynamic program over (set of phones still to come, phone before them, cut)
//!    computes the cheapest completion of every beginning. Beyond the module whose residual tensors
//!    cost most (an encoder's last), it is also over the phone that has them. Its values are exact
//!    without further residual tensors (those of module 0 apart) or a token that goes elsewhere
//!    than module 0; with them they are lower bounds, since those only add cost.
//! 4. A branch and bound over phones, orders and cuts, guided by those values and
//!    costing every beginning exactly, finds the best plan and proves it: it confirms the
//!    linear program's, or replaces it ([`FoundBy`]). In the exact case it walks straight to
//!    the answer. It explores at most [`Options::search_steps`].
//!    Where the ring may close, plans that leave it open come first; then, for each end of the
//!    header's first stage that may lead to less, those that close it, with tables of their own.
//! 5. [`verify`] and [`evaluate`] check and cost every plan from the definitions alone.
//!
//! # What is exact
//! Costs are exact always ([`evaluate`]). The answer is optimal whenever
//! [`Solution::lower_bound_secs`] meets its objective, which tests compare with
//! trying everything, for both objectives, with residual tensors, shared tensors
//! and closed rings. The linear program leaves residual tensors out.
//!
//! Copies are a dynamic program ([`overlap()`]). An integer linear program ([`linear::overlap_integer`])
//! finds as many bytes in tests, and takes 40 to 1,500 times as long, so it does not serve.

mod answer;
mod bound;
mod closing;
mod compare;
mod costs;
mod error;
mod evaluate;
mod explain;
mod extra;
mod infeasible;
pub mod linear;
mod overlap;
mod partial;
mod places;
mod rebalance;
mod search;
mod segments;
mod solve;
mod triangle;
mod unused;
mod validate;
mod verify;

pub use answer::{Answer, Refusal, Share};
pub use compare::{best_alone, equal_split};
pub use error::{PlanError, Shortfall, Violation};
pub use evaluate::{Evaluation, PairCost, evaluate};
pub use overlap::overlap;
pub use rebalance::rebalance;
pub use segments::{Segments, segments};
pub use solve::{FoundBy, Options, Solution, solve};
pub use unused::Unused;
pub use validate::validate;
pub use verify::verify;
