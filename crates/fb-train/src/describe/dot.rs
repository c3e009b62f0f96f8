//! Graphs in the DOT language of Graphviz.

use super::diagram::{BACK, Graph, Group};
use std::fmt::Write;

pub(super) fn digraph(graph: &Graph) -> String {
    let mut text =
        String::from("digraph network {\n    node [shape=box, fontname=\"sans-serif\"];\n");
    text.push_str("    edge [fontname=\"sans-serif\"];\n");
    for (number, lines) in graph.nodes.iter().enumerate() {
        let label = lines
            .iter()
            .map(|line| escaped(line))
            .collect::<Vec<_>>()
            .join("\\n");
        let shape = if number < graph.inputs {
            ", shape=ellipse"
        } else {
            ""
        };
        push(
            &mut text,
            format_args!("    n{number} [label=\"{label}\"{shape}];"),
        );
    }
    frames(&mut text, graph, None, 1, &mut 0);
    for (from, to, label) in &graph.forward {
        let label = match label.as_str() {
            "" => String::new(),
            label => format!(" [label=\"{}\"]", escaped(label)),
        };
        push(&mut text, format_args!("    n{from} -> n{to}{label};"));
    }
    for (from, to, label) in &graph.back {
        // Without `constraint=false` Graphviz would rank the destination below the source.
        let label = escaped(label);
        push(
            &mut text,
            format_args!(
                "    n{from} -> n{to} [label=\"{label}\", style=dashed, color=\"{BACK}\", fontcolor=\"{BACK}\", constraint=false];"
            ),
        );
    }
    text.push_str("}\n");
    text
}

/// The frames inside another, with what is in them.
fn frames(
    text: &mut String,
    graph: &Graph,
    outer: Option<&Group>,
    depth: usize,
    number: &mut usize,
) {
    let margin = "    ".repeat(depth);
    for group in graph.inside(outer) {
        let label = escaped(&group.label);
        push(text, format_args!("{margin}subgraph cluster_{number} {{"));
        push(
            text,
            format_args!("{margin}    label=\"{label}\"; style=rounded;"),
        );
        *number += 1;
        frames(text, graph, Some(group), depth + 1, number);
        for node in graph.own(group) {
            push(text, format_args!("{margin}    n{node};"));
        }
        push(text, format_args!("{margin}}}"));
    }
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a string");
}

/// The text as Graphviz shows it in a quoted label: backslashes and quotes are escaped, and so are ampersands, with
/// which it spells HTML entities.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('&', "&amp;")
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_in_a_name_is_markup() {
        assert_eq!(escaped("a \"b\" \\n & <c>"), "a \\\"b\\\" \\\\n &amp; <c>");
        assert_eq!(escaped("层 é end"), "层 é end");
    }
}
