//! The operator graph in Graphviz's language.

use std::fmt::Write as _;

use graph::{Graph, Modules, Node, NodeId, Operator, Sees};

use super::Inspected;

/// A box for each operator within one for its module, and what they give to each other. Thick red
/// arrows go from module to module, and dashed ones carry what every device computes itself.
pub fn drawing(inspected: &Inspected) -> String {
    let Modules { graph, list, module_of } = &inspected.modules;
    let mut lines = vec![
        format!("digraph {} {{", quoted(inspected.file.name())),
        "  fontname=\"sans-serif\";".into(),
        "  node [shape=box, style=filled, fillcolor=white, fontname=\"sans-serif\"];".into(),
        "  edge [fontname=\"sans-serif\", fontsize=10];".into(),
    ];
    for (number, module) in list.iter().enumerate() {
        lines.push(format!("  subgraph cluster_{number} {{"));
        let name = quoted(&module.name);
        lines.push(format!("    label={name}; style=filled; fillcolor=gray95; color=gray60;"));
        lines.extend(module.nodes.iter().map(|&id| format!("    {}", operator(graph, id, ""))));
        lines.push("  }".into());
    }
    let apart = (0..graph.nodes.len()).filter(|&id| module_of[id].is_none());
    let dashed = ", style=\"filled,dashed\"";
    lines.extend(apart.map(|id| format!("  {}", operator(graph, NodeId(id), dashed))));
    for (reader, node) in graph.nodes.iter().enumerate() {
        lines.extend(node.inputs.iter().map(|input| edge(graph, module_of, input.0, reader)));
    }
    lines.push("}\n".into());
    lines.join("\n")
}

fn operator(graph: &Graph, NodeId(id): NodeId, more: &str) -> String {
    let node = &graph.nodes[id];
    let label = quoted(&format!("{}\n{}", node.name, what(node)));
    format!("n{id} [label={label}{more}];")
}

fn edge(graph: &Graph, module_of: &[Option<usize>], producer: usize, reader: usize) -> String {
    let node = &graph.nodes[producer];
    let how = match module_of[producer] {
        _ if node.recomputed => "style=dashed, color=gray50".to_owned(),
        module => {
            let crosses = module != module_of[reader];
            let emphasis = if crosses { ", color=red3, fontcolor=red3, penwidth=3" } else { "" };
            format!("label=\"{} B\"{emphasis}", node.output_bytes())
        }
    };
    format!("  n{producer} -> n{reader} [{how}];")
}

fn what(node: &Node) -> String {
    let width = node.width;
    match node.operator {
        Operator::Tokens => "token ids".into(),
        Operator::Positions => "positions, known everywhere".into(),
        Operator::Lookup => format!("row of a table, {width}"),
        Operator::RotaryTable => format!("sines and cosines, {width}"),
        Operator::RmsNorm => format!("RMS norm, {width}"),
        Operator::LayerNorm => format!("layer norm, {width}"),
        Operator::Linear { columns } => format!("linear, {columns} to {width}"),
        Operator::Rotary => format!("rotary embedding, {width}"),
        Operator::Attention { heads, head_dim, sees, .. } => {
            let reach = match sees {
                Sees::Before(None) => String::new(),
                Sees::Before(Some(window)) => format!(", window of {window}"),
                Sees::Prompt => ", over the prompt".into(),
            };
            format!("attention, {heads} heads of {head_dim}{reach}")
        }
        Operator::Add => format!("sum, {width}"),
        Operator::SiluMul => format!("silu times, {width}"),
        Operator::GeluMul => format!("gelu times, {width}"),
        Operator::Gelu => format!("gelu, {width}"),
        Operator::Relu => format!("relu, {width}"),
    }
}

/// A string of the language. Names may come from files.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '\n' => quoted.push_str("\\n"),
            '"' | '\\' => {
                let _ = write!(quoted, "\\{letter}");
            }
            letter if letter.is_control() => quoted.push(' '),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
