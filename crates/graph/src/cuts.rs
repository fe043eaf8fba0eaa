//! Where a graph can be cut.
//!
//! A cut is an operator that every path from the token ids to the logits passes through, and whose
//! output is either read by several operators (the residual stream forks) or made from several (it
//! joins). Between two such operators one tensor is all that crosses, but for those that are read far and
//! wide, and these do not stand in the way of a cut:
//!
//! - what an encoder gives to its decoder. Paths begin at the last token ids that an operator depends on,
//!   so that each of the two is cut by its own paths;
//! - what has been joined again with all that was made of it, and is read again further on.
//!
//! What they are read by is in the residual dependency map.

use std::collections::BTreeSet;

use crate::{Graph, NodeId, Operator};

/// The module of each node: how many cuts lie before it. None for what is recomputed where it is read.
pub(crate) fn assign(graph: &Graph) -> Vec<Option<usize>> {
    let stream_of = streams(graph);
    let last = stream_of.iter().flatten().max().copied();
    let mut module_of = vec![None; graph.nodes.len()];
    let mut module = 0;
    for number in 0..last.map_or(0, |last| last + 1) {
        let stream = Stream::of(graph, &stream_of, number);
        let cuts = stream.cuts(graph);
        // Behind an encoder's last cut is only what the decoder's modules make of its output.
        let members = match stream.nodes.iter().rposition(|&node| cuts[node]) {
            _ if Some(number) == last => &stream.nodes[..],
            Some(last_cut) => &stream.nodes[..=last_cut],
            None => &[],
        };
        for &node in members {
            module_of[node] = Some(module);
            module += usize::from(cuts[node]);
        }
    }
    place_side_inputs(graph, &mut module_of);
    module_of
}

/// For each node between token ids and the output, the number of the last token ids that it depends on:
/// what depends on an encoder's alone runs for tokens of a prompt, and what depends on the decoder's for
/// those of an answer.
pub(crate) fn streams(graph: &Graph) -> Vec<Option<usize>> {
    let mut stream_of = vec![None; graph.nodes.len()];
    let mut count = 0;
    for (id, node) in graph.nodes.iter().enumerate() {
        stream_of[id] = node.inputs.iter().filter_map(|input| stream_of[input.0]).max();
        if node.operator == Operator::Tokens {
            stream_of[id] = Some(count);
            count += 1;
        }
    }
    let is_used = before_output(graph);
    stream_of.into_iter().zip(is_used).map(|(stream, is_used)| stream.filter(|_| is_used)).collect()
}

/// Whether the output depends on a node.
fn before_output(graph: &Graph) -> Vec<bool> {
    let mut before_output = vec![false; graph.nodes.len()];
    if let Some(last) = before_output.last_mut() {
        *last = true;
    }
    for (id, node) in graph.nodes.iter().enumerate().rev() {
        for input in &node.inputs {
            before_output[input.0] |= before_output[id];
        }
    }
    before_output
}

/// The nodes on the paths from the same token ids, and who reads them.
struct Stream {
    /// In the order in which they run.
    nodes: Vec<usize>,
    /// How many inputs each node has from this stream.
    sources: Vec<usize>,
    /// How many nodes read each of the stream's; a reader may belong to another stream.
    readers: Vec<usize>,
    /// The last of those readers.
    last_reader: Vec<usize>,
}

impl Stream {
    fn of(graph: &Graph, stream_of: &[Option<usize>], number: usize) -> Self {
        let count = graph.nodes.len();
        let is_member = |node: usize| stream_of[node] == Some(number);
        let nodes = (0..count).filter(|&node| is_member(node)).collect();
        let (sources, readers, last_reader) = (vec![0; count], vec![0; count], vec![0; count]);
        let mut stream = Self { nodes, sources, readers, last_reader };
        let edges = graph.edges().map(|(NodeId(producer), NodeId(consumer))| (producer, consumer));
        for (producer, consumer) in edges {
            if is_member(producer) && stream_of[consumer].is_some() {
                stream.readers[producer] += 1;
                stream.sources[consumer] += 1;
                stream.last_reader[producer] = stream.last_reader[producer].max(consumer);
            }
        }
        stream
    }

    /// Whether the graph is cut behind a node.
    ///
    /// All paths pass a node exactly if no edge leads past it: among the nodes of a stream, those
    /// before it in the order are then its ancestors, and those after it its descendants.
    fn cuts(&self, graph: &Graph) -> Vec<bool> {
        let mut cuts = vec![false; graph.nodes.len()];
        // Whose output is read further on.
        let mut open = BTreeSet::new();
        for &id in &self.nodes {
            open.retain(|&earlier| self.last_reader[earlier] > id);
            if self.sources[id] > 1 && self.is_only(&open, &graph.nodes[id].inputs) {
                // All that was made of the one open tensor is joined with it here.
                open.clear();
            }
            let forks_or_joins = self.readers[id] > 1 || self.sources[id] > 1;
            cuts[id] = open.is_empty() && forks_or_joins && id + 1 < graph.nodes.len();
            open.insert(id);
        }
        self.without_chains(cuts)
    }

    /// Whether one tensor is open, and among the inputs.
    fn is_only(&self, open: &BTreeSet<usize>, inputs: &[NodeId]) -> bool {
        open.len() == 1 && inputs.iter().any(|input| open.contains(&input.0))
    }

    /// A mere chain from one cut to the next, such as an encoder's last norm, belongs to what is before
    /// it: only the second is kept.
    fn without_chains(&self, cuts: Vec<bool>) -> Vec<bool> {
        let is_last = |id: usize| {
            let end = self.end_of_chain(id);
            end == id || !cuts[end]
        };
        (0..cuts.len()).map(|id| cuts[id] && is_last(id)).collect()
    }

    /// The last node that is reached from this one while there is one way to go and one way to come.
    fn end_of_chain(&self, mut id: usize) -> usize {
        while self.readers[id] == 1 && self.sources[self.last_reader[id]] == 1 {
            id = self.last_reader[id];
        }
        id
    }
}

/// What does not depend on the tokens is computed by the first module that reads
/// it, and sent on from there, unless every reader recomputes it.
fn place_side_inputs(graph: &Graph, module_of: &mut [Option<usize>]) {
    for (consumer, node) in graph.nodes.iter().enumerate().rev() {
        let Some(module) = module_of[consumer] else { continue };
        for input in &node.inputs {
            if !graph.nodes[input.0].recomputed {
                let earliest = module_of[input.0].map_or(module, |other| other.min(module));
                module_of[input.0] = Some(earliest);
            }
        }
    }
}
