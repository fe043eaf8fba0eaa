//! What every device that reads it computes itself, instead of being sent it.
//!
//! Some of a model depends on nothing but positions, which all devices know: rotary tables, masks, biases of distance.
//! Each device can have it by computing it, or over a link from the first that does, whichever takes less.

use crate::operators::{Graph, Operator};

/// Operations that the slowest phone of a room (10^9 a second) does while the fastest link (40 MB a second) carries a
/// byte. What takes less for each of its bytes is cheaper to compute in every room. A rotary table takes 5.
const FLOPS_PER_BYTE: f64 = 25.0;

impl Graph {
    /// Marks what is recomputed.
    pub(crate) fn recompute_what_is_cheaper(&mut self) {
        // Of each node that all devices can compute: operations, with those before it.
        let mut known: Vec<Option<f64>> = Vec::with_capacity(self.nodes.len());
        for node in &mut self.nodes {
            let before = match node.operator {
                Operator::Positions => Some(0.0),
                _ if node.inputs.is_empty() || !node.weights.is_empty() => None,
                _ => node.inputs.iter().map(|input| known[input.0]).sum::<Option<f64>>(),
            };
            let flops = before.map(|before| before + node.flops(1));
            let limit = FLOPS_PER_BYTE * node.output_bytes() as f64;
            node.recomputed = flops.is_some_and(|flops| flops <= limit);
            known.push(flops);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Architecture, config::tests::tiny, describe::describe};

    #[test]
    fn a_rotary_table_is_recomputed_in_every_room() {
        let mut graph = describe(&tiny(Architecture::Llama, true));
        graph.recompute_what_is_cheaper();
        let recomputed = graph.nodes.iter().filter(|node| node.recomputed);
        let names: Vec<&str> = recomputed.map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["positions", "rotary_table"]);
    }
}
