//! Graphs in the language of Mermaid.

use super::diagram::{BACK, Graph, Group};
use std::fmt::Write;

pub(super) fn flowchart(graph: &Graph) -> String {
    let mut text = String::from("flowchart TD\n");
    for (number, lines) in graph.nodes.iter().enumerate() {
        let label = lines
            .iter()
            .map(|line| escaped(line))
            .collect::<Vec<_>>()
            .join("<br/>");
        let (open, close) = if number < graph.inputs {
            ("([", "])")
        } else {
            ("[", "]")
        };
        push(
            &mut text,
            format_args!("    n{number}{open}\"{label}\"{close}"),
        );
    }
    frames(&mut text, graph, None, 1, &mut 0);
    for (from, to, label) in &graph.forward {
        let label = match label.as_str() {
            "" => String::new(),
            label => format!("|\"{}\"|", escaped(label)),
        };
        push(&mut text, format_args!("    n{from} -->{label} n{to}"));
    }
    for (from, to, label) in &graph.back {
        push(
            &mut text,
            format_args!("    n{from} -.->|\"{}\"| n{to}", escaped(label)),
        );
    }
    if !graph.back.is_empty() {
        // Mermaid numbers edges in the order in which they are written: the forward ones came first.
        let first = graph.forward.len();
        let numbers: Vec<String> = (first..first + graph.back.len())
            .map(|number| number.to_string())
            .collect();
        push(
            &mut text,
            format_args!(
                "    linkStyle {} stroke:{BACK},color:{BACK}",
                numbers.join(",")
            ),
        );
    }
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
        push(
            text,
            format_args!("{margin}subgraph s{number}[\"{label}\"]"),
        );
        *number += 1;
        frames(text, graph, Some(group), depth + 1, number);
        for node in graph.own(group) {
            push(text, format_args!("{margin}    n{node}"));
        }
        push(text, format_args!("{margin}end"));
    }
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a string");
}

/// The text as Mermaid shows it in a quoted label. Its entities start with `#`; quotes would end the label, `<` and `&`
/// start HTML, backticks and asterisks Markdown.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("#quot;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            '#' | '`' | '*' | '\\' => {
                write!(out, "#{};", u32::from(c)).expect("writing to a string")
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_in_a_name_is_markup() {
        assert_eq!(
            escaped("a \"b\" <c> & #1 `d`"),
            "a #quot;b#quot; #lt;c#gt; #amp; #35;1 #96;d#96;"
        );
        assert_eq!(escaped("层 é end"), "层 é end");
    }
}
